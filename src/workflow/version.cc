// SPDX-License-Identifier: Apache-2.0
// Semantic Versioning 2.0.0: section 2, 9-11.
#include <algorithm>
#include <vector>

#include "workflow/definition.h"

namespace avow::workflow {
namespace {

constexpr std::size_t kVersionBytesMax = 64;

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string_view> identifiers(std::string_view text) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto dot = text.find('.');
    out.push_back(text.substr(0, dot));
    if (dot == text.npos) return out;
    text.remove_prefix(dot + 1);
  }
}

bool is_identifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

bool has_leading_zero(std::string_view text) { return text.size() > 1 && text[0] == '0'; }

struct Version {
  std::string_view core;
  std::string_view prerelease;
  bool has_prerelease = false;
  std::string_view build;
  bool has_build = false;
};

Version parts_of(std::string_view text) {
  Version out;
  const auto plus = text.find('+');
  out.has_build = plus != text.npos;
  if (out.has_build) out.build = text.substr(plus + 1);
  text = text.substr(0, plus);
  const auto dash = text.find('-');
  out.has_prerelease = dash != text.npos;
  if (out.has_prerelease) out.prerelease = text.substr(dash + 1);
  out.core = text.substr(0, dash);
  return out;
}

/// Numbers of any length without leading zeros: the longer one is larger.
int compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

int compare_identifiers(std::string_view a, std::string_view b) {
  if (is_number(a) && is_number(b)) return compare_numbers(a, b);
  if (is_number(a) != is_number(b)) return is_number(a) ? -1 : 1;
  return a.compare(b);
}

int compare_lists(std::string_view a, std::string_view b) {
  const auto left = identifiers(a);
  const auto right = identifiers(b);
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    if (const int order = compare_identifiers(left[i], right[i]); order != 0) return order;
  }
  if (left.size() == right.size()) return 0;
  return left.size() < right.size() ? -1 : 1;
}

}  // namespace

bool is_version(std::string_view text) {
  if (text.size() > kVersionBytesMax) return false;
  const Version version = parts_of(text);
  const auto core = identifiers(version.core);
  const bool core_good =
      core.size() == 3 && std::all_of(core.begin(), core.end(), [](std::string_view part) {
        return is_number(part) && !has_leading_zero(part);
      });
  if (!core_good) return false;
  const auto all = [](std::string_view list, auto good) {
    const auto parts = identifiers(list);
    return std::all_of(parts.begin(), parts.end(), good);
  };
  if (version.has_build && !all(version.build, is_identifier)) return false;
  return !version.has_prerelease || all(version.prerelease, [](std::string_view part) {
    return is_identifier(part) && !(is_number(part) && has_leading_zero(part));
  });
}

int compare_versions(std::string_view a, std::string_view b) {
  const Version left = parts_of(a);
  const Version right = parts_of(b);
  if (const int order = compare_lists(left.core, right.core); order != 0) return order;
  if (left.has_prerelease != right.has_prerelease) return left.has_prerelease ? -1 : 1;
  return left.has_prerelease ? compare_lists(left.prerelease, right.prerelease) : 0;
}

}  // namespace avow::workflow
