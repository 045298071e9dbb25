#include "client/cpp/acquisition_stream.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/fake_service.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::deconvoy::testing::FakeService;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kCall[] = "Deconvolution.Deconvolve";

class AcquisitionStreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(Client connected, Client::Connect(service_.address()));
    client_ = std::make_unique<Client>(connected);
    SetShape({2, 1, 5, 16, 24});
  }

  void SetShape(const Shape5& shape) {
    shape_ = shape;
    *input_.mutable_shape() = ToProto(shape);
    input_.set_type(v1::U16);
    job_.mutable_deconvolve()->set_psf_volume("volumes/psf");
    job_.mutable_deconvolve()->set_method("rl");
    job_.mutable_deconvolve()->set_output_type(v1::U16);
    bytes_.resize(static_cast<size_t>(VolumeBytes(shape, v1::U16)));
    uint32_t state = 1;
    for (char& byte : bytes_) byte = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24);
  }

  int64_t planes() const { return shape_.frames() * shape_.z; }

  std::span<const std::byte> Plane(int64_t place) const {
    const auto bytes = static_cast<size_t>(shape_.y * shape_.x * 2);
    return std::as_bytes(std::span(bytes_)).subspan(static_cast<size_t>(place) * bytes, bytes);
  }

  AcquisitionOptions Options() const {
    AcquisitionOptions options;
    options.open_patience = absl::Milliseconds(500);
    options.retry = {.initial = absl::Milliseconds(2), .longest = absl::Milliseconds(10), .total = absl::Seconds(20)};
    return options;
  }

  absl::StatusOr<std::unique_ptr<AcquisitionStream>> Open(AcquisitionOptions options) {
    return AcquisitionStream::Open(*client_, input_, job_, std::move(options));
  }

  absl::Status Push(AcquisitionStream& stream, int64_t place) const {
    const int64_t frame = place / shape_.z;
    return stream.Push(frame / shape_.c, frame % shape_.c, place % shape_.z, Plane(place));
  }

  absl::Status PushAll(AcquisitionStream& stream) const {
    for (int64_t place = 0; place < planes(); ++place)
      if (absl::Status status = Push(stream, place); !status.ok()) return status;
    return absl::OkStatus();
  }

  struct Heard {
    std::map<std::string, int> counts;
    std::string estimate;  // from boxes
    v1::Job ended;
  };

  // All events until the job has ended.
  absl::StatusOr<Heard> Hear(AcquisitionStream& stream) const {
    Heard heard;
    heard.estimate.resize(bytes_.size());
    for (;;) {
      auto event = stream.Poll(absl::Seconds(20));
      if (!event.ok()) return event.status();
      if (!event->has_value()) return absl::DeadlineExceededError("nothing was told");
      if (auto* box = std::get_if<FinishedBox>(&**event)) {
        ++heard.counts["box"];
        const int64_t place = (box->box.t * shape_.c + box->box.c) * shape_.z + box->box.box.origin.z;
        heard.estimate.replace(static_cast<size_t>(place) * Plane(0).size(), box->voxels.size(),
                               reinterpret_cast<const char*>(box->voxels.data()), box->voxels.size());
      }
      if (std::holds_alternative<v1::SessionOpened>(**event)) ++heard.counts["opened"];
      if (auto* outage = std::get_if<Outage>(&**event)) ++heard.counts[outage->over ? "back" : "away"];
      if (auto* job = std::get_if<v1::Job>(&**event)) {
        heard.ended = *job;
        return heard;
      }
    }
  }

  void ExpectInput(const AcquisitionStream& stream) const {
    const auto volumes = service_.volumes();
    const auto& stored = volumes.at(stream.opened().input().name());
    EXPECT_EQ(stored.volume.state(), v1::COMPLETE);
    EXPECT_TRUE(stored.bytes == bytes_);
  }

  FakeService service_;
  std::unique_ptr<Client> client_;
  v1::VolumeSpec input_;
  v1::JobSpec job_;
  Shape5 shape_;
  std::string bytes_;
};

