# Language level, output folders, sanitizers and warnings for the project's own code.
option(DECONVOY_TESTS "Build tests and benchmarks" ON)
set(DECONVOY_SANITIZE "" CACHE STRING "Sanitizers to build with: empty, `address,undefined` or `thread`")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# So that a bundle holds once what several programs have in common: the wire contract, and the code for GPUs. The programs
# look for these libraries in ../lib, as those of a bundle lie.
option(DECONVOY_SHARED "Share what programs have in common as libraries, and leave out what none of them calls" OFF)
set(DECONVOY_COMMON STATIC)
if(DECONVOY_SHARED)
  set(DECONVOY_COMMON SHARED)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
  set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-ffunction-sections;-fdata-sections;-fno-semantic-interposition>")
  add_link_options(-Wl,--gc-sections)
endif()

if(DECONVOY_SANITIZE)
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${DECONVOY_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
  add_link_options(-fsanitize=${DECONVOY_SANITIZE})
endif()

add_library(deconvoy_warnings INTERFACE)
target_compile_options(deconvoy_warnings INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wno-sign-conversion;-Wnon-virtual-dtor;-Woverloaded-virtual;-Werror>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>")
