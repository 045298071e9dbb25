// WatchFolder: files that a microscope leaves in a folder, as planes.
#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <map>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "client/cli/plane_feed.h"
#include "client/cli/values.h"
#include "client/imageio/image_errors.h"
#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

// Names in the order of people: numbers by their value.
struct Natural {
  bool operator()(const std::string& a, const std::string& b) const { return strverscmp(a.c_str(), b.c_str()) < 0; }
};

// A name around its last number.
struct Numbered {
  std::string before, after;
  uint64_t number = 0;
};

std::optional<Numbered> SplitAtNumber(const std::string& name) {
  const std::string stem = name.substr(0, name.find('.'));
  const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  const auto last = std::find_if(stem.rbegin(), stem.rend(), digit);
  if (last == stem.rend()) return std::nullopt;
  const auto end = static_cast<size_t>(stem.rend() - last);
  const auto begin = static_cast<size_t>(stem.rend() - std::find_if_not(last, stem.rend(), digit));
  Numbered parts{.before = name.substr(0, begin), .after = name.substr(end)};
  const auto [rest, error] = std::from_chars(name.data() + begin, name.data() + end, parts.number);
  if (error != std::errc()) return std::nullopt;
  return parts;
}

bool IsImage(const std::string& name) {
  const std::string lower = Lower(name);
  return !name.starts_with(".") && (lower.ends_with(".tif") || lower.ends_with(".tiff"));
}

// Names of files that were closed after writing, or renamed into the folder; none where the system cannot tell.
class Closed {
 public:
  explicit Closed(const std::filesystem::path& folder) : descriptor_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (descriptor_ >= 0) inotify_add_watch(descriptor_, folder.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO);
  }
  ~Closed() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;

  bool Has(const std::string& name) {
    alignas(inotify_event) std::array<char, 16 * 1024> buffer;
    for (ssize_t bytes = 0; descriptor_ >= 0 && (bytes = read(descriptor_, buffer.data(), buffer.size())) > 0;) {
      for (ssize_t at = 0; at < bytes;) {
        inotify_event event;
        std::memcpy(&event, buffer.data() + at, sizeof(event));
        if (event.len > 0) names_.insert(buffer.data() + at + sizeof(event));
        at += static_cast<ssize_t>(sizeof(event) + event.len);
      }
    }
    return names_.contains(name);
  }

  void Forget(const std::string& name) { names_.erase(name); }

 private:
  const int descriptor_;
  std::set<std::string> names_;
};

class FolderFeed : public PlaneFeed {
 public:
  FolderFeed(std::filesystem::path folder, absl::Duration settle, bool channels_first, FeedClock clock)
      : folder_(std::move(folder)),
        settle_(settle),
        channels_first_(channels_first),
        clock_(std::move(clock)),
        closed_(folder_) {}

  absl::StatusOr<std::optional<FeedStart>> Start() override {
    if (!start_) RETURN_IF_ERROR(OpenNext());
    return start_;
  }

  absl::StatusOr<FeedState> Next(std::span<std::byte> plane) override {
    if (image_ == nullptr) RETURN_IF_ERROR(OpenNext());
    if (image_ == nullptr) return FeedState::kNothing;
    const v1::Shape5& shape = image_->spec().shape();
    const int64_t place = next_plane_++, in_time = int64_t{shape.c()} * shape.z(), rest = place % in_time;
    const int64_t c = channels_first_ ? rest % shape.c() : rest / shape.z();
    const int64_t z = channels_first_ ? rest / shape.c() : rest % shape.z();
    if (!plane.empty()) RETURN_IF_ERROR(image_->ReadPlane(place / in_time, c, z, plane));
    if (next_plane_ == in_time * shape.t()) image_.reset();
    return FeedState::kPlane;
  }

  std::string AwaitedText() const override {
    return awaited_.empty() ? fmt::format("the next file in {}", folder_.string()) : awaited_;
  }

 private:
  struct Seen {
    uintmax_t bytes = 0;
    std::filesystem::file_time_type changed;
    absl::Time since;
  };

