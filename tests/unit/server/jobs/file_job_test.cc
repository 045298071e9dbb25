// Imports and exports as the server sees them: what their tasks are, and what becomes of what these find.
#include "server/jobs/file_job.h"

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

v1::JobSpec ImportSpec(const std::string& file = "data/raw.tif") {
  v1::JobSpec spec;
  spec.mutable_import_file()->set_file(file);
  return spec;
}

v1::JobSpec ExportSpec(const std::string& volume, const std::string& file = "data/out.tif") {
  v1::JobSpec spec;
  spec.mutable_export_file()->set_volume(volume);
  spec.mutable_export_file()->set_file(file);
  return spec;
}

class FileJobTest : public ::testing::Test {
 protected:
  FileJobTest() {
    service_.SetRoots({{.name = "data", .path = service_.folder(), .writable = true}});
    worker_.registration.set_spool_nonce(service_.volumes().nonce());
  }

  // What a worker finds in a file of this shape, whose digest is made of `fill`.
  static v1::TaskResult Look(const Shape5& shape, char fill = 'd') {
    v1::TaskResult result;
    v1::LookAtFileResult& found = *result.mutable_look_at_file();
    *found.mutable_spec() = MakeSpec(shape);
    found.mutable_spec()->set_digest(std::string(32, fill));
    found.mutable_stamp()->set_inode(7);
    return result;
  }
  // Takes the first task of an import and answers it.
  absl::Status TakeLook(const v1::TaskResult& found) {
    const std::optional<v1::Task> task = worker_.Take();
    if (!task || !task->has_look_at_file()) return absl::NotFoundError("no such task");
    return worker_.Deliver(*task, found, "");
  }
  v1::Volume VolumeOf(const v1::Job& job) {
    auto volume = service_.volumes().Get(VolumeId(job.outputs(0).volume(), "").value(), false);
    EXPECT_OK(volume);
    return volume.value_or(v1::Volume());
  }

  JobService service_;
  TestWorker worker_{service_, "w"};
};

TEST_F(FileJobTest, AnImportLooksFirstAndThenBringsAnUpload) {
  const std::string job = service_.Submit(ImportSpec());
  EXPECT_EQ(service_.CountVolumes(), 0U);
  const std::optional<v1::Task> look = worker_.Take();
  ASSERT_TRUE(look && look->has_look_at_file());
  EXPECT_EQ(look->look_at_file().file().file(), "data/raw.tif");
  EXPECT_EQ(look->look_at_file().file().path(), "raw.tif");
  EXPECT_GT(look->look_at_file().largest_bytes(), 0U);
  EXPECT_EQ(service_.Get(job).progress().activity(), "look at the file");
  ASSERT_OK(worker_.Deliver(*look, Look({2, 1, 3, 4, 5}), ""));
  ASSERT_EQ(service_.Get(job).outputs_size(), 1);
  const v1::Volume made = VolumeOf(service_.Get(job));
  EXPECT_EQ(made.state(), v1::WRITING);
  EXPECT_EQ(made.size_bytes(), 120U);
  EXPECT_LT(service_.Get(job).progress().fraction(), 0.6);
  EXPECT_EQ(ReasonOf(service_.volumes().Write(VolumeId(made.name(), "").value()).status()), v1::VOLUME_IN_USE);

  const std::optional<v1::Task> read = worker_.Take();
  ASSERT_TRUE(read && read->has_read_file());
  EXPECT_EQ(read->read_file().stamp().inode(), 7U);
  EXPECT_EQ(read->read_file().file().path(), "raw.tif");
  ASSERT_EQ(read->outputs_size(), 2) << "a piece of each frame";
  ASSERT_OK(worker_.Deliver(*read));
  const v1::Job ended = service_.Get(job);
  service_.CheckResult(ended);
  const v1::Volume volume = VolumeOf(ended);
  EXPECT_EQ(volume.spec().digest(), std::string(32, 'd'));
  ASSERT_OK_AND_ASSIGN(const VolumeRecord record, service_.store().GetVolume(VolumeId(volume.name(), "").value()));
  EXPECT_FALSE(record.job_output) << "as if it had been uploaded";
}

