// The project's own files, as the tests of the layout look at them.
//
// Paths are relative to the root, with `/`, sorted. Build folders and what .gitignore names are left out.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace deconvoy::layout {

// Files under the folder `under` (empty: everywhere) whose names end with one of `endings`.
std::vector<std::string> Files(std::string_view under, const std::vector<std::string>& endings);

// Sources and headers of all rooms, tests included.
std::vector<std::string> CodeFiles();

// Names in the root folder, without those that .gitignore names.
std::vector<std::string> TopLevel();

std::string Read(std::string_view path);
bool Exists(std::string_view path);

// Lines without their ends.
std::vector<std::string> Lines(std::string_view text);

// An #include of a file.
struct Include {
  std::string file;  // where it stands
  int line = 0;
  std::string target;  // what stands between the quotes or angle brackets
  bool quoted = false;
};
std::vector<Include> IncludesOf(const std::string& file);

// Folder of a path, empty for the root; and the path without its last ending.
std::string FolderOf(std::string_view path);
std::string WithoutEnding(std::string_view path);

}  // namespace deconvoy::layout
