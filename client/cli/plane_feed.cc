#include "client/cli/plane_feed.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "client/imageio/growing_tiff.h"
#include "client/imageio/image_errors.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

class TiffFeed : public PlaneFeed {
 public:
  TiffFeed(std::filesystem::path file, absl::Duration settle, FeedClock clock)
      : path_(std::move(file)), settle_(settle), clock_(std::move(clock)), tiff_(path_) {}

  absl::StatusOr<std::optional<FeedStart>> Start() override {
    ASSIGN_OR_RETURN(const int64_t pages, Look());
    if (pages == 0) return std::nullopt;
    return FeedStart{.plane = tiff_.page(), .acquisition = {}};
  }

  absl::StatusOr<FeedState> Next(std::span<std::byte> plane) override {
    if (next_ >= pages_) {
      ASSIGN_OR_RETURN(pages_, Look());
    }
    if (next_ >= pages_) return FeedState::kNothing;
    if (!plane.empty()) RETURN_IF_ERROR(tiff_.ReadPage(next_, plane));
    ++next_;
    return FeedState::kPlane;
  }

  std::string AwaitedText() const override { return fmt::format("page {} of {}", next_ + 1, path_.string()); }

 private:
  absl::StatusOr<int64_t> Look() {
    std::error_code error;
    const uintmax_t bytes = std::filesystem::file_size(path_, error);
    if (error) return 0;
    const absl::Time now = clock_();
    if (bytes != bytes_) {
      bytes_ = bytes;
      grown_ = now;
    }
    return tiff_.CountPages(now - grown_ >= settle_ ? static_cast<int64_t>(bytes) : 0);
  }

  const std::filesystem::path path_;
  const absl::Duration settle_;
  const FeedClock clock_;
  imageio::GrowingTiff tiff_;
  uintmax_t bytes_ = 0;
  absl::Time grown_;  // when it was first seen to be so long
  int64_t pages_ = 0, next_ = 0;
};

class RawFeed : public PlaneFeed {
 public:
  RawFeed(int descriptor, v1::VolumeSpec plane) : descriptor_(descriptor), plane_(std::move(plane)) {}

  absl::StatusOr<std::optional<FeedStart>> Start() override { return FeedStart{.plane = plane_, .acquisition = {}}; }

  absl::StatusOr<FeedState> Next(std::span<std::byte> plane) override {
    while (filled_ < plane.size()) {
      pollfd ready{.fd = descriptor_, .events = POLLIN, .revents = 0};
      const int count = poll(&ready, 1, kPatienceMs);
      if (count == 0 || (count < 0 && errno == EINTR)) return FeedState::kNothing;
      const ssize_t bytes = read(descriptor_, plane.data() + filled_, plane.size() - filled_);
      if (bytes < 0 && (errno == EINTR || errno == EAGAIN)) return FeedState::kNothing;
      if (bytes < 0) return imageio::SystemError("standard input", "read", errno);
      if (bytes == 0) return filled_ == 0 ? absl::StatusOr<FeedState>(FeedState::kEnd) : CutOff(plane.size());
      filled_ += static_cast<size_t>(bytes);
    }
    filled_ = 0;
    ++planes_;
    return FeedState::kPlane;
  }

  bool replays() const override { return false; }

  std::string AwaitedText() const override { return fmt::format("plane {} on standard input", planes_ + 1); }

 private:
  static constexpr int kPatienceMs = 20;

  absl::Status CutOff(size_t bytes) const {
    return MakeError(
        {.reason = v1::INVALID_FIELD,
         .remedy = "Send whole planes of the --shape and --plane-dtype given, without a header."},
        fmt::format("standard input ends inside plane {}: after {} of its {} bytes", planes_ + 1, filled_, bytes));
  }

  const int descriptor_;
  const v1::VolumeSpec plane_;
  size_t filled_ = 0;  // of the plane under way, which is the caller's
  int64_t planes_ = 0;
};

}  // namespace

std::unique_ptr<PlaneFeed> WatchTiff(const std::filesystem::path& file, absl::Duration settle, FeedClock clock) {
  return std::make_unique<TiffFeed>(file, settle, std::move(clock));
}

std::unique_ptr<PlaneFeed> ReadRaw(int descriptor, const v1::VolumeSpec& plane) {
  return std::make_unique<RawFeed>(descriptor, plane);
}

}  // namespace deconvoy::client
