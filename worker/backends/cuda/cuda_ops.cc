#include "worker/backends/cuda/cuda_ops.h"

#include <string_view>
#include <vector>

#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/backends/cuda/require.h"
#include "worker/backends/cuda/stencils.h"
#include "worker/backends/cuda/steps.h"
#include "worker/backends/cuda/sums.h"

namespace deconvoy::worker::cuda {
namespace {

const CudaArray& Cast(const Array& array) {
  return static_cast<const CudaArray&>(array);
}
const CudaOtf& Cast(const Otf* otf) {
  return static_cast<const CudaOtf&>(*otf);
}
float* DataOf(const Array* array) {
  return static_cast<const CudaArray*>(array)->data();
}

BoxInArray InArray(const Array& array, const Box3& box) {
  return {Cast(array).data(), array.box().shape, box.origin - array.box().origin};
}
BoxInArray InHost(const float* host, const Box3& box) {
  return {const_cast<float*>(host), box.shape, {}};
}

constexpr int64_t kMostSumBytes = kMostSums * int64_t{sizeof(Totals<5>)};  // of one epilogue, or of a whole array
static_assert(CudaFinishing::kSumBytes <= 2 * kMostSumBytes);

bool GoesOnward(const Epilogue& epilogue) {
  const auto* ratio = std::get_if<GuardedRatio>(&epilogue);
  const auto* residual = std::get_if<Residual>(&epilogue);
  return (ratio != nullptr && ratio->output == nullptr) || (residual != nullptr && residual->output == nullptr);
}

// The classes of three axes by position, one line after another.
std::vector<int32_t> Lines(const AxisClasses& z, const AxisClasses& y, const AxisClasses& x) {
  std::vector<int32_t> lines;
  for (const AxisClasses* axis : {&z, &y, &x}) lines.insert(lines.end(), axis->of.begin(), axis->of.end());
  return lines;
}

// The class that each position stands for, or -1; likewise.
std::vector<int32_t> Representatives(const AxisClasses& z, const AxisClasses& y, const AxisClasses& x) {
  std::vector<int32_t> lines;
  for (const AxisClasses* axis : {&z, &y, &x}) {
    const size_t first = lines.size();
    lines.resize(first + axis->of.size(), -1);
    for (int32_t k = 0; k < static_cast<int32_t>(axis->count()); ++k) {
      lines[first + static_cast<size_t>(axis->representative[static_cast<size_t>(k)])] = k;
    }
  }
  return lines;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaOps>> CudaOps::Make(std::unique_ptr<Convolver> convolver,
                                                       std::shared_ptr<StagingPool> stagings) {
  ASSIGN_OR_RETURN(StreamBlock sums, convolver->Allocate(2 * kMostSumBytes));
  return std::unique_ptr<CudaOps>(new CudaOps(std::move(convolver), std::move(stagings), std::move(sums)));
}

// --- Sums ---

absl::StatusOr<void*> CudaOps::MakeSums(const Epilogue& epilogue, int index) {
  const int doubles = SumsOf(epilogue);
  if (doubles == 0) return nullptr;
  void* const sums = sums_.as<char>() + index * kMostSumBytes;
  RETURN_IF_ERROR(stream().Clear(sums, kMostSums * doubles * int64_t{sizeof(double)}));
  return sums;
}

absl::Status CudaOps::TellSums(const Epilogue& epilogue, const void* sums) const {
  const auto doubles = static_cast<size_t>(SumsOf(epilogue));
  if (doubles == 0) return absl::OkStatus();
  std::vector<double> host(static_cast<size_t>(kMostSums) * doubles), total(doubles, 0.0);
  RETURN_IF_ERROR(convolver_->Download(sums, 2 * static_cast<int64_t>(host.size()), host.data()));
  for (size_t i = 0; i < host.size(); ++i) total[i % doubles] += host[i];
  Tell(epilogue, total.data());
  return absl::OkStatus();
}

template <typename Sums, typename Run>
absl::StatusOr<Sums> CudaOps::SumOver(const Shape3& shape, std::string_view call, const Run& run) const {
  return cuda::SumOver<Sums>(*convolver_, shape, call, sums_.as<Sums>(), run);
}

// --- Arrays ---

absl::StatusOr<std::unique_ptr<Array>> CudaOps::Allocate(const Box3& box) {
  Require(!box.empty() && Box3{{}, domain()}.Contains(box), "an array lies inside the domain");
  ASSIGN_OR_RETURN(StreamBlock memory, convolver_->AllocateFloats(box.shape.voxels()));
  RETURN_IF_ERROR(stream().Clear(memory.floats(), box.shape.voxels() * int64_t{sizeof(float)}));
  return std::make_unique<CudaArray>(box, std::move(memory));
}

absl::Status CudaOps::Fill(Array& array, float value) {
  return Check(RunFill(place(), value, Cast(array).voxels(), DataOf(&array)), "filling an array");
}

absl::Status CudaOps::Copy(const Array& source, const Box3& box, Array& target) {
  Require(source.box().Contains(box) && target.box().Contains(box), "both arrays cover the box");
  return Check(RunCopy(place(), FieldOf(&source), box, FieldOf(&target)), "copying an array");
}

absl::Status CudaOps::Upload(std::span<const float> host, const Box3& box, Array& array) {
  Require(array.box().Contains(box), "the array covers the box");
  Require(static_cast<int64_t>(host.size()) == box.shape.voxels(), "the host memory holds the box");
  return stream().Upload(InHost(host.data(), box), InArray(array, box), box.shape);
}

absl::Status CudaOps::Download(const Array& array, const Box3& box, std::span<float> host) {
  Require(array.box().Contains(box), "the array covers the box");
  Require(static_cast<int64_t>(host.size()) == box.shape.voxels(), "the host memory holds the box");
  return stream().Download(InArray(array, box), InHost(host.data(), box), box.shape);
}

absl::StatusOr<std::unique_ptr<Staging>> CudaOps::Stage(int64_t bytes) {
  return stagings_->Take(stream(), bytes);
}

absl::Status CudaOps::Load(Staging& from, v1::VoxelType type, const CountRule& rule, const Box3& box, Array& array) {
  Require(array.box().Contains(box), "the array covers the box");
  const int64_t bytes = BytesPerVoxel(type);
  RETURN_IF_ERROR(
      stream().Send(static_cast<StagingPool::Lent&>(from).memory(), box.shape.voxels() * bytes, convolver_->room()));
  const Counts counts{.counts = convolver_->room(),
                      .bytes = static_cast<int32_t>(bytes),
                      .offset = rule.offset,
                      .gain = rule.gain,
                      .dark = rule.dark,
                      .raise = rule.raise};
  return Check(RunCounts(place(), counts, box, FieldOf(&array)), "converting counts");
}

absl::StatusOr<Reduction> CudaOps::Reduce(const Array& array, const Box3& box) {
  Require(array.box().Contains(box), "the array covers the box");
  ASSIGN_OR_RETURN(const Extremes total, SumOver<Extremes>(box.shape, "reducing an array", [&](Extremes* sums) {
                     return RunReduce(place(), FieldOf(&array), box, sums);
                   }));
  Reduction reduction{.sum = total.sum,
                      .minimum = total.minimum,
                      .maximum = total.maximum,
                      .not_finite = static_cast<int64_t>(total.not_finite)};
  if (reduction.minimum > reduction.maximum) reduction.minimum = reduction.maximum = 0;
  return reduction;
}

absl::StatusOr<double> CudaOps::Dot(const Array& a, const Array& b, const Box3& box) {
  Require(a.box().Contains(box) && b.box().Contains(box), "both arrays cover the box");
  ASSIGN_OR_RETURN(const Totals<1> total, SumOver<Totals<1>>(box.shape, "multiplying arrays", [&](Totals<1>* sums) {
                     return RunDot(place(), FieldOf(&a), FieldOf(&b), box, sums);
                   }));
  return total.value[0];
}

absl::StatusOr<double> CudaOps::SumSquares(const Array& y, const Array* mask, float background) {
  Require(mask == nullptr || mask->box().Contains(y.box()), "the mask covers the array");
  ASSIGN_OR_RETURN(const Totals<1> total, SumOver<Totals<1>>(y.box().shape, "summing squares", [&](Totals<1>* sums) {
                     return RunSquares(place(), FieldOf(&y), FieldOf(mask), background, sums);
                   }));
  return total.value[0];
}

absl::Status CudaOps::Combine(Array& a, float alpha, const Array& b, float beta) {
  Require(b.box().Contains(a.box()), "the second array covers the first");
  return Check(RunCombine(place(), FieldOf(&a), alpha, FieldOf(&b), beta), "combining arrays");
}

absl::Status CudaOps::Clamp(Array& array, float floor, float ceiling) {
  return Check(RunClamp(place(), floor, ceiling, Cast(array).voxels(), DataOf(&array)), "clamping an array");
}

// --- OTFs and weights ---

absl::StatusOr<std::unique_ptr<Otf>> CudaOps::MakeOtf(std::span<const float> psf, const Shape3& shape,
                                                      const Voxel& centre) {
  Require(!shape.empty() && static_cast<int64_t>(psf.size()) == shape.voxels(), "a PSF has the values of its shape");
  ++transforms_;
  return convolver_->MakeOtf(psf, shape, centre);
}

absl::Status CudaOps::ReadMagnitude(const Otf& otf, std::span<float> magnitude) {
  Require(static_cast<int64_t>(magnitude.size()) == convolver_->spectrum(), "there is room for the half spectrum");
  return convolver_->ReadMagnitude(Cast(&otf), magnitude);
}

absl::StatusOr<std::unique_ptr<Otf>> CudaOps::FilterOtf(const Otf& otf, const SpectralFilter& filter) {
  const auto covers = [&](std::span<const float> values) {
    return values.empty() || static_cast<int64_t>(values.size()) == convolver_->spectrum();
  };
  Require(covers(filter.gain) && covers(filter.penalty), "gain and penalty cover the half spectrum");
  return convolver_->FilterOtf(Cast(&otf), filter);
}

absl::StatusOr<std::unique_ptr<Otf>> CudaOps::MakeRealOtf(std::span<const float> values) {
  Require(static_cast<int64_t>(values.size()) == convolver_->spectrum(), "the values cover the half spectrum");
  return convolver_->MakeRealOtf(values);
}

absl::StatusOr<std::unique_ptr<Weights>> CudaOps::MakeWeights(const Otf& otf, const Box3& measured, const Array* mask) {
  const CudaOtf& h = Cast(&otf);
  const auto classes = [&](int64_t extent, int64_t begin, int64_t count, int64_t psf, int64_t centre) {
    return mask != nullptr ? EveryPosition(extent) : ClassesOf(extent, begin, count, psf, centre);
  };
  const Shape3& d = domain();
  const AxisClasses z = classes(d.z, measured.origin.z, measured.shape.z, h.psf().z, h.centre().z);
  const AxisClasses y = classes(d.y, measured.origin.y, measured.shape.y, h.psf().y, h.centre().y);
  const AxisClasses x = classes(d.x, measured.origin.x, measured.shape.x, h.psf().x, h.centre().x);
  const Shape3 counts{z.count(), y.count(), x.count()};
  const int64_t positions = d.z + d.y + d.x;
  ASSIGN_OR_RETURN(StreamBlock table, convolver_->AllocateFloats(counts.voxels()));
  ASSIGN_OR_RETURN(StreamBlock lines, convolver_->AllocateFloats(positions));
  ASSIGN_OR_RETURN(const StreamBlock stands_for, convolver_->AllocateFloats(positions));
  auto weights = std::make_unique<CudaWeights>(d, counts, std::move(table), std::move(lines));
  RETURN_IF_ERROR(convolver_->Upload(Lines(z, y, x).data(), positions, weights->classes()));
  RETURN_IF_ERROR(convolver_->Upload(Representatives(z, y, x).data(), positions, stands_for.floats()));
  const auto* const of_z = stands_for.as<int32_t>();
  RETURN_IF_ERROR(convolver_->KeepWeights(BoxStart{{nullptr, measured.origin, measured.shape}, FieldOf(mask)}, measured,
                                          h,
                                          {weights->table(), of_z, of_z + d.z, of_z + d.z + d.y, counts.y, counts.x}));
  transforms_ += 2;
  return weights;
}

// --- Convolutions ---

absl::Status CudaOps::Convolve(const Convolution& step) {
  const Source source = MakeSource(step.prologue, domain());
  Sink sink = MakeSink(step.epilogue, domain());
  ASSIGN_OR_RETURN(sink.sums, MakeSums(step.epilogue, 0));
  RETURN_IF_ERROR(convolver_->Convolve(source.start, source.from, Cast(step.otf), step.adjoint, sink));
  transforms_ += 2;
  return TellSums(step.epilogue, sink.sums);
}

absl::Status CudaOps::ConvolveThen(const Convolution& first, const Convolution& second) {
  Require(GoesOnward(first.epilogue), "the first half ends in a quotient or a residual without output");
  const Source source = MakeSource(first.prologue, domain());
  Sink middle = MakeSink(first.epilogue, domain()), sink = MakeSink(second.epilogue, domain());
  ASSIGN_OR_RETURN(middle.sums, MakeSums(first.epilogue, 0));
  ASSIGN_OR_RETURN(sink.sums, MakeSums(second.epilogue, 1));
  RETURN_IF_ERROR(convolver_->ConvolveThen(source.start, source.from, Cast(first.otf), first.adjoint, middle,
                                           Cast(second.otf), second.adjoint, sink));
  transforms_ += 4;
  RETURN_IF_ERROR(TellSums(first.epilogue, middle.sums));
  return TellSums(second.epilogue, sink.sums);
}

absl::StatusOr<std::unique_ptr<Spectrum>> CudaOps::Transform(const Array& field) {
  const Source source = MakeSource(Identity{&field}, domain());
  ++transforms_;
  return convolver_->MakeSpectrum(source.start, source.from);
}

absl::Status CudaOps::SolveSplit(const SplitSolve& step) {
  Require(step.x.output->box() == Box3{{}, domain()} && step.data.output == nullptr && Cast(step.inverse).real(),
          "x covers the domain, the data's splitting has no output, and the inverse is real");
  const Source source = MakeSource(step.r, domain());
  Require(source.from == Box3{{}, domain()}, "what is solved for covers the domain");
  Sink data = MakeSink(step.data, domain());
  ASSIGN_OR_RETURN(data.sums, MakeSums(step.data, 0));
  RETURN_IF_ERROR(convolver_->SolveSplit(source.start, step.weight, Cast(step.otf), Cast(step.inverse),
                                         static_cast<CudaSpectrum&>(*step.q), MakeSink(step.x, domain()), data));
  transforms_ += 4;
  return TellSums(step.data, data.sums);
}

// --- What depends on neighbours ---

absl::Status CudaOps::DeriveRoughness(Roughness kind, const Extrapolate& p, const Differences& differences, float floor,
                                      Array& output) {
  Require(output.box() == p.x->box() && floor > 0, "the output covers p's box and the floor is positive");
  const RoughnessOf roughness{
      .p = ExtrapolatedOf(p), .factors = differences.factors, .periodic = differences.periodic, .floor = floor};
  return kind == Roughness::kTotalVariation
             ? Check(RunTotalVariation(place(), roughness, FieldOf(&output)), "deriving total variation")
             : Check(RunGood(place(), roughness, FieldOf(&output)), "deriving Good's roughness");
}

absl::StatusOr<double> CudaOps::ShrinkWavelets(const WaveletShrinkage& shrinkage, Array& array) {
  const Box3 inside{{}, array.box().shape};
  Require(shrinkage.scales >= 1 && inside.Contains({shrinkage.start, {1, 1, 1}}),
          "there is a scale, and the start is inside");
  return cuda::ShrinkWavelets(shrinkage, Cast(array), *convolver_, sums_.as<Totals<1>>());
}

absl::StatusOr<PriorUpdate> CudaOps::UpdateSplit(const Array& x, const PriorSplit& split, float scale) {
  const Box3 whole{{}, domain()};
  Require(x.box() == whole && (split.value == nullptr || split.value->box() == whole),
          "the splittings cover the domain");
  auto* const sums = sums_.as<Totals<4>>();
  RETURN_IF_ERROR(stream().Clear(sums, kMostSums * int64_t{sizeof(Totals<4>)}));
  const SplitUpdate update{.x = DataOf(&x), .domain = domain(), .relaxation = split.relaxation, .scale = scale};
  if (split.value != nullptr) {
    RETURN_IF_ERROR(Check(RunUpdateValue(place(), update, DataOf(split.value), sums), "updating a splitting"));
  }
  if (split.slopes != Slopes::kNone) {
    SlopesUpdate slopes{
        .forth = MakeStencil(split.slopes, split.factors, /*adjoint=*/false), .t = {}, .threshold = split.threshold};
    for (size_t part = 0; part < PartsOf(split.slopes); ++part) slopes.t[part] = DataOf(split.parts[part]);
    RETURN_IF_ERROR(Check(RunUpdateSlopes(place(), update, slopes, sums), "updating slopes"));
  }
  ASSIGN_OR_RETURN(const Totals<4> total, AddUp<Totals<4>>(*convolver_, sums, SumsFor(domain())));
  return PriorUpdate{.norms = {.primal = total.value[0], .dual = total.value[1], .size = total.value[2]},
                     .roughness = total.value[3]};
}

absl::Status CudaOps::SubtractDual(const Array& v, const PriorSplit& split, float factor, Array& output) {
  const Box3 whole{{}, domain()};
  Require(v.box() == whole && output.box() == whole && split.slopes != Slopes::kNone,
          "all arrays cover the domain, and there are slopes");
  const TakenBack dual = TakenBackOf(split, /*less=*/false, domain());
  return Check(RunSubtract(place(), DataOf(&v), dual, factor, DataOf(&output)), "taking a dual back");
}

}  // namespace deconvoy::worker::cuda
