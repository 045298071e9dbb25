#include "worker/backends/cuda/steps.h"

#include <cmath>
#include <variant>

#include "worker/backends/cuda/stencils.h"

namespace deconvoy::worker::cuda {
namespace {

float* DataOf(const Array* array) {
  return array != nullptr ? static_cast<const CudaArray*>(array)->data() : nullptr;
}

WeightField WeightsOf(const Weights* weights) {
  return weights != nullptr ? static_cast<const CudaWeights*>(weights)->field() : WeightField{};
}

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

Sink OfArray(const End& end, const Array* output) {
  return {.end = end, .box = output->box(), .output = FieldOf(output)};
}
// On y's box, whether or not there is an output.
Sink OfMeasured(const End& end, const Array* y, const Array* output) {
  return {.end = end, .box = y->box(), .output = FieldOf(output)};
}

RatioEnd EndOf(const GuardedRatio& r) {
  return {.y = FieldOf(r.y), .mask = FieldOf(r.mask), .background = r.background, .floor = r.floor, .raise = r.raise};
}

MultiplyEnd EndOf(const MultiplyUpdate& u) {
  return {.p = ExtrapolatedOf(u.p),
          .weights = WeightsOf(u.weights),
          .weight_floor = u.weight_floor,
          .floor = u.floor,
          .full_weight = u.full_weight,
          .penalty = FieldOf(u.penalty),
          .strength = u.strength,
          .least_denominator = u.least_denominator,
          .change = FieldOf(u.change)};
}

AddEnd EndOf(const AddUpdate& u) {
  return {.p = ExtrapolatedOf(u.p),
          .step = u.step,
          .addend = FieldOf(u.addend),
          .scale = u.scale,
          .offset = u.offset,
          .floor = u.floor,
          .ceiling = u.ceiling};
}

DataEnd EndOf(const DataSplit& s) {
  return {.y = FieldOf(s.y),
          .mask = FieldOf(s.mask),
          .t = FieldOf(s.t),
          .poisson = s.noise == Noise::kPoisson,
          .background = s.background,
          .scale = s.scale,
          .relaxation = s.relaxation,
          .inverse_rho = 1 / s.rho,
          .pull = 1 / (1 + s.rho * s.variance),
          .kept = s.fresh ? 0.0F : 1.0F,
          .tells_objective = s.objective != nullptr,
          .floor = s.floor,
          .half_precision = 1 / (2 * static_cast<double>(s.variance))};
}

void Put(double value, double* wanted) {
  if (wanted != nullptr) *wanted = value;
}

}  // namespace

Extrapolated ExtrapolatedOf(const Extrapolate& p) {
  return {.x = FieldOf(p.x),
          .previous = p.alpha == 0 ? nullptr : DataOf(p.x_previous),
          .alpha = p.alpha,
          .floor = p.floor,
          .floored = !std::isinf(p.floor)};
}

TakenBack TakenBackOf(const PriorSplit& split, bool less, const Shape3& domain) {
  TakenBack taken{.parts = {},
                  .back = MakeStencil(split.slopes, split.factors, /*adjoint=*/true),
                  .domain = domain,
                  .threshold = split.threshold,
                  .whole = less ? 1.0F : 0.0F,
                  .share = less ? -2.0F : 1.0F};
  for (size_t part = 0; part < PartsOf(split.slopes); ++part) taken.parts[part] = DataOf(split.parts[part]);
  return taken;
}

Source MakeSource(const Prologue& prologue, const Shape3& domain) {
  return std::visit(
      Overloaded{
          [](const Identity& p) -> Source {
            return {FieldStart{ExtrapolatedOf({.x = p.input, .x_previous = nullptr, .alpha = 0, .floor = kNoFloor})},
                    p.input->box()};
          },
          [](const Extrapolate& p) -> Source {
            return {FieldStart{ExtrapolatedOf(p)}, p.x->box()};
          },
          [](const Product& p) -> Source {
            return {ProductStart{FieldOf(p.a), DataOf(p.b), p.a_offset, p.b_offset, p.scale}, p.a->box()};
          },
          [&](const SplitSum& p) -> Source {
            return {SplitStart{DataOf(p.split->value), TakenBackOf(*p.split, /*less=*/true, domain)}, {{}, domain}};
          }},
      prologue);
}

Sink MakeSink(const Epilogue& epilogue, const Shape3& domain) {
  return std::visit(
      Overloaded{[](const Store& s) -> Sink {
                   return {.end = StoreEnd{s.offset, s.floor}, .box = s.where(), .output = FieldOf(s.output)};
                 },
                 [](const GuardedRatio& r) { return OfMeasured(EndOf(r), r.y, r.output); },
                 [](const Residual& r) {
                   return OfMeasured(ResidualEnd{FieldOf(r.y), FieldOf(r.mask), r.background}, r.y, r.output);
                 },
                 [](const MultiplyUpdate& u) { return OfArray(EndOf(u), u.output); },
                 [](const AddUpdate& u) { return OfArray(EndOf(u), u.output); },
                 [](const Divide& d) {
                   return OfArray(DivideEnd{WeightsOf(d.weights), d.weight_floor, d.otherwise}, d.output);
                 },
                 [](const ConsensusUpdate& u) {
                   return OfArray(ConsensusEnd{FieldOf(u.first), FieldOf(u.second), FieldOf(u.x)}, u.x);
                 },
                 [&](const DataSplit& s) -> Sink {
                   return {.end = EndOf(s), .box = {{}, domain}, .output = FieldOf(s.output)};
                 }},
      epilogue);
}

int SumsOf(const Epilogue& epilogue) {
  return std::visit(
      Overloaded{[](const GuardedRatio& r) { return r.i_divergence != nullptr || r.squares != nullptr ? 2 : 0; },
                 [](const Residual& r) { return r.squares != nullptr ? 1 : 0; },
                 [](const MultiplyUpdate& u) { return u.change != nullptr ? 2 : 0; },
                 [](const AddUpdate& u) { return u.squares != nullptr ? 1 : 0; },
                 [](const DataSplit& s) {
                   return s.norms != nullptr || s.objective != nullptr || s.squares != nullptr ? 5 : 0;
                 },
                 [](const auto&) { return 0; }},
      epilogue);
}

void Tell(const Epilogue& epilogue, const double* sums) {
  std::visit(Overloaded{[&](const GuardedRatio& r) {
                          Put(sums[0], r.i_divergence);
                          Put(sums[1], r.squares);
                        },
                        [&](const Residual& r) { Put(sums[0], r.squares); },
                        [&](const MultiplyUpdate& u) { *u.products = {.new_old = sums[0], .old_old = sums[1]}; },
                        [&](const AddUpdate& u) { Put(sums[0], u.squares); },
                        [&](const DataSplit& s) {
                          if (s.norms != nullptr) *s.norms = {.primal = sums[0], .dual = sums[1], .size = sums[2]};
                          Put(sums[3], s.objective);
                          Put(sums[4], s.squares);
                        },
                        [](const auto&) {}},
             epilogue);
}

}  // namespace deconvoy::worker::cuda
