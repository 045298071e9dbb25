// deconvoy: the command line of the deconvolution service.
#include "client/cli/program.h"

int main(int argc, char** argv) {
  deconvoy::client::Program program{.console = deconvoy::client::StandardConsole()};
  return deconvoy::client::RunProgram(program, argc, argv);
}
