// What a finished job is reported as, for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/cli/console.h"
#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::client {

// Lines about input, result, light, clipping and time of a job that has succeeded, in counts of the file. What was
// found on the way, the PSF's preparation for instance, is among its findings.
std::vector<std::string> JobReport(const v1::Job& job);

// Everything about a job, whatever its state: lines of `deconvoy job`.
std::vector<std::string> JobDetails(const v1::Job& job);

// A time as people here read it.
std::string TimeText(const google::protobuf::Timestamp& time);

// One row of `deconvoy jobs`: name, state, progress, age, display name.
std::vector<std::string> JobRow(const v1::Job& job);

// Rows under a heading, columns aligned, two spaces apart.
std::vector<std::string> Table(const std::vector<std::string>& heading,
                               const std::vector<std::vector<std::string>>& rows);

// Says such a table, or `nothing` where there are no rows.
void SayTable(const Console& console, const std::vector<std::string>& heading,
              const std::vector<std::vector<std::string>>& rows, std::string_view nothing);

}  // namespace deconvoy::client
