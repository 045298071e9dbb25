#include "client/cli/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace deconvoy::client {
namespace {

const ProgressState kTile{.phase = "deconvolve",
                          .fraction = 0.52,
                          .detail = "tile 3 of 8, iteration 7 of 20",
                          .rate = "41.2 Mvoxel/s",
                          .figures = {{"fraction", 0.52}, {"iteration", 7}}};

TEST(RenderBarTest, LeavesOutWhatMattersLessAsItGetsNarrow) {
  EXPECT_EQ(RenderBar(kTile, 42, 120),
            "deconvolve  [############------------]   52 %  tile 3 of 8, iteration 7 of 20  41.2 Mvoxel/s  0:42 left");
  EXPECT_EQ(RenderBar(kTile, 42, 95),
            "deconvolve  [############------------]   52 %  tile 3 of 8, iteration 7 of 20  0:42 left");
  EXPECT_EQ(RenderBar(kTile, 42, 80),
            "deconvolve  [########-------]   52 %  tile 3 of 8, iteration 7 of 20  0:42 left");
  EXPECT_EQ(RenderBar(kTile, 42, 70), "deconvolve  [############------------]   52 %  tile 3 of 8  0:42 left");
  EXPECT_EQ(RenderBar(kTile, 42, 60), "deconvolve  [#######-------]   52 %  tile 3 of 8  0:42 left");
  EXPECT_EQ(RenderBar(kTile, 42, 45), "deconvolve  [######------]   52 %  0:42 left");
  EXPECT_EQ(RenderBar(kTile, 42, 40), "deconvolve  [#########---------]   52 %");
  EXPECT_EQ(RenderBar(kTile, 42, 30), "decon...  [#####-----]   52 %");
  EXPECT_EQ(RenderBar(kTile, 42, 20), "[#####-----]   52 %");
}

TEST(RenderBarTest, TheBarStaysWhateverTheWidth) {
  ProgressState state = kTile;
  state.detail = "tile 123456 of 654321, iteration 12345 of 23456";
  for (const char* phase : {"analyse", "deconvolve", "upload a-file-with-a-very-long-name-that-fits-nowhere.ome.tif"}) {
    state.phase = phase;
    for (int columns = 20; columns < 200; ++columns) {
      const std::string line = RenderBar(state, 4200, columns);
      const size_t begin = line.find('['), end = line.find(']');
      ASSERT_TRUE(begin != std::string::npos && end != std::string::npos) << columns << ": " << line;
      EXPECT_GE(end - begin, 11u) << line;
      EXPECT_NE(line.find("52 %"), std::string::npos) << line;
    }
  }
}

TEST(RenderBarTest, NamesAreCutBetweenCharacters) {
  ProgressState state = kTile;
  state.phase = "upload \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9";
  EXPECT_EQ(RenderBar(state, 42, 35), "upload \xc3\xa9\xc3\xa9\xc3\xa9...  [#####-----]   52 %");
}

TEST(RenderBarTest, NeverWiderThanTheTerminal) {
  ProgressState state = kTile;
  state.phase = "upload a-file-with-a-very-long-name-that-does-not-fit-anywhere.ome.tif";
  for (int columns = 21; columns < 200; ++columns)
    EXPECT_LT(RenderBar(state, 42, columns).size(), static_cast<size_t>(columns)) << columns;
}

TEST(RenderBarTest, EndsAndMissingParts) {
  EXPECT_EQ(RenderBar({.phase = "queue"}, std::nullopt, 80), "queue");
  EXPECT_EQ(RenderBar({.phase = "x", .fraction = 0.0}, std::nullopt, 80), "x  [------------------------]    0 %");
  EXPECT_EQ(RenderBar({.phase = "x", .fraction = 1.0}, std::nullopt, 80), "x  [########################]  100 %");
  EXPECT_EQ(RenderBar({.phase = "x", .fraction = 0.999}, std::nullopt, 80), "x  [########################]   99 %")
      << "100 % is said only when all is done";
}

TEST(RenderLineTest, PutsPartsBehindThePhase) {
  EXPECT_EQ(RenderLine(kTile, 3700), "deconvolve:  52 %, tile 3 of 8, iteration 7 of 20, 41.2 Mvoxel/s, 1:01:40 left");
  EXPECT_EQ(RenderLine({.phase = "queue"}, std::nullopt), "queue");
}

class TimeLeftTest : public ::testing::Test {
 protected:
  std::optional<double> At(double seconds, double fraction, const std::string& phase = "a") {
    return left_.Seconds(phase, fraction, absl::UnixEpoch() + absl::Seconds(seconds));
  }
  TimeLeft left_;
};

TEST_F(TimeLeftTest, NothingUntilThereIsSomethingToGoBy) {
  EXPECT_FALSE(At(0, 0).has_value());
  EXPECT_FALSE(At(0.5, 0.01).has_value());
}

TEST_F(TimeLeftTest, FollowsTheOverallPaceAtFirst) {
  At(0, 0);
  EXPECT_NEAR(*At(10, 0.25), 30, 1e-9);
  EXPECT_NEAR(*At(12, 0.25), 28, 1e-9) << "time goes by between reports";
  EXPECT_NEAR(*At(20, 0.5), 20, 1e-9);
}

TEST_F(TimeLeftTest, ComesToFollowAChangedPace) {
  At(0, 0);
  At(60, 0.1);
  for (int i = 1; i <= 20; ++i) At(60 + 10 * i, 0.1 + 0.04 * i);
  EXPECT_NEAR(*At(260, 0.9), 25, 5) << "0.1 left at 0.004 per second";
}

TEST_F(TimeLeftTest, StartsAnewWithAPhaseOrAStepBack) {
  At(0, 0);
  EXPECT_TRUE(At(10, 0.5).has_value());
  EXPECT_FALSE(At(11, 0.5, "b").has_value());
  At(15, 0.6, "b");
  EXPECT_FALSE(At(16, 0.1, "b").has_value());
}

class ProgressTest : public ::testing::Test {
 protected:
  std::unique_ptr<Progress> Make() {
    return MakeProgress(console_, [this] { return now_; });
  }
  void Pass(double seconds) { now_ += absl::Seconds(seconds); }

