// deconvoy psf: making, checking and keeping PSFs.
#include "client/cli/verbs/psf_verbs.h"
#include "client/cli/verbs/verbs.h"

namespace deconvoy::client {
namespace {

constexpr char kExamples[] = R"(
Examples:
  deconvoy psf generate -o psf.ome.tif --optics na=1.4,emission_um=0.52 --voxel-um 0.2,0.065,0.065
      from the optics of a microscope
  deconvoy psf distill beads.tif -o psf.tif
      from a stack of beads
  deconvoy psf check psf.tif --image raw.ome.tif
      what is wrong with one
  deconvoy psf add gfp-60x psf.tif --server localhost:7450
      keeps one on a server, for `--psf psfs/gfp-60x`
  deconvoy psf generate --help
      options of one of these commands)";

}  // namespace

void AddPsf(CLI::App& root, Program& program) {
  CLI::App* group = root.add_subcommand("psf", "Make, check and keep PSFs.");
  group->footer(kExamples);
  for (const auto add : {AddPsfGenerate, AddPsfDistill, AddPsfCheck, AddPsfAdd, AddPsfList, AddPsfShow, AddPsfRemove})
    add(*group, program);
  ShowHelpOfGroup(*group, program);
}

}  // namespace deconvoy::client