TEST_F(AcquisitionStreamTest, RecordsAndHearsTheResult) {
  std::atomic<int> durable = 0;
  AcquisitionOptions options = Options();
  options.on_durable = [&](int64_t, int64_t, int64_t) { ++durable; };
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(options));
  EXPECT_FALSE(stream->session().empty());
  ASSERT_OK(PushAll(*stream));
  ASSERT_OK(stream->Finish());
  ASSERT_OK_AND_ASSIGN(const Heard heard, Hear(*stream));
  EXPECT_EQ(heard.ended.state(), v1::SUCCEEDED);
  EXPECT_EQ(heard.counts.at("box"), planes());
  EXPECT_TRUE(heard.estimate == bytes_);
  EXPECT_EQ(durable, planes());
  EXPECT_EQ(stream->counts().planes_durable, planes());
  EXPECT_EQ(stream->counts().buffered_bytes, 0);
  ExpectInput(*stream);
  ASSERT_OK_AND_ASSIGN(const auto nothing, stream->Poll(absl::ZeroDuration()));
  EXPECT_FALSE(nothing.has_value());
}

TEST_F(AcquisitionStreamTest, PlanesMayComeInAnyOrderAndFillSeveralChunks) {
  SetShape({1, 2, 2, 700, 900});
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  for (const int64_t place : {3, 0, 2, 1}) ASSERT_OK(Push(*stream, place));
  VolumeDigester digester(static_cast<int64_t>(Plane(0).size()));
  digester.Update(std::as_bytes(std::span(bytes_)));
  const Sha256Digest digest = digester.Finish();
  const std::string text(reinterpret_cast<const char*>(digest.data()), digest.size());
  ASSERT_OK(stream->Finish(text));
  ASSERT_OK_AND_ASSIGN(const Heard heard, Hear(*stream));
  EXPECT_TRUE(heard.estimate == bytes_);
  EXPECT_EQ(service_.volumes().at(stream->opened().input().name()).digest, text);
  ExpectInput(*stream);
}

// Each time one chunk more is durable than was acknowledged: it must not be sent again.
TEST_F(AcquisitionStreamTest, ABrokenCallIsTakenUpWithoutSendingTwiceWhatIsThere) {
  service_.BreakStreams(kCall, {3, 0, 2});
  AcquisitionOptions options = Options();
  std::vector<int64_t> durable;
  options.on_durable = [&](int64_t t, int64_t, int64_t z) { durable.push_back(t * shape_.z + z); };
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(options));
  ASSERT_OK(PushAll(*stream));
  ASSERT_OK(stream->Finish());
  ASSERT_OK_AND_ASSIGN(const Heard heard, Hear(*stream));
  EXPECT_EQ(heard.counts.at("box"), planes()) << "each once";
  EXPECT_TRUE(heard.estimate == bytes_);
  EXPECT_GE(heard.counts.at("away"), 1);
  EXPECT_EQ(service_.calls(kCall), 4);
  EXPECT_EQ(service_.chunks_received(), static_cast<uint64_t>(planes()));
  EXPECT_THAT(durable, SizeIs(planes()));
  EXPECT_TRUE(std::is_sorted(durable.begin(), durable.end()));
  for (const std::string& session : service_.request_ids(kCall)) EXPECT_EQ(session, stream->session());
  EXPECT_THAT(service_.jobs(), SizeIs(1));
  ExpectInput(*stream);
}

TEST_F(AcquisitionStreamTest, PushGoesOnWhileTheServerIsAway) {
  service_.BreakStreams(kCall, {0});
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  service_.FailNext(kCall, 1'000'000, MakeError({.reason = v1::SHUTTING_DOWN}, "stopping"));
  ASSERT_OK(PushAll(*stream));
  service_.FailNext(kCall, 0, absl::OkStatus());
  ASSERT_OK(stream->Finish());
  ASSERT_OK(Hear(*stream));
  ExpectInput(*stream);
}

