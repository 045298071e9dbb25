#include "client/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "client/cli/outcome.h"
#include "client/cli/values.h"

namespace deconvoy::client {
namespace {

constexpr absl::Duration kPaceMemory = absl::Seconds(30);
constexpr absl::Duration kRedraw = absl::Milliseconds(100);
constexpr absl::Duration kLogLeast = absl::Seconds(1);
constexpr absl::Duration kLogEvery = absl::Seconds(5);
constexpr absl::Duration kLogSameEvery = absl::Minutes(1);
constexpr absl::Duration kJsonEvery = absl::Milliseconds(200);
constexpr size_t kBarCells = 24;
constexpr size_t kLeastBarCells = 10;
constexpr size_t kLeastPhase = 4;
constexpr std::string_view kGap = "  ";

std::string Percent(double fraction) {
  return fmt::format("{:3d} %", static_cast<int>(std::floor(std::clamp(fraction, 0.0, 1.0) * 100 + 1e-9)));
}

std::string Bar(double fraction, size_t cells) {
  const auto full = static_cast<size_t>(std::lround(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(cells)));
  return fmt::format("[{}{}]", std::string(full, '#'), std::string(cells - full, '-'));
}

bool BeginsCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
}

// Characters of UTF-8, each taken to be one column wide.
size_t Columns(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), BeginsCharacter));
}

// The first characters of `text`, ending in "..." where some are left out.
std::string Cut(std::string_view text, size_t columns) {
  if (Columns(text) <= columns) return std::string(text);
  if (columns < 4) return std::string(columns, '.');
  size_t end = 0, seen = 0;
  while (end < text.size() && (seen += BeginsCharacter(text[end]) ? 1U : 0U) <= columns - 3) ++end;
  return std::string(text.substr(0, end)) + "...";
}

std::string Left(std::optional<double> seconds) {
  return seconds ? DurationText(*seconds) + " left" : std::string();
}

std::string Joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (part.empty()) continue;
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

// Says when a line is due: at a new phase, after some time, and (where wanted) at every tenth.
class Pacer {
 public:
  Pacer(absl::Duration every, bool tenths) : every_(every), tenths_(tenths) {}

  bool Due(const ProgressState& state, absl::Time now) {
    const int tenth = state.fraction ? static_cast<int>(*state.fraction * 10 + 1e-9) : 0;
    const bool due = state.phase != phase_ || now - last_ >= every_ ||
                     (tenths_ && tenth > tenth_ && now - last_ >= kLogLeast) || (state.fraction >= 1.0 && !complete_);
    if (!due) return false;
    phase_ = state.phase;
    tenth_ = tenth;
    complete_ = state.fraction >= 1.0;
    last_ = now;
    return true;
  }

 private:
  const absl::Duration every_;
  const bool tenths_;
  std::string phase_;
  int tenth_ = 0;
  bool complete_ = false;
  absl::Time last_ = absl::InfinitePast();
};

// What the visible kinds share.
class PacedProgress : public Progress {
 public:
  PacedProgress(const Console& console, NowFunction now, Pacer pacer)
      : console_(console), now_(std::move(now)), pacer_(std::move(pacer)) {}

  void Show(const ProgressState& state) override {
    const absl::Time now = now_();
    const auto left = state.fraction ? time_left_.Seconds(state.phase, *state.fraction, now) : std::nullopt;
    if (pacer_.Due(state, now)) Draw(state, left);
  }

 protected:
  virtual void Draw(const ProgressState& state, std::optional<double> seconds_left) = 0;
  const Console& console() const { return console_; }
  absl::Time now() const { return now_(); }

 private:
  const Console& console_;
  const NowFunction now_;
  Pacer pacer_;
  TimeLeft time_left_;
};

class BarProgress : public PacedProgress {
 public:
  BarProgress(const Console& console, NowFunction now)
      : PacedProgress(console, std::move(now), Pacer(kRedraw, false)) {}
  ~BarProgress() override { BarProgress::Clear(); }

  void Say(const Note& note) override {
    Clear();
    console().err << NoteText(note) << std::endl;
  }

  void Clear() override {
    if (drawn_) console().err << "\r\x1b[K" << std::flush;
    drawn_ = false;
  }

 private:
  void Draw(const ProgressState& state, std::optional<double> seconds_left) override {
    console().err << '\r' << RenderBar(state, seconds_left, console().columns) << "\x1b[K" << std::flush;
    drawn_ = true;
  }

  bool drawn_ = false;
};

class PlainProgress : public PacedProgress {
 public:
  PlainProgress(const Console& console, NowFunction now)
      : PacedProgress(console, std::move(now), Pacer(kLogEvery, true)) {}

  void Say(const Note& note) override { console().err << NoteText(note) << std::endl; }
  void Clear() override {}

