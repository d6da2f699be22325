// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace avow::engine {
namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(ErrorCodes, AreAllInTheDocuments) {
  const std::string page = text_of("docs/errors/README.md");
  const std::regex code(R"re("([A-Z]+(_[A-Z]+)+|TIMEOUT)")re");
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("src/engine")) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".cc") || name.ends_with("_test.cc")) continue;
    const std::string source = text_of(entry.path());
    for (std::sregex_iterator at(source.begin(), source.end(), code), end; at != end; ++at) {
      ++found;
      EXPECT_NE(page.find("`" + (*at)[1].str() + "`"), std::string::npos)
          << (*at)[1] << " of " << name;
    }
  }
  EXPECT_GT(found, 20U);
}

}  // namespace
}  // namespace avow::engine