TEST_F(AcquisitionStreamTest, ABrokenCallWaitsForItsPlaceAmongTheOpenOnes) {
  service_.BreakStreams(kCall, {0});
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  service_.FailNext(kCall, 2, MakeError({.reason = v1::TOO_MANY_STREAMS}, "too many"));
  ASSERT_OK(PushAll(*stream));
  ASSERT_OK(stream->Finish());
  ASSERT_OK(Hear(*stream));
  ExpectInput(*stream);
}

TEST_F(AcquisitionStreamTest, TheBufferIsBounded) {
  AcquisitionOptions options = Options();
  options.buffer_bytes = 3 * static_cast<int64_t>(Plane(0).size());
  service_.HoldWrites(true);
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(options));
  for (int64_t place = 0; place < 3; ++place) ASSERT_OK(stream->TryPush(0, 0, place, Plane(place)));
  const absl::Status full = stream->TryPush(0, 0, 3, Plane(3));
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_TRUE(absl::IsResourceExhausted(stream->Push(0, 0, 3, Plane(3), absl::Milliseconds(20))));
  EXPECT_FALSE(stream->Has(0, 0, 3));
  EXPECT_EQ(stream->counts().buffered_bytes, options.buffer_bytes);
  EXPECT_EQ(stream->counts().planes_durable, 0);
  auto waiting = std::async(std::launch::async, [&] { return stream->Push(0, 0, 3, Plane(3)); });
  service_.HoldWrites(false);
  EXPECT_OK(waiting.get());
  for (int64_t place = 4; place < planes(); ++place) ASSERT_OK(Push(*stream, place));
  ASSERT_OK(stream->Finish());
  ASSERT_OK(Hear(*stream));
  ExpectInput(*stream);
}

// Boxes that nobody polls must hold up neither memory nor acknowledgements.
TEST_F(AcquisitionStreamTest, BoxesThatWereNotKeptAreReadWhenTheirTurnComes) {
  AcquisitionOptions options = Options();
  options.result_bytes = 2 * static_cast<int64_t>(Plane(0).size());
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(options));
  ASSERT_OK(PushAll(*stream));
  ASSERT_OK(stream->Finish());
  while (stream->counts().planes_durable < planes()) absl::SleepFor(absl::Milliseconds(1));
  ASSERT_OK_AND_ASSIGN(const Heard heard, Hear(*stream));
  EXPECT_EQ(heard.counts.at("box"), planes());
  EXPECT_TRUE(heard.estimate == bytes_);
  EXPECT_GT(service_.calls("Volumes.Read"), 0);
}

TEST_F(AcquisitionStreamTest, AProgramThatDiedTakesItsSessionUpAgain) {
  AcquisitionOptions options = Options();
  options.session = "microscope-3";
  {
    ASSERT_OK_AND_ASSIGN(const auto stream, Open(options));
    for (int64_t place = 0; place < 4; ++place) ASSERT_OK(Push(*stream, place));
    while (stream->counts().planes_durable < 4) absl::SleepFor(absl::Milliseconds(1));
    service_.HoldWrites(true);
    ASSERT_OK(Push(*stream, 4));  // lost with the process
  }
  service_.HoldWrites(false);
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(options));
  EXPECT_TRUE(stream->opened().resumed());
  EXPECT_GE(stream->counts().planes_taken, 4);
  for (int64_t place = 0; place < planes(); ++place) {
    const bool there = stream->Has(place / shape_.z, 0, place % shape_.z);
    EXPECT_TRUE(place >= 4 || there) << place;
    if (there) {
      EXPECT_EQ(ReasonOf(Push(*stream, place)), v1::BOX_OVERLAPS);
    } else {
      ASSERT_OK(Push(*stream, place));
    }
  }
  ASSERT_OK(stream->Finish());
  ASSERT_OK_AND_ASSIGN(const Heard heard, Hear(*stream));
  EXPECT_EQ(heard.counts.at("box"), planes()) << "also those finished before";
  EXPECT_TRUE(heard.estimate == bytes_);
  EXPECT_THAT(service_.jobs(), SizeIs(1));
  ExpectInput(*stream);
}

