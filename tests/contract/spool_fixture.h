// What the spool's contract tests share: a volume store over real files, and volumes whose bytes follow from their
// place.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/volume_layout.h"
#include "server/spool/volume_store.h"
#include "tests/support/fake_environment.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {

// The byte that every test volume has at `offset`; `salt` makes another image.
inline char ByteAt(int64_t offset, uint64_t salt = 0) {
  const uint64_t mixed = (static_cast<uint64_t>(offset) + 1 + salt * 1'000'003) * 0x9e3779b97f4a7c15u;
  return static_cast<char>(mixed >> 56);
}

inline v1::VolumeSpec MakeSpec(uint32_t t, uint32_t c, uint32_t z, uint32_t y, uint32_t x,
                               v1::VoxelType type = v1::U16) {
  v1::VolumeSpec spec;
  spec.mutable_shape()->set_t(t);
  spec.mutable_shape()->set_c(c);
  spec.mutable_shape()->set_z(z);
  spec.mutable_shape()->set_y(y);
  spec.mutable_shape()->set_x(x);
  spec.set_type(type);
  return spec;
}

inline Shape5 ShapeOf(const v1::VolumeSpec& spec) {
  return *ToShape(spec.shape(), spec.type(), "shape");
}

inline int64_t BytesOf(const v1::VolumeSpec& spec) {
  return VolumeBytes(ShapeOf(spec), spec.type());
}

