#include "client/imageio/tiff_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include "client/imageio/image_errors.h"

namespace deconvoy::imageio {
namespace {

static_assert(std::endian::native == std::endian::little, "planes are handed out in the machine's order");

constexpr size_t kMessages = 4;
// No single block that libtiff takes for compressed bytes or tables may be larger.
constexpr tmsize_t kLibraryBlockBytes = tmsize_t{2} << 30;

struct Signature {
  std::string_view bytes;
  std::string_view name;
};

constexpr auto kSignatures = std::to_array<Signature>({
    {"\x89PNG", "a PNG picture"},
    {"\xff\xd8\xff", "a JPEG picture"},
    {"GIF8", "a GIF picture"},
    {"BM", "a BMP picture"},
    {"\x89HDF", "an HDF5 file (Imaris .ims, .h5)"},
    {"ZISRAWFILE", "a Zeiss CZI file"},
    {"\xda\xce\xbe\x0a", "a Nikon ND2 file"},
    {"\xd0\xcf\x11\xe0", "an OLE container (Olympus .oib, Zeiss .zvi)"},
    {"\x70\x00\x00\x00", "a Leica LIF file"},
    {"PK\x03\x04", "a ZIP archive"},
    {"\x1f\x8b", "a gzip file"},
    {"%PDF", "a PDF"},
});

constexpr std::string_view kConvert =
    "Give a grey TIFF; Fiji opens most formats and writes one with File > Save As > Tiff.";

bool LooksLikeText(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) {
    return std::isprint(static_cast<unsigned char>(c)) != 0 || c == '\n' || c == '\r' || c == '\t';
  });
}

absl::Status NotTiff(const std::filesystem::path& path, std::string_view head) {
  for (const auto& [bytes, name] : kSignatures) {
    if (head.starts_with(bytes)) return FileError(path, fmt::format("is not a TIFF file but {}", name), kConvert);
  }
  if (LooksLikeText(head)) return FileError(path, "is not a TIFF file but text", kConvert);
  return FileError(path, "is not a TIFF file: it does not begin with a TIFF header", kConvert);
}

absl::Status CheckRegular(const std::filesystem::path& path, const struct stat& state) {
  if (S_ISDIR(state.st_mode)) return FileError(path, "is a folder, not a TIFF file", "Give the file itself.");
  if (!S_ISREG(state.st_mode)) return FileError(path, "is not a regular file", "Give a TIFF file on disk.");
  if (state.st_size == 0) return FileError(path, "is empty (0 bytes)", "Copy or export it again.");
  return absl::OkStatus();
}

}  // namespace

struct TiffFile::Callbacks {
  static TiffFile* Self(thandle_t handle) { return static_cast<TiffFile*>(handle); }

  static tmsize_t Read(thandle_t handle, void* target, tmsize_t bytes) {
    TiffFile* self = Self(handle);
    tmsize_t done = 0;
    while (done < bytes) {
      const ssize_t now = pread(self->descriptor_, static_cast<char*>(target) + done, static_cast<size_t>(bytes - done),
                                self->position_ + done);
      if (now < 0 && errno == EINTR) continue;
      if (now <= 0) break;
      done += now;
    }
    self->position_ += done;
    return done;
  }

  static tmsize_t Write(thandle_t handle, void* source, tmsize_t bytes) {
    TiffFile* self = Self(handle);
    tmsize_t done = 0;
    while (done < bytes) {
      const ssize_t now = pwrite(self->descriptor_, static_cast<char*>(source) + done,
                                 static_cast<size_t>(bytes - done), self->position_ + done);
      if (now < 0 && errno == EINTR) continue;
      if (now < 0) {
        if (self->write_errno_ == 0) self->write_errno_ = errno;
        break;
      }
      done += now;
    }
    self->position_ += done;
    return done;
  }

  static toff_t Seek(thandle_t handle, toff_t offset, int whence) {
    TiffFile* self = Self(handle);
    int64_t base = 0;
    if (whence == SEEK_CUR) base = self->position_;
    if (whence == SEEK_END) base = static_cast<int64_t>(Size(handle));
    int64_t sum = 0;
    if (__builtin_add_overflow(base, static_cast<int64_t>(offset), &sum) || sum < 0) return static_cast<toff_t>(-1);
    self->position_ = sum;
    return static_cast<toff_t>(sum);
  }