TEST_F(AcquisitionStreamTest, BoxesReceivedBeforeDoNotComeAgain) {
  AcquisitionOptions options = Options();
  options.session = "again";
  v1::Box first;
  first.set_size_z(1);
  first.set_size_y(16);
  first.set_size_x(24);
  {
    ASSERT_OK_AND_ASSIGN(const auto stream, Open(options));
    ASSERT_OK(Push(*stream, 0));
    ASSERT_OK(stream->Close());
  }
  options.received = {first};
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(options));
  for (int64_t place = 1; place < planes(); ++place) ASSERT_OK(Push(*stream, place));
  ASSERT_OK(stream->Finish());
  ASSERT_OK_AND_ASSIGN(const Heard heard, Hear(*stream));
  EXPECT_EQ(heard.counts.at("box"), planes() - 1);
}

// So many boxes, of which no two make a series, are more than a message holds.
TEST_F(AcquisitionStreamTest, ALongRecordingOutlastsABrokenCall) {
  service_.BreakStreams(kCall, {3});
  AcquisitionOptions options = Options();
  for (uint32_t i = 0; i < 60'000; ++i) {
    v1::Box& box = options.received.emplace_back();
    box.set_t(1000 + 2 * i);
    box.set_z(300);
    box.set_size_z(200);
    box.set_size_y(2048);
    box.set_size_x(2048);
  }
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(options));
  ASSERT_OK(PushAll(*stream));
  ASSERT_OK(stream->Finish());
  ASSERT_OK_AND_ASSIGN(const Heard heard, Hear(*stream));
  EXPECT_EQ(service_.calls(kCall), 2);
  EXPECT_EQ(heard.counts.at("box"), planes());
  EXPECT_TRUE(heard.estimate == bytes_);
  ExpectInput(*stream);
}

TEST_F(AcquisitionStreamTest, CloseWaitsUntilWhatWasTakenIsDurable) {
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  for (int64_t place = 0; place < 7; ++place) ASSERT_OK(Push(*stream, place));
  ASSERT_OK(stream->Close());
  EXPECT_THAT(service_.volumes().at(stream->opened().input().name()).committed, SizeIs(7));
  EXPECT_TRUE(absl::IsFailedPrecondition(Push(*stream, 7)));
  EXPECT_EQ(service_.jobs().begin()->second.state(), v1::RUNNING);
}

TEST_F(AcquisitionStreamTest, CloseDoesNotWaitForEver) {
  service_.HoldWrites(true);
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  ASSERT_OK(Push(*stream, 0));
  EXPECT_TRUE(absl::IsDeadlineExceeded(stream->Close(absl::Milliseconds(20))));
}

TEST_F(AcquisitionStreamTest, CancelEndsTheJob) {
  service_.HoldJobs();
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  ASSERT_OK(PushAll(*stream));
  ASSERT_OK(stream->Finish());
  ASSERT_OK(stream->Cancel());
  ASSERT_OK_AND_ASSIGN(const Heard heard, Hear(*stream));
  EXPECT_EQ(heard.ended.state(), v1::CANCELLED);
}

TEST_F(AcquisitionStreamTest, WhatTheServerRefusesIsNotTriedAgain) {
  service_.FailNext(kCall, 1, MakeError({.reason = v1::DISK_FULL}, "no room"));
  EXPECT_EQ(ReasonOf(Open(Options()).status()), v1::DISK_FULL);
  EXPECT_EQ(service_.calls(kCall), 1);
}

// Once the recording has begun, its planes are kept until there is room again.
TEST_F(AcquisitionStreamTest, ARecordingOutlastsWhatTheServerLacksForNow) {
  service_.BreakStreams(kCall, {0});
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  service_.FailNext(kCall, 3, MakeError({.reason = v1::DISK_FULL}, "no room"));
  ASSERT_OK(PushAll(*stream));
  ASSERT_OK(stream->Finish());
  ASSERT_OK_AND_ASSIGN(const Heard heard, Hear(*stream));
  EXPECT_EQ(heard.ended.state(), v1::SUCCEEDED);
  EXPECT_EQ(service_.calls(kCall), 5);
  ExpectInput(*stream);
}

