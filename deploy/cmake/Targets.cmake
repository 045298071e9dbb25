# The three kinds of target in this project. Sources are listed by name; tests/layout checks the lists against the files.

# deconvoy_library(NAME [COMMON] SOURCES ... [PUBLIC ...] [PRIVATE ...])   PUBLIC and PRIVATE name what it links. One that is
# COMMON is shared by programs with DECONVOY_SHARED.
function(deconvoy_library name)
  cmake_parse_arguments(ARG "COMMON" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(kind STATIC)
  if(ARG_COMMON)
    set(kind ${DECONVOY_COMMON})
  endif()
  add_library(${name} ${kind} ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} deconvoy_warnings)
endfunction()

# deconvoy_program(NAME SOURCES ... LINKS ...)
function(deconvoy_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} deconvoy_warnings)
endfunction()

# deconvoy_test(NAME SOURCES ... LINKS ... [LABELS ...] [TIMEOUT seconds])   One GoogleTest program, one CTest entry.
function(deconvoy_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} deconvoy_test_support GTest::gtest GTest::gmock deconvoy_warnings)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}"
                       SKIP_REGULAR_EXPRESSION "ALL TESTS SKIPPED")
endfunction()
