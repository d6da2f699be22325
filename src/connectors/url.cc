// SPDX-License-Identifier: Apache-2.0
#include "connectors/url.h"

#include <charconv>

#include "net/address.h"
#include "net/http.h"
#include "net/percent.h"

namespace avow::connectors {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_uri_character(char c) {
  return is_letter_or_digit(c) ||
         std::string_view("-._~:/?[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
}

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.front() == '.' || host.front() == '-') return false;
  if (host.find("..") != std::string_view::npos) return false;
  for (const char c : host) {
    if (!is_letter_or_digit(c) && c != '-' && c != '.' && c != '_') return false;
  }
  return true;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// Splits "host:port" or "[v6]:port" and sets both in `url`.
Result<void> read_authority(std::string_view authority, Url& url) {
  if (authority.find('@') != std::string_view::npos) {
    return failure(Code::kInvalidArgument, "a URL must not hold a user or password");
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos)
      return failure(Code::kInvalidArgument, "\"[\" without \"]\"");
    const auto address = net::IpAddress::parse(authority.substr(1, end - 1));
    if (!address) return failure(Code::kInvalidArgument, "the host in brackets is no IPv6 address");
    url.host = lower(authority.substr(1, end - 1));
    port = authority.substr(end + 1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    if (!is_host_name(authority.substr(0, colon))) {
      return failure(Code::kInvalidArgument, "the URL has no valid host name");
    }
    url.host = lower(authority.substr(0, colon));
    port = authority.substr(colon);
  }
  if (port.empty()) return {};
  const char* const end = port.data() + port.size();
  const auto [rest, error] = std::from_chars(port.data() + 1, end, url.port);
  if (port.front() != ':' || error != std::errc() || rest != end || url.port == 0) {
    return failure(Code::kInvalidArgument, "the port must be a number from 1 to 65535");
  }
  return {};
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kUrlBytesMax) {
    return failure(Code::kInvalidArgument, "the URL is longer than {} bytes", kUrlBytesMax);
  }
  const std::size_t colon = text.find("://");
  const std::string_view scheme = text.substr(0, std::min(colon, text.size()));
  Url url;
  url.is_https = net::equal_ignoring_case(scheme, "https");
  if (colon == std::string_view::npos ||
      (!url.is_https && !net::equal_ignoring_case(scheme, "http"))) {
    return failure(Code::kInvalidArgument, "a URL must begin with https:// or http://");
  }
  url.port = url.is_https ? 443 : 80;
  const std::string_view rest = text.substr(colon + 3);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (!is_uri_character(rest[i])) {
      return failure(
          Code::kInvalidArgument,
          "character {} behind \"://\" must not stand in a URL unencoded (no fragment, no spaces)",
          i + 1);
    }
  }
  if (!net::percent_decode(rest)) {
    return failure(Code::kInvalidArgument, "\"%\" without two hexadecimal digits in the URL");
  }
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  RETURN_IF_ERROR(read_authority(rest.substr(0, authority_end), url));
  url.target = rest.substr(authority_end);
  return url;
}

bool has_dot_segment(std::string_view target) {
  std::string_view path = target.substr(0, target.find('?'));
  while (!path.empty()) {
    path.remove_prefix(1);  // the "/"
    const std::size_t end = std::min(path.find('/'), path.size());
    const auto segment = net::percent_decode(path.substr(0, end));
    if (segment && (*segment == "." || *segment == "..")) return true;
    path.remove_prefix(end);
  }
  return false;
}

}  // namespace avow::connectors
