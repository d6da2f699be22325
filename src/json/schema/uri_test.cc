// SPDX-License-Identifier: Apache-2.0
#include "json/schema/uri.h"

#include <gtest/gtest.h>

namespace avow::json::schema {
namespace {

// RFC 3986, sections 5.4.1 and 5.4.2 (strict).
TEST(Uri, ReferencesResolveAsInRfc3986) {
  const char* cases[][2] = {
      {"g:h", "g:h"},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q#s"},
      {"g#s", "http://a/b/c/g#s"},
      {"g?y#s", "http://a/b/c/g?y#s"},
      {";x", "http://a/b/c/;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y#s"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/../x", "http://a/b/c/g#s/../x"},
      {"http:g", "http:g"},
  };
  for (const auto& [reference, target] : cases) {
    EXPECT_EQ(resolve_reference("http://a/b/c/d;p?q", reference), target) << reference;
  }
}

TEST(Uri, ABaseMayBeEmptyOrAUrn) {
  EXPECT_EQ(resolve_reference("", "#a"), "#a");
  EXPECT_EQ(resolve_reference("", "x.json"), "x.json");
  EXPECT_EQ(resolve_reference("urn:example:a", "#b"), "urn:example:a#b");
  EXPECT_EQ(resolve_reference("http://a", "b"), "http://a/b");
}

TEST(Uri, PercentEscapesAreReadOrRefused) {
  EXPECT_EQ(percent_decoded("a%25b%2f"), "a%b/");
  EXPECT_EQ(percent_decoded("%"), std::nullopt);
  EXPECT_EQ(percent_decoded("%2"), std::nullopt);
  EXPECT_EQ(percent_decoded("%2g"), std::nullopt);
}

}  // namespace
}  // namespace avow::json::schema
