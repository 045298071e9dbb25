#include "worker/learned/examples.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "worker/imaging/camera.h"
#include "worker/imaging/random.h"
#include "worker/imaging/specimen.h"
#include "worker/psf/facts.h"

namespace deconvoy::worker::learned {
namespace {

// Images overlap by eighths of a patch, so that validation and training of a given image are different places of it.
constexpr int64_t kValidationShare = 8;
constexpr float kLeastReach = 0.01F;
// Specimens are places in frames that are up to so many times as wide: nuclei are as large as frames allow.
constexpr double kWidestFrame = 4;
// Specimens whose patch has nothing nearly as bright as what lies around it are drawn anew, so many times.
constexpr uint64_t kAttempts = 20;
constexpr float kSeen = 0.25F;

Shape3 Grown(const Shape3& shape, const Shape3& psf, int64_t times) {
  return {shape.z + times * (psf.z - 1), shape.y + times * (psf.y - 1), shape.x + times * (psf.x - 1)};
}

// A box of extents `inner` in the middle of `outer`.
Box3 Middle(const Shape3& outer, const Shape3& inner) {
  return {{(outer.z - inner.z) / 2, (outer.y - inner.y) / 2, (outer.x - inner.x) / 2}, inner};
}

double Spacing(const Recipe& recipe, size_t axis) {
  return recipe.voxel_um.size() == 3 && recipe.voxel_um[2] > 0 && recipe.voxel_um[axis] > 0
             ? recipe.voxel_um[axis] / recipe.voxel_um[2]
             : 1;
}

absl::Status Ask(TrainingObserver* observer) {
  return observer == nullptr ? absl::OkStatus() : observer->GoOn();
}

class Asking final : public Monitor {
 public:
  explicit Asking(TrainingObserver* observer) : observer_(observer) {}
  absl::Status Iterated(const Iteration& /*iteration*/) override { return Ask(observer_); }
  bool hears_curve() const override { return false; }

