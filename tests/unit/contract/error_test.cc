#include "proto/contract/error.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

using ::testing::HasSubstr;

absl::Status Example() {
  return MakeError({.reason = v1::DISK_FULL,
                    .field = "spec",
                    .remedy = "Free some room.",
                    .metadata = {{"path", "/var/lib"}, {"need_bytes", "12"}}},
                   "the spool is full");
}

TEST(Error, CarriesReasonFieldRemedyAndFacts) {
  const absl::Status status = Example();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(std::string(status.message()), "the spool is full");
  EXPECT_EQ(ReasonOf(status), v1::DISK_FULL);
  const v1::ErrorInfo info = InfoOf(status);
  EXPECT_EQ(info.field(), "spec");
  EXPECT_EQ(info.remedy(), "Free some room.");
  EXPECT_EQ(info.metadata().at("path"), "/var/lib");
  EXPECT_EQ(info.metadata().at("need_bytes"), "12");
}

TEST(Error, EveryReasonHasACode) {
  const auto* reasons = v1::ErrorReason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<v1::ErrorReason>(reasons->value(i)->number());
    if (reason == v1::ERROR_REASON_UNSPECIFIED) continue;
    EXPECT_NE(CodeOf(reason), absl::StatusCode::kUnknown) << reasons->value(i)->name();
    EXPECT_NE(CodeOf(reason), absl::StatusCode::kOk) << reasons->value(i)->name();
  }
}

TEST(Error, CodesAreThoseOfTheContract) {
  EXPECT_EQ(CodeOf(v1::INVALID_FIELD), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(v1::BOX_OVERLAPS), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(v1::CHECKSUM_MISMATCH), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf(v1::DIGEST_MISMATCH), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf(v1::CORRUPT_DATA), absl::StatusCode::kDataLoss);
  EXPECT_EQ(CodeOf(v1::BAD_COMPRESSION), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(v1::QUOTA_EXCEEDED), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOf(v1::VOLUME_GONE), absl::StatusCode::kCancelled);
  EXPECT_EQ(CodeOf(v1::REQUEST_ID_REUSED), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(CodeOf(v1::NOT_FOUND), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOf(v1::VOLUME_IN_USE), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(v1::VOXEL_SIZE_MISMATCH), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(v1::STALE_LEASE), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(v1::BAD_PSF), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(v1::OUT_OF_MEMORY), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOf(v1::SHUTTING_DOWN), absl::StatusCode::kUnavailable);
  EXPECT_EQ(CodeOf(v1::BAD_OUTPUT), absl::StatusCode::kInternal);
  EXPECT_EQ(CodeOf(v1::ATTEMPTS_EXHAUSTED), absl::StatusCode::kAborted);
  EXPECT_EQ(CodeOf(v1::CANCELLED_BY_USER), absl::StatusCode::kCancelled);
  EXPECT_EQ(CodeOf(v1::UNAUTHENTICATED_WORKER), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(CodeOf(v1::INCOMPATIBLE_VERSION), absl::StatusCode::kFailedPrecondition);
}

TEST(Error, ContextComesBeforeTheMessageAndKeepsTheRest) {
  const absl::Status status = AddContext(Example(), "volume `raw.tif`");
  EXPECT_EQ(std::string(status.message()), "volume `raw.tif`: the spool is full");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), v1::DISK_FULL);
  EXPECT_TRUE(AddContext(absl::OkStatus(), "anything").ok());
}

TEST(Error, SurvivesBeingStored) {
  EXPECT_EQ(FromStored(ToStored(Example())), Example());
  const absl::Status bare(absl::StatusCode::kInternal, "no details");
  EXPECT_EQ(FromStored(ToStored(bare)), bare);
  EXPECT_FALSE(ToStored(bare).has_info());
  EXPECT_TRUE(FromStored(ToStored(absl::OkStatus())).ok());
}

TEST(Error, IsStoredInBoundedRoom) {
  std::string foreign;
  while (foreign.size() < (1 << 20)) foreign += "\u00b5m";
  const v1::StoredError stored = ToStored(
      MakeError({.reason = v1::BAD_MODEL, .field = "model", .remedy = "Give another.", .metadata = {{"name", foreign}}},
                foreign));
  EXPECT_LE(stored.ByteSizeLong(), 17U * 1024);
  EXPECT_TRUE(IsUtf8(stored.message()));
  EXPECT_TRUE(stored.message().starts_with("\u00b5m\u00b5m"));
  EXPECT_TRUE(stored.message().ends_with(" ..."));
  EXPECT_EQ(stored.info().reason(), v1::BAD_MODEL);
  EXPECT_EQ(stored.info().remedy(), "Give another.");
  const v1::StoredError bare =
      ToStored(MakeError({.reason = v1::BAD_MODEL, .field = foreign, .remedy = foreign}, "no"));
  EXPECT_LE(bare.ByteSizeLong(), 17U * 1024);
  EXPECT_EQ(bare.info().reason(), v1::BAD_MODEL);
}

