// proto -> contract -> {server, worker, client}: who may include whom, and which library is used where.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/layout/source_tree.h"

namespace deconvoy::layout {
namespace {

bool StartsWithOneOf(const std::string& text, const std::vector<std::string>& starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&text](const std::string& start) { return text.starts_with(start); });
}

std::vector<Include> ProgramIncludes() {
  std::vector<Include> all;
  for (const std::string& file : CodeFiles()) {
    if (file.starts_with("tests/")) continue;
    const std::vector<Include> includes = IncludesOf(file);
    all.insert(all.end(), includes.begin(), includes.end());
  }
  return all;
}

// --- Rooms ---

struct SideRule {
  std::string side;
  std::vector<std::string> may_include;  // of the project's own folders
};

// client/imageio is a leaf on the contract alone and also serves the worker's reading and writing of files.
const std::vector<SideRule> kSides{
    {"proto/contract/", {"proto/contract/"}},
    {"server/", {"proto/contract/", "server/"}},
    {"worker/", {"proto/contract/", "worker/", "client/imageio/"}},
    {"client/imageio/", {"proto/contract/", "client/imageio/"}},
    {"client/", {"proto/contract/", "client/"}},
};

TEST(Layering, SidesIncludeOnlyWhatTheyMay) {
  int checked = 0;
  for (const Include& include : ProgramIncludes()) {
    if (!StartsWithOneOf(include.target, {"proto/", "server/", "worker/", "client/", "tests/"})) continue;
    ++checked;
    const auto rule = std::find_if(kSides.begin(), kSides.end(),
                                   [&include](const SideRule& side) { return include.file.starts_with(side.side); });
    ASSERT_NE(rule, kSides.end()) << include.file;
    EXPECT_TRUE(StartsWithOneOf(include.target, rule->may_include))
        << include.file << ":" << include.line << " includes " << include.target << ". " << rule->side
        << " may include only the contract and itself (docs/architecture.md). Move what both sides need to "
           "proto/contract "
           "if two processes must compute it alike; else pass it in.";
  }
  EXPECT_GT(checked, 100) << "no includes found: the pattern of this test no longer fits the sources";
}

// server/jobs and worker/backends are rooms; the files right under server/ are the program.
std::string RoomOf(const std::string& path) {
  const size_t first = path.find('/');
  const size_t second = path.find('/', first + 1);
  return second == std::string::npos ? "" : path.substr(0, second);
}

TEST(Layering, RoomsFormNoCycle) {
  std::map<std::string, std::set<std::string>> uses;
  for (const Include& include : ProgramIncludes()) {
    const std::string from = RoomOf(include.file), to = RoomOf(include.target);
    if (include.quoted && !from.empty() && StartsWithOneOf(to, {"server/", "worker/", "client/"}) && from != to) {
      uses[from].insert(to);
    }
  }
  ASSERT_FALSE(uses.empty());
  std::vector<std::string> path;
  std::set<std::string> done;
  const std::function<void(const std::string&)> visit = [&](const std::string& room) {
    if (done.contains(room)) return;
    const auto seen = std::find(path.begin(), path.end(), room);
    if (seen != path.end()) {
      std::string cycle;
      for (auto at = seen; at != path.end(); ++at) cycle += *at + " -> ";
      ADD_FAILURE() << "rooms include each other: " << cycle << room
                    << ". Let the lower one know an interface instead.";
      return;
    }
    path.push_back(room);
    for (const std::string& next : uses[room]) visit(next);
    path.pop_back();
    done.insert(room);
  };
  std::vector<std::string> rooms;
  for (const auto& [room, targets] : uses) rooms.push_back(room);
  for (const std::string& room : rooms) visit(room);
}

// --- Libraries ---

struct LibraryRule {
  std::string name;
  std::string includes;              // pattern of its headers
  std::vector<std::string> allowed;  // where they may be included
};

