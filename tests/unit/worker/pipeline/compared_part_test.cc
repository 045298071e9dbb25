#include "worker/pipeline/compared_part.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "tests/unit/worker/pipeline/tile_setting.h"

namespace deconvoy::worker {
namespace {

using testing::MemoryTask;

// A tile whose frame is larger than what is compared along y and x.
class ComparedPartTest : public Tile {
 protected:
  void SetUp() override {
    setting_.frame = {3, 240, 200};
    setting_.core = {{0, 0, 0}, {3, 230, 200}};
    setting_.loaded = {{}, setting_.frame};
    setting_.psf = Skewed();
    Fill(setting_, Picture(setting_.frame), task_);
    task_.task.mutable_tile()->mutable_spec()->set_classical_method("rl");
  }
  absl::StatusOr<TileJob> Classical() {
    ASSIGN_OR_RETURN(const TileJob job, MakeTileJob(task_.task, task_.task.tile()));
    return ClassicalJob(job);
  }

  Setting setting_;
  MemoryTask task_;
};

TEST_F(ComparedPartTest, IsTheMiddleOfTheCoreAndAHalo) {
  ASSERT_OK_AND_ASSIGN(const TileJob job, Classical());
  EXPECT_EQ(job.core.box, (Box3{{0, 19, 4}, {3, 192, 192}}));
  EXPECT_EQ(job.loaded.box.origin.z, 0);
  EXPECT_EQ(job.loaded.box.shape.z, 3);
  EXPECT_LT(job.loaded.box.origin.y, 19);
  EXPECT_GT(job.loaded.box.end().y, 211);
  EXPECT_EQ(job.loaded.box.origin.x, 0) << "no farther than what is there";
  EXPECT_GE(job.domain.y, job.loaded.box.shape.y + 2);
  EXPECT_LT(job.domain.y, 240);
}

TEST_F(ComparedPartTest, IsTheWholeOfASmallTile) {
  v1::TileTask& tile = *task_.task.mutable_tile();
  *tile.mutable_core() = ToProto(FrameBox{0, 0, {{0, 5, 5}, {3, 192, 192}}});
  ASSERT_OK_AND_ASSIGN(const TileJob job, Classical());
  EXPECT_EQ(job.core.box, (Box3{{0, 5, 5}, {3, 192, 192}}));
  EXPECT_EQ(job.loaded.box, setting_.loaded);
}

TEST_F(ComparedPartTest, AMethodThatIsNotThereIsRefused) {
  task_.task.mutable_tile()->mutable_spec()->set_classical_method("magic");
  const absl::Status refused = Classical().status();
  EXPECT_EQ(ReasonOf(refused), v1::UNKNOWN_METHOD);
}

// What the whole tile gives there is what the part gives.
struct Compared {
  Box3 loaded;
  std::vector<float> whole_y, part_y, whole_mask, part_mask;
  Shape3 domain, part_domain;
  double fwhm = 0, part_fwhm = 0;
};

std::vector<float> Values(Ops& of, const std::unique_ptr<Array>& array, const Box3& box) {
  if (array == nullptr) return {};
  std::vector<float> v(static_cast<size_t>(box.shape.voxels()));
  EXPECT_OK(of.Download(*array, box, v));
  return v;
}

absl::StatusOr<Compared> Compare(const v1::Task& task, TaskContext& context, Backend& backend) {
  ASSIGN_OR_RETURN(const TileJob whole, MakeTileJob(task, task.tile()));
  ASSIGN_OR_RETURN(const TileJob job, ClassicalJob(whole));
  ASSIGN_OR_RETURN(const auto ops, backend.Open(whole.domain));
  PsfSet psfs;
  const v1::PsfReport* const report = &task.tile().psfs(0);
  RETURN_IF_ERROR(psfs.Prepare(task, {&report, 1}, context.source(), *ops));
  CoreFacts facts;
  ASSIGN_OR_RETURN(const std::vector<Measured> views, LoadViews(whole, context, *ops, facts));
  ASSIGN_OR_RETURN(const ComparedPart part,
                   ComparedPart::Of(task, whole, job, context.source(), backend, *ops, psfs, views));
  const Box3 inner{job.loaded.box.origin - whole.loaded.box.origin, job.loaded.box.shape};
  const Box3 own{{}, inner.shape};
  const Measured& view = part.views().front();
  return Compared{.loaded = job.loaded.box,
                  .whole_y = Values(*ops, views.front().y, inner),
                  .part_y = Values(part.ops(), view.y, own),
                  .whole_mask = Values(*ops, views.front().mask, inner),
                  .part_mask = Values(part.ops(), view.mask, own),
                  .domain = job.domain,
                  .part_domain = part.ops().domain(),
                  .fwhm = psfs.facts(0).axes[2].fwhm,
                  .part_fwhm = part.psfs().facts(0).axes[2].fwhm};
}

TEST_F(ComparedPartTest, HasTheImageAndThePsfOfTheTile) {
  ASSERT_OK_AND_ASSIGN(const Compared compared, Compare(task_.task, task_, *backend_));
  EXPECT_EQ(compared.part_domain, compared.domain);
  EXPECT_EQ(compared.part_y, compared.whole_y);
  EXPECT_TRUE(compared.part_mask.empty());
  EXPECT_EQ(compared.part_fwhm, compared.fwhm);
}

TEST_F(ComparedPartTest, OfATileInsideTheFrameHasWhatDoesNotCount) {
  setting_.frame = {5, 280, 220};
  setting_.core = {{1, 30, 10}, {3, 220, 200}};
  setting_.loaded = {{0, 20, 4}, {5, 240, 212}};
  MemoryTask task;
  Fill(setting_, Picture(setting_.frame), task);
  v1::DeconvolveSpec& spec = *task.task.mutable_tile()->mutable_spec();
  spec.set_classical_method("rl");
  spec.set_saturation_counts(200);
  ASSERT_OK_AND_ASSIGN(const Compared compared, Compare(task.task, task, *backend_));
  EXPECT_GT(compared.loaded.origin.y, 20);
  EXPECT_LT(compared.loaded.end().y, 260);
  EXPECT_EQ(compared.part_y, compared.whole_y);
  EXPECT_EQ(compared.part_mask, compared.whole_mask);
  EXPECT_GT(std::ranges::count(compared.part_mask, 0), 0);
  EXPECT_GT(std::ranges::count(compared.part_mask, 1), 0);
}

}  // namespace
}  // namespace deconvoy::worker
