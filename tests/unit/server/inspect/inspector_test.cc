// Damage of every kind to the folder of a real server: found and named, mended as far as it can be, and what is right
// stays as it is.
#include "server/inspect/inspector.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "server/inspect/report.h"
#include "server/store/backup.h"
#include "server/store/sqlite.h"
#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class InspectorTest : public ::testing::Test {
 protected:
  fs::path database() const { return service_.folder() / "store.sqlite"; }
  fs::path FileOf(const std::string& name) const {
    return service_.folder() / "spool/volumes" / (VolumeId(name, "").value() + ".raw");
  }
  InspectorOptions Options() const {
    return {.database = database(), .spool = {.directory = service_.folder() / "spool", .threads = 3}};
  }

  // REQUIRES: the service is closed.
  Inspection Look() {
    auto inspection = Inspect(Options(), *files_);
    EXPECT_OK(inspection);
    return *std::move(inspection);
  }
  static std::vector<std::string> Kinds(const Inspection& inspection) {
    std::vector<std::string> kinds;
    for (const Finding& finding : inspection.findings) {
      kinds.push_back(finding.kind);
      EXPECT_NE(finding.problem, "");
      EXPECT_NE(finding.remedy, "");
      EXPECT_NE(finding.path, "");
    }
    return kinds;
  }
  // Mends what was found, and returns what is found then.
  Inspection Mended() {
    EXPECT_OK(Repair(Options(), *files_, Look(), service_.clock.Wall()));
    return Look();
  }

  static void Damage(const fs::path& file, int64_t at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(at);
    const auto byte = static_cast<char>(stream.get() ^ 0x40);
    stream.seekp(at);
    stream.put(byte);
  }
  // Does to the tables what no program does.
  void Tamper(const std::string& sql) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Database::Open(this->database()));
    ASSERT_OK(database->Execute("PRAGMA foreign_keys = OFF; " + sql));
  }

  v1::Volume Get(const std::string& name) { return *service_.volumes().Get(VolumeId(name, "").value(), true); }

  // A job with four tiles, of which `done` are done beside the analysis. Its id.
  std::string StartJob(int done, const std::string& initial = "mean", const Shape5& shape = {1, 1, 2, 4, 16}) {
    const std::string job = service_.Submit(service_.Deconvolve(shape, {2, 4, 4}, initial));
    for (int i = 0; i <= done; ++i) {
      const std::optional<v1::Task> task = worker_.Take();
      EXPECT_TRUE(task.has_value());
      EXPECT_OK(worker_.Deliver(*task));
    }
    return job;
  }
  // Byte of the result that the first finished tile wrote.
  static constexpr int64_t kInFirstTile = 1;

  JobService service_;
  TestWorker worker_{service_, "w"};
  const std::unique_ptr<FileSystem> files_ = MakePosixFileSystem();
};

TEST_F(InspectorTest, NothingIsWrongWithWhatAServerLeaves) {
  const std::string done = StartJob(4);
  StartJob(2);
  service_.AddVolume(MakeSpec({1, 1, 1, 4, 4}), false);
  EXPECT_EQ(service_.Get(done).state(), v1::SUCCEEDED);
  service_.Close();
  const Inspection inspection = Look();
  EXPECT_THAT(inspection.findings, IsEmpty()) << ToText(inspection);
  EXPECT_EQ(inspection.jobs, 2);
  EXPECT_EQ(inspection.volumes, 7);
  EXPECT_GT(inspection.boxes, 6);
  EXPECT_EQ(inspection.bytes, 2 * (128 + 4) + 128 + 64);
}

