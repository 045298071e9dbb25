// deconvoy profile: values along a line, and the widths of what it meets.
#include "client/cli/figures/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "client/cli/figures/plot.h"
#include "client/cli/figures/png_file.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_file.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "client/imageio/output_file.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr char kGroup[] = "Line";

struct ProfileOptions {
  std::vector<std::string> files;
  std::string from, to;  // Z,Y,X, in um with `um`
  std::string at;
  std::string axis;
  bool through_brightest = false;
  bool um = false;
  double length = 0;  // 0: the whole axis
  int64_t width = 1;
  int64_t channel = 0, time = 0;
  std::string picture;
  std::string csv;
};

constexpr char kExamples[] = R"(  deconvoy profile raw.tif out.tif --through-brightest --axis z -o profile.png
      both along z through the brightest voxel of raw.tif: how much narrower has it become?
  deconvoy profile bead.tif --at 20,64,64 --axis x --length 30
      30 voxels about one
  deconvoy profile raw.tif out.tif --from 10,20,20 --to 10,60,45 --width 3 --csv profile.csv
      any line; averaged over 3 x 3 voxels across)";

struct Measured {
  std::string file;
  Profile profile;
  std::vector<Peak> peaks;
  std::vector<Dip> dips;
};

absl::StatusOr<Point> ParsePoint(const std::string& text, const char* option) {
  std::vector<double> numbers;
  size_t begin = 0;
  while (begin <= text.size()) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const auto number = ParseNumber(std::string_view(text).substr(begin, end - begin));
    if (!number.ok()) break;
    numbers.push_back(*number);
    begin = end + 1;
  }
  if (numbers.size() == 3 && begin > text.size()) return Point{numbers[0], numbers[1], numbers[2]};
  return UsageError(fmt::format("{} '{}' is not Z,Y,X", option, Printable(text)),
                    "Give three numbers, for instance 12,40.5,63.");
}

absl::Status CheckOptions(const ProfileOptions& o) {
  const bool line = !o.from.empty() || !o.to.empty();
  if (static_cast<int>(line) + static_cast<int>(!o.at.empty()) + static_cast<int>(o.through_brightest) != 1)
    return UsageError("a profile needs one line",
                      "Give --from and --to, or --at with --axis, or --through-brightest with --axis.");
  if (line && (o.from.empty() || o.to.empty())) return UsageError("a line has two ends", "Give both --from and --to.");
  if (line && (!o.axis.empty() || o.length != 0))
    return UsageError("--axis and --length go with --at or --through-brightest, not with --from and --to");
  if (!line && o.axis.empty()) return UsageError("--axis is missing", "Say along which axis: --axis z, y or x.");
  if (o.length < 0) return UsageError("--length is below 0");
  if (!o.picture.empty() && !Lower(o.picture).ends_with(".png"))
    return UsageError(fmt::format("{}: a picture is written as PNG only", Printable(o.picture)),
                      "Choose a name that ends with .png.");
  return absl::OkStatus();
}

// Before anything is read.
absl::Status CheckFiles(const ProfileOptions& o) {
  RETURN_IF_ERROR(CheckPicture(o.picture, "-o", o.files));
  if (o.csv.empty() || o.csv == "-") return absl::OkStatus();
  std::vector<std::string> others = o.files;
  others.push_back(o.picture);
  RETURN_IF_ERROR(CheckOwnFile(o.csv, "--csv", others));
  return imageio::OutputFile::Create(o.csv, 0, /*overwrite=*/true).status();
}

absl::StatusOr<Point> InVoxels(const Point& given, const imageio::ImageReader& image, bool um) {
  if (!um) return given;
  const v1::VoxelSize& size = image.spec().voxel_size();
  if (size.z_um() > 0 && size.y_um() > 0 && size.x_um() > 0)
    return Point{given.z / size.z_um(), given.y / size.y_um(), given.x / size.x_um()};
  return UsageError(
      fmt::format("{} does not say its voxel size, which --um needs", Printable(image.spec().display_name())),
      "Give voxels, without --um.");
}

// The line along an axis through `middle`, of the asked length as far as the stack goes.
void Along(const ProfileOptions& options, const v1::Shape5& shape, const Point& middle, ProfileLine& line) {
  line.from = line.to = middle;
  const char axis = options.axis[0];
  double Point::*const coordinate = axis == 'z' ? &Point::z : axis == 'y' ? &Point::y : &Point::x;
  const double last = (axis == 'z' ? shape.z() : axis == 'y' ? shape.y() : shape.x()) - 1.0;
  const double half = options.length > 0 ? options.length / 2 : last + 1;
  line.from.*coordinate = std::max(middle.*coordinate - half, 0.0);
  line.to.*coordinate = std::min(middle.*coordinate + half, last);
}

