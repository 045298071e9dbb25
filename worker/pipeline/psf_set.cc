#include "worker/pipeline/psf_set.h"

#include <utility>

#include "proto/contract/status_macros.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/prepare_psf.h"
#include "worker/pipeline/tile_task.h"

namespace deconvoy::worker {
absl::Status PsfSet::Prepare(const v1::Task& task, std::span<const v1::PsfReport* const> reports, VolumeSource& source,
                             Ops& ops) {
  const std::string& volume = TileOf(task)->psf_volume();
  std::string key = volume;
  for (const v1::PsfReport* report : reports) key += ' ' + report->SerializeAsString();
  if (!psfs_.empty() && prepared_ == key) return absl::OkStatus();
  Clear();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* access, FindInput(task, volume));
  std::vector<Psf> psfs;
  for (const v1::PsfReport* report : reports) {
    ASSIGN_OR_RETURN(const PreparedPsf psf, ReadPreparedPsf(source, *access, *report));
    Psf& made = psfs.emplace_back();
    ASSIGN_OR_RETURN(made.otf, ops.MakeOtf(psf.values, psf.shape, psf.centre));
    made.facts = MeasurePsf(psf.values, psf.shape, psf.centre);
  }
  psfs_ = std::move(psfs);
  prepared_ = std::move(key);
  return absl::OkStatus();
}

void PsfSet::Clear() {
  prepared_.clear();
  psfs_.clear();
}

}  // namespace deconvoy::worker