TEST_F(InspectorTest, AJobThatWaitsForTheEndOfItsRecordingIsNotStuck) {
  const Shape5 shape{1, 1, 4, 4, 4};
  v1::JobSpec spec = service_.Deconvolve(shape, {2, 4, 4});
  const std::string image = service_.AddVolume(MakeSpec(shape), /*complete=*/false);
  spec.mutable_deconvolve()->set_input_volume(image);
  spec.mutable_deconvolve()->set_first_planes(2);
  const std::string job = service_.Submit(spec);
  const std::string id = VolumeId(image, "").value();
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, service_.volumes().Write(id));
    v1::Chunk chunk;
    *chunk.mutable_box() = ToProto(FrameBox{0, 0, {{}, {4, 4, 4}}});
    chunk.set_data(std::string(64, '\0'));
    chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
    ASSERT_OK(writer->Add(chunk));
    ASSERT_OK(writer->Commit());
  }
  service_.jobs().SettleInput();
  EXPECT_EQ(worker_.WorkOff(), 3) << "the analysis and two tiles";
  EXPECT_EQ(service_.Get(job).state(), v1::RUNNING);
  service_.Close();
  EXPECT_THAT(Mended().findings, IsEmpty());
  service_.Open();
  EXPECT_EQ(service_.Get(job).state(), v1::RUNNING);
  ASSERT_OK(service_.volumes().Finish(id, ""));
  service_.jobs().SettleInput();
  service_.CheckResult(service_.Get(job));
}

TEST_F(InspectorTest, AnEmptyFolderIsSound) {
  const deconvoy::testing::TemporaryFolder folder;
  ASSERT_OK_AND_ASSIGN(const Inspection inspection,
                       Inspect({.database = folder.path() / "none", .spool = {.directory = folder.path()}}, *files_));
  EXPECT_TRUE(inspection.sound());
  EXPECT_FALSE(fs::exists(folder.path() / "none"));
}

TEST_F(InspectorTest, LeftoversAreNamedAndDoNoHarm) {
  service_.AddVolume(MakeSpec({1, 1, 1, 4, 4}));
  service_.Close();
  std::ofstream(service_.folder() / "spool/volumes/stray.raw") << "voxels";
  std::ofstream(service_.folder() / "spool/scratch/7.raw") << "voxels";
  const Inspection inspection = Look();
  EXPECT_THAT(Kinds(inspection), UnorderedElementsAre("file-orphan", "scratch-left"));
  EXPECT_TRUE(inspection.sound());
  EXPECT_TRUE(fs::exists(service_.folder() / "spool/volumes/stray.raw")) << "looking changes nothing";
  EXPECT_THAT(Mended().findings, IsEmpty());
}

TEST_F(InspectorTest, ADamagedBoxOfAnUploadIsSentAgain) {
  const std::string volume = service_.AddVolume(MakeSpec({1, 1, 2, 16, 16}));
  const fs::path file = FileOf(volume);
  service_.Close();
  Damage(file, 300);
  const Inspection inspection = Look();
  ASSERT_THAT(Kinds(inspection), ElementsAre("box-damaged"));
  EXPECT_EQ(inspection.findings[0].subject, volume);
  EXPECT_EQ(inspection.findings[0].path, file);
  EXPECT_FALSE(inspection.sound());
  EXPECT_THAT(Mended().findings, IsEmpty());
  service_.Open();
  const v1::Volume mended = Get(volume);
  EXPECT_EQ(mended.state(), v1::WRITING);
  ASSERT_EQ(mended.missing_size(), 1);
  v1::Chunk chunk;
  *chunk.mutable_box() = mended.missing(0);
  chunk.set_data(std::string(2 * 16 * 16, '\0'));
  chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
  const std::string id = VolumeId(volume, "").value();
  ASSERT_OK_AND_ASSIGN(const auto writer, service_.volumes().Write(id));
  ASSERT_OK(writer->Add(chunk));
  ASSERT_OK(writer->Commit());
  // The digest proves that it is the same again.
  EXPECT_OK(service_.volumes().Finish(id, mended.spec().digest()));
}

TEST_F(InspectorTest, VolumesThatShareADamagedFileGetTheirOwnBeforeTheyAreWrittenAgain) {
  const std::string first = service_.AddVolume(MakeSpec({1, 1, 2, 16, 16}));
  const std::string second = service_.AddVolume(MakeSpec({1, 1, 2, 16, 16}));
  service_.Close();
  ASSERT_TRUE(fs::equivalent(FileOf(first), FileOf(second)));
  Damage(FileOf(first), 300);
  ASSERT_THAT(Kinds(Look()), ElementsAre("box-damaged", "box-damaged"));
  EXPECT_THAT(Mended().findings, IsEmpty());
  EXPECT_FALSE(fs::equivalent(FileOf(first), FileOf(second)));
  service_.Open();
  EXPECT_EQ(Get(first).missing_size(), 1);
  EXPECT_EQ(Get(second).missing_size(), 1);
}

