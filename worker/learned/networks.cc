// Which class each name is.
#include "worker/learned/care_unet3d.h"
#include "worker/learned/ddn.h"
#include "worker/learned/dncnn3d.h"
#include "worker/learned/isonet1.h"
#include "worker/learned/isonet2.h"
#include "worker/learned/network_module.h"
#include "worker/learned/rcan3d.h"
#include "worker/learned/rln.h"
#include "worker/learned/srcnn.h"
#include "worker/learned/unrolled_admm.h"
#include "worker/learned/unrolled_ista.h"

namespace deconvoy::worker::learned {

std::shared_ptr<Network> MakeNetwork(std::string_view name, Head head, const torch::Tensor& psf) {
  const int64_t outputs = head == Head::kProbabilistic ? 2 : 1;
  if (name == "rln") return std::make_shared<Rln>(outputs);
  if (name == "dncnn3d") return std::make_shared<Dncnn3d>();
  if (name == "srcnn") return std::make_shared<Srcnn>(outputs);
  if (name == "isonet1") return std::make_shared<IsoNet1>(outputs);
  if (name == "isonet2") return std::make_shared<IsoNet2>(outputs);
  if (name == "care-unet3d") return std::make_shared<CareUnet3d>(outputs);
  if (name == "rcan3d") return std::make_shared<Rcan3d>(outputs);
  if (name == "ddn") return std::make_shared<Ddn>(outputs);
  if (name == "unrolled-admm") return std::make_shared<UnrolledAdmm>(psf);
  return std::make_shared<UnrolledIsta>(psf);
}

}  // namespace deconvoy::worker::learned
