#include "worker/learned/descriptor_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker::learned {
namespace {

struct Step {
  std::string name;
  const Json* arguments;  // null: none
  std::string place;
};

absl::StatusOr<std::vector<Step>> StepsOf(const Json& tensor, const std::string& of, const std::string& key) {
  std::vector<Step> steps;
  const Json* list = FindIn(tensor, key);
  if (list == nullptr) return steps;
  const std::string place = of + "." + key;
  if (!list->is_array() || list->size() > kMostPointwise) {
    return RefusedAt(place, fmt::format("is no list of at most {} steps", kMostPointwise));
  }
  for (size_t i = 0; i < list->size(); ++i) {
    const Json& step = (*list)[i];
    const std::string at = fmt::format("{}[{}]", place, i);
    RETURN_IF_ERROR(CheckKeys(step, {"name", "id", "kwargs"}, at));
    ASSIGN_OR_RETURN(const Json* name, Member(step, step.contains("id") ? "id" : "name", at));
    steps.push_back({TextOf(*name), FindIn(step, "kwargs"), at});
    if (steps.back().arguments != nullptr && !steps.back().arguments->is_object()) {
      return RefusedAt(at + ".kwargs", "is no map");
    }
  }
  return steps;
}

absl::Status CheckArguments(const Step& step, std::initializer_list<std::string_view> known) {
  return step.arguments == nullptr ? absl::OkStatus() : CheckKeys(*step.arguments, known, step.place + ".kwargs");
}

// That a step looks at all voxels of an image together: `axes` are a text of letters, or a list of names.
absl::Status CheckJoint(const Step& step) {
  const Json* axes = step.arguments == nullptr ? nullptr : FindIn(*step.arguments, "axes");
  if (axes == nullptr) return absl::OkStatus();
  std::string letters = axes->is_string() ? axes->get<std::string>() : "";
  if (axes->is_array()) {
    for (const Json& axis : *axes)
      letters += TextOf(axis) == "channel" ? "c" : TextOf(axis) == "batch" ? "b" : TextOf(axis);
  }
  const bool whole =
      std::all_of(kSpace.begin(), kSpace.end(), [&](char axis) { return letters.find(axis) != std::string::npos; });
  if (whole && letters.find_first_not_of("bczyx") == std::string::npos) return absl::OkStatus();
  return RefusedAt(step.place + ".kwargs.axes", "are '" + letters + "'",
                   "Only values that are scaled over z, y and x together are known for a job.");
}

absl::Status TakeScaleRange(const Step& step, Descriptor& to) {
  RETURN_IF_ERROR(
      CheckArguments(step, {"mode", "axes", "min_percentile", "max_percentile", "eps", "reference_tensor"}));
  RETURN_IF_ERROR(CheckJoint(step));
  const std::string place = step.place + ".kwargs";
  if (step.arguments != nullptr) {
    if (FindIn(*step.arguments, "reference_tensor") != nullptr) {
      return RefusedAt(place + ".reference_tensor", "is not understood");
    }
    const Json* mode = FindIn(*step.arguments, "mode");
    if (mode != nullptr && *mode != "per_sample" && *mode != "per_dataset") {
      return RefusedAt(place + ".mode", "is '" + TextOf(*mode) + "'", "Percentiles are those of the image.");
    }
  }
  ASSIGN_OR_RETURN(to.percentiles.low, NumberOr(step.arguments, "min_percentile", 0, place));
  ASSIGN_OR_RETURN(to.percentiles.high, NumberOr(step.arguments, "max_percentile", 100, place));
  ASSIGN_OR_RETURN(const double eps, NumberOr(step.arguments, "eps", 1e-6, place));
  if (eps < 0 || eps > 0.1) return RefusedAt(place + ".eps", fmt::format("is {}", eps));
  if (to.percentiles.low >= 0 && to.percentiles.low < to.percentiles.high && to.percentiles.high <= 100) {
    return absl::OkStatus();
  }
  return RefusedAt(place, fmt::format("has the percentiles {} and {}", to.percentiles.low, to.percentiles.high));
}

absl::StatusOr<Pointwise> PointwiseOf(const Step& step) {
  const std::string place = step.place + ".kwargs";
  if (step.name == "clip") {
    RETURN_IF_ERROR(CheckArguments(step, {"min", "max"}));
    constexpr double kAll = std::numeric_limits<float>::max();
    ASSIGN_OR_RETURN(const double least, NumberOr(step.arguments, "min", -kAll, place));
    ASSIGN_OR_RETURN(const double most, NumberOr(step.arguments, "max", kAll, place));
    if (least > most) return RefusedAt(place, fmt::format("clips to {} and {}", least, most));
    return Pointwise{.clips = true, .least = least, .most = most};
  }
  if (step.name == "scale_linear") {
    RETURN_IF_ERROR(CheckArguments(step, {"gain", "offset"}));
    ASSIGN_OR_RETURN(const double gain, NumberOr(step.arguments, "gain", 1, place));
    ASSIGN_OR_RETURN(const double offset, NumberOr(step.arguments, "offset", 0, place));
    return Pointwise{.gain = gain, .offset = offset};
  }
  return RefusedAt(step.place, "is '" + step.name + "', which cannot be done",
                   "scale_range, and clip and scale_linear after it, can be.");
}

bool ChangesNothing(const Step& step) {
  if (step.name != "ensure_dtype") return false;
  const Json* type = step.arguments == nullptr ? nullptr : FindIn(*step.arguments, "dtype");
  return type != nullptr && *type == "float32" && step.arguments->size() == 1;
}

}  // namespace