inline std::string DigestOf(const v1::VolumeSpec& spec, uint64_t salt = 0) {
  std::string bytes(static_cast<size_t>(BytesOf(spec)), '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = ByteAt(static_cast<int64_t>(i), salt);
  VolumeDigester digester(int64_t{spec.shape().y()} * spec.shape().x() * BytesPerVoxel(spec.type()));
  digester.Update(std::as_bytes(std::span(bytes)));
  const Sha256Digest digest = digester.Finish();
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// The bytes of a box of a test volume.
inline std::string BytesOfBox(const v1::VolumeSpec& spec, const FrameBox& box, uint64_t salt = 0) {
  std::string data;
  const auto append = [&](const ByteRun& run) {
    for (int64_t i = 0; i < run.bytes; ++i) data.push_back(ByteAt(run.volume_offset + i, salt));
    return absl::OkStatus();
  };
  EXPECT_OK(ForEachRun(ShapeOf(spec), spec.type(), box, append));
  return data;
}

inline v1::Chunk ChunkOf(const v1::VolumeSpec& spec, const FrameBox& box, uint64_t salt = 0) {
  v1::Chunk chunk;
  *chunk.mutable_box() = ToProto(box);
  chunk.set_data(BytesOfBox(spec, box, salt));
  chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
  return chunk;
}

inline std::vector<v1::Chunk> AllChunks(const v1::VolumeSpec& spec, int64_t max_bytes, uint64_t salt = 0) {
  std::vector<v1::Chunk> chunks;
  const Shape5 shape = ShapeOf(spec);
  const auto add = [&](const FrameBox& box) {
    chunks.push_back(ChunkOf(spec, box, salt));
    return absl::OkStatus();
  };
  for (int64_t frame = 0; frame < shape.frames(); ++frame) {
    const FrameBox whole{frame / shape.c, frame % shape.c, {{}, shape.frame()}};
    EXPECT_OK(ForEachPiece(whole, spec.type(), max_bytes, add));
  }
  return chunks;
}

inline std::string IdOf(const v1::Volume& volume) {
  return *VolumeId(volume.name(), "volume");
}

// One way to open a volume store.
struct SpoolKind {
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<VolumeStore>>(const VolumeStore::Options&, Store&, FileSystem&, Clock&,
                                                             IdSource&)>
      open;
};

inline SpoolKind FolderKind() {
  return {"Folder", VolumeStore::Open};
}

inline void PrintTo(const SpoolKind& kind, std::ostream* out) {
  *out << kind.name;
}

class SpoolContractTest : public ::testing::TestWithParam<SpoolKind> {
 protected:
  void SetUp() override { Reopen(); }

  absl::Status TryReopen() {
    volumes_.reset();
    store_.reset();
    auto store = Store::Open(folder_.path() / "deconvoy.sqlite");
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    auto volumes = GetParam().open(options_, *store_, files_, clock_, ids_);
    if (!volumes.ok()) return volumes.status();
    volumes_ = *std::move(volumes);
    return absl::OkStatus();
  }
  void Reopen() { ASSERT_OK(TryReopen()); }

  absl::StatusOr<v1::Volume> Create(const v1::VolumeSpec& spec, const std::string& request_id,
                                    const std::string& owner = "local") {
    v1::CreateVolumeRequest request;
    request.set_request_id(request_id);
    *request.mutable_spec() = spec;
    return volumes_->Create(owner, request);
  }

  // Creates a volume and returns its id.
  std::string Make(const v1::VolumeSpec& spec, const std::string& request_id = "request") {
    auto volume = Create(spec, request_id);
    EXPECT_OK(volume);
    return volume.ok() ? IdOf(*volume) : "";
  }

  absl::Status Upload(const std::string& id, const std::vector<v1::Chunk>& chunks) {
    auto writer = volumes_->Write(id);
    if (!writer.ok()) return writer.status();
    for (const v1::Chunk& chunk : chunks) {
      if (absl::Status added = (*writer)->Add(chunk); !added.ok()) return added;
    }
    return (*writer)->Commit().status();
  }

  // The bytes that Read gives for a region, after checking that each chunk is whole.
  absl::StatusOr<std::string> ReadRegion(const std::string& id, const v1::VolumeSpec& spec, const FrameBox& region) {
    std::string bytes(static_cast<size_t>(region.box.shape.voxels() * BytesPerVoxel(spec.type())), '?');
    const auto take = [&](const v1::Chunk& chunk) {
      EXPECT_LE(chunk.data().size(), size_t{512 * 1024});
      EXPECT_EQ(chunk.crc32c(), Crc32c(std::as_bytes(std::span(chunk.data()))));
      CopyBox(reinterpret_cast<const std::byte*>(chunk.data().data()), ToFrameBox(chunk.box()).box,
              reinterpret_cast<std::byte*>(bytes.data()), region.box, BytesPerVoxel(spec.type()));
      return true;
    };
    const absl::Status status = volumes_->Read(id, ToProto(region), take);
    if (!status.ok()) return status;
    return bytes;
  }

  void ExpectContent(const std::string& id, const v1::VolumeSpec& spec, uint64_t salt = 0) {
    const Shape5 shape = ShapeOf(spec);
    for (int64_t frame = 0; frame < shape.frames(); ++frame) {
      const FrameBox whole{frame / shape.c, frame % shape.c, {{}, shape.frame()}};
      ASSERT_OK_AND_ASSIGN(const std::string bytes, ReadRegion(id, spec, whole));
      ASSERT_TRUE(bytes == BytesOfBox(spec, whole, salt)) << "frame " << frame << " differs";
    }
  }

  // A job that uses a volume and has not ended.
  void InsertJobUsing(const std::string& volume_id) {
    JobChange change{.job = {.id = "job1", .owner = "local", .create_time = clock_.Wall()}};
    change.job.job.mutable_spec()->mutable_project()->set_input_volume(VolumeName(volume_id));
    ASSERT_OK(store_->InsertJob(change, "", ""));
  }

  // A volume that a job makes, in the state before its first tile.
  void InsertResult(const std::string& id, const v1::VolumeSpec& spec) {
    ASSERT_OK(volumes_->Reserve(id, spec));
    JobChange change{.job = {.id = "job1", .owner = "local", .create_time = clock_.Wall()}};
    change.new_volumes.push_back({.id = id, .owner = "local", .spec = spec, .create_time = clock_.Wall()});
    ASSERT_OK(store_->InsertJob(change, "", ""));
  }

  const deconvoy::testing::TemporaryFolder folder_;
  const std::unique_ptr<FileSystem> real_files_ = MakePosixFileSystem();
  deconvoy::testing::FaultyFileSystem files_{*real_files_};
  deconvoy::testing::FakeClock clock_;
  deconvoy::testing::CountingIds ids_;
  VolumeStore::Options options_{.directory = folder_.path() / "spool", .keep_free_bytes = 0};
  std::unique_ptr<Store> store_;
  std::unique_ptr<VolumeStore> volumes_;
};

}  // namespace deconvoy::server
