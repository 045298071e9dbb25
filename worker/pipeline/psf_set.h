// The transforms of PSFs that a task is computed with, kept for the next task.
#pragma once

#include <absl/status/status.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "worker/ops/backend.h"
#include "worker/pipeline/task_context.h"
#include "worker/psf/facts.h"

namespace deconvoy::worker {

class PsfSet {
 public:
  // One transform for each report, of the PSFs in the tile's PSF volume; nothing is done where they are those it holds.
  // The others are given back first. REQUIRES: a task on a tile; `ops` is the same as in the call before, or Clear has
  // been called since. Errors: BAD_PSF, those of source and ops.
  absl::Status Prepare(const v1::Task& task, std::span<const v1::PsfReport* const> reports, VolumeSource& source,
                       Ops& ops);
  void Clear();

  const Otf& otf(size_t i) const { return *psfs_[i].otf; }
  const PsfFacts& facts(size_t i) const { return psfs_[i].facts; }

 private:
  struct Psf {
    std::unique_ptr<Otf> otf;
    PsfFacts facts;
  };

  std::string prepared_;  // what `psfs_` are
  std::vector<Psf> psfs_;
};

}  // namespace deconvoy::worker