TEST_F(InspectorTest, AJobWhoseInputIsDamagedFails) {
  const std::string job = StartJob(1);
  const std::string input = service_.Get(job).spec().deconvolve().input_volume();
  const std::string output = service_.Get(job).outputs(0).volume();
  service_.Close();
  Damage(FileOf(input), 5);
  EXPECT_THAT(Kinds(Look()), UnorderedElementsAre("box-damaged", "volume-lost"));
  EXPECT_TRUE(Mended().sound());
  EXPECT_THAT(Mended().findings, IsEmpty());
  service_.Open();
  const v1::Job failed = service_.Get(job);
  EXPECT_EQ(failed.state(), v1::FAILED);
  EXPECT_THAT(failed.error().message(), HasSubstr(input));
  EXPECT_THAT(failed.error().message(), HasSubstr("damaged"));
  EXPECT_FALSE(fs::exists(FileOf(output)));
  EXPECT_EQ(Get(input).state(), v1::WRITING);
}

TEST_F(InspectorTest, AJobWhoseInputHasGapsFails) {
  const std::string job = StartJob(1);
  const std::string input = service_.Get(job).spec().deconvolve().input_volume();
  service_.Close();
  Tamper(fmt::format("DELETE FROM boxes WHERE volume = (SELECT key FROM volumes WHERE id = '{}')",
                     VolumeId(input, "").value()));
  EXPECT_THAT(Kinds(Look()), UnorderedElementsAre("count-wrong", "complete-with-gaps", "volume-lost"));
  EXPECT_TRUE(Mended().sound());
  EXPECT_THAT(Mended().findings, IsEmpty()) << "the file of the job's result has gone, too";
  service_.Open();
  EXPECT_EQ(service_.Get(job).state(), v1::FAILED);
  EXPECT_EQ(Get(input).state(), v1::WRITING);
}

TEST_F(InspectorTest, ADamagedTileOfAnUnfinishedJobIsDoneAgain) {
  const std::string job = StartJob(2);
  const std::string output = service_.Get(job).outputs(0).volume();
  service_.Close();
  Damage(FileOf(output), kInFirstTile);
  const Inspection inspection = Look();
  EXPECT_THAT(Kinds(inspection), UnorderedElementsAre("box-damaged", "task-without-voxels"));
  EXPECT_TRUE(Mended().findings.empty()) << ToText(Look());
  service_.Open();
  EXPECT_EQ(service_.Get(job).progress().tasks_done(), 2U) << "the analysis and one tile";
  EXPECT_EQ(worker_.WorkOff(), 3);
  service_.CheckResult(service_.Get(job));
  const auto findings = service_.Get(job).findings();
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [](const v1::Finding& finding) {
    return finding.message().find("done again") != std::string::npos;
  }));
}

// Tiles of the next frame may have started from the damaged voxels.
TEST_F(InspectorTest, AJobWhoseFramesStartFromEachOtherFails) {
  const std::string job = StartJob(5, "previous", {2, 1, 2, 4, 16});
  const std::string output = service_.Get(job).outputs(0).volume();
  service_.Close();
  Damage(FileOf(output), kInFirstTile);
  EXPECT_TRUE(Mended().sound());
  service_.Open();
  EXPECT_EQ(service_.Get(job).state(), v1::FAILED);
}

