// SPDX-License-Identifier: Apache-2.0
// testing/conformance.h: where the vectors that others wrote lie on this machine. Tests only.
// The folder is $AVOW_CONFORMANCE_DIR, else ../shared/conformance from the working directory, which
// CTest sets to the root of the repository. A test that reads it has `Conformance` in its name,
// loops over whatever it finds, and skips itself where the folder is missing:
//   const auto folder = testing::conformance_dir("jcs");
//   if (!folder) GTEST_SKIP() << testing::kNoConformance;
#pragma once
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace avow::testing {

inline constexpr const char* kNoConformance =
    "no vectors: set AVOW_CONFORMANCE_DIR to the folder with the conformance vectors";

/// The folder `sub` of the vectors; nothing if it is not there.
inline std::optional<std::filesystem::path> conformance_dir(std::string_view sub) {
  const char* root = std::getenv("AVOW_CONFORMANCE_DIR");
  std::filesystem::path folder = root != nullptr ? root : "../shared/conformance";
  folder /= sub;
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return std::nullopt;
  return folder;
}

/// The bytes of a file; empty if it cannot be read.
inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The lines of a file without their ends; empty ones are left out.
inline std::vector<std::string> lines_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

/// The regular files under `folder`, at any depth, whose name ends with `ending`, in order of their
/// paths.
inline std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder,
                                                   std::string_view ending) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().string().ends_with(ending)) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace avow::testing
