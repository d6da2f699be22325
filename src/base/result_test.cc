// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

#include "base/secret.h"

namespace avow {
namespace {

using Owned = std::unique_ptr<int>;

Result<Owned> half(int n) {
  if (n % 2 != 0) return failure(Code::kInvalidArgument, "{} is odd", n);
  return std::make_unique<int>(n / 2);
}

Result<int> quarter(int n) {
  ASSIGN_OR_RETURN(const Owned once, half(n));
  ASSIGN_OR_RETURN(const Owned twice, half(*once));
  return *twice;
}

Result<void> check_quarters(int first, int second) {
  RETURN_IF_ERROR(quarter(first));
  RETURN_IF_ERROR(quarter(second));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  Result<std::string> value("text");
  EXPECT_TRUE(value);
  EXPECT_EQ(*value, "text");
  EXPECT_EQ(value->size(), 4U);
  const Result<std::string> error = failure(Code::kNotFound, "no run {}", 7);
  EXPECT_FALSE(error);
  EXPECT_EQ(error.error().code, Code::kNotFound);
  EXPECT_EQ(error.error().message, "no run 7");
  EXPECT_TRUE(Result<void>());
  EXPECT_FALSE(Result<void>(failure(Code::kInternal, "x")));
}

TEST(Result, MovesItsValueOutWhenItIsItselfMoved) {
  Owned value = *half(8);
  EXPECT_EQ(*value, 4);
}

TEST(ResultMacros, GoOnWithTheValueOrReturnTheFirstError) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(3).error().message, "3 is odd");
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_TRUE(check_quarters(4, 8));
  EXPECT_EQ(check_quarters(4, 9).error().message, "9 is odd");
  EXPECT_EQ(check_quarters(5, 9).error().message, "5 is odd");
}

TEST(Error, TakesItsContextInFront) {
  const Error error = failure(Code::kUnavailable, "disk full").in("append").in("open store");
  EXPECT_EQ(error.code, Code::kUnavailable);
  EXPECT_EQ(error.message, "open store: append: disk full");
}

TEST(Code, HasANameEachAndThreeAreWorthARetry) {
  int retryable = 0;
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
    const auto code = static_cast<Code>(i);
    retryable += is_retryable(code) ? 1 : 0;
    for (int k = 0; k < i; ++k) EXPECT_STRNE(code_name(code), code_name(static_cast<Code>(k)));
  }
  EXPECT_EQ(retryable, 3);
  EXPECT_FALSE(is_retryable(Code::kOutcomeUnknown)) << "never guess";
  EXPECT_STREQ(code_name(Code::kOutcomeUnknown), "outcome_unknown");
}

TEST(CheckDeathTest, StopsTheProcessWhereAnInvariantFails) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "CHECK failed: 1 \\+ 1 == 3 at .*result_test.cc");
  const Result<int> error = failure(Code::kInternal, "x");
  EXPECT_DEATH(static_cast<void>(*error), "has_value");
  EXPECT_DEATH(static_cast<void>(Result<int>(1).error()), "has_value");
}

TEST(Secret, IsNotPrinted) {
  const Secret secret("hunter2");
  EXPECT_EQ(fmt::format("key {}", secret), "key ***");
  EXPECT_EQ(secret.reveal(), "hunter2");
}

}  // namespace
}  // namespace avow
