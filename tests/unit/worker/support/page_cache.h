// Whether a file lies in the system's cache.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace deconvoy::worker::testing {

// Whether any of its pages does.
inline bool IsInCache(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  ::fstat(file, &status);
  const auto bytes = static_cast<size_t>(status.st_size);
  void* pages = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file, 0);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> resident((bytes + page - 1) / page);
  ::mincore(pages, bytes, resident.data());
  ::munmap(pages, bytes);
  ::close(file);
  for (const unsigned char flags : resident) {
    if ((flags & 1U) != 0) return true;
  }
  return false;
}

// False where that cannot be done, as on a file system that lives in memory.
inline bool DropFromCache(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ::fsync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
  return !IsInCache(path);
}

}  // namespace deconvoy::worker::testing
