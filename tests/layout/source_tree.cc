#include "tests/layout/source_tree.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "tests/support/test_support.h"

namespace deconvoy::layout {
namespace {

namespace fs = std::filesystem;

// Folders and files in the root that git does not keep.
std::vector<std::string> Ignored() {
  std::vector<std::string> names{".git"};
  for (std::string line : Lines(Read(".gitignore"))) {
    while (!line.empty() && (line.back() == '/' || line.back() == ' ')) line.pop_back();
    if (line.starts_with('/')) line.erase(0, 1);
    if (!line.empty() && line.front() != '#') names.push_back(line);
  }
  return names;
}

bool EndsWithOneOf(const std::string& name, const std::vector<std::string>& endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&name](const std::string& ending) { return name.ends_with(ending); });
}

std::string Relative(const fs::path& path) {
  return path.lexically_relative(deconvoy::testing::SourceDir()).generic_string();
}

}  // namespace

std::vector<std::string> Files(std::string_view under, const std::vector<std::string>& endings) {
  const std::vector<std::string> ignored = Ignored();
  std::vector<std::string> files;
  const fs::path root = deconvoy::testing::SourceDir() / under;
  if (!fs::exists(root)) return files;
  for (auto at = fs::recursive_directory_iterator(root); at != fs::recursive_directory_iterator(); ++at) {
    const std::string name = at->path().filename().string();
    if (at->is_directory() && std::find(ignored.begin(), ignored.end(), name) != ignored.end()) {
      at.disable_recursion_pending();
    } else if (at->is_regular_file() && EndsWithOneOf(name, endings)) {
      files.push_back(Relative(at->path()));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> CodeFiles() {
  std::vector<std::string> all;
  for (const char* folder : {"proto/contract", "server", "worker", "client", "tests"}) {
    const std::vector<std::string> files = Files(folder, {".cc", ".h", ".cu", ".cuh"});
    all.insert(all.end(), files.begin(), files.end());
  }
  return all;
}

std::vector<std::string> TopLevel() {
  const std::vector<std::string> ignored = Ignored();
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(deconvoy::testing::SourceDir())) {
    const std::string name = entry.path().filename().string();
    if (std::find(ignored.begin(), ignored.end(), name) == ignored.end()) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Read(std::string_view path) {
  std::ifstream file(deconvoy::testing::SourceDir() / path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool Exists(std::string_view path) {
  return fs::exists(deconvoy::testing::SourceDir() / path);
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<Include> IncludesOf(const std::string& file) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
  std::vector<Include> includes;
  int number = 0;
  for (const std::string& line : Lines(Read(file))) {
    ++number;
    std::smatch match;
    if (!std::regex_match(line, match, kInclude)) continue;
    includes.push_back({.file = file, .line = number, .target = match[2], .quoted = match[1] == "\""});
  }
  return includes;
}

std::string FolderOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

std::string WithoutEnding(std::string_view path) {
  return std::string(path.substr(0, path.rfind('.')));
}

}  // namespace deconvoy::layout
