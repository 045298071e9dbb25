# Writes SOURCE, which implements worker/pipeline/revision.h, with the revision of the project in FOLDER; leaves one that says the same.
#   cmake -D FOLDER=FOLDER -D SOURCE=FILE -P Revision.cmake
cmake_minimum_required(VERSION 3.25)
set(revision "")
if(EXISTS "${FOLDER}/.git")
  execute_process(COMMAND git -C "${FOLDER}" describe --always --dirty --abbrev=12 "--exclude=*"
                  OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed STREQUAL "0")
    set(revision "+${found}")
  endif()
endif()
file(CONFIGURE OUTPUT "${SOURCE}" @ONLY CONTENT [[
#include "worker/pipeline/revision.h"

namespace deconvoy::worker {

std::string_view SourceRevision() {
  return "@revision@";
}

}  // namespace deconvoy::worker
]])