const std::vector<LibraryRule> kLibraries{
    {"gRPC", R"((grpc|grpcpp)/.*|.*\.grpc\.pb\.h)", {"server/api/", "worker/session/", "client/cpp/"}},
    {"FFTW", R"(fftw3.*)", {"worker/backends/cpu/"}},
    {"hwloc", R"(hwloc.*)", {"worker/backends/cpu/"}},
    {"CUDA", R"((cuda|cufft|cub/|thrust/|nvml).*)", {"worker/backends/cuda/"}},
    {"LibTorch", R"((torch|ATen|c10)/.*)", {"worker/learned/"}},
    {"libseccomp", R"(seccomp\.h)", {"worker/learned/"}},
    {"yaml-cpp", R"(yaml-cpp/.*)", {"worker/learned/"}},
    {"SQLite", R"(sqlite3.*\.h)", {"server/store/"}},
    {"libtiff", R"(tiff(io|vers|conf)?\.h)", {"client/imageio/"}},
};

TEST(Layering, LibrariesStayInTheirRooms) {
  std::set<std::string> seen;
  for (const Include& include : ProgramIncludes()) {
    for (const LibraryRule& rule : kLibraries) {
      if (!std::regex_match(include.target, std::regex(rule.includes))) continue;
      seen.insert(rule.name);
      EXPECT_TRUE(StartsWithOneOf(include.file, rule.allowed))
          << include.file << ":" << include.line << " includes " << include.target << ". " << rule.name
          << " is used only in " << rule.allowed.front()
          << (rule.allowed.size() > 1 ? " and the other rooms named in tests/layout/layering_test.cc" : "")
          << "; use that room's interface.";
    }
  }
  for (const char* library : {"gRPC", "FFTW", "CUDA", "LibTorch", "SQLite", "libtiff"}) {
    EXPECT_TRUE(seen.contains(library)) << library << " is included nowhere: its pattern no longer fits";
  }
}

// What a library target may link to follows from the same rules: headers come with it.
TEST(Layering, LibrariesAreLinkedInTheirRooms) {
  const std::vector<LibraryRule> links{
      {"gRPC", R"(deconvoy_services|gRPC::\S+)", {"proto/", "server/api/", "worker/session/", "client/cpp/"}},
      {"FFTW", R"(PkgConfig::FFTW3F)", {"worker/backends/cpu/"}},
      {"CUDA", R"(CUDA::\S+)", {"worker/backends/cuda/"}},
      {"LibTorch", R"(deconvoy_torch|TORCH_LIBRARIES)", {"worker/learned/"}},
      {"SQLite", R"(SQLite::SQLite3)", {"server/store/"}},
      {"libtiff", R"(TIFF::TIFF)", {"client/imageio/"}},
  };
  for (const std::string& list : Files("", {"CMakeLists.txt"})) {
    if (list.starts_with("tests/")) continue;
    const std::string text = Read(list);
    for (const LibraryRule& rule : links) {
      if (!std::regex_search(text, std::regex(rule.includes))) continue;
      EXPECT_TRUE(StartsWithOneOf(list, rule.allowed)) << list << " links " << rule.name << ", which belongs in "
                                                       << rule.allowed.back() << "; link that room instead.";
    }
  }
}

// --- Form of includes ---

TEST(Includes, AreRelativeToTheRoot) {
  for (const std::string& file : CodeFiles()) {
    for (const Include& include : IncludesOf(file)) {
      if (!include.quoted || include.target.starts_with("deconvoy/v1/")) continue;
      EXPECT_TRUE(Exists(include.target)) << file << ":" << include.line << " includes \"" << include.target
                                          << "\", which is no path from the root. Write the whole path from the root; "
                                             "use <> for other libraries.";
    }
  }
}

// A source includes its own header first: that the header compiles alone is then shown by compiling the source.
TEST(Includes, OwnHeaderComesFirst) {
  for (const std::string& file : CodeFiles()) {
    if (!file.ends_with(".cc")) continue;
    const std::string own = WithoutEnding(file) + ".h";
    if (!Exists(own)) continue;
    const std::vector<Include> includes = IncludesOf(file);
    EXPECT_TRUE(!includes.empty() && includes.front().target == own)
        << file << " must include \"" << own << "\" before anything else, so that the header proves to compile alone.";
  }
}

TEST(Includes, EveryHeaderIsIncludedOnce) {
  for (const std::string& file : CodeFiles()) {
    if (!file.ends_with(".h") && !file.ends_with(".cuh")) continue;
    const std::vector<std::string> lines = Lines(Read(file));
    EXPECT_NE(std::find(lines.begin(), lines.end(), "#pragma once"), lines.end()) << file << " lacks #pragma once.";
  }
}

}  // namespace
}  // namespace deconvoy::layout
