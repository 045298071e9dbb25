// Descriptors of models that are programs: what is understood, and what is refused.
#include "worker/learned/descriptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker::learned {
namespace {

using ::testing::HasSubstr;

constexpr char kVersion4[] = R"(# a resource description
format_version: 0.4.9
type: model
name: a U-Net
authors: [{name: somebody}]
weights:
  torchscript:
    source: net.pt
    sha256: 0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef
inputs:
- name: raw
  axes: bczyx
  data_type: float32
  data_range: [-.inf, .inf]
  shape: {min: [1, 1, 8, 16, 16], step: [0, 0, 4, 8, 8]}
  preprocessing:
  - name: scale_range
    kwargs: {mode: per_sample, axes: zyx, min_percentile: 3, max_percentile: 99.5}
  - {name: clip, kwargs: {min: -1, max: 2}}
outputs:
- name: restored
  axes: bzyxc
  data_type: float32
  shape:
    reference_tensor: raw
    scale: [1, 1, 1, 1, 1]
    offset: [0, 0, 0, 0, 0]
  halo: [0, 3, 6, 7, 0]
  postprocessing:
  - {name: scale_linear, kwargs: {gain: 2, offset: 0.5}}
)";

constexpr char kVersion5[] = R"({
  "format_version": "0.5.3", "type": "model",
  "inputs": [{"id": "raw", "data": {"type": "float32"}, "axes": [
      {"type": "batch", "size": 1}, {"type": "channel", "channel_names": ["dna"]},
      {"type": "space", "id": "z", "size": {"min": 8, "step": 4}},
      {"type": "space", "id": "y", "size": {"min": 16, "step": 8}, "scale": 2},
      {"type": "space", "id": "x", "size": {"min": 16, "step": 8}}],
    "preprocessing": [{"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
      {"id": "scale_range", "kwargs": {"axes": ["channel", "z", "y", "x"], "max_percentile": 99.5}}]}],
  "outputs": [{"id": "out", "data": {"type": "float32"}, "axes": [
      {"type": "space", "id": "x", "size": {"tensor_id": "raw", "axis_id": "x"}, "halo": 7},
      {"type": "space", "id": "y", "size": {"tensor_id": "raw", "axis_id": "y"}, "halo": 6, "scale": 2},
      {"type": "space", "id": "z", "size": {"tensor_id": "raw", "axis_id": "z", "offset": 0}, "halo": 3}]}]})";

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

void ExpectRefused(const std::string& text, const std::string& said, v1::ErrorReason reason = v1::INVALID_FIELD) {
  const auto descriptor = ParseDescriptor(text);
  ASSERT_FALSE(descriptor.ok()) << said;
  EXPECT_EQ(ReasonOf(descriptor.status()), reason) << descriptor.status();
  EXPECT_EQ(InfoOf(descriptor.status()).field(), "check_model.descriptor_text");
  EXPECT_FALSE(InfoOf(descriptor.status()).remedy().empty());
  EXPECT_THAT(std::string(descriptor.status().message()), HasSubstr(said));
}

