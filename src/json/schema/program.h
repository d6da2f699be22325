// SPDX-License-Identifier: Apache-2.0
// json/schema/program.h: a compiled JSON Schema: what compile.cc makes and validate.cc runs.
// Immutable once compiled. Nodes point to each other freely, in circles too; the Program owns them.
#pragma once
#include <re2/re2.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "json/schema.h"

namespace avow::json::schema {

struct Node;

/// What one "$id" names (Core, section 4.3.5), as far as "$dynamicRef" needs it when validating.
struct Resource {
  std::string uri;  ///< Absolute, without fragment; empty for a schema without "$id".
  std::map<std::string, const Node*, std::less<>> dynamic_anchors;
};

/// The types an instance may have, as bits; an integer is a number too.
enum TypeBit : unsigned {
  kNullBit = 1,
  kBooleanBit = 2,
  kIntegerBit = 4,
  kNumberBit = 8,
  kStringBit = 16,
  kArrayBit = 32,
  kObjectBit = 64,
};

struct NumberRules {
  std::optional<double> minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;
};

// Limits are non-negative integers, as doubles because a schema may write any size of them.
struct StringRules {
  std::optional<double> min_length, max_length;
  std::unique_ptr<re2::RE2> pattern;
  std::string pattern_text;  ///< As the schema wrote it, for messages.
};

struct ArrayRules {
  std::vector<const Node*> prefix_items;
  const Node* items = nullptr;
  const Node* contains = nullptr;
  std::optional<double> min_contains, max_contains, min_items, max_items;
  bool unique_items = false;
};

struct ObjectRules {
  std::vector<std::string> required;
  std::map<std::string, std::vector<std::string>> dependent_required;
  std::map<std::string, const Node*> dependent_schemas;
  std::optional<double> min_properties, max_properties;
  std::map<std::string, const Node*, std::less<>> properties;
  std::vector<std::pair<std::unique_ptr<re2::RE2>, const Node*>> pattern_properties;
  const Node* additional_properties = nullptr;
  const Node* property_names = nullptr;
};

/// One schema. An absent keyword is null, empty or not set.
struct Node {
  const Resource* resource = nullptr;
  std::optional<bool> fixed;  ///< A boolean schema: accepts all, or nothing.

  std::optional<unsigned> types;  ///< TypeBits.
  std::optional<Value> constant;
  std::optional<Array> enumeration;
  std::int64_t values_weight = 0;  ///< Fuel that comparing with `constant` and `enumeration` takes.
  std::unique_ptr<NumberRules> number;
  std::unique_ptr<StringRules> string;
  std::unique_ptr<ArrayRules> array;
  std::unique_ptr<ObjectRules> object;

  const Node* ref = nullptr;
  const Node* dynamic_ref = nullptr;  ///< The target that the static rules give.
  std::string dynamic_anchor;         ///< Its name, if that target may be overridden.
  std::vector<const Node*> all_of, any_of, one_of;
  const Node* not_schema = nullptr;
  const Node* if_schema = nullptr;
  const Node* then_schema = nullptr;
  const Node* else_schema = nullptr;

  const Node* unevaluated_items = nullptr;
  const Node* unevaluated_properties = nullptr;
};

struct Program {
  std::deque<Resource> resources;
  std::deque<Node> nodes;
  const Node* root = nullptr;
  std::int64_t fuel = 0;
  std::size_t faults_max = 0;
};

/// Fuel for reading `bytes` of text: one unit is a node, or sixteen bytes.
inline std::int64_t fuel_for(std::size_t bytes) { return static_cast<std::int64_t>(bytes / 16); }

/// Fuel that going through all of `value` takes.
std::int64_t weight_of(const Value& value);

/// Compiles into `program`; false if there is a fault, and then `faults` has at least one.
bool compile_into(Program& program, const Value& schema, const SchemaOptions& options,
                  std::vector<SchemaFault>& faults);

/// Runs `program`. Errors: kResourceExhausted
Result<std::vector<SchemaFault>> run(const Program& program, const Value& instance);

}  // namespace avow::json::schema
