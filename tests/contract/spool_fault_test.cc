// Every single operation on the file system fails once, in every way; then the power goes. What had been acknowledged
// must be there after the restart, nothing may be half there, and the work must be able to go on.
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <set>

#include "tests/contract/spool_fixture.h"

namespace deconvoy::server {
namespace {

using deconvoy::testing::Fault;

struct FaultCase {
  SpoolKind spool;
  Fault fault;
  std::string name;
};

void PrintTo(const FaultCase& fault_case, std::ostream* out) {
  *out << fault_case.name;
}

class SpoolFaultTest : public ::testing::TestWithParam<FaultCase> {
 protected:
  // Hundreds of restarts: in memory where possible, as what a power cut takes is played anyway.
  static void SetUpTestSuite() {
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  }

  // What the outside has been told; compared with what is there after the restart.
  struct Model {
    std::string upload;              // id of the uploaded volume; empty if never acknowledged
    std::map<size_t, bool> durable;  // chunks acknowledged
    bool finished = false;
    std::string twin;              // id of a second upload of the same bytes, which was finished
    std::string deleted;           // id of a volume whose deletion was acknowledged
    bool result_inserted = false;  // the job with volume `result`
    bool transferred = false;      // its box was recorded
  };

  // A life of the server on a folder of its own.
  struct Server {
    Server(const SpoolKind& kind, const std::filesystem::path& folder, FileSystem& files, Clock& clock, IdSource& ids) {
      auto opened = Store::Open(folder / "deconvoy.sqlite");
      EXPECT_OK(opened);
      store = *std::move(opened);
      auto spool = kind.open({.directory = folder / "spool", .keep_free_bytes = 0}, *store, files, clock, ids);
      status = spool.status();
      if (spool.ok()) volumes = *std::move(spool);
    }
    std::unique_ptr<Store> store;
    std::unique_ptr<VolumeStore> volumes;
    absl::Status status;
  };

  // Steps through everything that touches files, as far as it gets; a failed step is not tried again.
  void Work(Server& server, Model& model) {
    if (!server.volumes) return;
    Upload(server, model);
    UploadTwin(server, model);
    DeleteOne(server, model);
    DeliverResult(server, model);
  }

  absl::StatusOr<v1::Volume> Create(Server& server, const std::string& request_id) {
    v1::CreateVolumeRequest request;
    request.set_request_id(request_id);
    *request.mutable_spec() = spec_;
    return server.volumes->Create("local", request);
  }

  void Upload(Server& server, Model& model) {
    auto created = Create(server, "upload");
    if (!created.ok()) return;
    model.upload = IdOf(*created);
    auto writer = server.volumes->Write(model.upload);
    if (!writer.ok()) return;
    std::set<size_t> added;
    for (size_t i = 0; i < chunks_.size(); ++i) {
      if ((*writer)->Add(chunks_[i]).ok()) added.insert(i);
      if (i % 2 == 0 || !(*writer)->Commit().ok()) continue;
      for (const size_t index : added) model.durable[index] = true;
    }
    model.finished = server.volumes->Finish(model.upload, DigestOf(spec_)).ok();
    // A read may fail, but never gives wrong bytes.
    const FrameBox frame{0, 0, {{}, ShapeOf(spec_).frame()}};
    server.volumes
        ->Read(model.upload, ToProto(frame),
               [&](const v1::Chunk& chunk) {
                 EXPECT_TRUE(chunk.data() == BytesOfBox(spec_, ToFrameBox(chunk.box())));
                 return true;
               })
        .IgnoreError();
  }

  // Its file becomes that of the first one, when that is finished.
  void UploadTwin(Server& server, Model& model) {
    auto created = Create(server, "twin");
    if (!created.ok()) return;
    auto writer = server.volumes->Write(IdOf(*created));
    if (!writer.ok()) return;
    for (const v1::Chunk& chunk : chunks_) {
      if (!(*writer)->Add(chunk).ok()) return;
    }
    if (!(*writer)->Commit().ok()) return;
    if (server.volumes->Finish(IdOf(*created), DigestOf(spec_)).ok()) model.twin = IdOf(*created);
  }

  void DeleteOne(Server& server, Model& model) {
    auto created = Create(server, "deleted");
    if (!created.ok()) return;
    if (server.volumes->Delete(IdOf(*created)).ok()) model.deleted = IdOf(*created);
  }

  void DeliverResult(Server& server, Model& model) {
    if (!server.volumes->Reserve("result", spec_).ok()) return;
    JobChange change{.job = {.id = "job1", .owner = "local"}};
    change.new_volumes.push_back({.id = "result", .owner = "local", .spec = spec_});
    ASSERT_OK(server.store->InsertJob(change, "", ""));
    model.result_inserted = true;
    const std::string bytes = BytesOfBox(spec_, tile_);
    if (!server.volumes->MakeScratch(1, static_cast<int64_t>(bytes.size())).ok()) return;
    auto scratch = server.volumes->OpenScratch(1, true);
    if (!scratch.ok() || !(*scratch)->WriteAt(0, std::as_bytes(std::span(bytes))).ok()) return;
    const auto crc = server.volumes->Transfer(1, 0, "result", spec_, tile_);
    if (!crc.ok()) return;
    EXPECT_EQ(*crc, Crc32c(std::as_bytes(std::span(bytes))));
    ASSERT_OK(server.store->CommitBoxes("result", {{tile_, *crc}}));
    model.transferred = true;
    server.volumes->RemoveScratch(1);
  }