  // Opens the next file, if it is there and whole.
  absl::Status OpenNext() {
    ASSIGN_OR_RETURN(const std::optional<std::string> name, Candidate());
    if (!name || !HasSettled(*name)) return absl::OkStatus();
    auto image = imageio::OpenImage(folder_ / *name);
    if (!image.ok()) {
      awaited_ = std::string(image.status().message());
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(CheckAlike(*name, **image));
    taken_.insert(*name);
    waiting_.erase(*name);
    look_again_ = false;
    last_ = *name;
    seen_.erase(*name);
    closed_.Forget(*name);
    awaited_.clear();
    image_ = *std::move(image);
    next_plane_ = 0;
    return absl::OkStatus();
  }

  // The file whose turn it is.
  absl::StatusOr<std::optional<std::string>> Candidate() {
    if (std::exchange(look_again_, true) || waiting_.empty()) RETURN_IF_ERROR(List());
    if (waiting_.empty() || LeavesOut(*waiting_.begin())) return std::nullopt;
    return *waiting_.begin();
  }

  // Finds what is in the folder and was not taken. Those whose turn is near begin to settle.
  absl::Status List() {
    constexpr int kNear = 256;
    waiting_.clear();
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
      const std::string name = entry.path().filename().string();
      if (IsImage(name) && !taken_.contains(name)) waiting_.insert(name);
    }
    if (error) return imageio::SystemError(folder_, "read", error.value());
    int near = 0;
    for (auto name = waiting_.begin(); name != waiting_.end() && near < kNear; ++name, ++near) HasSettled(*name);
    if (waiting_.empty() || last_.empty() || !Natural()(*waiting_.begin(), last_)) return absl::OkStatus();
    return MakeError(
        {.reason = v1::INVALID_FIELD, .remedy = "Have files named in the order in which they are recorded."},
        fmt::format("{} has come after {} was taken, but belongs before it", Printable(*waiting_.begin()),
                    Printable(last_)));
  }

  // Whether files are missing between the last one and this.
  bool LeavesOut(const std::string& name) {
    const auto before = SplitAtNumber(last_), now = SplitAtNumber(name);
    if (!before || !now || before->before != now->before || before->after != now->after) return false;
    if (now->number <= before->number + 1) return false;
    awaited_ = fmt::format("a gap in the numbers: {} is there, but number {} is not", name, before->number + 1);
    return true;
  }

  bool HasSettled(const std::string& name) {
    if (closed_.Has(name)) return true;
    std::error_code error;
    const uintmax_t bytes = std::filesystem::file_size(folder_ / name, error);
    const auto changed = std::filesystem::last_write_time(folder_ / name, error);
    if (error) return false;
    const absl::Time now = clock_();
    const auto [seen, is_new] = seen_.try_emplace(name, Seen{bytes, changed, now});
    if (!is_new && (seen->second.bytes != bytes || seen->second.changed != changed))
      seen->second = {bytes, changed, now};
    return now - seen->second.since >= settle_;
  }

  absl::Status CheckAlike(const std::string& name, const imageio::ImageReader& image) {
    const v1::VolumeSpec& spec = image.spec();
    if (!start_) {
      start_ = FeedStart{.plane = spec, .acquisition = image.acquisition()};
      start_->plane.clear_channels();
      const v1::Shape5& shape = spec.shape();
      *start_->plane.mutable_shape() = ToProto(Shape5{1, 1, 1, shape.y(), shape.x()});
      return absl::OkStatus();
    }
    const v1::VolumeSpec& first = start_->plane;
    if (spec.type() == first.type() && spec.shape().y() == first.shape().y() && spec.shape().x() == first.shape().x())
      return absl::OkStatus();
    const auto describe = [](const v1::VolumeSpec& one) {
      return fmt::format("{} x {} {}", one.shape().x(), one.shape().y(), Lower(v1::VoxelType_Name(one.type())));
    };
    return imageio::FileError(
        folder_ / name,
        fmt::format("has planes of {}, but those before are {}; all must be alike", describe(spec), describe(first)),
        "Record all planes with the same camera settings, into a folder of their own.");
  }

  const std::filesystem::path folder_;
  const absl::Duration settle_;
  const bool channels_first_;
  const FeedClock clock_;
  Closed closed_;
  std::optional<FeedStart> start_;
  std::set<std::string, Natural> waiting_;  // in the folder, not taken, when it was last looked at
  bool look_again_ = true;                  // before the next of them is taken
  std::set<std::string> taken_;
  std::string last_;                  // of them
  std::map<std::string, Seen> seen_;  // files that are not taken yet
  std::unique_ptr<imageio::ImageReader> image_;
  int64_t next_plane_ = 0;  // of it
  std::string awaited_;
};

}  // namespace

std::unique_ptr<PlaneFeed> WatchFolder(const std::filesystem::path& folder, absl::Duration settle, bool channels_first,
                                       FeedClock clock) {
  return std::make_unique<FolderFeed>(folder, settle, channels_first, std::move(clock));
}

}  // namespace deconvoy::client