// In voxels of the first stack, which those of the others are taken to be, too.
absl::StatusOr<ProfileLine> LineOf(const ProfileOptions& options, imageio::ImageReader& first) {
  ProfileLine line{.from = {}, .to = {}, .width = options.width, .t = options.time, .c = options.channel};
  if (!options.from.empty()) {
    ASSIGN_OR_RETURN(const Point from, ParsePoint(options.from, "--from"));
    ASSIGN_OR_RETURN(const Point to, ParsePoint(options.to, "--to"));
    ASSIGN_OR_RETURN(line.from, InVoxels(from, first, options.um));
    ASSIGN_OR_RETURN(line.to, InVoxels(to, first, options.um));
    return line;
  }
  Point middle;
  if (options.through_brightest) {
    const v1::Shape5& shape = first.spec().shape();
    if (options.time < 0 || options.time >= shape.t() || options.channel < 0 || options.channel >= shape.c())
      return UsageError(fmt::format("{} has {} time points and {} channels, counted from 0",
                                    Printable(first.spec().display_name()), shape.t(), shape.c()));
    ASSIGN_OR_RETURN(const Voxel brightest, BrightestVoxel(first, options.time, options.channel));
    middle = {static_cast<double>(brightest.z), static_cast<double>(brightest.y), static_cast<double>(brightest.x)};
  } else {
    ASSIGN_OR_RETURN(const Point given, ParsePoint(options.at, "--at"));
    ASSIGN_OR_RETURN(middle, InVoxels(given, first, options.um));
  }
  Along(options, first.spec().shape(), middle, line);
  return line;
}

std::string PointText(const Point& point) {
  return fmt::format("{:g},{:g},{:g}", point.z, point.y, point.x);
}

std::string WidthText(const Peak& peak, const Profile& profile) {
  if (!peak.fwhm) return "FWHM unknown: it does not fall to half on both sides";
  std::string text = fmt::format("FWHM {:.2f} voxels", *peak.fwhm * profile.step);
  if (profile.step_um > 0) text += fmt::format(", {:.3g} um", *peak.fwhm * profile.step_um);
  return text;
}

void SayPeaks(const Measured& measured, const Console& console) {
  console.Say(Printable(measured.file) + ":");
  if (measured.peaks.empty()) console.Say("  no peak");
  for (size_t i = 0; i < measured.peaks.size(); ++i) {
    const Peak& peak = measured.peaks[i];
    console.Say(fmt::format("  peak at {:.1f} voxels: {:.5g}, {:.5g} above its surroundings, {}",
                            peak.position * measured.profile.step, peak.height, peak.height - peak.baseline,
                            WidthText(peak, measured.profile)));
    for (const Dip& dip : measured.dips) {
      if (dip.left == i) console.Say(fmt::format("  dip to the next: {:.0f} %", 100 * dip.depth));
    }
  }
}

nlohmann::json ToJson(const Measured& measured) {
  nlohmann::json peaks = nlohmann::json::array(), dips = nlohmann::json::array();
  const Profile& profile = measured.profile;
  for (const Peak& peak : measured.peaks) {
    nlohmann::json entry = {{"position_voxels", peak.position * profile.step},
                            {"height", peak.height},
                            {"baseline", peak.baseline},
                            {"fwhm_voxels", nullptr},
                            {"fwhm_um", nullptr}};
    if (peak.fwhm) entry["fwhm_voxels"] = *peak.fwhm * profile.step;
    if (peak.fwhm && profile.step_um > 0) entry["fwhm_um"] = *peak.fwhm * profile.step_um;
    peaks.push_back(std::move(entry));
  }
  for (const Dip& dip : measured.dips) dips.push_back({{"after_peak", dip.left}, {"depth", dip.depth}});
  return {{"event", "profile"},         {"file", measured.file},    {"step_voxels", profile.step},
          {"step_um", profile.step_um}, {"values", profile.values}, {"peaks", std::move(peaks)},
          {"dips", std::move(dips)}};
}

// A row per step; all profiles have equally many.
std::string CsvText(const std::vector<Measured>& all) {
  std::string text = "voxels,um";
  for (const Measured& measured : all) {
    std::string name = Printable(measured.file);
    std::replace(name.begin(), name.end(), '"', '\'');
    text += fmt::format(",\"{}\"", name);
  }
  text += '\n';
  const Profile& first = all[0].profile;
  for (size_t i = 0; i < first.values.size(); ++i) {
    const auto step = static_cast<double>(i);
    text += fmt::format("{:.6g},", step * first.step);
    if (first.step_um > 0) text += fmt::format("{:.6g}", step * first.step_um);
    for (const Measured& measured : all) text += fmt::format(",{:.9g}", measured.profile.values[i]);
    text += '\n';
  }
  return text;
}

absl::Status WriteCsv(const std::string& path, const std::string& text, const Console& console) {
  if (path == "-") {
    console.out << text << std::flush;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<imageio::OutputFile> file,
                   imageio::OutputFile::Create(path, static_cast<int64_t>(text.size()), /*overwrite=*/true));
  RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(text))));
  return file->Commit();
}

