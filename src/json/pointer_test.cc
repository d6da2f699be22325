// SPDX-License-Identifier: Apache-2.0
#include "json/pointer.h"

#include <gtest/gtest.h>

#include "json/parse.h"
#include "json/write.h"

namespace avow::json {
namespace {

// RFC 6901, section 5.
TEST(Pointer, FindsWhatRfc6901Says) {
  const auto document = parse(
      R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8})");
  ASSERT_TRUE(document);
  EXPECT_EQ(at(*document, ""), &*document);
  EXPECT_EQ(*at(*document, "/foo"), (Array{"bar", "baz"}));
  EXPECT_EQ(*at(*document, "/foo/0"), "bar");
  const char* pointers[] = {"/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n"};
  for (int i = 0; i < 9; ++i) EXPECT_EQ(*at(*document, pointers[i]), i) << pointers[i];
}

TEST(Pointer, FindsNothingWhereNothingIsOrThePointerIsIllFormed) {
  const auto document = parse(R"({"a":[1,2],"b":"x"})");
  ASSERT_TRUE(document);
  for (const char* pointer : {"a", "/c", "/a/2", "/a/-", "/a/01", "/a/+1", "/a/1 ", "/a/", "/b/0",
                              "/~", "/~2", "/a/99999999999999999999"}) {
    EXPECT_EQ(at(*document, pointer), nullptr) << pointer;
  }
}

TEST(Pointer, JoinEscapesWhatTokensUnescape) {
  EXPECT_EQ(join("/a", "b/c~d"), "/a/b~1c~0d");
  EXPECT_EQ(join("", std::size_t{7}), "/7");
  const auto found = tokens(join(join("", "~1"), ""));
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (std::vector<std::string>{"~1", ""}));
  EXPECT_EQ(tokens("a").error().code, Code::kInvalidArgument);
  EXPECT_EQ(tokens("/~").error().code, Code::kInvalidArgument);
}

TEST(Pointer, ReplaceChangesTheValueButNoCopyOfIt) {
  Value document = *parse(R"({"a":[1,{"b":2}]})");
  const Value before = document;
  ASSERT_TRUE(replace(document, "/a/1/b", "new"));
  EXPECT_EQ(write(document), R"({"a":[1,{"b":"new"}]})");
  EXPECT_EQ(write(before), R"({"a":[1,{"b":2}]})");
  EXPECT_EQ(replace(document, "/a/2", 1).error().code, Code::kNotFound);
  EXPECT_EQ(replace(document, "a", 1).error().code, Code::kInvalidArgument);
  ASSERT_TRUE(replace(document, "", 1));
  EXPECT_EQ(document, 1);
}

}  // namespace
}  // namespace avow::json
