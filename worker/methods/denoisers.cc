#include <cmath>
#include <vector>

#include "proto/contract/parameters.h"
#include "worker/methods/data_splitting.h"
#include "worker/methods/denoiser.h"
#include "worker/methods/describe.h"
#include "worker/methods/tv_denoiser.h"

namespace deconvoy::worker {

std::span<const DenoiserKind* const> AllDenoisers() {
  static const auto& denoisers = *new std::vector<const DenoiserKind*>{
      new TotalVariationDenoiser,
  };
  return denoisers;
}

void AddDenoiser(v1::Method& method, double sigma) {
  std::vector<Choice> choices;
  for (const DenoiserKind* kind : AllDenoisers()) {
    choices.push_back({kind->name(), kind->meaning(), kind->bytes_per_padded_voxel()});
  }
  AddChoice(method, kDenoiser, AllDenoisers().front()->name(), "What takes the noise out", choices);
  AddReal(method, "sigma", 0, 100, sigma,
          "Noise to take out in every iteration, over the noise of a mean voxel: larger is flatter");
  method.set_takes_denoiser(true);
}

absl::StatusOr<std::unique_ptr<Denoiser>> OpenDenoiser(const Problem& problem, const Parameters& parameters,
                                                       const DenoiserKind* given) {
  if (given != nullptr) return given->Open(problem);
  const DenoiserKind* chosen = AllDenoisers().front();
  for (const DenoiserKind* kind : AllDenoisers()) {
    if (kind->name() == parameters.Choice(kDenoiser)) chosen = kind;
  }
  return chosen->Open(problem);
}

float SigmaOf(const Problem& problem, const Parameters& parameters) {
  return static_cast<float>(parameters.Real("sigma")) * std::sqrt(ScaleOf(problem));
}

}  // namespace deconvoy::worker