TEST(Error, SurvivesTheWire) {
  const absl::Status status = Example();
  EXPECT_EQ(FromWire(static_cast<int>(status.code()), std::string(status.message()), SerializedInfo(status)), status);
  EXPECT_TRUE(FromWire(0, "", "").ok());
}

TEST(Error, WireWithGarbageIsStillAnError) {
  for (const int code : {-1, 17, 100000}) EXPECT_EQ(FromWire(code, "odd", "").code(), absl::StatusCode::kUnknown);
  const absl::Status status = FromWire(3, "odd", "\xff\xff\xff");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SerializedInfo(status), "");
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_UNSPECIFIED);
}

TEST(Error, TextOfForeignOriginIsAlwaysPrintableAndSerialisable) {
  const absl::Status status =
      MakeError({.reason = v1::INVALID_FIELD, .field = "a\x1b[2J", .metadata = {{"path", "\xff"}}}, "bell \a");
  EXPECT_EQ(std::string(status.message()), "bell \\x07");
  EXPECT_EQ(InfoOf(status).field(), "a\\x1B[2J");
  EXPECT_EQ(InfoOf(status).metadata().at("path"), "\\xFF");
  EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
  EXPECT_EQ(std::string(AddContext(status, "\n").message()), "\\x0A: bell \\x07");
}

TEST(Error, OnlyUnavailableIsRetryable) {
  for (int code = 0; code <= 16; ++code) {
    EXPECT_EQ(IsRetryable(absl::Status(static_cast<absl::StatusCode>(code), "x")), code == 14) << code;
  }
}

TEST(Printable, KeepsTextAndEscapesControl) {
  EXPECT_EQ(Printable(""), "");
  EXPECT_EQ(Printable("a name.tif"), "a name.tif");
  EXPECT_EQ(Printable("Zürich µm 细胞 🔬"), "Zürich µm 细胞 🔬");
  EXPECT_EQ(Printable("tab\tline\nreturn\r"), "tab\\x09line\\x0Areturn\\x0D");
  EXPECT_EQ(Printable(std::string("nul\0!", 5)), "nul\\x00!");
  EXPECT_EQ(Printable("\x7f"), "\\x7F");
  EXPECT_EQ(Printable("csi \xc2\x9b!"), "csi \\xC2\\x9B!");
  EXPECT_EQ(Printable("right to left \xe2\x80\xae"), "right to left \\xE2\\x80\\xAE");
}

TEST(Printable, EscapesInvalidUtf8ByteByByte) {
  EXPECT_EQ(Printable("\xff\xfe"), "\\xFF\\xFE");
  EXPECT_EQ(Printable("cut \xe7\xbb"), "cut \\xE7\\xBB");
  EXPECT_EQ(Printable("overlong \xc0\xaf"), "overlong \\xC0\\xAF");
  EXPECT_EQ(Printable("surrogate \xed\xa0\x80"), "surrogate \\xED\\xA0\\x80");
  EXPECT_EQ(Printable("\xe7"
                      "A"),
            "\\xE7"
            "A");
}

TEST(Printable, IsStable) {
  for (const std::string text : {"a\nb", "\xff", "\\x41", "µ"}) EXPECT_EQ(Printable(Printable(text)), Printable(text));
}

TEST(IsUtf8, TellsValidFromInvalid) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("control \x01 is valid, µ too"));
  EXPECT_FALSE(IsUtf8("\xff"));
  EXPECT_FALSE(IsUtf8("cut \xe7\xbb"));
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> names{"iterations", "acceleration", "initial", "background"};
  EXPECT_EQ(Nearest("iteration", names), "iterations");
  EXPECT_EQ(Nearest("acelleration", names), "acceleration");
  EXPECT_EQ(Nearest("inital", names), "initial");
  EXPECT_EQ(Nearest("initial", names), "initial");
}

TEST(Nearest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(Nearest("lambda", {"iterations", "initial"}), "");
  EXPECT_EQ(Nearest("x", {}), "");
  // Three characters allow a distance of two, not of three.
  EXPECT_EQ(Nearest("abc", {"xbz"}), "xbz");
  EXPECT_EQ(Nearest("abc", {"xyz"}), "");
}

}  // namespace
}  // namespace deconvoy
