// SPDX-License-Identifier: Apache-2.0
#include "json/schema/uri.h"

#include <charconv>

namespace avow::json::schema {
namespace {

/// The five parts of RFC 3986, section 3, each with the delimiter that makes it present.
struct Parts {
  std::string_view scheme;     // "http:"
  std::string_view authority;  // "//host"
  std::string_view path;
  std::string_view query;     // "?q"
  std::string_view fragment;  // "#f"
};

/// Takes from the front of `text` what stands before the first of `stops`.
std::string_view take_until(std::string_view& text, std::string_view stops) {
  const std::string_view taken = text.substr(0, text.find_first_of(stops));
  text.remove_prefix(taken.size());
  return taken;
}

bool is_letter(char c) { return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z'); }

bool is_scheme(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return false;
  for (const char c : text) {
    const bool is_digit = '0' <= c && c <= '9';
    if (!is_letter(c) && !is_digit && c != '+' && c != '-' && c != '.') return false;
  }
  return true;
}

Parts split(std::string_view uri) {
  Parts parts;
  const std::size_t colon = uri.find(':');
  if (colon != std::string_view::npos && is_scheme(uri.substr(0, colon))) {
    parts.scheme = uri.substr(0, colon + 1);
    uri.remove_prefix(colon + 1);
  }
  if (uri.starts_with("//")) {
    parts.authority = uri.substr(0, uri.find_first_of("/?#", 2));
    uri.remove_prefix(parts.authority.size());
  }
  parts.path = take_until(uri, "?#");
  parts.query = take_until(uri, "#");
  parts.fragment = uri;
  return parts;
}

/// Section 5.2.4.
std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    if (path.starts_with("../")) {
      path.remove_prefix(3);
    } else if (path.starts_with("./")) {
      path.remove_prefix(2);
    } else if (path.starts_with("/./")) {
      path.remove_prefix(2);
    } else if (path == "/.") {
      path = "/";
    } else if (path.starts_with("/../") || path == "/..") {
      path = path.size() == 3 ? "/" : path.substr(3);
      out.resize(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
    } else if (path == "." || path == "..") {
      path = {};
    } else {
      const std::string_view segment = path.substr(0, path.find('/', 1));
      out += segment;
      path.remove_prefix(segment.size());
    }
  }
  return out;
}

/// Section 5.2.3.
std::string merged(const Parts& base, std::string_view path) {
  if (!base.authority.empty() && base.path.empty()) return "/" + std::string(path);
  const std::size_t slash = base.path.rfind('/');
  std::string out(slash == std::string_view::npos ? std::string_view()
                                                  : base.path.substr(0, slash + 1));
  return out.append(path);
}

std::string joined(std::string_view scheme, std::string_view authority, std::string_view path,
                   std::string_view query, std::string_view fragment) {
  std::string out(scheme);
  return out.append(authority).append(path).append(query).append(fragment);
}

}  // namespace

std::string resolve_reference(std::string_view base, std::string_view reference) {
  const Parts from = split(base);
  const Parts to = split(reference);
  if (!to.scheme.empty() || !to.authority.empty()) {
    return joined(to.scheme.empty() ? from.scheme : to.scheme, to.authority, without_dots(to.path),
                  to.query, to.fragment);
  }
  if (to.path.empty()) {
    return joined(from.scheme, from.authority, from.path, to.query.empty() ? from.query : to.query,
                  to.fragment);
  }
  const std::string path = to.path.starts_with('/') ? std::string(to.path) : merged(from, to.path);
  return joined(from.scheme, from.authority, without_dots(path), to.query, to.fragment);
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned byte = 0;
    const char* end = digits.data() + digits.size();
    if (digits.size() < 2 || std::from_chars(digits.data(), end, byte, 16).ptr != end)
      return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

}  // namespace avow::json::schema