absl::Status TakeSteps(const Json& input, const std::string& input_place, const Json& output,
                       const std::string& output_place, Descriptor& to) {
  ASSIGN_OR_RETURN(const std::vector<Step> before, StepsOf(input, input_place, "preprocessing"));
  bool scaled = false;
  for (const Step& step : before) {
    if (ChangesNothing(step)) continue;
    if (!scaled && step.name == "scale_range") {
      RETURN_IF_ERROR(TakeScaleRange(step, to));
      scaled = true;
      continue;
    }
    if (!scaled) {
      return RefusedAt(step.place, "is '" + step.name + "', before values are scaled to percentiles",
                       "A job knows the percentiles of its image, and not the unit, mean or deviation that the model "
                       "was trained with: begin with scale_range.");
    }
    ASSIGN_OR_RETURN(to.before.emplace_back(), PointwiseOf(step));
  }
  if (!scaled) {
    return RefusedAt(input_place + ".preprocessing", "has no scale_range",
                     "Values are photons; a model must tell which percentiles become 0 and 1.");
  }
  ASSIGN_OR_RETURN(const std::vector<Step> after, StepsOf(output, output_place, "postprocessing"));
  for (const Step& step : after) {
    if (ChangesNothing(step)) continue;
    ASSIGN_OR_RETURN(to.after.emplace_back(), PointwiseOf(step));
  }
  return absl::OkStatus();
}

Json StepsToJson(const std::vector<Pointwise>& steps) {
  Json list = Json::array();
  for (const Pointwise& step : steps) {
    if (step.clips) {
      list.push_back({{"name", "clip"}, {"kwargs", {{"min", step.least}, {"max", step.most}}}});
    } else {
      list.push_back({{"name", "scale_linear"}, {"kwargs", {{"gain", step.gain}, {"offset", step.offset}}}});
    }
  }
  return list;
}

void ApplySteps(const std::vector<Pointwise>& steps, std::vector<float>& values) {
  for (const Pointwise& step : steps) {
    for (float& v : values) {
      const double changed = step.clips ? std::clamp<double>(v, step.least, step.most) : step.gain * v + step.offset;
      v = static_cast<float>(changed);
    }
  }
}

}  // namespace deconvoy::worker::learned
