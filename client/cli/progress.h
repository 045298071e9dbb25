// How far long work is, on a terminal, in a log, or for a program.
#pragma once

#include <absl/time/time.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "client/cli/console.h"

namespace deconvoy::client {

// One moment of one phase of the work.
struct ProgressState {
  std::string phase;                    // `upload`, `deconvolve`, ...
  std::optional<double> fraction = {};  // 0 to 1; nothing where it is not known
  std::string detail = {};              // `tile 3 of 8, iteration 7 of 20`
  std::string rate = {};                // `41.2 Mvoxel/s`
  nlohmann::json figures = {};          // the same for programs: fields of the JSON line
};

// Time left of a phase, from the pace of the last half minute or so. Nothing until there is something to go by.
class TimeLeft {
 public:
  std::optional<double> Seconds(const std::string& phase, double fraction, absl::Time now);

 private:
  std::string phase_;
  absl::Time start_;
  double start_fraction_ = 0;
  absl::Time last_;
  double last_fraction_ = 0;
  std::optional<double> pace_;  // fraction per second
};

// One line for a terminal, at most `columns - 1` wide (and at least 20): what matters less is left out first, the bar
// of a known fraction never.
std::string RenderBar(const ProgressState& state, std::optional<double> seconds_left, int columns);

// One line for a log.
std::string RenderLine(const ProgressState& state, std::optional<double> seconds_left);

// A line that stays, such as a note or a warning.
struct Note {
  std::string message;
  std::string severity = "note";  // `note`, `warning`, `refused`
  std::string remedy = {};        // what to do, a sentence; empty for nothing
};

// "warning: message. Remedy." for people.
std::string NoteText(const Note& note);

// Shows progress. One thread at a time.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void Show(const ProgressState& state) = 0;
  // For programs {"event":"note","severity":"warning","message":...,"remedy":...}, the remedy where there is one.
  virtual void Say(const Note& note) = 0;
  // The work is over, or somebody else wants to write.
  virtual void Clear() = 0;
};

using NowFunction = std::function<absl::Time()>;

// The kind that suits the console: a line that is drawn again and again on a terminal; else a line per phase, per tenth
// (at most one per second) and per five seconds, per minute where it stays the same; JSON objects
// {"event":"progress",...}; or nothing when quiet.
std::unique_ptr<Progress> MakeProgress(const Console& console, NowFunction now);

}  // namespace deconvoy::client
