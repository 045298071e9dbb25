#include "worker/pipeline/light_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "worker/pipeline/finding.h"

namespace deconvoy::worker {
namespace {

constexpr double kMuchLoss = 0.1;       // of the light, that is worth a word
constexpr double kEven = 0.15;          // spread about a fit over what it explains, for it to be more than chance
constexpr double kNearlyMost = 0.8;     // of the greatest change, in logarithms: light that fades to the end
constexpr double kMuchFlicker = 0.02;   // relative
constexpr double kSurelyFlicker = 0.1;  // more than planes of a sparse specimen differ
constexpr double kWhite = 0.5;          // of planes that do not know of one another; a specimen's shape has less
constexpr double kNoticeable = 0.005;   // loss below which there is nothing to correct
constexpr char kInput[] = "deconvolve.input_volume";

double Percent(double share) {
  return 100 * share;
}

// Whether what a fit tells is large, and clear beside what it leaves.
bool Matters(double last, double spread) {
  return std::abs(std::log(last)) >= -std::log(1 - kMuchLoss) && spread <= kEven * std::abs(std::log(last));
}

class Survey {
 public:
  Survey(const v1::DeconvolveSpec& spec, int64_t c, const LightSeries& series)
      : spec_(spec), where_(fmt::format("channel {}", c)), series_(series) {}

  LightSurvey Take() {
    TakeBleaching();
    TakeFlicker();
    NoteDepthLoss();
    return std::move(result_);
  }

 private:
  void TakeBleaching() {
    const std::optional<Bleaching> bleaching = FitBleaching(series_);
    if (!bleaching) {
      if (spec_.correct_bleaching()) {
        Note("bleaching is not corrected: it can be told only from 2 time points or 8 planes with light");
      }
      return;
    }
    if (spec_.correct_bleaching()) return CorrectBleaching(*bleaching);
    const double most = MostOf(*bleaching);
    if (!Matters(most, bleaching->spread)) return;
    if (!bleaching->over_time) return NoteStack(bleaching->last);
    if (most < 1 && std::log(bleaching->last) <= kNearlyMost * std::log(most)) {
      Warn(fmt::format("the light fades by {:.0f} % over the time points; late ones come out darker, and what is "
                       "compared between them is off by as much",
                       Percent(1 - bleaching->last)),
           "deconvolve.correct_bleaching", "Have bleaching corrected (`--bleaching correct`).");
    } else {
      Warn(fmt::format("the light drifts over the time points, by up to {:+.0f} % against the first, as no bleaching "
                       "does: the lamp, or the specimen; what is compared between them is off by as much",
                       Percent(most - 1)),
           kInput, "Compare brightness only within a time point.");
    }
  }

  // The fitted light of the plane that differs most from the first, over that.
  static double MostOf(const Bleaching& bleaching) {
    const auto less = [](float a, float b) { return std::abs(std::log(a)) < std::abs(std::log(b)); };
    return *std::max_element(bleaching.factor.begin(), bleaching.factor.end(), less);
  }

  // A stack cannot tell bleaching from depth, nor either from a specimen that has less light further on.
  void NoteStack(double last) {
    if (last < 1) {
      Note(fmt::format(
          "the light falls evenly by {:.0f} % from the first plane to the last: bleaching, loss with depth, or "
          "the specimen; if all planes should have as much light, have it corrected (`--bleaching correct`)",
          Percent(1 - last)));
    } else {
      Note(fmt::format("the light rises evenly by {:.0f} % from the first plane to the last: the lamp, or the specimen",
                       Percent(last - 1)));
    }
  }

  void CorrectBleaching(const Bleaching& bleaching) {
    const char* const over = bleaching.over_time ? "time points" : "planes";
    if (bleaching.last > 1 - kNoticeable) {
      return Note(fmt::format("no bleaching to correct: over the {} the light changes by {:+.1f} %", over,
                              Percent(bleaching.last - 1)));
    }
    Note(fmt::format("bleaching of {:.1f} % over the {} is corrected: light is brought back to that of the beginning",
                     Percent(1 - bleaching.last), over));
    Multiply(bleaching.factor);
    if (bleaching.spread <= kEven * -std::log(bleaching.last)) return;
    Warn(fmt::format("light spreads by {:.1f} % about the bleaching that is corrected; what was fitted may be the "
                     "specimen's own shape",
                     Percent(bleaching.spread)),
         "deconvolve.correct_bleaching", "Leave bleaching as it is, unless you know that there is as much.");
  }

  void TakeFlicker() {
    const std::optional<Flicker> flicker = FitFlicker(series_);
    if (!flicker) {
      if (spec_.correct_flicker()) {
        Note("flicker is not corrected: it can be told only from 9 planes or time points with light");
      }
      return;
    }
    if (spec_.correct_flicker()) {
      const auto [least, most] = std::minmax_element(flicker->factor.begin(), flicker->factor.end());
      Note(fmt::format("flicker of {:.1f} % ({:+.1f} % to {:+.1f} %) from plane to plane is corrected",
                       Percent(flicker->deviation), Percent(*least - 1), Percent(*most - 1)));
      return Multiply(flicker->factor);
    }
    if (flicker->deviation < kMuchFlicker || flicker->whiteness < kWhite) return;
    const std::string message = fmt::format(
        "the light flickers by {:.1f} % from plane to plane; the result may show it as bright and dark planes, and "
        "more so "
        "with more iterations",
        Percent(flicker->deviation));
    if (flicker->deviation < kSurelyFlicker) return Note(message);
    Warn(message, "deconvolve.correct_flicker", "Have flicker corrected (`--flicker correct`).");
  }

  void NoteDepthLoss() {
    const std::optional<DepthLoss> loss = FitDepthLoss(series_);
    if (!loss || !Matters(loss->last, loss->spread)) return;
    Warn(fmt::format("at all time points the light {} evenly by {:.0f} % from the first plane to the last, as it does "
                     "where the specimen scatters or absorbs it; planes come out as bright as they were recorded",
                     loss->last < 1 ? "falls" : "rises", Percent(std::abs(1 - loss->last))),
         kInput, "Compare brightness only within a plane.");
  }

  void Multiply(const std::vector<float>& factor) {
    if (result_.plane_light.empty()) result_.plane_light.assign(factor.size(), 1.0F);
    for (size_t i = 0; i < factor.size(); ++i) result_.plane_light[i] *= factor[i];
  }

  void Note(const std::string& message) { result_.findings.push_back(Info(where_ + ": " + message)); }
  void Warn(const std::string& message, const char* field, const char* remedy) {
    result_.findings.push_back(Warning(where_ + ": " + message, field, remedy));
  }

  const v1::DeconvolveSpec& spec_;
  const std::string where_;
  const LightSeries& series_;
  LightSurvey result_;
};

}  // namespace

LightSurvey SurveyLight(const v1::DeconvolveSpec& spec, int64_t c, const LightSeries& series) {
  return Survey(spec, c, series).Take();
}

}  // namespace deconvoy::worker
