// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/cron.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "workflow/check/time_zones.h"

namespace avow::workflow {
namespace {

TEST(Cron, TakesFiveFieldsOfTheUsualForms) {
  for (const char* good :
       {"* * * * *", "0 0 1 1 0", "59 23 31 12 7", "*/15 * * * *", "0-30/10 8-18 * * MON-FRI",
        "0,15,30,45 0 1,15 JAN,jul *", "  5  4 * *  sun ", "0 0 29 2 *", "0 0 30 2 MON"}) {
    EXPECT_EQ(check_cron(good), std::nullopt) << good;
  }
}

TEST(Cron, RefusesEverythingElse) {
  for (const char* bad : {"",
                          "* * * *",
                          "* * * * * *",
                          "60 * * * *",
                          "* 24 * * *",
                          "* * 0 * *",
                          "* * 32 * *",
                          "* * * 13 *",
                          "* * * * 8",
                          "*/0 * * * *",
                          "5/2 * * * *",
                          "30-10 * * * *",
                          "1,,2 * * * *",
                          "-1 * * * *",
                          "a * * * *",
                          "MON * * * *",
                          "1- * * * *",
                          "*/ * * * *",
                          "@daily",
                          "0 0 30 2 *",
                          "0 0 31 4,6 *",
                          "1.5 * * * *",
                          "+1 * * * *",
                          "* * * * MON-",
                          "99999999999 * * * *"}) {
    EXPECT_NE(check_cron(bad), std::nullopt) << bad;
  }
  EXPECT_NE(check_cron(std::string(1 << 20, '*')), std::nullopt);
}

TEST(TimeZones, AreSortedAndKnown) {
  EXPECT_TRUE(std::is_sorted(time_zones().begin(), time_zones().end()));
  EXPECT_TRUE(is_time_zone("UTC"));
  EXPECT_TRUE(is_time_zone("America/Argentina/Buenos_Aires"));
  EXPECT_FALSE(is_time_zone("europe/zurich"));
  EXPECT_FALSE(is_time_zone(""));
}

}  // namespace
}  // namespace avow::workflow
