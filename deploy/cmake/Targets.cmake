# The three kinds of target in this project. Sources are listed by name; tests/layout checks the lists against the files.

# Most of a compiler's time goes to other people's headers, and to the same templates again in each source
# (docs/decisions/0045-joint-build.md).
option(DECONVOY_JOINT "Compile sources of a library together, and headers of tests beforehand: a third of the time from nothing" ON)

# deconvoy_precompile(TARGET HEADER...)          compiles the headers beforehand for all sources of the target
# deconvoy_precompile(TARGET REUSE_FROM OTHER)   takes those of another target that is compiled with the same options
function(deconvoy_precompile name)
  # Others than GCC refuse what was compiled with any other definition.
  if(DECONVOY_JOINT AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    if(ARGV1 STREQUAL REUSE_FROM)
      target_precompile_headers(${name} ${ARGN})
    else()
      target_precompile_headers(${name} PRIVATE ${ARGN})
    endif()
  endif()
endfunction()

# deconvoy_library(NAME [COMMON] [APART] SOURCES ... [PUBLIC ...] [PRIVATE ...])   PUBLIC and PRIVATE name what it links. One that
# is COMMON is shared by programs with DECONVOY_SHARED. The sources of one that is APART are never compiled together: those of hot
# loops, which should be optimised alike whatever lies beside them, and those that use the same names for different things.
function(deconvoy_library name)
  cmake_parse_arguments(ARG "COMMON;APART" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  set(kind STATIC)
  if(ARG_COMMON)
    set(kind ${DECONVOY_COMMON})
  endif()
  add_library(${name} ${kind} ${ARG_SOURCES})
  # Else those who take its precompiled headers would have to define it, too.
  set_target_properties(${name} PROPERTIES DEFINE_SYMBOL "")
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} deconvoy_warnings)
  if(DECONVOY_JOINT AND NOT ARG_APART)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
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
  # LibTorch's targets define anew what the precompiled headers define; and headers must be optimised as what includes them.
  if(NOT deconvoy_torch IN_LIST ARG_LINKS AND NOT DECONVOY_OPTIMISED_TESTS)
    deconvoy_precompile(${name} REUSE_FROM deconvoy_test_support)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}"
                       SKIP_REGULAR_EXPRESSION "ALL TESTS SKIPPED")
endfunction()