 private:
  TrainingObserver* const observer_;
};

std::vector<float> Exposed(const Recipe& recipe, double background, uint64_t seed, std::span<const float> photons) {
  std::vector<float> image(photons.size());
  const Camera camera{{.read_noise = recipe.read_noise}, background, v1::F32, seed};
  Expose(camera, photons, 0, std::as_writable_bytes(std::span(image)));
  return image;
}

}  // namespace

std::vector<float> Cut(const std::vector<float>& values, const Shape3& shape, const Box3& box) {
  std::vector<float> cut;
  cut.reserve(static_cast<size_t>(box.shape.voxels()));
  for (int64_t z = box.origin.z; z < box.end().z; ++z) {
    for (int64_t y = box.origin.y; y < box.end().y; ++y) {
      const auto row = values.begin() + (z * shape.y + y) * shape.x + box.origin.x;
      cut.insert(cut.end(), row, row + box.shape.x);
    }
  }
  return cut;
}

absl::StatusOr<std::vector<float>> RunMethod(const Scene& scene, const Recipe& recipe, const Method& method,
                                             const Parameters& parameters, Backend& backend,
                                             TrainingObserver* observer) {
  const auto& boundaries = method.description().boundaries();
  const bool extends = std::find(boundaries.begin(), boundaries.end(), v1::EXTEND) != boundaries.end();
  const PreparedPsf& psf = recipe.psf;
  // Without margins of its own a method sees the image as a circle; what that spoils lies outside the inner box.
  ASSIGN_OR_RETURN(const auto ops,
                   backend.Open(extends ? PaddedShape(scene.shape, psf.shape, v1::EXTEND) : scene.shape));
  ASSIGN_OR_RETURN(const auto otf, ops->MakeOtf(psf.values, psf.shape, psf.centre));
  ASSIGN_OR_RETURN(const auto y, ops->Allocate({{}, scene.shape}));
  RETURN_IF_ERROR(ops->Upload(scene.image, y->box(), *y));
  const auto n = static_cast<double>(scene.image.size());
  const double mean = std::accumulate(scene.image.begin(), scene.image.end(), 0.0) / n;
  const double squares = std::inner_product(scene.image.begin(), scene.image.end(), scene.image.begin(), 0.0) / n;
  const auto factor = [&](size_t axis) { return static_cast<float>(1 / Spacing(recipe, axis)); };
  const Problem problem{.ops = ops.get(),
                        .otf = otf.get(),
                        .measured = y.get(),
                        .boundary = extends ? v1::EXTEND : v1::PERIODIC,
                        .background = static_cast<float>(recipe.background),
                        .mean = static_cast<float>(mean),
                        .variance = static_cast<float>(std::max(squares - mean * mean, 0.0)),
                        .psf = MeasurePsf(psf.values, psf.shape, psf.centre),
                        .differences = {.factors = {factor(0), factor(1), factor(2)}, .periodic = !extends}};
  Asking asking(observer);
  ASSIGN_OR_RETURN(const auto x, method.Run(problem, parameters, asking));
  std::vector<float> values(scene.image.size());
  RETURN_IF_ERROR(ops->Download(*x, {{}, scene.shape}, values));
  return values;
}

absl::StatusOr<const Example*> Examples::Training(int64_t number) {
  return Kept(training_, Purpose::kTraining, number);
}

absl::StatusOr<const Example*> Examples::Validation(int64_t number) {
  return Kept(validation_, Purpose::kValidation, number);
}

absl::StatusOr<Scene> Examples::HeldBack(v1::SpecimenKind kind, int64_t number) {
  RETURN_IF_ERROR(Ask(observer_));
  return Draw(SeedOfHeldBack(kind, number), kind, recipe_.patch);
}

absl::StatusOr<Example> Examples::HeldBackNoisy(v1::SpecimenKind kind, int64_t number) {
  RETURN_IF_ERROR(Ask(observer_));
  return Noisy(SeedOfHeldBack(kind, number), kind);
}

uint64_t Examples::SeedOfHeldBack(v1::SpecimenKind kind, int64_t number) const {
  const auto stream = static_cast<uint64_t>(Purpose::kHeldBack) + static_cast<uint64_t>(kind);
  return Random::OfVoxel(recipe_.seed, stream, static_cast<uint64_t>(number)).Next();
}

absl::StatusOr<const Example*> Examples::Kept(std::map<int64_t, Example>& kept, Purpose purpose, int64_t number) {
  const auto found = kept.find(number);
  if (found != kept.end()) return &found->second;
  RETURN_IF_ERROR(Ask(observer_));
  ASSIGN_OR_RETURN(Example made, Make(purpose, number));
  return &kept.emplace(number, std::move(made)).first->second;
}

absl::StatusOr<Example> Examples::Make(Purpose purpose, int64_t number) {
  const uint64_t seed =
      Random::OfVoxel(recipe_.seed, static_cast<uint64_t>(purpose), static_cast<uint64_t>(number)).Next();
  if (!recipe_.images.empty()) return FromGiven(seed, purpose == Purpose::kValidation ? -1 - number : number);
  const v1::SpecimenKind kind = recipe_.kinds[static_cast<size_t>(number) % recipe_.kinds.size()];
  if (recipe_.source == Source::kDenoise) return Noisy(seed, kind);
  return FromScene(seed, kind);
}

// Negative numbers are of the validation, whose places lie at the far end of x where the image is wide enough for both.
absl::StatusOr<Example> Examples::FromGiven(uint64_t seed, int64_t number) {
  const auto index = static_cast<size_t>(number < 0 ? -1 - number : number) % recipe_.images.size();
  const GivenImage& given = recipe_.images[index];
  if (DegradesSlices(recipe_)) {
    // Of several planes the last are the validation's.
    const int64_t planes = given.shape.z, kept = planes > 1 ? std::max<int64_t>(planes / kValidationShare, 1) : 0;
    Box3 region{{}, given.shape};
    if (kept > 0) region.shape.z = number < 0 ? kept : planes - kept;
    if (number < 0) region.origin.z = planes - region.shape.z;
    return FromSlices(seed, given.image, given.shape, region);
  }
  const Shape3& patch = recipe_.patch;
  Random random(seed);
  const int64_t places = given.shape.x - patch.x + 1, kept = std::max(places / kValidationShare, patch.x);
  const bool both = places > 2 * kept;
  const int64_t first = number < 0 && both ? places - (kept - patch.x + 1) : 0;
  const int64_t last = number < 0 || !both ? places : places - kept;
  const int64_t z = random.Below(given.shape.z - patch.z + 1), y = random.Below(given.shape.y - patch.y + 1);
  const Box3 box{{z, y, first + random.Below(last - first)}, patch};
  Example example;
  const std::vector<float>* input = &given.image;
  if (recipe_.source == Source::kDegradation) {
    ASSIGN_OR_RETURN(input, BlurredImage(index));
  }
  example.input = Cut(*input, given.shape, box);
  example.target = Cut(recipe_.source == Source::kPairs ? given.target : given.image, given.shape, box);
  example.scale = ScaleOf(*input, {});
  return example;
}

absl::StatusOr<Example> Examples::FromScene(uint64_t seed, v1::SpecimenKind kind) {
  if (DegradesSlices(recipe_)) {
    const Shape3 least = LeastImage(recipe_);
    ASSIGN_OR_RETURN(const Scene scene, Draw(seed, kind, {recipe_.patch.z, least.y, least.x}));
    return FromSlices(seed, scene.image, scene.shape, scene.inner);
  }
  ASSIGN_OR_RETURN(Scene scene, Draw(seed, kind, recipe_.patch));
  std::vector<float> target;
  switch (recipe_.source) {
    case Source::kMethod: {
      const Method& method = *FindMethod(recipe_.method);
      ASSIGN_OR_RETURN(const Parameters parameters, ResolveParameters(method.description(), recipe_.method_parameters));
      ASSIGN_OR_RETURN(target, RunMethod(scene, recipe_, method, parameters, backend_, observer_));
      break;
    }
    case Source::kDegradation: {
      target = scene.image;
      ASSIGN_OR_RETURN(scene.image, Blurred(scene.image, scene.shape, recipe_.psf));
      break;
    }
    case Source::kBlindSpot:
      target = scene.image;
      break;
    default:
      target = std::move(scene.truth);
  }
  return Example{Cut(scene.image, scene.shape, scene.inner), Cut(target, scene.shape, scene.inner),
                 ScaleOf(scene.image, {})};
}

absl::StatusOr<Example> Examples::FromSlices(uint64_t seed, const std::vector<float>& image, const Shape3& shape,
                                             const Box3& region) {
  Random random(seed);
  const auto voxels = static_cast<size_t>(recipe_.patch.voxels());
  Example example{std::vector<float>(voxels), std::vector<float>(voxels), ScaleOf(image, {})};
  std::map<LateralAxis, std::vector<int64_t>> rows;
  for (int64_t row = 0; row < recipe_.patch.y; ++row) {
    rows[random.Below(2) == 0 ? LateralAxis::kY : LateralAxis::kX].push_back(row);
  }
  for (const auto& [degraded, some] : rows) {
    RETURN_IF_ERROR(AddSlices(degraded, some, image, shape, region, random, example));
  }
  return example;
}

absl::Status Examples::AddSlices(LateralAxis degraded, const std::vector<int64_t>& rows,
                                 const std::vector<float>& image, const Shape3& shape, const Box3& region,
                                 Random& random, Example& example) {
  ASSIGN_OR_RETURN(const PreparedPsf* blur, FurtherBlurAlong(degraded));
  const Shape3& patch = recipe_.patch;
  const double step = PlaneStep(recipe_.voxel_um, degraded);
  const int64_t lines = LinesOf(patch.z, step);
  const Shape3 slice = degraded == LateralAxis::kY ? Shape3{1, lines, patch.x} : Shape3{1, patch.x, lines};
  // Slices with what the blur brings in, as far as the image goes; before them a plane of one value,
  // as bright as the image is at most: what rounding brings in from the other planes is small beside it.
  const Shape3 window{1, std::min(shape.y, slice.y + 2 * blur->centre.y),
                      std::min(shape.x, slice.x + 2 * blur->centre.x)};
  const auto area = static_cast<size_t>(window.voxels());
  const float level = std::max(*std::max_element(image.begin(), image.end()), 1.0F);
  std::vector<float> planes(area, level);
  std::vector<Voxel> firsts;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Voxel within{random.Below(region.shape.z), random.Below(region.shape.y - slice.y + 1),
                       random.Below(region.shape.x - slice.x + 1)};
    const Voxel from = region.origin + within;
    const Voxel corner{from.z, std::clamp<int64_t>(from.y - blur->centre.y, 0, shape.y - window.y),
                       std::clamp<int64_t>(from.x - blur->centre.x, 0, shape.x - window.x)};
    const std::vector<float> plane = Cut(image, shape, {corner, window});
    planes.insert(planes.end(), plane.begin(), plane.end());
    firsts.push_back(from - corner);
  }
  ASSIGN_OR_RETURN(std::vector<float> blurred,
                   Blurred(planes, {static_cast<int64_t>(rows.size()) + 1, window.y, window.x}, *blur));
  for (size_t i = 0; i < rows.size(); ++i) {
    const SliceOfPlane place{degraded, step, firsts[i], patch.z, patch.x};
    const auto plane = std::span(blurred).subspan((i + 1) * area, area);
    for (size_t k = 0; k < area; ++k) plane[k] /= std::max(blurred[k] / level, kLeastReach);
    const std::vector<float> input =
        Exposed(recipe_, 0, random.Next(), Subsampled(std::span<const float>(plane), window, place));
    const std::vector<float> target = Subsampled(std::span(planes).subspan((i + 1) * area, area), window, place);
    for (int64_t z = 0; z < patch.z; ++z) {
      const auto to = (z * patch.y + rows[i]) * patch.x;
      std::copy_n(input.begin() + z * patch.x, patch.x, example.input.begin() + to);
      std::copy_n(target.begin() + z * patch.x, patch.x, example.target.begin() + to);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<const PreparedPsf*> Examples::FurtherBlurAlong(LateralAxis degraded) {
  const auto found = further_blurs_.find(degraded);
  if (found != further_blurs_.end()) return &found->second;
  ASSIGN_OR_RETURN(PreparedPsf blur, FurtherBlur(recipe_.psf, PlaneStep(recipe_.voxel_um, degraded), degraded));
  return &further_blurs_.emplace(degraded, std::move(blur)).first->second;
}

Example Examples::Noisy(uint64_t seed, v1::SpecimenKind kind) const {
  Example example;
  example.target = Specimen(seed, kind, recipe_.patch, recipe_.patch);
  const float peak = *std::max_element(example.target.begin(), example.target.end());
  Random random(seed);
  example.noise =
      static_cast<float>(std::exp(random.Uniform(std::log(recipe_.noise_low), std::log(recipe_.noise_high) + 1e-12)));
  for (float& value : example.target) {
    value /= peak;
    example.input.push_back(value + example.noise * static_cast<float>(random.Normal()));
  }
  return example;
}

std::vector<float> Examples::Specimen(uint64_t seed, v1::SpecimenKind kind, const Shape3& drawn,
                                      const Shape3& inner) const {
  SpecimenRequest request{drawn, kind, seed, Spacing(recipe_, 0), Spacing(recipe_, 1), recipe_.held_out};
  for (uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) request.seed = Random::OfVoxel(seed, 3, attempt).Next();
    Random random = Random::OfVoxel(request.seed, 4, 0);
    const double wider = std::exp(random.Uniform(0, std::log(kWidestFrame)));
    const auto widened = [wider](int64_t extent) { return std::llround(wider * static_cast<double>(extent)); };
    request.shape = {drawn.z, widened(drawn.y), widened(drawn.x)};
    const int64_t y = random.Below(request.shape.y - drawn.y + 1), x = random.Below(request.shape.x - drawn.x + 1);
    request.window = {{0, y, x}, drawn};
    std::vector<float> specimen = DrawSpecimen(request);
    const std::vector<float> middle = Cut(specimen, drawn, Middle(drawn, inner));
    const float brightest = *std::max_element(specimen.begin(), specimen.end());
    const float seen = *std::max_element(middle.begin(), middle.end());
    if (seen > 0 && seen >= kSeen * brightest) return specimen;
  }
  request.shape = drawn;
  request.window = {};
  return DrawSpecimen(request);
}

absl::StatusOr<Scene> Examples::Draw(uint64_t seed, v1::SpecimenKind kind, const Shape3& inner) {
  const Shape3 image = Grown(inner, recipe_.psf.shape, 1), drawn = Grown(image, recipe_.psf.shape, 1);
  const std::vector<float> specimen = Specimen(seed, kind, drawn, inner);
  ASSIGN_OR_RETURN(std::vector<float> blurred, Blurred(specimen, drawn, recipe_.psf));
  Scene scene{image, Cut(specimen, drawn, Middle(drawn, image)), Cut(blurred, drawn, Middle(drawn, image)),
              Middle(image, inner)};
  // Where a corner of a large specimen happens to be dark, the brightness is that of the whole.
  const std::vector<float> middle = Cut(scene.image, image, scene.inner);
  float brightest = *std::max_element(middle.begin(), middle.end());
  const float anywhere = *std::max_element(blurred.begin(), blurred.end());
  if (!(brightest > 0.1F * anywhere)) brightest = anywhere;
  if (!(brightest > 0)) {
    return MakeError({.reason = v1::BAD_PSF,
                      .field = "train_model.psf_volume",
                      .remedy = "Give a PSF with its light around its centre."},
                     "the PSF moves all light of a specimen away");
  }
  Random random = Random::OfVoxel(seed, 2, 0);
  const double peak =
      std::exp(random.Uniform(std::log(recipe_.peak_photons_low), std::log(recipe_.peak_photons_high) + 1e-12));
  const auto factor = static_cast<float>(peak / static_cast<double>(brightest));
  for (float& value : scene.truth) value *= factor;
  for (float& value : scene.image) value = std::max(value * factor, 0.0F);
  scene.image = Exposed(recipe_, recipe_.background, seed, scene.image);
  return scene;
}

absl::StatusOr<std::vector<float>> Examples::Blurred(const std::vector<float>& values, const Shape3& shape,
                                                     const PreparedPsf& psf) {
  const Box3 box{{}, shape};
  ASSIGN_OR_RETURN(const auto ops, backend_.Open(PaddedShape(shape, psf.shape, v1::EXTEND)));
  ASSIGN_OR_RETURN(const auto otf, ops->MakeOtf(psf.values, psf.shape, psf.centre));
  ASSIGN_OR_RETURN(const auto input, ops->Allocate(box));
  ASSIGN_OR_RETURN(const auto output, ops->Allocate(box));
  RETURN_IF_ERROR(ops->Upload(values, box, *input));
  RETURN_IF_ERROR(ops->Convolve({otf.get(), false, Identity{input.get()}, Store{output.get()}}));
  std::vector<float> blurred(values.size());
  RETURN_IF_ERROR(ops->Download(*output, box, blurred));
  return blurred;
}

absl::StatusOr<const std::vector<float>*> Examples::BlurredImage(size_t index) {
  const auto found = blurred_images_.find(index);
  if (found != blurred_images_.end()) return &found->second;
  const GivenImage& given = recipe_.images[index];
  // H of a constant one tells how much light each voxel has missed, beyond the faces.
  ASSIGN_OR_RETURN(std::vector<float> blurred, Blurred(given.image, given.shape, recipe_.psf));
  ASSIGN_OR_RETURN(const std::vector<float> reach,
                   Blurred(std::vector<float>(given.image.size(), 1), given.shape, recipe_.psf));
  for (size_t i = 0; i < blurred.size(); ++i) blurred[i] /= std::max(reach[i], kLeastReach);
  return &blurred_images_.emplace(index, std::move(blurred)).first->second;
}

}  // namespace deconvoy::worker::learned
