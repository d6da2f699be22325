// SPDX-License-Identifier: Apache-2.0
#include "server/yaml_section.h"

#include <charconv>
#include <cmath>

#include "base/bytes.h"

namespace avow::server {
namespace {

int line_of(const YAML::Node& node) { return node.Mark().is_null() ? 0 : node.Mark().line + 1; }

/// A number in quotes is text.
bool is_plain(const YAML::Node& node) { return node.Tag() != "!"; }

template <class Number>
std::optional<Number> number_of(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!is_plain(node) || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::string joined(const std::set<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace

Result<YAML::Node> load_yaml(const std::string& text) {
  try {
    YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return YAML::Node(YAML::NodeType::Map);
    if (root.IsMap()) return root;
    return failure(Code::kInvalidArgument, "line {}: the file must be a mapping of settings",
                   line_of(root));
  } catch (const YAML::Exception& error) {
    return failure(Code::kInvalidArgument, "line {}: not YAML: {}", error.mark.line + 1,
                   shown(error.msg));
  }
}

Section::Section(YAML::Node node, std::string path, std::string documented, Findings& findings)
    : node_(std::move(node)),
      path_(std::move(path)),
      documented_(std::move(documented)),
      findings_(&findings) {
  if (!node_.IsMap() && !node_.IsNull()) {
    fault_at(node_, path_, "must be a mapping");
    node_ = YAML::Node();
  }
}

std::string Section::path_of(const std::string& key) const {
  if (key.empty()) return path_;
  return path_.empty() ? key : path_ + "." + key;
}

void Section::fault_at(const YAML::Node& node, std::string_view path, std::string_view message) {
  findings_->faults.push_back({line_of(node), fmt::format("{} {}", path, message)});
}

void Section::fault(const std::string& key, std::string_view message) {
  const auto value = key.empty() ? std::optional(node_) : find(key);
  fault_at(value ? *value : node_, path_of(key), message);
}

std::optional<YAML::Node> Section::find(const std::string& key) {
  if (asked_.insert(key).second) {
    findings_->keys.insert(documented_.empty() ? key : documented_ + "." + key);
  }
  if (!node_.IsMap()) return {};
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar() || entry.first.Scalar() != key) continue;
    if (entry.second.IsNull()) return {};
    return entry.second;
  }
  return {};
}

bool Section::has(const std::string& key) { return find(key).has_value(); }

std::optional<YAML::Node> Section::scalar(const std::string& key, std::string_view wanted) {
  const auto value = find(key);
  if (value && !value->IsScalar()) {
    fault_at(*value, path_of(key), fmt::format("must be {}", wanted));
    return {};
  }
  return value;
}

std::optional<std::string> Section::text(const std::string& key) {
  const auto value = scalar(key, "text");
  if (!value) return {};
  if (value->Scalar().empty()) {
    fault_at(*value, path_of(key), "must not be empty");
    return {};
  }
  return value->Scalar();
}

std::optional<std::int64_t> Section::integer(const std::string& key, std::int64_t min,
                                             std::int64_t max) {
  const std::string wanted = fmt::format("an integer from {} to {}", min, max);
  const auto value = scalar(key, wanted);
  if (!value) return {};
  const auto number = number_of<std::int64_t>(*value);
  if (number && *number >= min && *number <= max) return number;
  fault_at(*value, path_of(key), fmt::format("must be {}", wanted));
  return {};
}

std::optional<bool> Section::flag(const std::string& key) {
  const auto value = scalar(key, "true or false");
  if (!value) return {};
  if (value->Scalar() == "true" || value->Scalar() == "false") return value->Scalar() == "true";
  fault_at(*value, path_of(key), "must be true or false");
  return {};
}

std::optional<double> Section::number(const std::string& key, double min, double max) {
  const std::string wanted = fmt::format("a number from {} to {}", min, max);
  const auto value = scalar(key, wanted);
  if (!value) return {};
  const auto number = number_of<double>(*value);
  if (number && std::isfinite(*number) && *number >= min && *number <= max) return number;
  fault_at(*value, path_of(key), fmt::format("must be {}", wanted));
  return {};
}

std::vector<std::string> Section::texts(const std::string& key) {
  const auto value = find(key);
  std::vector<std::string> out;
  if (!value) return out;
  if (!value->IsSequence()) {
    fault_at(*value, path_of(key), "must be a list of texts");
    return out;
  }
  for (const YAML::Node& item : *value) {
    if (item.IsScalar() && !item.Scalar().empty()) {
      out.push_back(item.Scalar());
    } else {
      fault_at(item, path_of(key), "must be a list of texts");
    }
  }
  return out;
}

std::map<std::string, std::string> Section::text_map(const std::string& key) {
  const auto value = find(key);
  std::map<std::string, std::string> out;
  if (!value) return out;
  if (!value->IsMap()) {
    fault_at(*value, path_of(key), "must be a mapping of texts");
    return out;
  }
  for (const auto& entry : *value) {
    if (!entry.first.IsScalar() || !entry.second.IsScalar()) {
      fault_at(entry.first, path_of(key), "must be a mapping of texts");
    } else if (!out.emplace(entry.first.Scalar(), entry.second.Scalar()).second) {
      fault_at(entry.first, path_of(key + "." + shown(entry.first.Scalar())), "is there twice");
    }
  }
  return out;
}

Section Section::section(const std::string& key) {
  const auto value = find(key);
  return {value ? *value : YAML::Node(), path_of(key),
          documented_.empty() ? key : documented_ + "." + key, *findings_};
}

std::vector<Section> Section::list(const std::string& key) {
  const auto value = find(key);
  std::vector<Section> out;
  if (!value) return out;
  if (!value->IsSequence()) {
    fault_at(*value, path_of(key), "must be a list");
    return out;
  }
  const std::string documented = (documented_.empty() ? key : documented_ + "." + key) + "[]";
  for (std::size_t i = 0; i < value->size(); ++i) {
    out.push_back(
        Section((*value)[i], fmt::format("{}[{}]", path_of(key), i), documented, *findings_));
  }
  return out;
}

std::vector<std::pair<std::string, Section>> Section::named(const std::string& key) {
  const auto value = find(key);
  std::vector<std::pair<std::string, Section>> out;
  if (!value) return out;
  if (!value->IsMap()) {
    fault_at(*value, path_of(key), "must be a mapping by name");
    return out;
  }
  const std::string documented = (documented_.empty() ? key : documented_ + "." + key) + ".<name>";
  std::set<std::string> names;
  for (const auto& entry : *value) {
    const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
    const std::string path = path_of(key + "." + shown(name));
    if (name.empty() || !names.insert(name).second) {
      fault_at(entry.first, path, name.empty() ? "must be a name" : "is there twice");
    } else {
      out.emplace_back(name, Section(entry.second, path, documented, *findings_));
    }
  }
  return out;
}

void Section::finish() {
  if (!node_.IsMap()) return;
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (!asked_.contains(key)) {
      findings_->faults.push_back(
          {line_of(entry.first), fmt::format("unknown key \"{}\"; allowed{}{}: {}", shown(key),
                                             path_.empty() ? "" : " in ", path_, joined(asked_))});
    } else if (!seen.insert(key).second) {
      fault_at(entry.first, path_of(key), "is there twice");
    }
  }
}

}  // namespace avow::server
