#include "worker/learned/container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker::learned {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string File(const std::string& header, size_t data_bytes) {
  std::string file(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(data_bytes, '\0');
}

Container Example() {
  Container container;
  container.tensors["a.weight"] = {{2, 3}, {1, 2, 3, 4, 5, 6}};
  container.tensors["empty"] = {{0, 4}, {}};
  container.tensors["scalar"] = {{}, {7.5F}};
  container.texts = {{"format", "deconvoy-model"}, {"quote", "\"\n\u00e4"}};
  return container;
}

TEST(Container, ReadsWhatItWrote) {
  const std::string file = WriteContainer(Example());
  ASSERT_OK_AND_ASSIGN(const Container read, ReadContainer(Bytes(file)));
  EXPECT_EQ(read.texts, Example().texts);
  ASSERT_EQ(read.tensors.size(), 3U);
  for (const auto& [name, tensor] : Example().tensors) {
    EXPECT_EQ(read.tensors.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(read.tensors.at(name).values, tensor.values) << name;
  }
  EXPECT_EQ(WriteContainer(read), file);
}

// The example of the format's own description: header, then data from 0.
TEST(Container, ReadsWhatOthersWrite) {
  std::string file = File(R"({"x":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})", 8);
  const float values[2] = {1.5F, -2};
  std::memcpy(file.data() + file.size() - 8, values, 8);
  ASSERT_OK_AND_ASSIGN(const Container read, ReadContainer(Bytes(file)));
  EXPECT_EQ(read.tensors.at("x").values, (std::vector<float>{1.5F, -2}));
}

TEST(Container, RefusesEveryCutOfAFile) {
  const std::string file = WriteContainer(Example());
  for (size_t bytes = 0; bytes < file.size(); ++bytes) {
    EXPECT_FALSE(ReadContainer(Bytes(file.substr(0, bytes))).ok()) << bytes << " of " << file.size();
  }
  EXPECT_FALSE(ReadContainer(Bytes(file + "x")).ok());
}

TEST(Container, SaysWhatIsWrong) {
  const std::vector<std::tuple<std::string, size_t, std::string>> cases{
      {"[]", 0, "no JSON object"},
      {"{", 0, "no JSON object"},
      {R"({"x":1})", 0, "'x' is not described"},
      {R"({"x":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", 4, "type F16"},
      {R"({"x":{"dtype":"F32","data_offsets":[0,4]}})", 4, "'x' has no shape"},
      {R"({"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "extent -1"},
      {R"({"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4, "extent 1.5"},
      {R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "extent 4294967296"},
      {R"({"x":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4, "9 axes"},
      {R"({"x":{"dtype":"F32","shape":[1]}})", 4, "'x' has no place"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "but 0 was next"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}})", 4, "lies at 0"},
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8, "4 bytes follow"},
      {R"({"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})",
       0, "a name twice"},
      {R"({"__metadata__":{"a":1}})", 0, "text 'a' is number"},
      {R"({"__metadata__":3})", 0, "texts are not an object"},
  };
  for (const auto& [header, bytes, said] : cases) {
    const auto read = ReadContainer(Bytes(File(header, bytes)));
    ASSERT_FALSE(read.ok()) << header;
    EXPECT_EQ(ReasonOf(read.status()), v1::INVALID_FIELD) << header;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr(said));
    EXPECT_FALSE(InfoOf(read.status()).remedy().empty());
  }
}

// A header that claims more than there is asks for no memory, and neither do values that are deep or many.
TEST(Container, IsBounded) {
  std::string huge(8, '\xff');
  EXPECT_EQ(ReasonOf(ReadContainer(Bytes(huge)).status()), v1::INVALID_FIELD);
  EXPECT_FALSE(ReadContainer(Bytes(File(std::string(1 << 20, '['), 0))).ok());
  EXPECT_FALSE(ReadContainer(Bytes(File(R"({"x":)" + std::string(1 << 20, '['), 0))).ok());
  std::string many = "{";
  for (size_t i = 0; i <= kMostTensors; ++i) {
    many += (i > 0 ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  EXPECT_EQ(ReasonOf(ReadContainer(Bytes(File(many + "}", 0))).status()), v1::LIMIT_EXCEEDED);
  std::string texts = R"({"__metadata__":{)";
  for (size_t i = 0; i <= kMostKeys; ++i) texts += (i > 0 ? ",\"" : "\"") + std::to_string(i) + R"(":"")";
  EXPECT_EQ(ReasonOf(ReadContainer(Bytes(File(texts + "}}", 0))).status()), v1::LIMIT_EXCEEDED);
  for (const std::string header :
       {R"({"NAME":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", R"({"__metadata__":{"NAME":""}})"}) {
    const std::string name(kMostNameBytes, 'x');
    std::string fits = header, longer = header;
    fits.replace(fits.find("NAME"), 4, name);
    longer.replace(longer.find("NAME"), 4, name + "x");
    EXPECT_OK(ReadContainer(Bytes(File(fits, 0))).status());
    EXPECT_EQ(ReasonOf(ReadContainer(Bytes(File(longer, 0))).status()), v1::LIMIT_EXCEEDED);
  }
}

}  // namespace
}  // namespace deconvoy::worker::learned
