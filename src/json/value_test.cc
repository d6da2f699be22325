// SPDX-License-Identifier: Apache-2.0
#include "json/value.h"

#include <gtest/gtest.h>

namespace avow::json {
namespace {

TEST(Value, ACopyDoesNotSeeLaterChanges) {
  Value first = Object{{"a", Array{1, 2}}};
  const Value copy = first;
  first.mutable_object().find("a")->push_back(3);
  first.set("b", true);
  EXPECT_EQ(copy, (Value(Object{{"a", Array{1, 2}}})));
  EXPECT_EQ(first, (Value(Object{{"b", true}, {"a", Array{1, 2, 3}}})));
}

TEST(Value, NumbersAreEqualByValueAndKeepTheirNormalForm) {
  EXPECT_TRUE(Value::number(5.0).is_int());
  EXPECT_TRUE(Value::number(-0.0).is_int());
  EXPECT_TRUE(Value::number(0x1p60).is_double());
  EXPECT_FALSE(Value(1) == Value(true));
  EXPECT_FALSE(Value(0) == Value());
  EXPECT_FALSE(Value("1") == Value(1));
}

TEST(Object, BehavesTheSameOnBothSidesOfTheIndex) {
  for (std::size_t size : {1U, 4U, 5U, 31U, 32U, 33U, 34U, 100U}) {
    Object object;
    for (std::size_t i = 0; i < size; ++i) EXPECT_TRUE(object.add(std::to_string(i), i));
    EXPECT_FALSE(object.add("0", 7));
    EXPECT_EQ(object.append("0"), nullptr);
    Object copy = object;
    copy.erase("0");
    copy.erase("absent");
    copy.set("new", 1);
    EXPECT_EQ(copy.size(), size);
    EXPECT_EQ(copy.find("0"), nullptr);
    for (std::size_t i = 1; i < size; ++i) {
      ASSERT_NE(copy.find(std::to_string(i)), nullptr) << i << " of " << size;
      EXPECT_EQ(*copy.find(std::to_string(i)), Value(i));
      EXPECT_EQ(*object.find(std::to_string(i)), Value(i));
    }
  }
}

}  // namespace
}  // namespace avow::json
