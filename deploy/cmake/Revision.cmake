# Writes HEADER with the revision of the sources in SOURCE, after a `+`, where git knows it; leaves a header that says the same as it is.
#   cmake -D SOURCE=FOLDER -D HEADER=FILE -P Revision.cmake
set(revision "")
if(EXISTS "${SOURCE}/.git")
  execute_process(COMMAND git -C "${SOURCE}" describe --always --dirty --abbrev=12 "--exclude=*"
                  OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed STREQUAL "0")
    set(revision "+${found}")
  endif()
endif()
file(CONFIGURE OUTPUT "${HEADER}" CONTENT "#pragma once\n#define DECONVOY_REVISION \"@revision@\"\n" @ONLY)
