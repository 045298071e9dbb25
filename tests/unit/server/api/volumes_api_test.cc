#include <fmt/format.h>
#include <gmock/gmock.h>

#include <numeric>
#include <set>

#include "proto/contract/compression.h"
#include "proto/contract/limits.h"
#include "tests/unit/server/api/api_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class VolumesApiTest : public ApiTest {
 protected:
  grpc::Status Get(const std::string& name, v1::Volume* volume) {
    grpc::ClientContext context;
    v1::GetVolumeRequest request;
    request.set_volume(name);
    return volume_stub_->Get(&context, request, volume);
  }

  grpc::Status Finish(const std::string& name, v1::Volume* volume) {
    grpc::ClientContext context;
    v1::FinishVolumeRequest request;
    request.set_volume(name);
    return volume_stub_->Finish(&context, request, volume);
  }

  grpc::Status Read(const v1::ReadVolumeRequest& request, std::vector<v1::Chunk>* chunks) {
    grpc::ClientContext context;
    const auto stream = volume_stub_->Read(&context, request);
    for (v1::ReadVolumeResponse response; stream->Read(&response);) chunks->push_back(response.chunk());
    return stream->Finish();
  }

  // The bytes of a whole volume as they come.
  grpc::Status ReadAll(const std::string& name, std::string* bytes) {
    v1::ReadVolumeRequest request;
    request.set_volume(name);
    std::vector<v1::Chunk> chunks;
    grpc::Status status = Read(request, &chunks);
    for (const v1::Chunk& chunk : chunks) {
      EXPECT_EQ(chunk.crc32c(), Crc32c(std::as_bytes(std::span(chunk.data()))));
      EXPECT_LE(chunk.data().size(), limits::kChunkBytes);
      bytes->append(chunk.data());
    }
    return status;
  }

  v1::VolumeSpec spec_ = Spec(8, 64, 100);
};

TEST_F(VolumesApiTest, PackedChunksAreTakenAndSent) {
  const v1::VolumeSpec spec = Spec(2, 512, 512);
  for (const v1::Compression kind : {v1::ZSTD, v1::LZ4}) {
    v1::Volume volume;
    ASSERT_TRUE(Create("packed" + std::to_string(kind), spec, &volume).ok());
    std::vector<v1::Chunk> chunks = {Planes(spec, 0, 1), Planes(spec, 1, 1)};
    for (v1::Chunk& chunk : chunks) {
      Pack(chunk, kind);
      ASSERT_EQ(chunk.compression(), kind);
    }
    v1::WriteVolumeResponse last;
    ASSERT_TRUE(Write(volume.name(), chunks, &last).ok());
    EXPECT_EQ(last.committed_bytes(), 2u * 512 * 512);
    ASSERT_TRUE(Finish(volume.name(), &volume).ok());
    v1::ReadVolumeRequest request;
    request.set_volume(volume.name());
    request.add_accept(static_cast<v1::Compression>(99));  // of a later version
    request.add_accept(kind);
    std::vector<v1::Chunk> read;
    ASSERT_TRUE(Read(request, &read).ok());
    std::string bytes;
    for (v1::Chunk& chunk : read) {
      EXPECT_EQ(chunk.compression(), kind);
      ASSERT_OK(Unpack(chunk, spec));
      bytes += chunk.data();
    }
    EXPECT_TRUE(bytes == Planes(spec, 0, 2).data());
  }
}

TEST_F(VolumesApiTest, ChunksThatUnpackToAnythingElseAreRefused) {
  v1::Volume volume;
  ASSERT_TRUE(Create("bomb", spec_, &volume).ok());
  const v1::VolumeSpec large = Spec(8, 256, 256);
  v1::Chunk bomb = Planes(large, 0, 8);  // 512 KiB, packed into a few hundred bytes
  Pack(bomb, v1::ZSTD);
  ASSERT_LT(bomb.data().size(), 1000u);
  *bomb.mutable_box() = Planes(spec_, 0, 1).box();
  v1::WriteVolumeResponse last;
  EXPECT_EQ(ReasonOf(Write(volume.name(), {bomb}, &last)), v1::BAD_COMPRESSION);
  EXPECT_EQ(last.chunks_committed(), 0u);
  v1::Chunk trailing = Planes(spec_, 0, 1);
  Pack(trailing, v1::LZ4);
  ASSERT_EQ(trailing.compression(), v1::LZ4);
  trailing.mutable_data()->push_back('\0');
  EXPECT_EQ(ReasonOf(Write(volume.name(), {trailing}, &last)), v1::BAD_COMPRESSION);
  ASSERT_TRUE(Get(volume.name(), &volume).ok());
  EXPECT_EQ(volume.committed_bytes(), 0u);
}