absl::Status WritePlot(const std::string& path, const std::vector<Measured>& all) {
  const bool um = all[0].profile.step_um > 0;
  Plot plot{.x_title = um ? "along the line, um" : "along the line, voxels", .y_title = "counts", .curves = {}};
  for (const Measured& measured : all) {
    Curve& curve = plot.curves.emplace_back();
    curve.name = Printable(measured.file);
    curve.y = measured.profile.values;
    const double step = um ? all[0].profile.step_um : all[0].profile.step;
    for (size_t i = 0; i < curve.y.size(); ++i) curve.x.push_back(step * static_cast<double>(i));
  }
  return WritePng(path, Draw(plot));
}

absl::Status Report(const ProfileOptions& options, const ProfileLine& line, const std::vector<Measured>& all,
                    const Console& console) {
  const bool table = options.csv == "-";
  if (!table) console.Say(fmt::format("line from {} to {} (z,y,x)", PointText(line.from), PointText(line.to)));
  for (const Measured& measured : all) {
    if (!table) SayPeaks(measured, console);
    if (console.json) console.Json(ToJson(measured));
  }
  if (!options.csv.empty()) RETURN_IF_ERROR(WriteCsv(options.csv, CsvText(all), console));
  if (!options.csv.empty() && !table) console.Say("wrote " + Printable(options.csv));
  if (options.picture.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(WritePlot(options.picture, all));
  if (!table) console.Say("wrote " + Printable(options.picture));
  return absl::OkStatus();
}

absl::Status Show(const ProfileOptions& options, const Console& console) {
  RETURN_IF_ERROR(CheckOptions(options));
  RETURN_IF_ERROR(CheckFiles(options));
  if (console.json && options.csv == "-") return UsageError("--csv - and --json both print on standard output");
  std::vector<Measured> all;
  ProfileLine line;
  for (const std::string& file : options.files) {
    ASSIGN_OR_RETURN(const auto image, imageio::OpenImage(file));
    if (all.empty()) {
      ASSIGN_OR_RETURN(line, LineOf(options, *image));
    }
    Measured& measured = all.emplace_back();
    measured.file = file;
    ASSIGN_OR_RETURN(measured.profile, SampleProfile(*image, line));
    measured.peaks = FindPeaks(measured.profile.values);
    measured.dips = FindDips(measured.profile.values, measured.peaks);
  }
  return Report(options, line, all, console);
}

void AddLineOptions(CLI::App& verb, ProfileOptions& options) {
  verb.add_option("--from", options.from, "Beginning of the line in voxels from 0, fractions allowed")
      ->type_name("Z,Y,X")
      ->group(kGroup);
  verb.add_option("--to", options.to, "End of the line")->type_name("Z,Y,X")->group(kGroup);
  verb.add_flag("--through-brightest", options.through_brightest,
                "Along --axis through the brightest voxel of the first stack")
      ->group(kGroup);
  verb.add_option("--at", options.at, "Along --axis through this place")->type_name("Z,Y,X")->group(kGroup);
  verb.add_option("--axis", options.axis, "Direction of the line")
      ->check(CLI::IsMember({"z", "y", "x"}))
      ->type_name("")
      ->group(kGroup);
  verb.add_option("--length", options.length, "Length along --axis in voxels, half of it on either side [all]")
      ->type_name("N")
      ->group(kGroup);
  verb.add_flag("--um", options.um, "--from, --to and --at are in um from the first voxel's centre")->group(kGroup);
  verb.add_option("--width", options.width, "Average over N x N voxels across the line; odd, at most 31")
      ->type_name("N")
      ->capture_default_str()
      ->group(kGroup);
  verb.add_option("--channel", options.channel, "Channel, from 0")
      ->type_name("N")
      ->capture_default_str()
      ->group(kGroup);
  verb.add_option("--time", options.time, "Time point, from 0")->type_name("N")->capture_default_str()->group(kGroup);
}

}  // namespace

void AddProfile(CLI::App& root, Program& program) {
  AddVerb<ProfileOptions>(
      root, program, "profile", "Print and plot values along a line, and the widths of peaks.", kExamples,
      [&program](CLI::App& verb, ProfileOptions& options) {
        verb.add_option("FILE", options.files, "Stacks of one shape, for instance before and after")
            ->type_name("FILE")
            ->required();
        AddLineOptions(verb, options);
        verb.add_option("-o,--output", options.picture, std::string("Plot to write: .png") + kReplaced)
            ->type_name("FILE");
        verb.add_option("--csv", options.csv, "Table to write; - for standard output")->type_name("FILE");
        AddJsonOption(verb, program.console);
      },
      [&program](const ProfileOptions& options) { return Show(options, program.console); });
}

}  // namespace deconvoy::client