TEST_F(InspectorTest, DamagedVoxelsOfAResultAreNeverReadAndTheRestIs) {
  const std::string job = StartJob(4);
  const std::string output = service_.Get(job).outputs(0).volume();
  service_.Close();
  Damage(FileOf(output), kInFirstTile);
  const Inspection mended = Mended();
  EXPECT_THAT(Kinds(mended), ElementsAre("result-incomplete"));
  EXPECT_FALSE(mended.sound()) << "nothing brings these voxels back";
  service_.Open();
  const std::string id = VolumeId(output, "").value();
  const auto read = [&](int64_t x) {
    return service_.volumes().Read(id, ToProto(FrameBox{0, 0, {{0, 0, x}, {2, 4, 4}}}),
                                   [](const v1::Chunk&) { return true; });
  };
  EXPECT_EQ(ReasonOf(read(0)), v1::VOLUME_INCOMPLETE);
  EXPECT_OK(read(4));
  EXPECT_OK(read(12));
}

TEST_F(InspectorTest, ALostFileTakesItsRecordAndItsJobsAlong) {
  const std::string job = StartJob(1);
  const std::string input = service_.Get(job).spec().deconvolve().input_volume();
  service_.Close();
  fs::remove(FileOf(input));
  EXPECT_THAT(Kinds(Look()), UnorderedElementsAre("file-missing", "volume-lost"));
  EXPECT_TRUE(Mended().sound());
  service_.Open();
  EXPECT_EQ(service_.Get(job).state(), v1::FAILED);
  EXPECT_EQ(ReasonOf(service_.volumes().Get(VolumeId(input, "").value(), false).status()), v1::NOT_FOUND);
}

TEST_F(InspectorTest, ALostResultFailsItsJob) {
  const std::string job = StartJob(1);
  service_.Close();
  fs::remove(FileOf([&] {
    service_.Open();
    const std::string output = service_.Get(job).outputs(0).volume();
    service_.Close();
    return output;
  }()));
  EXPECT_TRUE(Mended().sound());
  service_.Open();
  EXPECT_EQ(service_.Get(job).state(), v1::FAILED);
}

// Else a disk that is not mounted would cost every record.
TEST_F(InspectorTest, ASpoolWithoutAnyFileIsLeftAlone) {
  const std::string first = service_.AddVolume(MakeSpec({1, 1, 1, 4, 4})),
                    second = service_.AddVolume(MakeSpec({1, 1, 1, 4, 5}));
  service_.Close();
  const fs::path away = service_.folder() / "away";
  fs::rename(service_.folder() / "spool/volumes", away);
  fs::create_directories(service_.folder() / "spool/volumes");
  EXPECT_THAT(Kinds(Mended()), ElementsAre("spool-missing"));
  fs::remove(service_.folder() / "spool/volumes");
  fs::rename(away, service_.folder() / "spool/volumes");
  EXPECT_THAT(Look().findings, IsEmpty());
}

TEST_F(InspectorTest, AFileOfTheWrongLengthGetsTheRightOne) {
  const std::string cut = service_.AddVolume(MakeSpec({2, 1, 1, 16, 16}));
  const std::string grown = service_.AddVolume(MakeSpec({1, 1, 1, 16, 16}));
  service_.Close();
  fs::resize_file(FileOf(cut), 300);
  fs::resize_file(FileOf(grown), 300);
  EXPECT_THAT(Kinds(Look()), UnorderedElementsAre("file-length", "box-damaged", "file-length"));
  EXPECT_THAT(Mended().findings, IsEmpty());
  EXPECT_EQ(fs::file_size(FileOf(cut)), 512U);
  EXPECT_EQ(fs::file_size(FileOf(grown)), 256U);
  service_.Open();
  EXPECT_EQ(Get(grown).state(), v1::COMPLETE);
  ASSERT_EQ(Get(cut).missing_size(), 1);
  EXPECT_EQ(Get(cut).missing(0).t(), 1U) << "the first frame was not hurt";
}

