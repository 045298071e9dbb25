#include "worker/learned/descriptor.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/descriptor_steps.h"
#include "worker/learned/descriptor_values.h"
#include "worker/learned/yaml_tree.h"

namespace deconvoy::worker::learned {
namespace {

int64_t& Along(Shape3& shape, char axis) {
  return axis == 'z' ? shape.z : axis == 'y' ? shape.y : shape.x;
}

// --- Axes ---

absl::Status CheckAxes(const std::string& axes, const std::string& place) {
  for (const char axis : axes) {
    if (std::string_view("bczyx").find(axis) == std::string_view::npos) {
      return RefusedAt(place, fmt::format("are '{}', of which '{}' is not understood", axes, std::string(1, axis)),
                       "Only models of the axes b, c, z, y and x can be run.");
    }
    if (std::count(axes.begin(), axes.end(), axis) > 1) {
      return RefusedAt(place, fmt::format("are '{}', with '{}' twice", axes, std::string(1, axis)));
    }
  }
  for (const char axis : kSpace) {
    if (axes.find(axis) == std::string::npos) {
      return RefusedAt(place, fmt::format("are '{}', without {}", axes, std::string(1, axis)),
                       "Only models of three-dimensional images can be run.");
    }
  }
  return absl::OkStatus();
}

// The letter of an axis as version 0.5 describes it.
absl::StatusOr<char> AxisLetter(const Json& axis, const std::string& place) {
  ASSIGN_OR_RETURN(const Json* type, Member(axis, "type", place));
  if (*type == "batch") return 'b';
  if (*type == "channel") return 'c';
  if (*type != "space") {
    return RefusedAt(place + ".type", "is '" + TextOf(*type) + "', which is not understood",
                     "Only models of the axes batch, channel and space can be run.");
  }
  ASSIGN_OR_RETURN(const Json* id, Member(axis, "id", place));
  const std::string letter = TextOf(*id);
  if (letter.size() != 1 || kSpace.find(letter[0]) == std::string_view::npos) {
    return RefusedAt(place + ".id", "is '" + letter + "', and not z, y or x");
  }
  return letter[0];
}

// Batches and channels are of one.
absl::Status CheckSingle(const Json& axis, const std::string& place) {
  if (const Json* names = FindIn(axis, "channel_names");
      names != nullptr && (!names->is_array() || names->size() != 1)) {
    return RefusedAt(place + ".channel_names", fmt::format("tells {} channels", names->size()),
                     "Only models of one channel can be run.");
  }
  if (const Json* size = FindIn(axis, "size")) RETURN_IF_ERROR(Integer(*size, place + ".size", 1, 1).status());
  return absl::OkStatus();
}

// --- Extents ---

absl::Status Fixed(const std::string& place) {
  return RefusedAt(place, "is fixed, but tiles have extents of many sizes",
                   "Describe a model that takes min + k step along z, y and x.");
}

absl::Status TakeExtent(const Json& least, const Json& step, char axis, const std::string& place, Descriptor& to) {
  ASSIGN_OR_RETURN(Along(to.least, axis), Integer(least, place + ".min", 1, kMostLeast));
  ASSIGN_OR_RETURN(Along(to.step, axis), Integer(step, place + ".step", 0, kMostStep));
  return Along(to.step, axis) > 0 ? absl::OkStatus() : Fixed(place);
}

// A list with one entry for each axis.
absl::StatusOr<const Json*> PerAxis(const Json& object, const std::string& key, const std::string& axes,
                                    const std::string& place) {
  ASSIGN_OR_RETURN(const Json* list, Member(object, key, place));
  if (list->is_array() && list->size() == axes.size()) return list;
  return RefusedAt(place + "." + key, fmt::format("is no list of {} entries, one for each of the axes", axes.size()));
}

// `shape` of version 0.4.
absl::Status TakeInputShape(const Json& shape, const std::string& place, Descriptor& to) {
  if (shape.is_array()) return Fixed(place);
  RETURN_IF_ERROR(CheckKeys(shape, {"min", "step"}, place));
  ASSIGN_OR_RETURN(const Json* least, PerAxis(shape, "min", to.input_axes, place));
  ASSIGN_OR_RETURN(const Json* step, PerAxis(shape, "step", to.input_axes, place));
  for (size_t i = 0; i < to.input_axes.size(); ++i) {
    const std::string at = fmt::format("{}[{}]", place, i);
    const char axis = to.input_axes[i];
    if (kSpace.find(axis) != std::string_view::npos) {
      RETURN_IF_ERROR(TakeExtent((*least)[i], (*step)[i], axis, at, to));
      continue;
    }
    RETURN_IF_ERROR(Integer((*least)[i], at + ".min", 1, 1).status());
    // Any number of images at once may be possible, of which one is given.
    RETURN_IF_ERROR(Integer((*step)[i], at + ".step", 0, axis == 'b' ? kMostStep : 0).status());
  }
  return absl::OkStatus();
}

absl::Status CheckOutputShape(const Json& shape, const std::string& input, const std::string& place,
                              const Descriptor& to) {
  if (shape.is_array()) return Fixed(place);
  RETURN_IF_ERROR(CheckKeys(shape, {"reference_tensor", "reference_input", "scale", "offset"}, place));
  const Json* reference = FindIn(shape, shape.contains("reference_input") ? "reference_input" : "reference_tensor");
  if (reference == nullptr || *reference != input) return RefusedAt(place + ".reference_tensor", "is not the input");
  ASSIGN_OR_RETURN(const Json* scale, PerAxis(shape, "scale", to.output_axes, place));
  ASSIGN_OR_RETURN(const Json* offset, PerAxis(shape, "offset", to.output_axes, place));
  for (size_t i = 0; i < to.output_axes.size(); ++i) {
    const std::string at = fmt::format("[{}]", i);
    ASSIGN_OR_RETURN(const double factor, Number((*scale)[i], place + ".scale" + at));
    ASSIGN_OR_RETURN(const double shift, Number((*offset)[i], place + ".offset" + at));
    if (factor != 1 || shift != 0) {
      return RefusedAt(place, "tells a result of other extents than the image",
                       "Only models whose result is as large as their image can be run.");
    }
  }
  return absl::OkStatus();
}

// --- Tensors of either version ---

struct Tensor {
  const Json* described;
  std::string place;  // in the descriptor
  std::string name;   // or id
  std::string axes;
  bool lists = false;  // axes are maps, as in version 0.5
};

absl::Status CheckType(const Json& tensor, const std::string& place) {
  std::string at = place + ".data_type";
  const Json* type = FindIn(tensor, "data_type");
  if (const Json* data = FindIn(tensor, "data")) {
    at = place + ".data";
    RETURN_IF_ERROR(CheckKeys(*data, {"type", "range", "unit", "scale", "offset"}, at));
    type = FindIn(*data, "type");
  }
  if (type == nullptr) return RefusedAt(at, "is missing", "Tell float32, if the model takes it.");
  if (*type == "float32") return absl::OkStatus();
  return RefusedAt(at, "is '" + TextOf(*type) + "'", "Only models that take and give float32 can be run.");
}

absl::StatusOr<Tensor> TheTensor(const Json& root, const std::string& key) {
  ASSIGN_OR_RETURN(const Json* list, Member(root, key, "descriptor"));
  if (!list->is_array() || list->size() != 1) {
    return RefusedAt(key, "is no list of one tensor", "Only models of one input and one output can be run.");
  }
  Tensor tensor{.described = &(*list)[0], .place = key + "[0]", .name = {}, .axes = {}};
  RETURN_IF_ERROR(CheckKeys(*tensor.described,
                            {"name", "id", "description", "axes", "data_type", "data_range", "data", "shape", "halo",
                             "preprocessing", "postprocessing", "optional", "test_tensor", "sample_tensor"},
                            tensor.place));
  RETURN_IF_ERROR(CheckType(*tensor.described, tensor.place));
  if (const Json* name = FindIn(*tensor.described, tensor.described->contains("id") ? "id" : "name")) {
    tensor.name = TextOf(*name);
  }
  ASSIGN_OR_RETURN(const Json* axes, Member(*tensor.described, "axes", tensor.place));
  const std::string place = tensor.place + ".axes";
  if (axes->is_string()) {
    tensor.axes = axes->get<std::string>();
  } else if (axes->is_array() && axes->size() <= 8) {
    tensor.lists = true;
    for (size_t i = 0; i < axes->size(); ++i) {
      const std::string at = fmt::format("{}[{}]", place, i);
      RETURN_IF_ERROR(CheckKeys(
          (*axes)[i], {"type", "id", "description", "size", "scale", "unit", "halo", "channel_names", "concatenable"},
          at));
      ASSIGN_OR_RETURN(const char letter, AxisLetter((*axes)[i], at));
      tensor.axes += letter;
    }
  } else {
    return RefusedAt(place, "are no text such as 'bczyx', and no list");
  }
  RETURN_IF_ERROR(CheckAxes(tensor.axes, place));
  return tensor;
}

absl::Status TakeInput(const Tensor& input, Descriptor& to) {
  to.input_axes = input.axes;
  for (const char* other : {"postprocessing", "halo"}) {
    if (FindIn(*input.described, other) != nullptr) return RefusedAt(input.place + "." + other, "is of outputs only");
  }
  if (!input.lists) {
    ASSIGN_OR_RETURN(const Json* shape, Member(*input.described, "shape", input.place));
    return TakeInputShape(*shape, input.place + ".shape", to);
  }
  const Json& axes = (*input.described)["axes"];
  for (size_t i = 0; i < axes.size(); ++i) {
    const std::string place = fmt::format("{}.axes[{}]", input.place, i);
    if (kSpace.find(input.axes[i]) == std::string_view::npos) {
      RETURN_IF_ERROR(CheckSingle(axes[i], place));
      continue;
    }
    ASSIGN_OR_RETURN(const Json* size, Member(axes[i], "size", place));
    if (size->is_string()) return Fixed(place + ".size");
    RETURN_IF_ERROR(CheckKeys(*size, {"min", "step"}, place + ".size"));
    ASSIGN_OR_RETURN(const Json* least, Member(*size, "min", place + ".size"));
    ASSIGN_OR_RETURN(const Json* step, Member(*size, "step", place + ".size"));
    RETURN_IF_ERROR(TakeExtent(*least, *step, input.axes[i], place + ".size", to));
  }
  return absl::OkStatus();
}

absl::StatusOr<double> AxisScale(const Json& axis, const std::string& place) {
  return NumberOr(&axis, "scale", 1, place);
}

// An axis of version 0.5 of the output: as long as that of the input.
absl::Status TakeOutputAxis(const Json& axis, const Tensor& input, char letter, const std::string& place,
                            Descriptor& to) {
  ASSIGN_OR_RETURN(const Json* size, Member(axis, "size", place));
  if (size->is_string()) return Fixed(place + ".size");
  RETURN_IF_ERROR(CheckKeys(*size, {"tensor_id", "axis_id", "offset"}, place + ".size"));
  const Json *tensor = FindIn(*size, "tensor_id"), *id = FindIn(*size, "axis_id");
  const bool same = tensor != nullptr && id != nullptr && *tensor == input.name && *id == std::string(1, letter);
  ASSIGN_OR_RETURN(const double offset, NumberOr(size, "offset", 0, place + ".size"));
  ASSIGN_OR_RETURN(const double scale, AxisScale(axis, place));
  const Json& referred = (*input.described)["axes"];
  double input_scale = 1;
  if (input.lists) {
    ASSIGN_OR_RETURN(input_scale, AxisScale(referred[input.axes.find(letter)], input.place));
  }
  if (!same || offset != 0 || scale != input_scale) {
    return RefusedAt(place + ".size", "is another one than that of the same axis of the input",
                     "Only models whose result is as large as their image can be run.");
  }
  ASSIGN_OR_RETURN(const Json* halo, Member(axis, "halo", place));
  ASSIGN_OR_RETURN(Along(to.halo, letter), Integer(*halo, place + ".halo", 0, kMostHalo));
  return absl::OkStatus();
}

absl::Status TakeOutput(const Tensor& output, const Tensor& input, Descriptor& to) {
  to.output_axes = output.axes;
  if (FindIn(*output.described, "preprocessing") != nullptr) {
    return RefusedAt(output.place + ".preprocessing", "is of inputs only");
  }
  if (output.lists) {
    const Json& axes = (*output.described)["axes"];
    for (size_t i = 0; i < axes.size(); ++i) {
      const std::string place = fmt::format("{}.axes[{}]", output.place, i);
      const bool space = kSpace.find(output.axes[i]) != std::string_view::npos;
      RETURN_IF_ERROR(space ? TakeOutputAxis(axes[i], input, output.axes[i], place, to) : CheckSingle(axes[i], place));
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const Json* shape, Member(*output.described, "shape", output.place));
  RETURN_IF_ERROR(CheckOutputShape(*shape, input.name, output.place + ".shape", to));
  ASSIGN_OR_RETURN(const Json* halo, PerAxis(*output.described, "halo", to.output_axes, output.place));
  for (size_t i = 0; i < output.axes.size(); ++i) {
    const std::string place = fmt::format("{}.halo[{}]", output.place, i);
    const bool space = kSpace.find(output.axes[i]) != std::string_view::npos;
    ASSIGN_OR_RETURN(const int64_t voxels, Integer((*halo)[i], place, 0, space ? kMostHalo : 0));
    if (space) Along(to.halo, output.axes[i]) = voxels;
  }
  return absl::OkStatus();
}

absl::Status TakeDigest(const Json& root, Descriptor& to) {
  const Json* weights = FindIn(root, "weights");
  if (weights == nullptr) return absl::OkStatus();
  const Json* file = FindIn(*weights, "torchscript");
  if (file == nullptr) {
    return RefusedAt("weights", "tells of no torchscript", "Give the descriptor of the model in the file.");
  }
  const Json* digest = FindIn(*file, "sha256");
  if (digest == nullptr) return absl::OkStatus();
  to.file_sha256 = absl::AsciiStrToLower(TextOf(*digest));
  const bool hexadecimal = to.file_sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (to.file_sha256.size() == 64 && hexadecimal) return absl::OkStatus();
  return RefusedAt("weights.torchscript.sha256", "is no SHA-256");
}

// One number for each axis: those of the shape along z, y and x, and `other` along others.
Json PerAxis(const std::string& axes, Shape3 shape, int64_t other) {
  Json list = Json::array();
  for (const char axis : axes) list.push_back(kSpace.find(axis) == std::string_view::npos ? other : Along(shape, axis));
  return list;
}

}  // namespace

absl::StatusOr<Descriptor> ParseDescriptor(std::string_view text) {
  if (text.size() > kMostDescriptorBytes) {
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = kDescriptorField,
                      .remedy = "Leave out what is not needed to run the model.",
                      .metadata = {{"limit", fmt::to_string(kMostDescriptorBytes)}}},
                     fmt::format("the descriptor has {} bytes, more than {}", text.size(), kMostDescriptorBytes));
  }
  ASSIGN_OR_RETURN(const Json root, ParseYaml(text, kDescriptorField));
  if (!root.is_object()) return RefusedAt("descriptor", "is no map");
  if (const Json* type = FindIn(root, "type"); type != nullptr && *type != "model") {
    return RefusedAt("type", "is '" + TextOf(*type) + "', and not model");
  }
  Descriptor descriptor;
  RETURN_IF_ERROR(TakeDigest(root, descriptor));
  ASSIGN_OR_RETURN(const Tensor input, TheTensor(root, "inputs"));
  ASSIGN_OR_RETURN(const Tensor output, TheTensor(root, "outputs"));
  RETURN_IF_ERROR(TakeInput(input, descriptor));
  RETURN_IF_ERROR(TakeOutput(output, input, descriptor));
  if (CommonStep(descriptor) > kMostCommonStep) {
    return RefusedAt("inputs[0]", fmt::format("takes steps whose least common multiple is above {}", kMostCommonStep));
  }
  RETURN_IF_ERROR(TakeSteps(*input.described, input.place, *output.described, output.place, descriptor));
  return descriptor;
}

