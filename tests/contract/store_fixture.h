// What the store's contract tests share: the implementations, and records to put into them.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "proto/contract/resource_name.h"
#include "server/store/store.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {

// One way to open a store over files in a folder. Opening the same folder again must find what was kept.
struct StoreKind {
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<Store>>(const std::filesystem::path& folder)> open;
};

inline StoreKind SqliteKind() {
  return {"Sqlite", [](const std::filesystem::path& folder) { return Store::Open(folder / "deconvoy.sqlite"); }};
}

inline void PrintTo(const StoreKind& kind, std::ostream* out) {
  *out << kind.name;
}

class StoreContractTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen() {
    store_.reset();
    ASSERT_OK_AND_ASSIGN(store_, GetParam().open(folder_.path()));
  }

  static absl::Time At(int64_t second) { return absl::FromUnixSeconds(1'700'000'000 + second); }

  static VolumeRecord MakeVolume(const std::string& id, int64_t second = 0, const std::string& owner = "local") {
    VolumeRecord volume{.id = id, .owner = owner, .create_time = At(second)};
    volume.spec.set_display_name(fmt::format("image of {}", id));
    volume.spec.set_type(v1::U16);
    volume.spec.mutable_shape()->set_t(2);
    volume.spec.mutable_shape()->set_c(2);
    volume.spec.mutable_shape()->set_z(4);
    volume.spec.mutable_shape()->set_y(8);
    volume.spec.mutable_shape()->set_x(16);
    return volume;
  }

  static JobRecord MakeJob(const std::string& id, int64_t second = 0, const std::string& owner = "local") {
    JobRecord job{.id = id, .owner = owner, .create_time = At(second)};
    job.job.mutable_spec()->set_display_name(fmt::format("job {}", id));
    job.job.mutable_spec()->mutable_simulate()->set_seed(5);
    return job;
  }

  static TaskRecord MakeTask(const std::string& job_id, int64_t number) {
    return {.job_id = job_id, .number = number, .kind = TaskKind::kTile, .state = TaskState::kReady, .tile = number};
  }

  static v1::JobEvent StateEvent(v1::JobState state) {
    v1::JobEvent event;
    event.set_state(state);
    return event;
  }

  // A box of whole rows of frame t, c.
  static CommittedBox Rows(int64_t t, int64_t c, int64_t z, int64_t y, int64_t rows, uint32_t crc) {
    return {{t, c, {{z, y, 0}, {1, rows, 16}}}, crc};
  }

  const deconvoy::testing::TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

}  // namespace deconvoy::server
