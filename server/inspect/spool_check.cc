#include "server/inspect/spool_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/spool/box_crc.h"
#include "server/spool/box_index.h"
#include "server/spool/coverage.h"
#include "server/spool/volume_store.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;

// Every so many bytes of one thread, progress is told.
constexpr int64_t kProgressBytes = int64_t{64} << 20;

// What reading many boxes of one file found.
struct ReadResult {
  std::vector<FrameBox> damaged;
  absl::Status failure;  // of the first box that could not be read
  int64_t unreadable = 0;
};

class SpoolCheck {
 public:
  SpoolCheck(const SpoolCheckOptions& options, Store& store, FileSystem& files, Inspection& inspection)
      : options_(options), store_(store), files_(files), inspection_(inspection) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(const std::vector<std::string> ids, store_.AllVolumeIds());
    std::vector<VolumeRecord> volumes;
    for (const std::string& id : ids) {
      ASSIGN_OR_RETURN(VolumeRecord volume, store_.GetVolume(id));
      total_bytes_ += volume.committed_bytes;
      volumes.push_back(std::move(volume));
    }
    const std::set<fs::path> present = List("volumes");
    // What looks like the loss of every file is another disk.
    const bool any = std::any_of(volumes.begin(), volumes.end(),
                                 [&](const VolumeRecord& volume) { return present.contains(PathOf(volume.id)); });
    if (!any && !volumes.empty()) {
      Add("spool-missing", options_.directory, "none of the volumes that the database knows has a file here",
          "Mount the disk of the spool, or restore the spool from a backup; where nothing is left, start anew with "
          "another "
          "state folder.",
          Mend::kNothing);
      return absl::OkStatus();
    }
    for (const VolumeRecord& volume : volumes) RETURN_IF_ERROR(CheckVolume(volume, present));
    CheckLeftovers({ids.begin(), ids.end()}, present);
    options_.progress(total_bytes_, total_bytes_);
    return absl::OkStatus();
  }

 private:
  fs::path PathOf(const std::string& id) const { return options_.directory / "volumes" / (id + ".raw"); }

  Finding& Add(std::string kind, const fs::path& path, std::string problem, std::string remedy, Mend mend) {
    return inspection_.findings.emplace_back(Finding{.kind = std::move(kind),
                                                     .subject = "spool",
                                                     .path = path,
                                                     .problem = std::move(problem),
                                                     .remedy = std::move(remedy),
                                                     .mend = mend});
  }
  Finding& AddOf(const VolumeRecord& volume, std::string kind, std::string problem, std::string remedy, Mend mend) {
    Finding& finding = Add(std::move(kind), PathOf(volume.id), std::move(problem), std::move(remedy), mend);
    finding.subject = VolumeName(volume.id);
    finding.id = volume.id;
    return finding;
  }

  std::set<fs::path> List(const std::string& folder) {
    const fs::path path = options_.directory / folder;
    const auto paths = files_.List(path);
    if (paths.ok()) return {paths->begin(), paths->end()};
    Add("folder-unreadable", path, std::string(paths.status().message()),
        "See that the disk of the spool is mounted and can be read.", Mend::kNothing);
    return {};
  }

  absl::Status CheckVolume(const VolumeRecord& volume, const std::set<fs::path>& present) {
    ++inspection_.volumes;
    if (const absl::Status valid = ToShape(volume.spec.shape(), volume.spec.type(), "shape").status(); !valid.ok()) {
      AddOf(volume, "record-damaged",
            fmt::format("its record is not that of a volume: {}", std::string(valid.message())),
            "Restore the database from a backup.", Mend::kNothing);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(std::vector<CommittedBox> boxes, store_.GetBoxes(volume.id, -1, -1));
    RemoveMisplaced(volume, boxes);
    CheckCount(volume, boxes);
    if (!present.contains(PathOf(volume.id))) {
      AddOf(
          volume, "file-missing", "its file is missing",
          "See that the disk of the spool is mounted. If it is, `--repair` removes the volume's record, and jobs that "
          "need it fail.",
          Mend::kRemoveVolume);
      return absl::OkStatus();
    }
    return CheckFile(volume, boxes);
  }

  // Boxes that lie outside, or over others, are found and not looked at further.
  void RemoveMisplaced(const VolumeRecord& volume, std::vector<CommittedBox>& boxes) {
    const Shape5 shape = *ToShape(volume.spec.shape(), volume.spec.type(), "shape");
    std::map<std::pair<int64_t, int64_t>, BoxIndex> frames;
    std::vector<FrameBox> misplaced;
    std::erase_if(boxes, [&](const CommittedBox& box) {
      BoxIndex& frame = frames[{box.box.t, box.box.c}];
      const bool fits = CheckBox(ToProto(box.box), shape, "box").ok() && !frame.FindOverlap(box.box.box);
      if (fits) frame.Insert({box.box.box, box.crc32c});
      if (!fits) misplaced.push_back(box.box);
      return !fits;
    });
    if (misplaced.empty()) return;
    AddOf(volume, "box-misplaced",
          fmt::format("{} boxes lie outside of it or over other boxes, the first at {}", misplaced.size(),
                      BoxText(misplaced.front())),
          fmt::format("`--repair` forgets these boxes{}", WhatFollows(volume)), Mend::kDropBoxes)
        .boxes = misplaced;
  }

  // What it means for a volume to miss boxes.
  static std::string WhatFollows(const VolumeRecord& volume) {
    if (volume.job_output) {
      return ": an unfinished job computes them again or fails; of an ended job they cannot be read any more, and the "
             "rest can.";
    }
    return volume.state == v1::WRITING
               ? "; whoever sends the volume is asked for them again, and jobs that take it meanwhile fail."
               : ", and the volume is incomplete until they are sent again; unfinished jobs that "
                 "read it fail.";
  }

  void CheckCount(const VolumeRecord& volume, const std::vector<CommittedBox>& boxes) {
    int64_t bytes = 0;
    for (const CommittedBox& box : boxes) bytes += box.box.box.shape.voxels() * BytesPerVoxel(volume.spec.type());
    if (bytes != volume.committed_bytes) {
      AddOf(volume, "count-wrong",
            fmt::format("its boxes have {} bytes, but {} are counted", bytes, volume.committed_bytes),
            "`--repair` counts them anew.", Mend::kDropBoxes);
    }
    const auto size = static_cast<int64_t>(ToVolume(volume).size_bytes());
    if (volume.state != v1::COMPLETE || bytes == size) return;
    AddOf(volume, "complete-with-gaps", fmt::format("it counts as complete, but {} bytes are missing", size - bytes),
          fmt::format("`--repair` makes it incomplete{}", WhatFollows(volume)), Mend::kDropBoxes);
  }

  absl::Status CheckFile(const VolumeRecord& volume, const std::vector<CommittedBox>& boxes) {
    absl::StatusOr<std::unique_ptr<File>> file = files_.Open(PathOf(volume.id), false);
    const absl::StatusOr<int64_t> size = file.ok() ? (*file)->Size() : file.status();
    if (!size.ok()) {
      AddOf(volume, "file-unreadable", std::string(size.status().message()),
            "Mend its rights, or its disk, or restore it from a backup.", Mend::kNothing);
      return absl::OkStatus();
    }
    const auto expected = static_cast<int64_t>(ToVolume(volume).size_bytes());
    if (*size != expected) {
      AddOf(volume, "file-length", fmt::format("its file has {} bytes instead of {}", *size, expected),
            "`--repair` gives it the right length, and looks at all of its boxes.", Mend::kResizeFile)
          .number = expected;
    }
    const ReadResult result = ReadBoxes(volume, **file, *size, boxes);
    if (!result.damaged.empty()) AddDamaged(volume, boxes.size(), result.damaged);
    if (result.unreadable > 0) {
      AddOf(volume, "file-unreadable",
            fmt::format("{} of its {} boxes cannot be read: {}", result.unreadable, boxes.size(),
                        std::string(result.failure.message())),
            "The disk is failing: copy the state folder to another one.", Mend::kNothing);
    }
    return absl::OkStatus();
  }

  void AddDamaged(const VolumeRecord& volume, size_t boxes, const std::vector<FrameBox>& damaged) {
    AddOf(volume, "box-damaged",
          fmt::format("{} of its {} boxes do not have the CRC-32C that they were stored with, the first at {}",
                      damaged.size(), boxes, BoxText(damaged.front())),
          fmt::format("Restore the file from a backup; or `--repair` forgets these boxes{}", WhatFollows(volume)),
          Mend::kDropBoxes)
        .boxes = damaged;
  }

  ReadResult ReadBoxes(const VolumeRecord& volume, const File& file, int64_t size,
                       const std::vector<CommittedBox>& boxes) {
    ReadResult result;
    std::mutex mutex;  // of the result
    std::atomic<size_t> next = 0;
    const auto work = [&] {
      std::vector<std::byte> buffer;
      for (size_t i = next.fetch_add(1); i < boxes.size(); i = next.fetch_add(1)) {
        ReadBox(volume, file, size, boxes[i], buffer, mutex, result);
      }
    };
    std::vector<std::jthread> threads;
    const size_t count = std::min(boxes.size(), static_cast<size_t>(std::max(options_.threads, 1)));
    for (size_t i = 1; i < count; ++i) threads.emplace_back(work);
    work();
    threads.clear();
    std::sort(result.damaged.begin(), result.damaged.end(), [](const FrameBox& a, const FrameBox& b) {
      return std::tuple(a.t, a.c, a.box.origin.z, a.box.origin.y, a.box.origin.x) <
             std::tuple(b.t, b.c, b.box.origin.z, b.box.origin.y, b.box.origin.x);
    });
    return result;
  }

  void ReadBox(const VolumeRecord& volume, const File& file, int64_t size, const CommittedBox& box,
               std::vector<std::byte>& buffer, std::mutex& mutex, ReadResult& result) {
    const v1::VoxelType type = volume.spec.type();
    const Shape5 shape = *ToShape(volume.spec.shape(), type, "shape");
    const absl::StatusOr<uint32_t> crc = Crc32cOfBox(file, shape, type, box.box, buffer);
    const int64_t bytes = box.box.box.shape.voxels() * BytesPerVoxel(type);
    std::lock_guard lock(mutex);
    ++inspection_.boxes;
    inspection_.bytes += bytes;
    told_bytes_ += bytes;
    if (told_bytes_ >= kProgressBytes) {
      told_bytes_ = 0;
      options_.progress(inspection_.bytes, total_bytes_);
    }
    // What lies behind the end of the file is not unreadable, but gone.
    const bool cut_off = size < VolumeBytes(shape, type);
    if (crc.ok() ? *crc != box.crc32c : cut_off) {
      result.damaged.push_back(box.box);
    } else if (!crc.ok() && result.unreadable++ == 0) {
      result.failure = crc.status();
    }
  }

  void CheckLeftovers(const std::set<std::string>& known, const std::set<fs::path>& present) {
    for (const fs::path& path : present) {
      if (path.extension() != ".raw" || known.contains(path.stem().string())) continue;
      Add("file-orphan", path, "the file belongs to no volume",
          "The next start of the server, or `--repair`, removes it.", Mend::kNextStart);
    }
    const fs::path scratch = options_.directory / "scratch";
    const auto leftovers = files_.List(scratch);
    if (!leftovers.ok() || leftovers->empty()) return;
    Add("scratch-left", scratch,
        fmt::format("{} scratch files are left of tasks that were under way", leftovers->size()),
        "The next start of the server, or `--repair`, removes them.", Mend::kNextStart);
  }

  const SpoolCheckOptions& options_;
  Store& store_;
  FileSystem& files_;
  Inspection& inspection_;
  int64_t total_bytes_ = 0;
  int64_t told_bytes_ = 0;  // read since progress was told last
};

}  // namespace

absl::Status CheckSpool(const SpoolCheckOptions& options, Store& store, FileSystem& files, Inspection& inspection) {
  return SpoolCheck(options, store, files, inspection).Run();
}

}  // namespace deconvoy::server