TEST_F(FileJobTest, WhatIsThereAlreadyIsFound) {
  const std::string first = service_.Submit(ImportSpec());
  ASSERT_OK(TakeLook(Look({1, 1, 3, 4, 5})));
  worker_.WorkOff();
  const std::string second = service_.Submit(ImportSpec("data/copy.tif"));
  ASSERT_OK(TakeLook(Look({1, 1, 3, 4, 5})));
  const v1::Job found = service_.Get(second);
  EXPECT_EQ(found.state(), v1::SUCCEEDED) << found.ShortDebugString();
  EXPECT_EQ(found.outputs(0).volume(), service_.Get(first).outputs(0).volume());
  ASSERT_GT(found.findings_size(), 0);
  EXPECT_THAT(found.findings().rbegin()->message(), HasSubstr("was there already"));
  EXPECT_EQ(service_.CountVolumes(), 1U);
  EXPECT_EQ(VolumeOf(found).spec().digest(), std::string(32, 'd')) << "it keeps its digest";
  service_.Submit(ImportSpec());
  ASSERT_OK(TakeLook(Look({1, 1, 3, 4, 5}, 'e')));
  EXPECT_EQ(service_.CountVolumes(), 2U) << "another one";
}

TEST_F(FileJobTest, NameAndVoxelSizeMayBeGiven) {
  v1::JobSpec spec = ImportSpec();
  spec.mutable_import_file()->set_display_name("mine");
  spec.mutable_import_file()->mutable_voxel_size()->set_x_um(0.25);
  const std::string job = service_.Submit(spec);
  ASSERT_OK(TakeLook(Look({1, 1, 1, 4, 5})));
  const v1::Volume made = VolumeOf(service_.Get(job));
  EXPECT_EQ(made.spec().display_name(), "mine");
  EXPECT_EQ(made.spec().voxel_size().x_um(), 0.25);
}

TEST_F(FileJobTest, GoesOnAfterARestartInTheMiddle) {
  const std::string job = service_.Submit(ImportSpec());
  ASSERT_OK(TakeLook(Look({1, 1, 3, 4, 5})));
  const std::string volume = service_.Get(job).outputs(0).volume();
  ASSERT_TRUE(worker_.Take());
  service_.Reopen();
  TestWorker after(service_, "after");
  after.registration.set_spool_nonce(service_.volumes().nonce());
  const std::optional<v1::Task> read = after.Take();
  ASSERT_TRUE(read && read->has_read_file());
  EXPECT_EQ(read->read_file().stamp().inode(), 7U);
  ASSERT_OK(after.Deliver(*read));
  EXPECT_EQ(service_.Get(job).outputs(0).volume(), volume);
  service_.CheckResult(service_.Get(job));
}

TEST_F(FileJobTest, NothingStaysOfOneThatFailsOrIsCancelled) {
  const std::string failing = service_.Submit(ImportSpec());
  ASSERT_OK(TakeLook(Look({1, 1, 3, 4, 5})));
  const std::optional<v1::Task> read = worker_.Take();
  ASSERT_TRUE(read);
  worker_.GiveUp(*read, MakeError({.reason = v1::FILE_CHANGED}, "changed"), /*retry=*/false);
  EXPECT_EQ(service_.Get(failing).state(), v1::FAILED);
  EXPECT_EQ(service_.Get(failing).error().info().reason(), v1::FILE_CHANGED);
  EXPECT_EQ(service_.CountVolumes(), 0U);
  const std::string cancelled = service_.Submit(ImportSpec());
  ASSERT_OK(TakeLook(Look({1, 1, 3, 4, 5})));
  EXPECT_OK(service_.jobs().Cancel(JobService::kOwner, cancelled).status());
  EXPECT_EQ(service_.CountVolumes(), 0U);
  EXPECT_EQ(service_.CountScratchFiles(), 0U);
}

TEST_F(FileJobTest, AFileThatDoesNotFitFailsTheJob) {
  const std::string job = service_.Submit(ImportSpec());
  service_.files().SetFreeBytes(100);
  ASSERT_OK(TakeLook(Look({1, 1, 10, 10, 10})));
  EXPECT_EQ(service_.Get(job).state(), v1::FAILED);
  EXPECT_EQ(service_.Get(job).error().info().reason(), v1::DISK_FULL);
  EXPECT_EQ(service_.CountVolumes(), 0U);
}

TEST_F(FileJobTest, WhatIsNoVolumeIsNotTaken) {
  const std::string job = service_.Submit(ImportSpec());
  const std::optional<v1::Task> look = worker_.Take();
  v1::TaskResult wrong = Look({1, 1, 3, 4, 5});
  wrong.mutable_look_at_file()->mutable_spec()->clear_digest();
  EXPECT_EQ(ReasonOf(worker_.Deliver(*look, wrong, "")), v1::INVALID_FIELD);
  EXPECT_EQ(service_.CountVolumes(), 0U);
}