TEST_F(InspectorTest, TablesThatContradictEachOtherAreMended) {
  const std::string volume = service_.AddVolume(MakeSpec({1, 1, 2, 16, 16}));
  const std::string ended = StartJob(1);
  ASSERT_OK(service_.jobs().Cancel(JobService::kOwner, ended));
  const std::string open = StartJob(1);
  service_.Close();
  Tamper(fmt::format("UPDATE volumes SET committed_bytes = 7 WHERE id = '{}'", VolumeId(volume, "").value()));
  Tamper("INSERT INTO boxes SELECT key, 0, 0, 1, 1, 1, 1, 4, 4, 5 FROM volumes ORDER BY key LIMIT 1");
  Tamper("INSERT INTO boxes VALUES (999, 0, 0, 0, 0, 0, 1, 1, 1, 5)");
  Tamper(fmt::format("UPDATE tasks SET state = 2 WHERE number = 4 AND job = (SELECT key FROM jobs WHERE id = '{}')",
                     ended));
  Tamper(
      fmt::format("UPDATE tasks SET state = 6 WHERE state < 4 AND job = (SELECT key FROM jobs WHERE id = '{}')", open));
  Tamper("UPDATE counters SET value = 1");
  EXPECT_THAT(Kinds(Look()), UnorderedElementsAre("rows-stray", "box-misplaced", "count-wrong", "task-open",
                                                  "job-stuck", "token-counter"));
  EXPECT_TRUE(Mended().sound()) << ToText(Look());
  EXPECT_THAT(Mended().findings, IsEmpty()) << ToText(Look());
  service_.Open();
  EXPECT_EQ(service_.Get(open).state(), v1::FAILED);
  EXPECT_EQ(Get(volume).committed_bytes(), 512U);
  EXPECT_EQ(Get(volume).state(), v1::COMPLETE);
}

TEST_F(InspectorTest, WhatNobodyCanMendIsNamed) {
  const std::string gaps = StartJob(1), impossible = StartJob(1);
  service_.Close();
  Tamper(fmt::format("UPDATE jobs SET last_sequence = last_sequence + 3 WHERE id = '{}'", gaps));
  Tamper(fmt::format("UPDATE jobs SET state = 9 WHERE id = '{}'", impossible));
  EXPECT_THAT(Kinds(Mended()), UnorderedElementsAre("events-missing", "job-impossible"));
}

TEST_F(InspectorTest, AFileThatIsNoDatabaseIsNamed) {
  service_.AddVolume(MakeSpec({1, 1, 1, 4, 4}));
  service_.Close();
  for (const char* end : {"-wal", "-shm"}) fs::remove(database().string() + end);
  std::ofstream(database()) << std::string(10'000, 'x');
  EXPECT_THAT(Kinds(Mended()), ElementsAre("database-damaged"));
}

TEST_F(InspectorTest, AMissingDatabaseIsNamed) {
  service_.AddVolume(MakeSpec({1, 1, 1, 4, 4}));
  service_.Close();
  fs::remove(database());
  EXPECT_THAT(Kinds(Mended()), ElementsAre("database-missing"));
  EXPECT_FALSE(fs::exists(database()));
}

// What was made since goes, what has gone since is forgotten, and what was under way is done again.
TEST_F(InspectorTest, ABackupThatIsOlderThanTheSpoolIsReconciled) {
  const std::string deleted = service_.AddVolume(MakeSpec({1, 1, 1, 4, 4}));
  const std::string job = StartJob(1);
  const fs::path backup = service_.folder() / "backup.sqlite";
  ASSERT_OK(BackUpDatabase(database(), backup));
  ASSERT_OK(service_.volumes().Delete(VolumeId(deleted, "").value()));
  const std::string later = service_.AddVolume(MakeSpec({1, 1, 1, 5, 5}));
  EXPECT_EQ(worker_.WorkOff(), 3);
  service_.Close();
  for (const char* end : {"", "-wal", "-shm"}) fs::remove(database().string() + end);
  fs::copy_file(backup, database());

  EXPECT_THAT(Kinds(Look()), UnorderedElementsAre("file-missing", "file-orphan"));
  EXPECT_THAT(Mended().findings, IsEmpty()) << ToText(Look());
  EXPECT_FALSE(fs::exists(FileOf(later)));
  service_.Open();
  EXPECT_EQ(worker_.WorkOff(), 3) << "tiles that the backup does not know of are done again";
  service_.CheckResult(service_.Get(job));
}

}  // namespace
}  // namespace deconvoy::server
