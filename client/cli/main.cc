// deconvoy: the command line of the deconvolution service.
#include <malloc.h>

#include "client/cli/program.h"

namespace {

// Memory of chunks that come and go is kept for the next ones, up to this many bytes.
void KeepMemory() {
  constexpr int kKeptBytes = 16 << 20;
  mallopt(M_MMAP_THRESHOLD, kKeptBytes / 4);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  mallopt(M_TOP_PAD, kKeptBytes / 4);
}

}  // namespace

int main(int argc, char** argv) {
  KeepMemory();
  deconvoy::client::Program program{.console = deconvoy::client::StandardConsole()};
  return deconvoy::client::RunProgram(program, argc, argv);
}