std::string WriteDescriptor(const Descriptor& descriptor) {
  const std::string &in = descriptor.input_axes, &out = descriptor.output_axes;
  Json before = StepsToJson(descriptor.before);
  const Json scale = {{"name", "scale_range"},
                      {"kwargs",
                       {{"mode", "per_sample"},
                        {"axes", "zyx"},
                        {"min_percentile", descriptor.percentiles.low},
                        {"max_percentile", descriptor.percentiles.high}}}};
  before.insert(before.begin(), scale);
  const Json input = {{"name", "input"},
                      {"axes", in},
                      {"data_type", "float32"},
                      {"shape", {{"min", PerAxis(in, descriptor.least, 1)}, {"step", PerAxis(in, descriptor.step, 0)}}},
                      {"preprocessing", std::move(before)}};
  const Json output = {
      {"name", "output"},
      {"axes", out},
      {"data_type", "float32"},
      {"shape",
       {{"reference_tensor", "input"}, {"scale", PerAxis(out, {1, 1, 1}, 1)}, {"offset", PerAxis(out, {0, 0, 0}, 0)}}},
      {"halo", PerAxis(out, descriptor.halo, 0)},
      {"postprocessing", StepsToJson(descriptor.after)}};
  return Json{{"inputs", Json::array({input})}, {"outputs", Json::array({output})}}.dump();
}

int64_t CommonStep(const Descriptor& descriptor) {
  return std::lcm(std::lcm(descriptor.step.z, descriptor.step.y), descriptor.step.x);
}

Shape3 TakenExtents(const Descriptor& descriptor, const Shape3& box) {
  const auto along = [](int64_t n, int64_t least, int64_t step) {
    return n <= least ? least : least + (n - least + step - 1) / step * step;
  };
  return {along(box.z, descriptor.least.z, descriptor.step.z), along(box.y, descriptor.least.y, descriptor.step.y),
          along(box.x, descriptor.least.x, descriptor.step.x)};
}

}  // namespace deconvoy::worker::learned
