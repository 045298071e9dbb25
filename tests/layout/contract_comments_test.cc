// Every element of the wire contract says what it means.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/layout/source_tree.h"

namespace deconvoy::layout {
namespace {

namespace pb = google::protobuf;

template <typename Element>
bool HasComment(const Element* element) {
  pb::SourceLocation location;
  if (!element->GetSourceLocation(&location)) return false;
  return !location.leading_comments.empty() || !location.trailing_comments.empty();
}

template <typename Element>
bool HasLeadingComment(const Element* element) {
  pb::SourceLocation location;
  return element->GetSourceLocation(&location) && !location.leading_comments.empty();
}

template <typename Element>
void ExpectComment(const Element* element, const std::string& kind) {
  EXPECT_TRUE(HasComment(element)) << kind << " " << element->full_name() << " in proto/" << element->file()->name()
                                   << " has no comment. Say above or behind it what it means.";
}

// Each value says what it means, or belongs to a group whose first value has a comment above it. Zero is
// `_UNSPECIFIED`.
void CheckEnum(const pb::EnumDescriptor* type) {
  ExpectComment(type, "enum");
  bool in_group = false;
  for (int i = 0; i < type->value_count(); ++i) {
    const pb::EnumValueDescriptor* value = type->value(i);
    if (value->number() == 0) {
      EXPECT_TRUE(value->name().ends_with("_UNSPECIFIED"))
          << value->full_name() << " is the value that a message without the field has: call it ..._UNSPECIFIED.";
      continue;
    }
    in_group = in_group || HasLeadingComment(value);
    EXPECT_TRUE(in_group || HasComment(value)) << "enum value " << value->full_name() << " in proto/"
                                               << type->file()->name() << " has no comment. Say what it means.";
  }
}

// The messages of a call are explained by the call, all others explain themselves; every field says what it means.
void CheckMessage(const pb::Descriptor* message) {
  const bool of_a_call = message->name().ends_with("Request") || message->name().ends_with("Response");
  if (message->options().map_entry()) return;
  if (!of_a_call) ExpectComment(message, "message");
  for (int i = 0; i < message->field_count(); ++i) ExpectComment(message->field(i), "field");
  for (int i = 0; i < message->nested_type_count(); ++i) CheckMessage(message->nested_type(i));
  for (int i = 0; i < message->enum_type_count(); ++i) CheckEnum(message->enum_type(i));
}

// Numbers with a unit carry it in their name.
void CheckUnits(const pb::Descriptor* message) {
  for (int i = 0; i < message->field_count(); ++i) {
    const std::string& name = message->field(i)->name();
    for (const char* vague : {"_micron", "_microns", "_size_mb", "_sec", "_secs", "_millis", "_time_s"}) {
      EXPECT_FALSE(name.ends_with(vague))
          << message->field(i)->full_name() << ": name the unit as _um, _bytes, _ms or _seconds.";
    }
  }
}

TEST(Contract, EveryElementIsCommented) {
  pb::FileDescriptorSet set;
  std::ifstream stream(DECONVOY_CONTRACT_DESCRIPTION, std::ios::binary);
  ASSERT_TRUE(set.ParseFromIstream(&stream)) << DECONVOY_CONTRACT_DESCRIPTION;
  pb::DescriptorPool pool;
  size_t own = 0;
  for (const pb::FileDescriptorProto& proto : set.file()) {
    const pb::FileDescriptor* file = pool.BuildFile(proto);
    ASSERT_NE(file, nullptr) << proto.name();
    if (!file->name().starts_with("deconvoy/")) continue;
    ++own;
    for (int i = 0; i < file->service_count(); ++i) {
      ExpectComment(file->service(i), "service");
      for (int j = 0; j < file->service(i)->method_count(); ++j) ExpectComment(file->service(i)->method(j), "call");
    }
    for (int i = 0; i < file->message_type_count(); ++i) {
      CheckMessage(file->message_type(i));
      CheckUnits(file->message_type(i));
    }
    for (int i = 0; i < file->enum_type_count(); ++i) CheckEnum(file->enum_type(i));
  }
  EXPECT_EQ(own, Files("proto/deconvoy", {".proto"}).size());
}

TEST(Contract, EveryProtoIsBuilt) {
  const std::string list = Read("proto/CMakeLists.txt");
  for (const std::string& path : Files("proto/deconvoy", {".proto"})) {
    const std::string stem = WithoutEnding(path.substr(path.rfind('/') + 1));
    EXPECT_NE(list.find(" " + stem), std::string::npos)
        << path << " is not built. Name " << stem << " in the PROTOS of proto/CMakeLists.txt.";
  }
}

}  // namespace
}  // namespace deconvoy::layout