// Whoever has taken it up is not to lose it again at once.
TEST_F(AcquisitionStreamTest, ASessionThatAnotherProgramHasTakenUpIsLeftToIt) {
  service_.BreakStreams(kCall, {0});
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  service_.FailNext(kCall, 1, absl::AbortedError("another call has taken up this session"));
  ASSERT_OK(Push(*stream, 0));
  const absl::Status ended = Hear(*stream).status();
  EXPECT_TRUE(absl::IsAborted(ended)) << ended;
  EXPECT_TRUE(absl::IsAborted(stream->Finish()));
  EXPECT_EQ(service_.calls(kCall), 2);
}

TEST_F(AcquisitionStreamTest, ASessionBelongsToItsHeader) {
  AcquisitionOptions options = Options();
  options.session = "one";
  ASSERT_OK(Open(options));
  job_.mutable_deconvolve()->set_method("wiener");
  EXPECT_EQ(ReasonOf(Open(options).status()), v1::REQUEST_ID_REUSED);
}

TEST_F(AcquisitionStreamTest, ARefusalLaterEndsTheStream) {
  service_.BreakStreams(kCall, {0});
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  service_.FailNext(kCall, 1, MakeError({.reason = v1::NOT_FOUND}, "the session has gone"));
  ASSERT_OK(Push(*stream, 0));
  for (;;) {
    const auto event = stream->Poll(absl::Seconds(20));
    if (event.ok()) continue;
    EXPECT_EQ(ReasonOf(event.status()), v1::NOT_FOUND);
    break;
  }
  EXPECT_EQ(ReasonOf(Push(*stream, 1)), v1::NOT_FOUND);
}

TEST_F(AcquisitionStreamTest, OpenGivesUpAfterItsPatience) {
  service_.FailNext(kCall, 1'000'000, MakeError({.reason = v1::SHUTTING_DOWN}, "stopping"));
  AcquisitionOptions options = Options();
  options.open_patience = absl::Milliseconds(30);
  EXPECT_TRUE(absl::IsUnavailable(Open(options).status()));
}

TEST_F(AcquisitionStreamTest, StopBreaksTheStreamOff) {
  std::stop_source stop;
  ASSERT_OK_AND_ASSIGN(const auto stream, AcquisitionStream::Open(*client_, input_, job_, Options(), stop.get_token()));
  service_.HoldWrites(true);
  AcquisitionCounts counts = stream->counts();
  EXPECT_EQ(counts.planes_total, planes());
  ASSERT_OK(Push(*stream, 0));
  stop.request_stop();
  for (;;) {
    const auto event = stream->Poll(absl::Seconds(20));
    if (event.ok()) continue;
    EXPECT_TRUE(absl::IsCancelled(event.status())) << event.status();
    break;
  }
}

TEST_F(AcquisitionStreamTest, WrongPlanesAreRefused) {
  ASSERT_OK_AND_ASSIGN(const auto stream, Open(Options()));
  EXPECT_EQ(ReasonOf(stream->Push(0, 0, 5, Plane(0))), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(stream->Push(0, -1, 0, Plane(0))), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(stream->Push(0, 0, 0, Plane(0).first(3))), v1::INVALID_FIELD);
  ASSERT_OK(Push(*stream, 0));
  EXPECT_EQ(ReasonOf(Push(*stream, 0)), v1::BOX_OVERLAPS);
  ASSERT_OK(Push(*stream, 2));
  const absl::Status early = stream->Finish();
  EXPECT_EQ(ReasonOf(early), v1::VOLUME_INCOMPLETE);
  EXPECT_THAT(std::string(early.message()), HasSubstr("0,0,1"));
}

}  // namespace
}  // namespace deconvoy::client