  static toff_t Size(thandle_t handle) {
    struct stat state {};
    return fstat(Self(handle)->descriptor_, &state) == 0 ? static_cast<toff_t>(state.st_size) : 0;
  }

  static int Close(thandle_t) { return 0; }

  static int Error(TIFF*, void* user_data, const char* module, const char* format, va_list arguments) {
    TiffFile* self = static_cast<TiffFile*>(user_data);
    std::array<char, 512> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    const std::string line = module != nullptr && *module != '\0' && self->path_ != module
                                 ? fmt::format("{}: {}", module, text.data())
                                 : std::string(text.data());
    if (self->messages_.size() < kMessages) self->messages_.push_back(line);
    return 1;
  }

  static int Warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }
};

absl::StatusOr<std::unique_ptr<TiffFile>> TiffFile::OpenForReading(const std::filesystem::path& path) {
  return Read(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), path);
}

absl::StatusOr<std::unique_ptr<TiffFile>> TiffFile::OpenForReading(int descriptor, const std::filesystem::path& path) {
  return Read(fcntl(descriptor, F_DUPFD_CLOEXEC, 0), path);
}

// Takes the descriptor over, or the error of the call that should have given it.
absl::StatusOr<std::unique_ptr<TiffFile>> TiffFile::Read(int descriptor, const std::filesystem::path& path) {
  if (descriptor < 0) return SystemError(path, "opened", errno);
  std::unique_ptr<TiffFile> file(new TiffFile);
  file->path_ = path;
  file->descriptor_ = descriptor;
  file->owns_descriptor_ = true;
  struct stat state {};
  if (fstat(file->descriptor_, &state) != 0) return SystemError(path, "examined", errno);
  if (absl::Status status = CheckRegular(path, state); !status.ok()) return status;
  file->size_ = state.st_size;

  std::array<char, 16> head{};
  const size_t length = static_cast<size_t>(std::min<int64_t>(file->size_, head.size()));
  if (!file->ReadAt(0, std::as_writable_bytes(std::span(head).first(length)))) return SystemError(path, "read", EIO);
  const std::string_view start(head.data(), length);
  file->big_endian_ = start.starts_with("MM");
  const std::string_view magic = start.substr(0, 4);
  file->big_ = magic == std::string_view("II+\0", 4) || magic == std::string_view("MM\0+", 4);
  if (!file->big_ && magic != std::string_view("II*\0", 4) && magic != std::string_view("MM\0*", 4)) {
    return NotTiff(path, start);
  }
  if (length < (file->big_ ? 16U : 8U)) return FileError(path, "is truncated: its header is cut off", "Copy it again.");
  if (!file->Attach("rh")) {
    return FileError(path, fmt::format("has a TIFF header that cannot be read ({})", file->TakeMessages()), kConvert);
  }
  return file;
}

absl::StatusOr<std::unique_ptr<TiffFile>> TiffFile::Begin(int descriptor, const std::filesystem::path& path, bool big) {
  std::unique_ptr<TiffFile> file(new TiffFile);
  file->path_ = path;
  file->descriptor_ = descriptor;
  file->big_ = big;
  if (!file->Attach(big ? "wl8" : "wl")) return SystemError(path, "written", file->write_errno_);
  return file;
}

bool TiffFile::Attach(const char* mode) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 &TIFFOpenOptionsFree);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kLibraryBlockBytes);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &Callbacks::Error, this);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), &Callbacks::Warning, this);
  handle_ = TIFFClientOpenExt(path_.c_str(), mode, this, &Callbacks::Read, &Callbacks::Write, &Callbacks::Seek,
                              &Callbacks::Close, &Callbacks::Size, nullptr, nullptr, options.get());
  return handle_ != nullptr;
}

TiffFile::~TiffFile() {
  if (handle_ != nullptr) TIFFClose(handle_);
  if (owns_descriptor_) close(descriptor_);
}

bool TiffFile::ReadAt(int64_t offset, std::span<std::byte> target) const {
  size_t done = 0;
  while (done < target.size()) {
    const ssize_t now =
        pread(descriptor_, target.data() + done, target.size() - done, offset + static_cast<int64_t>(done));
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) return false;
    done += static_cast<size_t>(now);
  }
  return true;
}

std::string TiffFile::TakeMessages() {
  std::string line = fmt::format("{}", fmt::join(messages_, "; "));
  messages_.clear();
  return line;
}

}  // namespace deconvoy::imageio