  // Every box that the store records has the bytes it should have.
  void CheckRecords(Server& server, const std::filesystem::path& folder) {
    ASSERT_OK_AND_ASSIGN(const auto ids, server.store->AllVolumeIds());
    size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "spool" / "volumes"))
      ++files;
    EXPECT_EQ(files, ids.size());
    EXPECT_TRUE(std::filesystem::is_empty(folder / "spool" / "scratch"));
    EXPECT_EQ(server.volumes->UsedBytes(), static_cast<int64_t>(ids.size()) * BytesOf(spec_));
    for (const std::string& id : ids) {
      ASSERT_OK_AND_ASSIGN(const auto boxes, server.store->GetBoxes(id, -1, -1));
      for (const CommittedBox& box : boxes) {
        std::string bytes;
        ASSERT_OK(server.volumes->Read(id, ToProto(box.box), [&](const v1::Chunk& chunk) {
          bytes += chunk.data();
          return true;
        }));
        EXPECT_EQ(Crc32c(std::as_bytes(std::span(bytes))), box.crc32c) << id;
        EXPECT_TRUE(bytes == BytesOfBox(spec_, box.box)) << id;
      }
    }
  }

  void CheckModel(Server& server, const Model& model) {
    for (const auto& [index, durable] : model.durable) {
      std::string bytes;
      ASSERT_OK(server.volumes->Read(model.upload, chunks_[index].box(), [&](const v1::Chunk& chunk) {
        bytes += chunk.data();
        return true;
      }));
      EXPECT_TRUE(bytes == chunks_[index].data()) << "acknowledged chunk " << index << " is lost";
    }
    if (!model.upload.empty()) {
      ASSERT_OK_AND_ASSIGN(const v1::Volume volume, server.volumes->Get(model.upload, false));
      if (model.finished) {
        EXPECT_EQ(volume.state(), v1::COMPLETE);
      }
    }
    if (!model.twin.empty()) {
      ASSERT_OK_AND_ASSIGN(const v1::Volume volume, server.volumes->Get(model.twin, false));
      EXPECT_EQ(volume.state(), v1::COMPLETE);
    }
    if (!model.deleted.empty()) {
      EXPECT_EQ(ReasonOf(server.volumes->Get(model.deleted, false).status()), v1::NOT_FOUND);
    }
    if (model.result_inserted) EXPECT_OK(server.volumes->Get("result", false));
    if (model.transferred) {
      EXPECT_OK(server.volumes->Read("result", ToProto(tile_), [](const v1::Chunk&) { return true; }));
    }
  }

  // The same request again and everything that is missing completes the upload.
  void CheckResumes(Server& server) {
    ASSERT_OK_AND_ASSIGN(const v1::Volume volume, Create(server, "upload"));
    const std::string id = IdOf(volume);
    if (volume.state() == v1::WRITING) {
      ASSERT_OK_AND_ASSIGN(const auto writer, server.volumes->Write(id));
      for (const v1::Chunk& chunk : chunks_) ASSERT_OK(writer->Add(chunk));
      ASSERT_OK(writer->Commit());
    }
    EXPECT_OK(server.volumes->Finish(id, DigestOf(spec_)));
  }

  // One life with the n-th operation failing, the power cut, and the next life. Returns whether the failure came.
  bool Round(int64_t n) {
    const deconvoy::testing::TemporaryFolder folder;
    deconvoy::testing::FaultyFileSystem files(*real_files_);
    deconvoy::testing::FakeClock clock;
    deconvoy::testing::CountingIds ids;
    Model model;
    files.FailAt(n, GetParam().fault);
    {
      Server server(GetParam().spool, folder.path(), files, clock, ids);
      Work(server, model);
    }
    const bool failed = files.failed();
    files.FailAt(0, GetParam().fault);
    files.DropUnsynced();
    Server next(GetParam().spool, folder.path(), files, clock, ids);
    EXPECT_OK(next.status);
    if (!next.volumes) return failed;
    CheckRecords(next, folder.path());
    CheckModel(next, model);
    CheckResumes(next);
    if (!failed) {
      EXPECT_TRUE(model.finished && model.transferred && !model.deleted.empty()) << "the work failed without a fault";
      EXPECT_EQ(std::filesystem::hard_link_count(folder.path() / "spool/volumes" / (model.twin + ".raw")), 2U)
          << "that two volumes share a file was not synced";
    }
    return failed;
  }

  const v1::VolumeSpec spec_ = MakeSpec(1, 2, 3, 8, 16);
  const std::vector<v1::Chunk> chunks_ = AllChunks(spec_, 256);
  const FrameBox tile_{0, 1, {{0, 2, 3}, {2, 3, 9}}};
  const std::unique_ptr<FileSystem> real_files_ = MakePosixFileSystem();
};

TEST_P(SpoolFaultTest, NoSingleFailureLosesOrHalvesAnything) {
  int64_t n = 1;
  while (Round(n) && !HasFailure()) ++n;
  ASSERT_FALSE(HasFailure()) << "with operation " << n << " failing";
  EXPECT_GT(n, 40) << "too few operations were seen to fail";
}

INSTANTIATE_TEST_SUITE_P(Spools, SpoolFaultTest,
                         ::testing::Values(FaultCase{FolderKind(), Fault::kIoError, "FolderIoError"},
                                           FaultCase{FolderKind(), Fault::kNoSpace, "FolderNoSpace"},
                                           FaultCase{FolderKind(), Fault::kShortWrite, "FolderShortWrite"}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