TEST_F(FileJobTest, OnlyWorkersOfTheServersMachineGetIt) {
  const std::string job = service_.Submit(ImportSpec());
  TestWorker far(service_, "far");
  EXPECT_FALSE(far.Take());
  EXPECT_EQ(service_.Get(job).progress().activity(), "waiting for a worker on the server's machine");
  EXPECT_TRUE(worker_.Take());
}

TEST_F(FileJobTest, ARootThatWasTakenAwayEndsTheJob) {
  const std::string job = service_.Submit(ImportSpec());
  service_.SetRoots({{.name = "other", .path = service_.folder()}});
  worker_.registration.set_spool_nonce(service_.volumes().nonce());
  EXPECT_FALSE(worker_.Take());
  EXPECT_EQ(service_.Get(job).state(), v1::FAILED);
  EXPECT_EQ(service_.Get(job).error().info().reason(), v1::NOT_FOUND);
}

TEST_F(FileJobTest, AnExportReadsItsVolumeAndYieldsNone) {
  v1::VolumeSpec spec = MakeSpec({1, 2, 3, 4, 5});
  spec.add_channels()->set_name("DAPI");
  spec.add_channels()->set_name("GFP");
  const std::string volume = service_.AddVolume(spec);
  const std::string job = service_.Submit(ExportSpec(volume));
  EXPECT_EQ(ReasonOf(service_.volumes().Delete(VolumeId(volume, "").value())), v1::VOLUME_IN_USE);
  const std::optional<v1::Task> task = worker_.Take();
  ASSERT_TRUE(task && task->has_write_file());
  EXPECT_EQ(task->inputs(0).volume(), volume);
  ASSERT_EQ(task->inputs(0).spec().channels_size(), 2);
  EXPECT_EQ(task->inputs(0).spec().channels(1).name(), "GFP");
  EXPECT_EQ(task->write_file().file().path(), "out.tif");
  v1::TaskResult result;
  result.mutable_write_file()->set_size_bytes(999);
  ASSERT_OK(worker_.Deliver(*task, result, ""));
  const v1::Job ended = service_.Get(job);
  EXPECT_EQ(ended.state(), v1::SUCCEEDED);
  EXPECT_EQ(ended.outputs_size(), 0);
  ASSERT_GT(ended.findings_size(), 0);
  EXPECT_THAT(ended.findings().rbegin()->message(), HasSubstr("999 bytes"));
  EXPECT_OK(service_.volumes().Delete(VolumeId(volume, "").value()));
}

TEST_F(FileJobTest, SubmissionIsRefusedWithAReason) {
  const auto reason = [&](const v1::JobSpec& spec) { return ReasonOf(service_.TrySubmit(spec).status()); };
  EXPECT_EQ(reason(ImportSpec("none/a.tif")), v1::NOT_FOUND);
  EXPECT_EQ(reason(ImportSpec("data/../a.tif")), v1::PATH_NOT_ALLOWED);
  EXPECT_EQ(reason(ExportSpec("volumes/none")), v1::NOT_FOUND);
  EXPECT_EQ(reason(ExportSpec(service_.AddVolume(MakeSpec({1, 1, 1, 4, 4}), /*complete=*/false))),
            v1::VOLUME_INCOMPLETE);
  service_.SetRoots({});
  EXPECT_EQ(reason(ImportSpec()), v1::NO_FILE_ROOTS);
}

// --- Parts ---

TEST(FileParts, CoverEachPlaneOnce) {
  for (const Shape5& shape : {Shape5{1, 1, 1, 1, 1}, Shape5{3, 2, 7, 1 << 10, 1 << 13}, Shape5{5000, 1, 1, 4, 4},
                              Shape5{2, 2, 3, 1 << 14, 1 << 13}}) {
    const v1::VolumeSpec spec = MakeSpec(shape);
    const int64_t planes = shape.frames() * shape.z, per_part = PlanesPerPart(spec);
    int64_t next = 0;
    for (int64_t part = 0; part * per_part < planes; ++part) {
      const auto pieces = PiecesOfPart(spec, "volumes/v", part);
      EXPECT_LE(pieces.size(), 1024U);
      for (const v1::OutputPiece& piece : pieces) {
        const FrameBox box = ToFrameBox(piece.box());
        EXPECT_EQ((box.t * shape.c + box.c) * shape.z + box.box.origin.z, next);
        EXPECT_EQ(box.box.shape.y, shape.y);
        EXPECT_EQ(box.box.shape.x, shape.x);
        EXPECT_LE(box.box.origin.z + box.box.shape.z, shape.z);
        next += box.box.shape.z;
      }
    }
    EXPECT_EQ(next, planes);
  }
}

}  // namespace
}  // namespace deconvoy::server
