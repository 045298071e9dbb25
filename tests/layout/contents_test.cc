// What lies where, how long it is, and whether the pages' links lead somewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/layout/source_tree.h"

namespace deconvoy::layout {
namespace {

constexpr size_t kLongestSource = 500;

TEST(TopLevel, HoldsWhatTheLayoutSays) {
  const std::set<std::string> allowed{"CMakeLists.txt", "CMakePresets.json",
                                      "LICENSE",        "README.md",
                                      "client",         "deploy",
                                      "docs",           "proto",
                                      "server",         "tests",
                                      "worker"};
  std::set<std::string> found;
  for (const std::string& name : TopLevel()) {
    if (name.starts_with('.')) continue;
    found.insert(name);
    EXPECT_TRUE(allowed.contains(name)) << name
                                        << " does not belong into the root. Put it into the room it is about, or, "
                                           "if it is made by a tool, name it in .gitignore.";
  }
  for (const std::string& name : allowed) EXPECT_TRUE(found.contains(name)) << name << " is missing from the root.";
}

TEST(Sources, AreNotTooLong) {
  for (const std::string& file : CodeFiles()) {
    const size_t lines = Lines(Read(file)).size();
    EXPECT_LE(lines, kLongestSource) << file << " has " << lines
                                     << " lines. Split it by concern: no source has more than " << kLongestSource
                                     << ".";
  }
}

TEST(Sources, HaveNoLeftovers) {
  // Put together here so that this file does not find itself.
  const std::regex leftover(std::string("\\b(TO") + "DO|FIX" + "ME|X" + "XX)\\b");
  for (const std::string& file : CodeFiles()) {
    int number = 0;
    for (const std::string& line : Lines(Read(file))) {
      ++number;
      EXPECT_FALSE(std::regex_search(line, leftover))
          << file << ":" << number << ": do it, or write an issue: " << line;
    }
  }
}

// --- Pages ---

std::vector<std::string> Pages() {
  std::vector<std::string> pages = Files("docs", {".md"});
  pages.push_back("README.md");
  return pages;
}

// Text of a page without code blocks and inline code.
std::string Prose(const std::string& page) {
  static const std::regex kFence("(^|\n)```[^]*?\n```"), kInline("`[^`\n]*`");
  return std::regex_replace(std::regex_replace(Read(page), kFence, "\n"), kInline, "");
}

// The names under which the headings of a page can be linked to.
std::set<std::string> Anchors(const std::string& page) {
  std::set<std::string> anchors;
  bool in_code = false;
  for (const std::string& line : Lines(Read(page))) {
    if (line.starts_with("```")) in_code = !in_code;
    if (in_code || !line.starts_with('#')) continue;
    std::string anchor;
    for (const char c : line.substr(std::min(line.size(), line.find_first_not_of("# ")))) {
      const auto byte = static_cast<unsigned char>(c);
      if (std::isalnum(byte) || byte >= 0x80 || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(byte));
      if (c == ' ') anchor += '-';
    }
    anchors.insert(anchor);
  }
  return anchors;
}

std::string Resolve(const std::string& page, const std::string& target) {
  return (std::filesystem::path(FolderOf(page)) / target).lexically_normal().generic_string();
}

TEST(Pages, LinksLeadSomewhere) {
  static const std::regex kLink(R"(\]\(\s*<?([^)\s>]+)>?[^)]*\))");
  int checked = 0;
  for (const std::string& page : Pages()) {
    const std::string prose = Prose(page);
    for (auto at = std::sregex_iterator(prose.begin(), prose.end(), kLink); at != std::sregex_iterator(); ++at) {
      const std::string link = (*at)[1];
      if (link.find("://") != std::string::npos || link.starts_with("mailto:")) continue;
      ++checked;
      const std::string file = link.substr(0, link.find('#'));
      const std::string target = file.empty() ? page : Resolve(page, file);
      EXPECT_TRUE(Exists(target)) << page << " links to " << link << ", which is not there. Correct the link.";
      if (link.find('#') == std::string::npos || !target.ends_with(".md") || !Exists(target)) continue;
      EXPECT_TRUE(Anchors(target).contains(link.substr(link.find('#') + 1)))
          << page << " links to " << link << ", but " << target << " has no such heading.";
    }
  }
  EXPECT_GT(checked, 0) << "no links found: the pattern of this test no longer fits the pages";
}

TEST(Pages, AreReachedFromTheIndex) {
  const std::string index = "docs/index.md";
  ASSERT_TRUE(Exists(index));
  std::set<std::string> reached;
  std::vector<std::string> open{index};
  static const std::regex kLink(R"(\]\(\s*<?([^)\s>#]+)[^)]*\))");
  while (!open.empty()) {
    const std::string page = open.back();
    open.pop_back();
    if (!reached.insert(page).second || !page.ends_with(".md") || !Exists(page)) continue;
    const std::string prose = Prose(page);
    for (auto at = std::sregex_iterator(prose.begin(), prose.end(), kLink); at != std::sregex_iterator(); ++at) {
      open.push_back(Resolve(page, (*at)[1]));
    }
  }
  for (const std::string& page : Files("docs", {".md"})) {
    EXPECT_TRUE(reached.contains(page)) << page << " cannot be found from docs/index.md. Link to it.";
  }
}

}  // namespace
}  // namespace deconvoy::layout
