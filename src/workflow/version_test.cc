// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "workflow/definition.h"

namespace avow::workflow {
namespace {

TEST(Version, IsWhatSemver2Says) {
  for (const char* good :
       {"0.0.0", "1.0.0", "10.20.30", "1.0.0-alpha", "1.0.0-0.3.7", "1.0.0-x-y.7.z", "1.0.0+001",
        "1.0.0-beta+exp.sha.5114f85", "1.0.0-0A.is.legal", "999999999999999999999.0.0"}) {
    EXPECT_TRUE(is_version(good)) << good;
  }
  for (const char* bad :
       {"", "1", "1.0", "1.0.0.0", "01.0.0", "1.00.0", "v1.0.0", "1.0.0-", "1.0.0+", "1.0.0-01",
        "1.0.0-a..b", "1.0.0-é", "1.0.0 ", "-1.0.0", "1.0.0+a+b"}) {
    EXPECT_FALSE(is_version(bad)) << bad;
  }
  EXPECT_FALSE(is_version("1.0.0-" + std::string(100, 'a')));
}

TEST(Version, OrdersAsSection11Does) {
  // The example of section 11, with numbers that are larger than they look as text.
  const char* ascending[] = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                             "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                             "1.0.0-rc.1",  "1.0.0",         "1.0.9",
                             "1.0.10",      "1.2.0",         "1.10.0",
                             "2.0.0",       "10.0.0",        "99999999999999999999.0.0"};
  for (std::size_t i = 0; i < std::size(ascending); ++i) {
    for (std::size_t j = 0; j < std::size(ascending); ++j) {
      const int order = compare_versions(ascending[i], ascending[j]);
      EXPECT_EQ(order < 0, i < j) << ascending[i] << " " << ascending[j];
      EXPECT_EQ(order > 0, i > j) << ascending[i] << " " << ascending[j];
    }
  }
  EXPECT_EQ(compare_versions("1.0.0+a", "1.0.0+b"), 0);
}

}  // namespace
}  // namespace avow::workflow