  std::ostringstream out_, err_;
  Console console_{.out = out_, .err = err_};
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(ProgressTest, PlainLinesAreFew) {
  const auto progress = Make();
  for (int i = 0; i <= 100; ++i) {
    progress->Show({.phase = "work", .fraction = i / 100.0});
    Pass(0.2);
  }
  std::istringstream lines(err_.str());
  int count = 0;
  for (std::string line; std::getline(lines, line);) ++count;
  EXPECT_EQ(count, 11) << err_.str();
  EXPECT_EQ(out_.str(), "");
}

TEST_F(ProgressTest, PlainLinesOfAShortPhaseAreItsBeginningAndEnd) {
  const auto progress = Make();
  for (int i = 0; i <= 100; ++i) progress->Show({.phase = "work", .fraction = i / 100.0});
  EXPECT_EQ(err_.str(), "work:   0 %\nwork: 100 %\n");
}

TEST_F(ProgressTest, PlainLinesComeAgainEveryMinuteWhereNothingMoves) {
  const auto progress = Make();
  for (int i = 0; i <= 130; ++i) {
    progress->Show({.phase = "queue"});
    Pass(1);
  }
  EXPECT_EQ(err_.str(), "queue\nqueue\nqueue\n");
}

TEST_F(ProgressTest, ABarIsDrawnOverItselfAndGivesWayToLines) {
  console_.err_is_terminal = true;
  {
    const auto progress = Make();
    progress->Show({.phase = "work", .fraction = 0.5});
    progress->Show({.phase = "work", .fraction = 0.51});  // too soon
    progress->Say({.message = "x"});
    Pass(1);
    progress->Show({.phase = "work", .fraction = 0.75});
  }
  EXPECT_EQ(err_.str(),
            "\rwork  [############------------]   50 %\x1b[K"
            "\r\x1b[Knote: x\n"
            "\rwork  [##################------]   75 %  0:01 left\x1b[K"
            "\r\x1b[K");
}

TEST_F(ProgressTest, JsonLinesHaveTheFigures) {
  console_.json = true;
  const auto progress = Make();
  progress->Show(kTile);
  progress->Say({.message = "the PSF is cut off", .severity = "warning", .remedy = "Give a larger one."});
  EXPECT_EQ(out_.str(),
            "{\"event\":\"progress\",\"fraction\":0.52,\"iteration\":7,\"phase\":\"deconvolve\"}\n"
            "{\"event\":\"note\",\"message\":\"the PSF is cut off\",\"remedy\":\"Give a larger one.\","
            "\"severity\":\"warning\"}\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(ProgressTest, QuietSaysNothing) {
  console_.quiet = true;
  console_.err_is_terminal = true;
  const auto progress = Make();
  progress->Show(kTile);
  progress->Say({.message = "a note"});
  EXPECT_EQ(out_.str() + err_.str(), "");
}

}  // namespace
}  // namespace deconvoy::client