TEST_F(VolumesApiTest, UploadBreakResumeFinishAndReadBack) {
  v1::Volume volume;
  ASSERT_TRUE(Create("upload", spec_, &volume).ok());
  EXPECT_EQ(volume.size_bytes(), 8u * 64 * 100);
  EXPECT_EQ(volume.state(), v1::WRITING);

  v1::WriteVolumeResponse last;
  ASSERT_TRUE(Write(volume.name(), {Planes(spec_, 5, 2), Planes(spec_, 0, 1)}, &last).ok());
  EXPECT_EQ(last.chunks_committed(), 2u);
  EXPECT_EQ(last.committed_bytes(), 3u * 6400);

  v1::Volume found;
  EXPECT_EQ(ReasonOf(Finish(volume.name(), &found)), v1::VOLUME_INCOMPLETE);
  ASSERT_TRUE(Get(volume.name(), &found).ok());
  EXPECT_EQ(found.committed_bytes(), 3u * 6400);
  const int64_t missing = std::accumulate(
      found.missing().begin(), found.missing().end(), int64_t{0},
      [](int64_t sum, const v1::Box& box) { return sum + int64_t{box.size_z()} * box.size_y() * box.size_x(); });
  EXPECT_EQ(missing, 5 * 6400);

  std::vector<v1::Chunk> rest;
  for (const v1::Box& box : found.missing()) rest.push_back(Planes(spec_, box.z(), box.size_z()));
  rest.push_back(Planes(spec_, 0, 1));  // the same again is welcome
  ASSERT_TRUE(Write(volume.name(), rest, &last).ok());
  ASSERT_TRUE(Finish(volume.name(), &found).ok());
  EXPECT_EQ(found.state(), v1::COMPLETE);
  EXPECT_EQ(found.spec().digest().size(), 32u);

  std::string bytes;
  ASSERT_TRUE(ReadAll(volume.name(), &bytes).ok());
  EXPECT_EQ(bytes, Planes(spec_, 0, 8).data());
}

