// SPDX-License-Identifier: Apache-2.0
// connectors/url.h: the URLs that calls may go to: a strict subset of RFC 3986, so that what is
// checked here and what libcurl connects to cannot differ. Pure; safe from any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace avow::connectors {

inline constexpr std::size_t kUrlBytesMax = 8 * 1024;

struct Url {
  bool is_https = true;
  std::string host;  ///< Lower case; an IPv6 address without brackets.
  std::uint16_t port = 443;
  std::string target;  ///< Path and query as written: "", "/a?b=c".
};

/// Reads an absolute http or https URL. Refused: user and password, a fragment, characters that RFC
/// 3986 wants encoded, a host with other characters than letters, digits, "-", "_" and ".".
/// Errors: kInvalidArgument  says what is wrong without quoting the URL, which may be content
Result<Url> parse_url(std::string_view text);

/// Whether a path segment of `target` is "." or "..", however encoded: clients would rewrite it.
bool has_dot_segment(std::string_view target);

}  // namespace avow::connectors
