// What a job was asked to do, for people.
#pragma once

#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {

// Every field of the work in groups, each a heading with indented lines: "method: rl", "  iterations: 30", ...
std::vector<std::string> SpecLines(const v1::JobSpec& spec);

}  // namespace deconvoy::client
