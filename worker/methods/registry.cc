#include "worker/methods/registry.h"

#include <vector>

#include "proto/contract/model_spec.h"
#include "worker/methods/admm.h"
#include "worker/methods/blind_rl.h"
#include "worker/methods/fista.h"
#include "worker/methods/ictm.h"
#include "worker/methods/ista.h"
#include "worker/methods/landweber.h"
#include "worker/methods/landweber_positive.h"
#include "worker/methods/laplacian.h"
#include "worker/methods/naive_inverse.h"
#include "worker/methods/network.h"
#include "worker/methods/pnp_admm.h"
#include "worker/methods/pnp_ista.h"
#include "worker/methods/rl.h"
#include "worker/methods/rl_gc.h"
#include "worker/methods/rl_good.h"
#include "worker/methods/rl_multiview.h"
#include "worker/methods/rl_tv.h"
#include "worker/methods/stark_parker.h"
#include "worker/methods/tikhonov.h"
#include "worker/methods/tikhonov_miller.h"
#include "worker/methods/van_cittert.h"
#include "worker/methods/wiener.h"

namespace deconvoy::worker {

std::span<const Method* const> AllMethods() {
  static const auto& methods = *new std::vector<const Method*>{
      // They live as long as the program.
      new RichardsonLucy,
      new RlTotalVariation,
      new RlGood,
      new RlGradientConsensus,
      new RlMultiview,
      new BlindRl,
      new Admm,
      new PlugAndPlayAdmm,
      new NaiveInverse,
      new Wiener,
      new Tikhonov,
      new Laplacian,
      new VanCittert,
      new Landweber,
      new LandweberPositive,
      new StarkParker,
      new TikhonovMiller,
      new IterativeConstrainedTikhonovMiller,
      new Ista,
      new Fista,
      new PlugAndPlayIsta,
  };
  return methods;
}

const Method& NetworkMethod() {
  static const auto& method = *new Network;
  return method;
}

const Method* FindMethod(std::string_view name) {
  if (name == kNetworkMethod) return &NetworkMethod();
  for (const Method* method : AllMethods()) {
    if (method->description().name() == name) return method;
  }
  return nullptr;
}

std::unique_ptr<const Method> MethodWithDenoiser(std::string_view name, const DenoiserKind& denoiser) {
  if (name == "pnp-admm") return std::make_unique<PlugAndPlayAdmm>(&denoiser);
  if (name == "pnp-ista") return std::make_unique<PlugAndPlayIsta>(&denoiser);
  return nullptr;
}

v1::Boundary BoundaryOf(const v1::DeconvolveSpec& spec, const Method& method) {
  return spec.boundary() == v1::BOUNDARY_UNSPECIFIED ? method.description().boundaries(0) : spec.boundary();
}

}  // namespace deconvoy::worker
