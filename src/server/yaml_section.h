// SPDX-License-Identifier: Apache-2.0
// server/yaml_section.h: reads the mappings of a settings file and writes down what is wrong with
// them, so that one start shows every fault. Inside this module only; alone sees yaml-cpp.
// One thread. Nothing throws out of it.
#pragma once
#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace avow::server {

/// What reading a whole file came to.
struct Findings {
  struct Fault {
    int line;  ///< From 1; 0: of no line.
    std::string message;
  };
  std::vector<Fault> faults;
  /// Every key that was asked for, in the form of the documentation: "models.<name>.provider",
  /// "jwt.issuers[].issuer".
  std::set<std::string> keys;
};

/// One mapping. Every key that may stand in it is asked for by name; finish() then refuses the
/// rest. A value of a wrong type is a fault and reads as absent. Copies are cheap views.
class Section {
 public:
  /// `findings` outlives this. A node that is absent or null is an empty mapping.
  Section(YAML::Node node, Findings& findings) : Section(std::move(node), "", "", findings) {}

  [[nodiscard]] bool has(const std::string& key);
  std::optional<std::string> text(const std::string& key);
  std::optional<std::int64_t> integer(const std::string& key, std::int64_t min, std::int64_t max);
  std::optional<bool> flag(const std::string& key);  ///< true or false, as YAML 1.2 writes them.
  std::optional<double> number(const std::string& key, double min, double max);
  std::vector<std::string> texts(const std::string& key);
  std::map<std::string, std::string> text_map(const std::string& key);
  Section section(const std::string& key);
  /// The mappings of a list.
  std::vector<Section> list(const std::string& key);
  /// The mappings of a mapping, by names that the file chooses.
  std::vector<std::pair<std::string, Section>> named(const std::string& key);

  /// A fault about the value of `key`, or about this mapping where it is empty.
  void fault(const std::string& key, std::string_view message);
  /// Refuses every key that nobody asked for. Call it last.
  void finish();

 private:
  Section(YAML::Node node, std::string path, std::string documented, Findings& findings);
  /// The value, if it is there and not null; notes the key.
  std::optional<YAML::Node> find(const std::string& key);
  std::optional<YAML::Node> scalar(const std::string& key, std::string_view wanted);
  [[nodiscard]] std::string path_of(const std::string& key) const;
  void fault_at(const YAML::Node& node, std::string_view path, std::string_view message);

  YAML::Node node_;
  std::string path_;        ///< "models.gpt-4o", for messages.
  std::string documented_;  ///< "models.<name>"
  Findings* findings_;
  std::set<std::string> asked_;
};

/// The root of `text`; a fault if it is not YAML, or no mapping.
/// Errors: kInvalidArgument  with the line
Result<YAML::Node> load_yaml(const std::string& text);

}  // namespace avow::server