 private:
  void Draw(const ProgressState& state, std::optional<double> seconds_left) override {
    const std::string line = RenderLine(state, seconds_left);
    if (line == said_ && now() - said_at_ < kLogSameEvery) return;
    console().err << line << std::endl;
    said_ = line;
    said_at_ = now();
  }

  std::string said_;
  absl::Time said_at_ = absl::InfinitePast();
};

class JsonProgress : public PacedProgress {
 public:
  JsonProgress(const Console& console, NowFunction now)
      : PacedProgress(console, std::move(now), Pacer(kJsonEvery, false)) {}

  void Say(const Note& note) override {
    nlohmann::json line = {{"event", "note"}, {"severity", note.severity}, {"message", note.message}};
    if (!note.remedy.empty()) line["remedy"] = note.remedy;
    console().Json(line);
  }
  void Clear() override {}

 private:
  void Draw(const ProgressState& state, std::optional<double> seconds_left) override {
    nlohmann::json line = {{"event", "progress"}, {"phase", state.phase}};
    if (state.figures.is_object()) line.update(state.figures);
    if (seconds_left) line["seconds_left"] = *seconds_left;
    console().Json(line);
  }
};

class NoProgress : public Progress {
 public:
  void Show(const ProgressState&) override {}
  void Say(const Note&) override {}
  void Clear() override {}
};

}  // namespace

std::string NoteText(const Note& note) {
  std::string text = note.severity + ": " + note.message;
  if (!note.remedy.empty()) text = Sentence(std::move(text)) + " " + note.remedy;
  return text;
}

std::optional<double> TimeLeft::Seconds(const std::string& phase, double fraction, absl::Time now) {
  if (phase != phase_ || fraction < last_fraction_) {
    phase_ = phase;
    start_ = last_ = now;
    start_fraction_ = last_fraction_ = fraction;
    pace_.reset();
    return std::nullopt;
  }
  const double elapsed = absl::ToDoubleSeconds(now - last_);
  if (fraction > last_fraction_ && elapsed > 0) {
    const double overall = (fraction - start_fraction_) / absl::ToDoubleSeconds(now - start_);
    const double recent = (fraction - last_fraction_) / elapsed;
    const double weight = 1 - std::exp(-elapsed / absl::ToDoubleSeconds(kPaceMemory));
    pace_ = now - start_ < kPaceMemory || !pace_ ? overall : *pace_ + weight * (recent - *pace_);
    last_ = now;
    last_fraction_ = fraction;
  }
  if (!pace_ || now - start_ < absl::Seconds(1)) return std::nullopt;
  return std::max(0.0, (1 - fraction) / *pace_ - absl::ToDoubleSeconds(now - last_));
}

std::string RenderBar(const ProgressState& state, std::optional<double> seconds_left, int columns) {
  const auto width = static_cast<size_t>(std::max(columns - 1, 20));
  const std::string left = Left(seconds_left);
  const std::string first_detail = state.detail.substr(0, state.detail.find(','));
  if (!state.fraction) {
    const std::string line = Joined({state.phase, state.detail}, kGap);
    return Columns(line) <= width ? line : Cut(state.phase, width);
  }
  const auto line = [&](const std::string& phase, size_t cells, const std::vector<std::string>& rest) {
    std::vector<std::string> parts = {phase, Bar(*state.fraction, cells), Percent(*state.fraction)};
    parts.insert(parts.end(), rest.begin(), rest.end());
    return Joined(parts, kGap);
  };
  if (std::string full = line(state.phase, kBarCells, {state.detail, state.rate, left}); Columns(full) <= width)
    return full;
  // From the fullest form to the barest; the bar takes what room there is.
  for (const auto& rest :
       std::vector<std::vector<std::string>>{{state.detail, left}, {first_detail, left}, {left}, {}}) {
    const size_t least = Columns(line(state.phase, kLeastBarCells, rest));
    if (least <= width) return line(state.phase, std::min(kBarCells, kLeastBarCells + width - least), rest);
  }
  const std::string bare = line("", kLeastBarCells, {});
  if (Columns(bare) + kGap.size() + kLeastPhase > width) return bare;
  return line(Cut(state.phase, width - Columns(bare) - kGap.size()), kLeastBarCells, {});
}

std::string RenderLine(const ProgressState& state, std::optional<double> seconds_left) {
  const std::string percent = state.fraction ? Percent(*state.fraction) : std::string();
  const std::string rest = Joined({percent, state.detail, state.rate, Left(seconds_left)}, ", ");
  return rest.empty() ? state.phase : state.phase + ": " + rest;
}

std::unique_ptr<Progress> MakeProgress(const Console& console, NowFunction now) {
  if (console.json) return std::make_unique<JsonProgress>(console, std::move(now));
  if (console.quiet) return std::make_unique<NoProgress>();
  if (console.err_is_terminal) return std::make_unique<BarProgress>(console, std::move(now));
  return std::make_unique<PlainProgress>(console, std::move(now));
}

}  // namespace deconvoy::client
