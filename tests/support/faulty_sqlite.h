// SQLite's files under the rules of a FaultyFileSystem: the n-th operation on them fails, and a power cut takes what
// was not synced.
//
// The locks between processes and the index of the log, which lies in shared memory, are the real ones; only that this
// memory is given counts as an operation.
#pragma once

#include <memory>
#include <string>

#include "tests/support/faulty_file_system.h"

namespace deconvoy::testing {

// As thread safe as SQLite's own virtual file system.
class FaultySqlite {
 public:
  // A virtual file system for Database::Open and those above it. `rules` must outlive this, and every database opened
  // through it must be closed before this goes.
  explicit FaultySqlite(FaultyFileSystem& rules);
  ~FaultySqlite();
  FaultySqlite(const FaultySqlite&) = delete;
  FaultySqlite& operator=(const FaultySqlite&) = delete;

  const std::string& name() const;  // by which SQLite knows it, of this one alone

 private:
  struct Vfs;
  const std::unique_ptr<Vfs> vfs_;
};

}  // namespace deconvoy::testing
