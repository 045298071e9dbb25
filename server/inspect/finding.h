// What is wrong with a state folder, as `deconvoyd --check` tells it and `--repair` mends it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::server {

// What mends a finding.
enum class Mend {
  kNothing,       // no program can
  kNextStart,     // the server does it by itself when it starts
  kReindex,       // the database's indexes are built anew
  kRemoveStrays,  // rows that hang on nothing are removed
  kRaiseTokens,   // the counter goes up to `number`
  kCloseTasks,    // the open tasks of the ended job `id` are cancelled
  kRemoveVolume,  // the record of the volume `id` is removed
  kResizeFile,    // the file of the volume `id` gets `number` bytes
  kDropBoxes,     // `boxes` of the volume `id` count as missing; its bytes are counted anew
  kRedoTasks,     // `tasks` of the job `id` are done again
  kFailJob,       // the job `id` fails, with the problem as its reason
};

struct Finding {
  std::string kind;            // such as `box-damaged`; docs/operations.md lists them
  std::string subject;         // resource name, or what part of the folder
  std::filesystem::path path;  // the file it is about
  std::string problem;         // a sentence without its end
  std::string remedy;          // what is to be done, and by whom
  Mend mend = Mend::kNothing;

  // What mending needs to know.
  std::string id = {};
  int64_t number = 0;
  std::vector<FrameBox> boxes = {};
  std::vector<int64_t> tasks = {};
};

// All that was found, and how much was looked at.
struct Inspection {
  std::vector<Finding> findings = {};
  int64_t volumes = 0;
  int64_t boxes = 0;  // whose bytes were compared with their CRC-32C
  int64_t bytes = 0;  // of them
  int64_t jobs = 0;

  // Whether nothing is wrong but what the next start puts in order.
  bool sound() const {
    for (const Finding& finding : findings) {
      if (finding.mend != Mend::kNextStart) return false;
    }
    return true;
  }
};

}  // namespace deconvoy::server
