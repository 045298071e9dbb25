// Jobs that prepare a PSF: what is refused, what they take, and their one task.
#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

// Boxes of 5 x 3 x 1 voxels about the middle of each frame.
v1::JobSpec PrepareSpec(const std::string& psf, const Shape5& shape) {
  v1::JobSpec spec;
  spec.mutable_prepare_psf()->set_psf_volume(psf);
  for (int64_t i = 0; i < shape.frames(); ++i) {
    v1::PsfReport& report = *spec.mutable_prepare_psf()->add_psfs();
    const Voxel centre{shape.z / 2, shape.y / 2, shape.x / 2};
    *report.mutable_centre() = ToProto(centre);
    *report.mutable_crop_origin() = ToProto(centre - Voxel{2, 1, 0});
    *report.mutable_crop_shape() = ToProto(Shape3{5, 3, 1});
    report.set_t(static_cast<uint32_t>(i / shape.c));
    report.set_c(static_cast<uint32_t>(i % shape.c));
    report.set_sum(1);
  }
  return spec;
}

class PreparePsfTest : public ::testing::Test {
 protected:
  v1::JobSpec Spec(const Shape5& shape) { return PrepareSpec(service_.AddVolume(MakeSpec(shape, v1::F32)), shape); }
  v1::PreflightReport Report(const v1::JobSpec& spec) {
    auto report = service_.jobs().Preflight(JobService::kOwner, spec);
    EXPECT_OK(report);
    return report.ok() ? *std::move(report) : v1::PreflightReport();
  }
  void ExpectRefused(const v1::JobSpec& spec, v1::ErrorReason reason, const std::string& field) {
    EXPECT_FALSE(Report(spec).accepted());
    const absl::Status refused = service_.TrySubmit(spec).status();
    EXPECT_EQ(ReasonOf(refused), reason) << refused;
    EXPECT_EQ(InfoOf(refused).field(), field) << refused;
    EXPECT_FALSE(InfoOf(refused).remedy().empty()) << refused;
  }

  JobService service_;
};

TEST_F(PreparePsfTest, TheResultAndTheScratchFileHoldAllFrames) {
  const v1::JobSpec spec = Spec({2, 3, 9, 20, 30});
  const v1::PreflightReport report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  EXPECT_EQ(report.result_bytes(), 6U * 15 * 4);
  const int64_t bytes = 2 * 6 * 15 * 4;
  service_.files().SetFreeBytes(bytes - 1);
  ExpectRefused(spec, v1::DISK_FULL, "");
  service_.files().SetFreeBytes(bytes);
  EXPECT_TRUE(Report(spec).accepted());
}

TEST_F(PreparePsfTest, AWorkerMustHoldAFrameOfThePsf) {
  const v1::JobSpec spec = Spec({2, 3, 9, 20, 30});
  const int64_t need = 8 * 20 * 30 + 8 * (9 * 20 * 30 + 15);  // a plane; what is prepared, and its frame
  EXPECT_EQ(Report(spec).worker_memory_bytes(), static_cast<uint64_t>(need));
  service_.capabilities().SetExpectedMemory(need - 1);
  ExpectRefused(spec, v1::OUT_OF_MEMORY, "");
  service_.capabilities().SetExpectedMemory(need);
  EXPECT_TRUE(Report(spec).accepted());
}

TEST_F(PreparePsfTest, NeedsTheReportOfEachFrame) {
  v1::JobSpec spec = Spec({1, 2, 5, 5, 5});
  spec.mutable_prepare_psf()->mutable_psfs()->RemoveLast();
  ExpectRefused(spec, v1::SHAPE_MISMATCH, "prepare_psf.psfs");
  spec = Spec({1, 2, 5, 5, 5});
  spec.mutable_prepare_psf()->mutable_psfs(1)->set_c(0);
  ExpectRefused(spec, v1::INVALID_FIELD, "prepare_psf.psfs[1]");
  ExpectRefused(Spec({257, 1, 5, 3, 3}), v1::LIMIT_EXCEEDED, "prepare_psf.psf_volume");
  EXPECT_TRUE(Report(Spec({256, 1, 5, 3, 3})).accepted());
}

TEST_F(PreparePsfTest, NeedsAPsfThatIsThere) {
  const Shape5 shape{1, 1, 5, 5, 5};
  ExpectRefused(PrepareSpec("volumes/none", shape), v1::NOT_FOUND, "prepare_psf.psf_volume");
  ExpectRefused(PrepareSpec("psfs/none", shape), v1::NOT_FOUND, "prepare_psf.psf_volume");
  const std::string sent = service_.AddVolume(MakeSpec(shape), /*complete=*/false);
  ExpectRefused(PrepareSpec(sent, shape), v1::VOLUME_INCOMPLETE, "prepare_psf.psf_volume");
}

TEST_F(PreparePsfTest, OneTaskWritesAllFramesAlsoAfterARestart) {
  const v1::JobSpec spec = Spec({2, 3, 9, 8, 7});
  const std::string job = service_.Submit(spec);
  service_.Reopen();
  TestWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  const std::optional<v1::Task> task = worker.Take();
  ASSERT_TRUE(task && task->has_prepare_psf());
  EXPECT_EQ(task->prepare_psf().spec().SerializeAsString(), spec.prepare_psf().SerializeAsString());
  ASSERT_EQ(task->inputs_size(), 1);
  EXPECT_EQ(task->inputs(0).volume(), spec.prepare_psf().psf_volume());
  ASSERT_EQ(task->outputs_size(), 6);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(ToFrameBox(task->outputs(i).box()), (FrameBox{i / 3, i % 3, {{}, {5, 3, 1}}}));
    EXPECT_EQ(task->outputs(i).volume(), service_.Get(job).outputs(0).volume());
    EXPECT_EQ(task->outputs(i).type(), v1::F32);
  }
  EXPECT_EQ(service_.Get(job).progress().activity(), "prepare the PSF");
  EXPECT_OK(worker.Deliver(*task));
  EXPECT_FALSE(worker.Take()) << "there is no other";
  const v1::Job ended = service_.Get(job);
  EXPECT_EQ(ended.state(), v1::SUCCEEDED) << ended.ShortDebugString();
  ASSERT_EQ(ended.outputs_size(), 1);
  EXPECT_EQ(ended.outputs(0).role(), "psf");
  ASSERT_OK_AND_ASSIGN(const v1::Volume made,
                       service_.volumes().Get(VolumeId(ended.outputs(0).volume(), "").value(), false));
  EXPECT_EQ(made.state(), v1::COMPLETE);
}

}  // namespace
}  // namespace deconvoy::server
