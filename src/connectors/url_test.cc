// SPDX-License-Identifier: Apache-2.0
#include "connectors/url.h"

#include <gtest/gtest.h>

namespace avow::connectors {
namespace {

TEST(Url, IsReadIntoItsParts) {
  const auto url = parse_url("HTTPS://API.Example.com:8443/v1/a%20b?x=1&y=2");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->is_https);
  EXPECT_EQ(url->host, "api.example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/v1/a%20b?x=1&y=2");
}

TEST(Url, HasThePortOfItsScheme) {
  EXPECT_EQ(parse_url("https://h")->port, 443);
  EXPECT_EQ(parse_url("http://h?x=1")->port, 80);
  EXPECT_EQ(parse_url("http://h?x=1")->target, "?x=1");
}

TEST(Url, TakesAnIpv6AddressInBrackets) {
  const auto url = parse_url("http://[::1]:8080/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 8080);
}

TEST(Url, IsRefusedWhereReadersCouldDiffer) {
  for (const char* const text : {"",
                                 "example.com",
                                 "ftp://example.com/",
                                 "https://",
                                 "https:///a",
                                 "//example.com/",
                                 "https://user@example.com/",
                                 "https://user:pass@example.com/",
                                 "https://a@b@c/",
                                 "https://example.com/#f",
                                 "https://example.com/a b",
                                 "https://example.com\\@evil.example/",
                                 "https://example.com/\r\nX: y",
                                 "https://example.com/\xC3\xA4",
                                 "https://ex\xC3\xA4mple.com/",
                                 "https://example.com:0/",
                                 "https://example.com:65536/",
                                 "https://example.com:/",
                                 "https://example.com:80x/",
                                 "https://example.com/%",
                                 "https://example.com/%zz",
                                 "https://exa%6dple.com/",
                                 "https://.example.com/",
                                 "https://a..b/",
                                 "https://[::1/",
                                 "https://[zz]/",
                                 "https://[::1]x/",
                                 "https://-a.example/",
                                 "javascript:alert(1)",
                                 "file:///etc/passwd"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, Code::kInvalidArgument) << text;
  }
}

TEST(Url, IsBoundedInLength) {
  EXPECT_TRUE(parse_url("https://h/" + std::string(kUrlBytesMax - 10, 'a')));
  EXPECT_FALSE(parse_url("https://h/" + std::string(kUrlBytesMax - 9, 'a')));
}

TEST(Url, KnowsDotSegmentsHoweverEncoded) {
  for (const char* const target : {"/.", "/..", "/a/../b", "/a/%2e%2E/b", "/a/.%2e", "/./x?y"}) {
    EXPECT_TRUE(has_dot_segment(target)) << target;
  }
  for (const char* const target : {"", "/", "/a", "/...", "/a.b/..c", "/a?x=/../"}) {
    EXPECT_FALSE(has_dot_segment(target)) << target;
  }
}

}  // namespace
}  // namespace avow::connectors