TEST_F(VolumesApiTest, EachChunkIsAcknowledgedToACallerThatWaitsForIt) {
  v1::Volume volume;
  ASSERT_TRUE(Create("lockstep", spec_, &volume).ok());
  grpc::ClientContext context;
  const auto stream = volume_stub_->Write(&context);
  for (uint32_t z = 0; z < 8; ++z) {
    v1::WriteVolumeRequest request;
    if (z == 0) request.set_volume(volume.name());
    *request.mutable_chunk() = Planes(spec_, z, 1);
    ASSERT_TRUE(stream->Write(request));
    v1::WriteVolumeResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.chunks_committed(), z + 1);
    EXPECT_EQ(response.committed_bytes(), (z + 1) * 6400u);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(VolumesApiTest, AWrongChecksumIsRefusedAndWhatCameBeforeIsKept) {
  v1::Volume volume;
  ASSERT_TRUE(Create("checksum", spec_, &volume).ok());
  v1::Chunk bad = Planes(spec_, 1, 1);
  bad.mutable_data()->at(77) ^= 1;
  v1::WriteVolumeResponse last;
  const grpc::Status status = Write(volume.name(), {Planes(spec_, 0, 1), bad, Planes(spec_, 2, 1)}, &last);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(ReasonOf(status), v1::CHECKSUM_MISMATCH);
  EXPECT_EQ(last.chunks_committed(), 1u);
  v1::Volume found;
  ASSERT_TRUE(Get(volume.name(), &found).ok());
  EXPECT_EQ(found.committed_bytes(), 6400u);
}

TEST_F(VolumesApiTest, WrongBoxesAreRefused) {
  v1::Volume volume;
  ASSERT_TRUE(Create("boxes", spec_, &volume).ok());
  v1::WriteVolumeResponse last;
  v1::Chunk outside = Planes(spec_, 7, 1);
  outside.mutable_box()->set_z(8);
  EXPECT_EQ(Write(volume.name(), {outside}, &last).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::Chunk wrapped = Planes(spec_, 0, 1);
  wrapped.mutable_box()->set_y(0xffffffff);
  EXPECT_EQ(Write(volume.name(), {wrapped}, &last).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::Chunk shorter = Planes(spec_, 0, 1);
  shorter.mutable_data()->pop_back();
  EXPECT_EQ(Write(volume.name(), {shorter}, &last).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(Write(volume.name(), {Planes(spec_, 2, 2)}, &last).ok());
  EXPECT_EQ(ReasonOf(Write(volume.name(), {Planes(spec_, 3, 2)}, &last)), v1::BOX_OVERLAPS);
}

TEST_F(VolumesApiTest, OneStreamWritesOneVolume) {
  v1::Volume one, two;
  ASSERT_TRUE(Create("one", spec_, &one).ok());
  ASSERT_TRUE(Create("two", spec_, &two).ok());
  grpc::ClientContext context;
  const auto stream = volume_stub_->Write(&context);
  v1::WriteVolumeRequest request;
  request.set_volume(one.name());
  stream->Write(request);
  request.set_volume(two.name());
  stream->Write(request);
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(InfoOf(status).field(), "volume");
  EXPECT_THAT(status.error_message(), HasSubstr(two.name()));
}

TEST_F(VolumesApiTest, AMessageAboveTheLimitIsRefusedByTheTransport) {
  v1::Volume volume;
  ASSERT_TRUE(Create("large", spec_, &volume).ok());
  v1::Chunk large = Planes(spec_, 0, 1);
  large.set_data(std::string(limits::kMessageBytes + 1, 'x'));
  v1::WriteVolumeResponse last;
  EXPECT_EQ(Write(volume.name(), {large}, &last).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(VolumesApiTest, UnknownAndMalformedNames) {
  v1::Volume volume;
  const grpc::Status unknown = Get("volumes/none", &volume);
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(unknown), v1::NOT_FOUND);
  for (const char* name : {"", "none", "volumes/", "volumes/../../etc/passwd", "jobs/a", "volumes/A\x1b"}) {
    EXPECT_EQ(Get(name, &volume).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << name;
  }
  v1::WriteVolumeResponse last;
  EXPECT_EQ(ReasonOf(Write("volumes/none", {Planes(spec_, 0, 1)}, &last)), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(Finish("volumes/none", &volume)), v1::NOT_FOUND);
  std::string bytes;
  EXPECT_EQ(ReasonOf(ReadAll("volumes/none", &bytes)), v1::NOT_FOUND);
}

TEST_F(VolumesApiTest, AVolumeOfSomeoneElseIsNotThere) {
  v1::CreateVolumeRequest request;
  request.set_request_id("other");
  *request.mutable_spec() = spec_;
  ASSERT_OK_AND_ASSIGN(const v1::Volume foreign, core_->volumes().Create("someone", request));
  v1::Volume volume;
  const grpc::Status status = Get(foreign.name(), &volume);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr(foreign.name()));
  grpc::ClientContext context;
  v1::ListVolumesResponse list;
  ASSERT_TRUE(volume_stub_->List(&context, {}, &list).ok());
  EXPECT_TRUE(list.volumes().empty());
}

TEST_F(VolumesApiTest, BadSpecsAreRefused) {
  v1::Volume volume;
  EXPECT_EQ(Create("zero", Spec(0, 1, 1), &volume).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Create("bad id!", spec_, &volume).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Create("huge", Spec(1 << 20, 1 << 20, 1 << 20), &volume).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(VolumesApiTest, ARequestIdIsGoodForOneVolume) {
  v1::Volume first, again;
  ASSERT_TRUE(Create("same", spec_, &first).ok());
  ASSERT_TRUE(Create("same", spec_, &again).ok());
  EXPECT_EQ(first.name(), again.name());
  const grpc::Status other = Create("same", Spec(1, 2, 3), &again);
  EXPECT_EQ(other.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(ReasonOf(other), v1::REQUEST_ID_REUSED);
}

TEST_F(VolumesApiTest, ListsComeInPages) {
  std::set<std::string> made, listed;
  for (int i = 0; i < 7; ++i) {
    v1::Volume volume;
    ASSERT_TRUE(Create(fmt::format("page{}", i), Spec(1, 2, 3), &volume).ok());
    made.insert(volume.name());
  }
  v1::ListVolumesRequest request;
  request.set_page_size(3);
  int pages = 0;
  do {
    grpc::ClientContext context;
    v1::ListVolumesResponse response;
    ASSERT_TRUE(volume_stub_->List(&context, request, &response).ok());
    EXPECT_LE(response.volumes_size(), 3);
    for (const v1::Volume& volume : response.volumes()) listed.insert(volume.name());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, made);
  EXPECT_EQ(pages, 3);
  grpc::ClientContext context;
  v1::ListVolumesResponse response;
  request.set_page_token("not a token");
  EXPECT_EQ(volume_stub_->List(&context, request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(VolumesApiTest, ListsOfLargeSpecificationsComeInMorePages) {
  v1::VolumeSpec spec = Spec(1, 1, 1);
  spec.mutable_shape()->set_c(4096);
  for (int c = 0; c < 4096; ++c) {
    v1::Channel& channel = *spec.add_channels();
    channel.set_name(std::string(64, 'x'));
    channel.set_emission_wavelength_um(0.52);
    channel.set_excitation_wavelength_um(0.48);
  }
  std::set<std::string> made, listed;
  for (int i = 0; i < 50; ++i) {
    v1::Volume volume;
    ASSERT_TRUE(Create(fmt::format("large{}", i), spec, &volume).ok());
    made.insert(volume.name());
  }
  v1::ListVolumesRequest request;
  request.set_page_size(1000);
  int pages = 0, volumes = 0;
  do {
    grpc::ClientContext context;
    v1::ListVolumesResponse response;
    ASSERT_TRUE(volume_stub_->List(&context, request, &response).ok()) << "what gRPC takes is 4 MiB";
    EXPECT_LT(response.ByteSizeLong(), 2 * limits::kPageBytes);
    EXPECT_GT(response.volumes_size(), 1);
    for (const v1::Volume& volume : response.volumes()) listed.insert(volume.name());
    volumes += response.volumes_size();
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, made);
  EXPECT_EQ(volumes, 50) << "none twice";
  EXPECT_GT(pages, 5);
}

TEST_F(VolumesApiTest, RegionsAreReadAsAskedFor) {
  v1::Volume volume;
  ASSERT_TRUE(Create("regions", spec_, &volume).ok());
  v1::WriteVolumeResponse last;
  ASSERT_TRUE(Write(volume.name(), {Planes(spec_, 0, 4)}, &last).ok());
  v1::ReadVolumeRequest request;
  request.set_volume(volume.name());
  v1::Box* box = request.add_regions();
  box->set_z(2);
  box->set_y(10);
  box->set_x(20);
  box->set_size_z(1);
  box->set_size_y(2);
  box->set_size_x(3);
  std::vector<v1::Chunk> chunks;
  ASSERT_TRUE(Read(request, &chunks).ok());
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].data(), std::string(6, 3));
  box->set_z(6);  // not there yet
  EXPECT_EQ(ReasonOf(Read(request, &chunks)), v1::VOLUME_INCOMPLETE);
  box->set_z(8);
  EXPECT_EQ(Read(request, &chunks).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(VolumesApiTest, AReaderThatLeavesEndsItsCall) {
  v1::Volume volume;
  const v1::VolumeSpec spec = Spec(200, 512, 512);
  ASSERT_TRUE(Create("leave", spec, &volume).ok());
  std::vector<v1::Chunk> chunks;
  for (uint32_t z = 0; z < 200; z += 2) chunks.push_back(Planes(spec, z, 2));
  v1::WriteVolumeResponse last;
  ASSERT_TRUE(Write(volume.name(), chunks, &last).ok());
  // As many as may be open at once, twice: they would be refused if those before were still there.
  for (int i = 0; i < 2 * kOpenCalls; ++i) {
    grpc::ClientContext context;
    v1::ReadVolumeRequest request;
    request.set_volume(volume.name());
    const auto stream = volume_stub_->Read(&context, request);
    v1::ReadVolumeResponse response;
    ASSERT_TRUE(stream->Read(&response)) << i;
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
}

TEST_F(VolumesApiTest, ADeletedVolumeIsGone) {
  v1::Volume volume;
  ASSERT_TRUE(Create("delete", spec_, &volume).ok());
  v1::DeleteVolumeRequest request;
  request.set_volume(volume.name());
  v1::DeleteVolumeResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(volume_stub_->Delete(&context, request, &response).ok());
  }
  EXPECT_EQ(ReasonOf(Get(volume.name(), &volume)), v1::NOT_FOUND);
  grpc::ClientContext context;
  EXPECT_EQ(ReasonOf(volume_stub_->Delete(&context, request, &response)), v1::NOT_FOUND);
}

TEST_F(VolumesApiTest, ADrainedServerTakesNothingNewButWhatItHasStaysReadable) {
  v1::Volume volume, other;
  ASSERT_TRUE(Create("drain", spec_, &volume).ok());
  server_->Drain();
  const grpc::Status status = Create("later", spec_, &other);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), v1::SHUTTING_DOWN);
  EXPECT_TRUE(Get(volume.name(), &other).ok());
}

TEST_F(VolumesApiTest, AReaderThatFollowsGetsWhatIsWrittenWhileItReads) {
  v1::Volume volume;
  ASSERT_TRUE(Create("followed", spec_, &volume).ok());
  v1::WriteVolumeResponse last;
  ASSERT_TRUE(Write(volume.name(), {Planes(spec_, 5, 2)}, &last).ok());
  v1::ReadVolumeRequest request;
  request.set_volume(volume.name());
  std::vector<v1::Chunk> chunks;
  EXPECT_EQ(ReasonOf(Read(request, &chunks)), v1::VOLUME_INCOMPLETE);
  request.set_follow(true);
  grpc::ClientContext context;
  const auto stream = volume_stub_->Read(&context, request);
  v1::ReadVolumeResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.chunk().data(), Planes(spec_, 5, 2).data());
  for (const auto& [z, count] : {std::pair{0U, 5U}, std::pair{7U, 1U}}) {
    ASSERT_TRUE(Write(volume.name(), {Planes(spec_, z, count)}, &last).ok());
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.chunk().box().z(), z);
    EXPECT_EQ(response.chunk().data(), Planes(spec_, z, count).data());
  }
  EXPECT_FALSE(stream->Read(&response)) << "that was all, though nobody has called Finish";
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(VolumesApiTest, AFollowedVolumeMayGoAndTheServerMayStop) {
  v1::Volume volume;
  ASSERT_TRUE(Create("gone", spec_, &volume).ok());
  v1::ReadVolumeRequest request;
  request.set_volume(volume.name());
  request.set_follow(true);
  v1::WriteVolumeResponse last;
  ASSERT_TRUE(Write(volume.name(), {Planes(spec_, 0, 1)}, &last).ok());
  // Whoever has got something has begun to follow.
  const auto follow = [&](grpc::ClientContext& context) {
    auto stream = volume_stub_->Read(&context, request);
    v1::ReadVolumeResponse response;
    EXPECT_TRUE(stream->Read(&response));
    return stream;
  };
  grpc::ClientContext deleted_context, stopped_context;
  v1::ReadVolumeResponse response;
  const auto deleted = follow(deleted_context);
  grpc::ClientContext context;
  v1::DeleteVolumeRequest remove;
  remove.set_volume(volume.name());
  v1::DeleteVolumeResponse removed;
  ASSERT_TRUE(volume_stub_->Delete(&context, remove, &removed).ok());
  EXPECT_FALSE(deleted->Read(&response));
  const grpc::Status gone = deleted->Finish();
  EXPECT_EQ(gone.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(ReasonOf(gone), v1::VOLUME_GONE);

  ASSERT_TRUE(Create("stopped", spec_, &volume).ok());
  request.set_volume(volume.name());
  ASSERT_TRUE(Write(volume.name(), {Planes(spec_, 0, 1)}, &last).ok());
  const auto stopped = follow(stopped_context);
  core_->volumes().StopFollowing();
  EXPECT_FALSE(stopped->Read(&response));
  const grpc::Status unavailable = stopped->Finish();
  EXPECT_EQ(unavailable.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(unavailable), v1::SHUTTING_DOWN);
}

}  // namespace
}  // namespace deconvoy::server
