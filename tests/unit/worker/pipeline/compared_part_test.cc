#include "worker/pipeline/compared_part.h"

#include <gtest/gtest.h>

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
    v1::DeconvolveSpec& spec = *task_.task.mutable_tile()->mutable_spec();
    spec.set_classical_method("rl");
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
TEST_F(ComparedPartTest, HasTheImageAndThePsfOfTheTile) {
  ASSERT_OK_AND_ASSIGN(const TileJob whole, MakeTileJob(task_.task, task_.task.tile()));
  ASSERT_OK_AND_ASSIGN(const TileJob job, ClassicalJob(whole));
  ASSERT_OK_AND_ASSIGN(const auto ops, backend_->Open(whole.domain));
  TaskContext& context = task_;
  PsfSet psfs;
  const v1::PsfReport* const report = &task_.task.tile().psfs(0);
  ASSERT_OK(psfs.Prepare(task_.task, {&report, 1}, context.source(), *ops));
  CoreFacts facts;
  ASSERT_OK_AND_ASSIGN(const std::vector<Measured> views, LoadViews(whole, context, *ops, facts));
  ASSERT_OK_AND_ASSIGN(const ComparedPart part,
                       ComparedPart::Of(task_.task, whole, job, context.source(), *backend_, *ops, psfs, views));
  EXPECT_EQ(part.ops().domain(), job.domain);
  const auto values = [](Ops& of, const Array& array, const Box3& box) {
    std::vector<float> v(static_cast<size_t>(box.shape.voxels()));
    EXPECT_OK(of.Download(array, box, v));
    return v;
  };
  const Array& y = *part.views().front().y;
  EXPECT_EQ(y.box().shape, job.loaded.box.shape);
  EXPECT_EQ(values(part.ops(), y, y.box()), values(*ops, *views.front().y, job.loaded.box));
  EXPECT_EQ(part.psfs().facts(0).axes[2].fwhm, psfs.facts(0).axes[2].fwhm);
}

}  // namespace
}  // namespace deconvoy::worker