TEST(Descriptor, OfVersion4) {
  ASSERT_OK_AND_ASSIGN(const Descriptor read, ParseDescriptor(kVersion4));
  EXPECT_EQ(read.input_axes, "bczyx");
  EXPECT_EQ(read.output_axes, "bzyxc");
  EXPECT_EQ(read.least, (Shape3{8, 16, 16}));
  EXPECT_EQ(read.step, (Shape3{4, 8, 8}));
  EXPECT_EQ(read.halo, (Shape3{3, 6, 7}));
  EXPECT_EQ(read.percentiles, (Percentiles{.low = 3, .high = 99.5}));
  ASSERT_EQ(read.before.size(), 1U);
  EXPECT_EQ(read.before[0], (Pointwise{.clips = true, .least = -1, .most = 2}));
  ASSERT_EQ(read.after.size(), 1U);
  EXPECT_EQ(read.after[0], (Pointwise{.gain = 2, .offset = 0.5}));
  EXPECT_EQ(read.file_sha256, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
}

TEST(Descriptor, OfVersion5AsJson) {
  ASSERT_OK_AND_ASSIGN(const Descriptor read, ParseDescriptor(kVersion5));
  EXPECT_EQ(read.input_axes, "bczyx");
  EXPECT_EQ(read.output_axes, "xyz");
  EXPECT_EQ(read.least, (Shape3{8, 16, 16}));
  EXPECT_EQ(read.step, (Shape3{4, 8, 8}));
  EXPECT_EQ(read.halo, (Shape3{3, 6, 7}));
  EXPECT_EQ(read.percentiles, (Percentiles{.low = 0, .high = 99.5}));
  EXPECT_TRUE(read.before.empty() && read.after.empty() && read.file_sha256.empty());
}

TEST(Descriptor, IsWrittenAsItIsRead) {
  for (const char* text : {kVersion4, kVersion5}) {
    ASSERT_OK_AND_ASSIGN(Descriptor read, ParseDescriptor(text));
    ASSERT_OK_AND_ASSIGN(const Descriptor again, ParseDescriptor(WriteDescriptor(read)));
    read.file_sha256.clear();
    EXPECT_TRUE(again == read) << WriteDescriptor(read);
  }
}

TEST(Descriptor, OfWhatCannotBeRunIsRefused) {
  const struct {
    const char *from, *to, *said;
  } cases[] = {
      {"type: model", "type: dataset", "`type` of the descriptor is 'dataset'"},
      {"torchscript:", "onnx:", "tells of no torchscript"},
      {"sha256: 01", "sha256: 0", "is no SHA-256"},
      {"axes: bczyx", "axes: bcyx", "without z"},
      {"axes: bczyx", "axes: btzyx", "'t' is not understood"},
      {"axes: bczyx", "axes: bzzyx", "with 'z' twice"},
      {"data_type: float32", "data_type: uint16", "is 'uint16'"},
      {"  data_type: float32\n", "", "data_type` of the descriptor is missing"},
      {"{min: [1, 1, 8, 16, 16], step: [0, 0, 4, 8, 8]}", "[1, 1, 64, 64, 64]", "is fixed"},
      {"step: [0, 0, 4, 8, 8]", "step: [0, 0, 0, 8, 8]", "is fixed"},
      {"step: [0, 0, 4, 8, 8]", "step: [0, 0, 4, 8]", "no list of 5 entries"},
      {"step: [0, 0, 4, 8, 8]", "step: [0, 0, 64, 63, 61]", "least common multiple"},
      {"min: [1, 1, 8, 16, 16]", "min: [1, 2, 8, 16, 16]", "min` of the descriptor is 2"},
      {"min: [1, 1, 8, 16, 16]", "min: [1, 1, 0, 16, 16]", "min` of the descriptor is 0"},
      {"min: [1, 1, 8, 16, 16]", "min: [1, 1, 8, 16, 129]", "from 1 to 128"},
      {"min: [1, 1, 8, 16, 16]", "min: [1, 1, 8, 16, 1.5]", "no whole number"},
      {"reference_tensor: raw", "reference_tensor: other", "is not the input"},
      {"scale: [1, 1, 1, 1, 1]", "scale: [1, 2, 2, 2, 1]", "other extents"},
      {"offset: [0, 0, 0, 0, 0]", "offset: [0, -4, 0, 0, 0]", "other extents"},
      {"  halo: [0, 3, 6, 7, 0]\n", "", "outputs[0].halo` of the descriptor is missing"},
      {"halo: [0, 3, 6, 7, 0]", "halo: [0, 3, 6, 7, 1]", "halo[4]"},
      {"halo: [0, 3, 6, 7, 0]", "halo: [0, -3, 6, 7, 0]", "from 0 to 512"},
      {"name: scale_range", "name: zero_mean_unit_variance", "before values are scaled to percentiles"},
      {"name: scale_range", "name: scale_linear", "before values are scaled to percentiles"},
      {"name: scale_range", "name: binarize", "is 'binarize'"},
      {"name: clip", "name: scale_range", "is 'scale_range', which cannot be done"},
      {"name: scale_linear", "name: scale_mean_variance", "is 'scale_mean_variance', which cannot be done"},
      {"mode: per_sample", "mode: fixed", "is 'fixed'"},
      {"axes: zyx", "axes: yx", "are 'yx'"},
      {"min_percentile: 3", "min_percentile: 99.7", "has the percentiles 99.7 and 99.5"},
      {"min_percentile: 3", "min_percentile: .nan", "no number"},
      {"min_percentile: 3", "reference_tensor: raw", "is not understood"},
      {"min_percentile: 3", "gamma: 2", "kwargs.gamma` of the descriptor is not understood"},
      {"{min: -1, max: 2}", "{min: 3, max: 2}", "clips to 3 and 2"},
      {"data_range: [-.inf, .inf]", "dilation: 2", "inputs[0].dilation` of the descriptor is not understood"},
      {"data_range: [-.inf, .inf]", "halo: [0, 0, 1, 1, 1]", "is of outputs only"},
      {"- name: raw", "- {name: other}\n- name: raw", "no list of one tensor"},
      {"outputs:", "results:", "outputs` of the descriptor is missing"},
  };
  for (const auto& [from, to, said] : cases) ExpectRefused(Replaced(kVersion4, from, to), said);
}

TEST(Descriptor, OfVersion5ThatCannotBeRunIsRefused) {
  const struct {
    const char *from, *to, *said;
  } cases[] = {
      {R"("type": "batch")", R"("type": "time")", "is 'time'"},
      {R"("id": "z", "size": {"min": 8, "step": 4})", R"("id": "z", "size": 32)", "is fixed"},
      {R"("id": "z", "size": {"min")", R"("id": "w", "size": {"min")", "and not z, y or x"},
      {R"(["dna"])", R"(["dna", "rna"])", "tells 2 channels"},
      {R"("batch", "size": 1)", R"("batch", "size": 4)", "is 4"},
      {R"(, "halo": 7)", "", "halo` of the descriptor is missing"},
      {R"("tensor_id": "raw", "axis_id": "x")", R"("tensor_id": "out", "axis_id": "x")", "is another one"},
      {R"("axis_id": "x")", R"("axis_id": "y")", "is another one"},
      {R"("offset": 0)", R"("offset": 2)", "is another one"},
      {R"("halo": 6, "scale": 2)", R"("halo": 6)", "is another one"},
      {R"(["channel", "z", "y", "x"])", R"(["channel", "y", "x"])", "are 'cyx'"},
  };
  for (const auto& [from, to, said] : cases) ExpectRefused(Replaced(kVersion5, from, to), said);
}

TEST(Descriptor, OfUnknownOriginIsBounded) {
  ExpectRefused(std::string(kMostDescriptorBytes + 1, ' '), "more than 65535", v1::LIMIT_EXCEEDED);
  ExpectRefused("", "");
  ExpectRefused("just a text", "is no map");
  ExpectRefused("a: [1, 2", "is no YAML");
  ExpectRefused("a: 1\nb: {\n", "is no YAML");
  ExpectRefused("a: \xff", "no text in UTF-8");
  ExpectRefused("a: &x 1\nb: *x", "an anchor");
  ExpectRefused("a: !!python/object:os.system 1", "the tag");
  ExpectRefused("a: 1\nb: 2\na: 3", "line 3 of the descriptor has the key 'a' twice");
  ExpectRefused("a: 1\n---\nb: 2", "more than one document");
  ExpectRefused("[1, 2]: 3", "a key that is no text");
  ExpectRefused(std::string(40, '[') + std::string(40, ']'), "nested more than 32 deep", v1::LIMIT_EXCEEDED);
  std::string many = "[";
  for (int i = 0; i < 21'000; ++i) many += "1,";
  ExpectRefused(many + "]", "more than 20000 entries", v1::LIMIT_EXCEEDED);
}

TEST(Descriptor, StepsAreDoneInTheirOrder) {
  std::vector<float> values = {-1, 0.25F, 3};
  ApplySteps({{.gain = 2, .offset = 1}, {.clips = true, .least = 0, .most = 4}}, values);
  EXPECT_EQ(values, (std::vector<float>{0, 1.5F, 4}));
}

TEST(Descriptor, ExtentsAreRoundedToWhatTheModelTakes) {
  const Descriptor descriptor{.least = {8, 10, 1}, .step = {4, 8, 1}};
  EXPECT_EQ(TakenExtents(descriptor, {1, 1, 1}), (Shape3{8, 10, 1}));
  EXPECT_EQ(TakenExtents(descriptor, {9, 11, 5}), (Shape3{12, 18, 5}));
  EXPECT_EQ(TakenExtents(descriptor, {12, 18, 7}), (Shape3{12, 18, 7}));
  EXPECT_EQ(CommonStep(descriptor), 8);
}

}  // namespace
}  // namespace deconvoy::worker::learned
