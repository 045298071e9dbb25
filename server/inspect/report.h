// An inspection as people and programs read it.
#pragma once

#include <string>

#include "server/inspect/finding.h"

namespace deconvoy::server {

// Each finding with what to do, and a last line that says how much was looked at and whether it is sound. Text from
// outside is escaped.
std::string ToText(const Inspection& inspection);

// One JSON object in one line:
// {"sound": bool, "volumes": n, "boxes": n, "bytes": n, "jobs": n,
//  "findings": [{"kind": "", "subject": "", "path": "", "problem": "", "remedy": "", "repairable": bool}]}
std::string ToJson(const Inspection& inspection);

}  // namespace deconvoy::server
