// SPDX-License-Identifier: Apache-2.0
// Compiling goes in two alternating passes, both over lists and not by recursion, so that no schema
// can exhaust the stack: `scan` finds the schemas of a document with their base URIs and anchors,
// `compile` turns a schema into a Node. A "$ref" may bring in a document, or a place, that is then
// scanned.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <set>
#include <unordered_map>

#include "base/bytes.h"
#include "json/pointer.h"
#include "json/schema/ecma_regex.h"
#include "json/schema/metaschemas.h"
#include "json/schema/program.h"
#include "json/schema/uri.h"

namespace avow::json::schema {
namespace {

/// RE2 instructions of all patterns of one schema together, about 16 bytes each.
constexpr std::int64_t kPatternsSizeMax = 1'000'000;
/// Schemas in one schema and the documents that it refers to, about 500 bytes each.
constexpr std::size_t kSchemasMax = 100'000;

/// The vocabularies that change what we do, as bits (Core, section 8.1.2).
enum Vocabulary : unsigned { kCore = 1, kApplicator = 2, kUnevaluated = 4, kValidation = 8 };
constexpr unsigned kAllVocabularies = kCore | kApplicator | kUnevaluated | kValidation;

/// What the value of a keyword holds.
enum class Holds { kNoSchema, kSchema, kSchemaArray, kSchemaMap };

/// A resource while its schemas are compiled.
struct Source {
  Resource* resource = nullptr;
  const Value* root = nullptr;
  unsigned vocabularies = kAllVocabularies;
  std::map<std::string, const Value*, std::less<>> anchors;  // "$anchor" and "$dynamicAnchor"
};

/// Where a schema stands. Pointers are put together only for a fault: a tree of places is small,
/// while the texts of all pointers can be much larger than the schema.
struct Place {
  const Place* parent = nullptr;
  std::string_view keyword;  // under the parent; at the root of a document its URI
  std::string step;          // the key or index under the keyword, where it holds several schemas
  bool has_step = false;
  Source* source = nullptr;
};

class Compiler {
 public:
  Compiler(Program& program, const SchemaOptions& options, std::vector<SchemaFault>& faults)
      : program_(program), options_(options), faults_(faults) {}

  bool run(const Value& schema) {
    Place& root = places_.emplace_back();
    scan(schema, root, &add_source("", schema));
    program_.root = node_of(schema);
    while (!to_compile_.empty() && !is_full()) {  // a scan that is full has left schemas out
      const auto [value, node] = to_compile_.back();
      to_compile_.pop_back();
      compile(*value, *node);
    }
    return faults_.empty();
  }

 private:
  struct Keyword;
  using Read = void (Compiler::*)(Node&, const Place&, std::string_view, const Value&);
  struct Keyword {
    unsigned vocabulary;
    Holds holds;
    Read read;  // null: nothing to compile
  };
  static const std::map<std::string_view, Keyword>& keywords();

  // ---- faults

  [[nodiscard]] bool is_full() const {
    return is_too_large_ || faults_.size() >= program_.faults_max;
  }

  void fault(const Place& place, std::string_view keyword, std::string message) {
    if (is_full()) return;
    std::vector<const Place*> path;
    const Place* root = &place;
    for (; root->parent != nullptr; root = root->parent) path.push_back(root);
    std::string pointer;
    for (auto at = path.rbegin(); at != path.rend(); ++at) {
      if (!(*at)->keyword.empty()) pointer = join(pointer, (*at)->keyword);
      if ((*at)->has_step) pointer = join(pointer, (*at)->step);
    }
    if (!keyword.empty()) pointer = join(pointer, keyword);
    if (!root->keyword.empty()) message = fmt::format("in {}: {}", shown(root->keyword), message);
    faults_.push_back({std::move(pointer), std::string(keyword), std::move(message)});
  }

  // ---- scan: schemas, base URIs, anchors

  Source& add_source(std::string uri, const Value& root) {
    Resource& resource = program_.resources.emplace_back();
    resource.uri = std::move(uri);
    Source& source = sources_.emplace_back();
    source.resource = &resource;
    source.root = &root;
    by_uri_.emplace(resource.uri, &source);
    return source;
  }

  struct Unscanned {
    const Value* schema;
    Place* place;
  };

  /// Scans `schema` and all schemas in it. LIMITATION: a Value that is shared by copies in two
  /// places of one schema is one schema, with the base URI of the first place.
  void scan(const Value& schema, Place& first, Source* source) {
    first.source = source;
    std::vector<Unscanned> open{{&schema, &first}};
    while (!open.empty() && !is_full()) {
      const Unscanned next = open.back();
      open.pop_back();
      if (accepts_or_refuses_all(*next.schema)) continue;
      if (!place_of_.emplace(next.schema, next.place).second) continue;
      if (!next.schema->is_object()) {
        fault(*next.place, "", "a schema is an object or a boolean");
        continue;
      }
      identify(*next.schema, *next.place);
      open_children(*next.schema, *next.place, open);
      if (places_.size() > kSchemasMax) {
        fault(*next.place, "", fmt::format("there are more than {} schemas", kSchemasMax));
        is_too_large_ = true;
      }
    }
  }

  /// true, false and {}: many, and all the same. They have no place and share a node.
  static bool accepts_or_refuses_all(const Value& schema) {
    return schema.is_bool() || (schema.is_object() && schema.as_object().empty());
  }

  void open_children(const Value& schema, const Place& parent, std::vector<Unscanned>& open) {
    const auto add = [&](std::string_view keyword, const Value& child, std::string step,
                         bool has_step) {
      open.push_back({&child, &places_.emplace_back(Place{&parent, keyword, std::move(step),
                                                          has_step, parent.source})});
    };
    for (const Member& member : schema.as_object()) {
      const auto found = keywords().find(member.key);
      if (found == keywords().end()) continue;
      switch (found->second.holds) {
        case Holds::kNoSchema:
          break;
        case Holds::kSchema:
          add(member.key, member.value, "", false);
          break;
        case Holds::kSchemaArray:
          if (!member.value.is_array() || member.value.as_array().empty()) {
            fault(parent, member.key, "must be a non-empty array of schemas");
            break;
          }
          for (std::size_t i = 0; i < member.value.as_array().size(); ++i) {
            add(member.key, member.value.as_array()[i], std::to_string(i), true);
          }
          break;
        case Holds::kSchemaMap:
          if (!member.value.is_object()) {
            fault(parent, member.key, "must be an object of schemas");
            break;
          }
          for (const Member& entry : member.value.as_object()) {
            add(member.key, entry.value, entry.key, true);
          }
          break;
      }
    }
  }

  /// Reads "$id", "$schema" and the anchors of one schema.
  void identify(const Value& schema, Place& place) {
    if (const auto* id = text_of(schema, place, "$id")) begin_resource(schema, place, *id);
    if (place.source->root == &schema) {
      if (const auto* dialect = text_of(schema, place, "$schema")) {
        place.source->vocabularies = vocabularies_of(*dialect, place);
      }
    }
    const auto* anchor = text_of(schema, place, "$anchor");
    if (anchor != nullptr) add_anchor("$anchor", *anchor, schema, place);
    if (const auto* dynamic = text_of(schema, place, "$dynamicAnchor")) {
      // One name may be both kinds on one schema.
      if (anchor == nullptr || *anchor != *dynamic)
        add_anchor("$dynamicAnchor", *dynamic, schema, place);
      place.source->resource->dynamic_anchors[*dynamic] = node_of(schema);
    }
  }

  const std::string* text_of(const Value& schema, const Place& place, std::string_view keyword) {
    const Value* value = schema.find(keyword);
    if (value == nullptr) return nullptr;
    if (value->is_string()) return &value->as_string();
    fault(place, keyword, "must be a string");
    return nullptr;
  }

  void begin_resource(const Value& schema, Place& place, std::string_view id) {
    if (id.ends_with('#')) id.remove_suffix(1);  // an empty fragment is allowed, and nothing
    if (id.find('#') != std::string_view::npos) return fault(place, "$id", "must have no fragment");
    std::string uri = resolve_reference(place.source->resource->uri, id);
    if (place.source->root == &schema) {  // a document's own name; the URI it was asked for stays
      place.source->resource->uri = uri;
      by_uri_.emplace(std::move(uri), place.source);
      return;
    }
    if (by_uri_.contains(uri))
      return fault(place, "$id", fmt::format("{} is there twice", shown(uri)));
    Source& source = add_source(std::move(uri), schema);
    source.vocabularies = place.source->vocabularies;
    place.source = &source;
  }

  void add_anchor(std::string_view keyword, const std::string& name, const Value& schema,
                  const Place& place) {
    const bool is_ok = !name.empty() &&
                       (std::isalpha(static_cast<unsigned char>(name[0])) || name[0] == '_') &&
                       std::ranges::all_of(name, [](char c) {
                         return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' ||
                                c == '.' || c == '_';
                       });
    if (!is_ok) return fault(place, keyword, "must be a letter or _, then letters, digits, - . _");
    if (!place.source->anchors.emplace(name, &schema).second) {
      fault(place, keyword, fmt::format("\"{}\" is there twice", shown(name)));
    }
  }

  /// What the metaschema `dialect` switches on. Another draft is refused: its keywords have other
  /// meanings under the same names.
  unsigned vocabularies_of(std::string_view dialect, const Place& place) {
    if (dialect.ends_with('#')) dialect.remove_suffix(1);
    if (dialect == kDialect) return kAllVocabularies;
    const Value* metaschema = document(dialect);
    if (metaschema == nullptr) {
      fault(place, "$schema", fmt::format("{} is not known; {} is", shown(dialect, 200), kDialect));
      return kAllVocabularies;
    }
    const Value* vocabulary = metaschema->find("$vocabulary");
    if (vocabulary == nullptr || !vocabulary->is_object()) return kAllVocabularies;
    unsigned vocabularies = kCore;
    for (const Member& member : vocabulary->as_object()) {
      const auto bit = vocabulary_bit(member.key);
      if (bit) {
        vocabularies |= *bit;
      } else if (member.value != Value(false)) {
        fault(place, "$schema",
              fmt::format("requires the unknown vocabulary {}", shown(member.key, 200)));
      }
    }
    return vocabularies;
  }

  /// The bit of a vocabulary, zero for those that only annotate; nothing if it is unknown.
  static std::optional<unsigned> vocabulary_bit(std::string_view uri) {
    constexpr std::string_view kPrefix = "https://json-schema.org/draft/2020-12/vocab/";
    if (!uri.starts_with(kPrefix)) return std::nullopt;
    uri.remove_prefix(kPrefix.size());
    constexpr std::pair<std::string_view, unsigned> kKnown[] = {
        {"core", kCore},         {"applicator", kApplicator}, {"unevaluated", kUnevaluated},
        {"content", 0},          {"validation", kValidation}, {"meta-data", 0},
        {"format-annotation", 0}};
    const auto* found =
        std::ranges::find(kKnown, uri, &std::pair<std::string_view, unsigned>::first);
    if (found == std::end(kKnown)) return std::nullopt;
    return found->second;
  }

  // ---- references

  [[nodiscard]] const Value* document(std::string_view uri) const {
    const Value* found = options_.registered ? options_.registered(uri) : nullptr;
    return found != nullptr ? found : metaschema(uri);
  }

  Source* source_of(const std::string& uri) {
    if (const auto found = by_uri_.find(uri); found != by_uri_.end()) return found->second;
    const Value* root = document(uri);
    if (root == nullptr) return nullptr;
    Source& source = add_source(uri, *root);
    Place& place = places_.emplace_back();
    place.keyword = by_uri_.find(uri)->first;
    scan(*root, place, &source);
    return by_uri_.find(uri)->second;
  }

  /// The schema that `reference` names; null pointer after a fault.
  const Value* resolve(const Place& place, std::string_view keyword, const std::string& reference) {
    std::string uri = resolve_reference(place.source->resource->uri, reference);
    std::string_view fragment;
    const std::size_t hash = uri.find('#');
    const std::string base = uri.substr(0, hash);
    if (hash != std::string::npos) fragment = std::string_view(uri).substr(hash + 1);
    Source* source = source_of(base);
    if (source == nullptr) {
      fault(place, keyword, fmt::format("no schema is registered as {}", shown(base, 200)));
      return nullptr;
    }
    if (fragment.empty()) return source->root;
    const auto decoded = percent_decoded(fragment);
    const Value* target = nullptr;
    if (decoded && decoded->starts_with('/')) {
      target = target_at(*source, *decoded);
    } else if (decoded) {
      const auto found = source->anchors.find(*decoded);
      if (found != source->anchors.end()) target = found->second;
    }
    if (target == nullptr) {
      fault(place, keyword, fmt::format("there is nothing at {}", shown(reference, 200)));
    }
    return target;
  }

  /// The value at `pointer` in a resource. A place that no keyword holds is made a schema here.
  const Value* target_at(Source& source, const std::string& pointer) {
    const Value* target = at(*source.root, pointer);
    if (target == nullptr || accepts_or_refuses_all(*target) || place_of_.contains(target))
      return target;
    // The innermost schema on the way has the base URI.
    const Place* parent = place_of_.at(source.root);
    Place* last = nullptr;
    std::string way;
    const auto steps = tokens(pointer);  // well formed, or there were no target
    for (const std::string& token : *steps) {
      way = join(way, token);
      if (const auto found = place_of_.find(at(*source.root, way)); found != place_of_.end()) {
        parent = found->second;
        continue;
      }
      last = &places_.emplace_back(Place{parent, "", token, true, parent->source});
      parent = last;
    }
    scan(*target, *last, last->source);
    return target;
  }

  // ---- compile

  /// The node of a scanned schema, to be filled by `compile`.
  const Node* node_of(const Value& schema) {
    if (accepts_or_refuses_all(schema)) return fixed_node(schema != Value(false));
    const auto [at, is_new] = nodes_.emplace(&schema, nullptr);
    if (!is_new) return at->second;
    Node& node = program_.nodes.emplace_back();
    to_compile_.emplace_back(&schema, &node);
    return at->second = &node;
  }

  const Node* fixed_node(bool accepts) {
    const Node*& shared = accepts ? accepts_all_ : refuses_all_;
    if (shared == nullptr) {
      Node& node = program_.nodes.emplace_back();
      node.fixed = accepts;
      shared = &node;
    }
    return shared;
  }

  void compile(const Value& schema, Node& node) {
    const Place& place = *place_of_.at(&schema);
    node.resource = place.source->resource;
    if (!schema.is_object()) return;  // the scan has said so
    for (const Member& member : schema.as_object()) {
      const auto found = keywords().find(member.key);
      if (found == keywords().end() || found->second.read == nullptr) continue;
      if ((found->second.vocabulary & place.source->vocabularies) == 0) continue;
      (this->*found->second.read)(node, place, member.key, member.value);
    }
  }

  template <const Node* Node::* kField>
  void read_schema(Node& node, const Place&, std::string_view, const Value& value) {
    node.*kField = node_of(value);
  }

  template <std::vector<const Node*> Node::* kField>
  void read_schemas(Node& node, const Place&, std::string_view, const Value& value) {
    if (!value.is_array()) return;  // the scan has said so
    for (const Value& schema : value.as_array()) (node.*kField).push_back(node_of(schema));
  }

  /// "$defs": compiled only so that their faults are seen.
  void read_definitions(Node&, const Place&, std::string_view, const Value& value) {
    if (!value.is_object()) return;
    for (const Member& member : value.as_object()) node_of(member.value);
  }

  void read_ref(Node& node, const Place& place, std::string_view keyword, const Value& value) {
    if (!value.is_string()) return fault(place, keyword, "must be a string");
    const Value* target = resolve(place, keyword, value.as_string());
    if (target != nullptr) node.ref = node_of(*target);
  }

  /// Core, section 8.2.3.2: only a fragment that names a "$dynamicAnchor" is looked up again later.
  void read_dynamic_ref(Node& node, const Place& place, std::string_view keyword,
                        const Value& value) {
    if (!value.is_string()) return fault(place, keyword, "must be a string");
    const Value* target = resolve(place, keyword, value.as_string());
    if (target == nullptr) return;
    node.dynamic_ref = node_of(*target);
    const auto at = place_of_.find(target);
    const std::size_t hash = value.as_string().find('#');
    if (at == place_of_.end() || hash == std::string::npos) return;
    const auto& anchors = at->second->source->resource->dynamic_anchors;
    const auto found = anchors.find(std::string_view(value.as_string()).substr(hash + 1));
    if (found != anchors.end() && found->second == node.dynamic_ref)
      node.dynamic_anchor = found->first;
  }

  void read_type(Node& node, const Place& place, std::string_view keyword, const Value& value) {
    const Array names = value.is_array() ? value.as_array() : Array{value};
    unsigned bits = 0;
    bool is_ok = !names.empty();
    for (const Value& name : names) {
      const unsigned bit = name.is_string() ? type_bit(name.as_string()) : 0;
      is_ok = is_ok && bit != 0 && (bits & bit) == 0;
      bits |= bit;
    }
    if (!is_ok) {
      return fault(
          place, keyword,
          "must be one, or several different, of null, boolean, integer, number, string, array, "
          "object");
    }
    node.types = bits;
  }

  static unsigned type_bit(std::string_view name) {
    constexpr std::array<std::string_view, 7> kNames = {"null",   "boolean", "integer", "number",
                                                        "string", "array",   "object"};
    const auto found = std::ranges::find(kNames, name);
    return found == kNames.end() ? 0 : 1U << static_cast<unsigned>(found - kNames.begin());
  }

  void read_const(Node& node, const Place&, std::string_view, const Value& value) {
    node.constant = value;
    node.values_weight += weight_of(value);
  }

  void read_enum(Node& node, const Place& place, std::string_view keyword, const Value& value) {
    if (!value.is_array()) return fault(place, keyword, "must be an array");
    node.enumeration = value.as_array();
    node.values_weight += weight_of(value);
  }

  template <class Rules>
  static Rules& rules(std::unique_ptr<Rules>& of) {
    if (!of) of = std::make_unique<Rules>();
    return *of;
  }

  template <std::optional<double> NumberRules::* kField>
  void read_bound(Node& node, const Place& place, std::string_view keyword, const Value& value) {
    if (!value.is_number()) return fault(place, keyword, "must be a number");
    rules(node.number).*kField = value.as_double();
  }

  void read_multiple_of(Node& node, const Place& place, std::string_view keyword,
                        const Value& value) {
    if (!value.is_number() || value.as_double() <= 0) {
      return fault(place, keyword, "must be a number above 0");
    }
    rules(node.number).multiple_of = value.as_double();
  }

  /// A non-negative integer.
  template <auto kRules, auto kField>
  void read_limit(Node& node, const Place& place, std::string_view keyword, const Value& value) {
    const bool is_ok = value.is_number() && value.as_double() >= 0 &&
                       (value.is_int() || std::trunc(value.as_double()) == value.as_double());
    if (!is_ok) return fault(place, keyword, "must be an integer, at least 0");
    rules(node.*kRules).*kField = value.as_double();
  }

  std::unique_ptr<re2::RE2> regex_of(const Place& place, std::string_view keyword,
                                     const std::string& text) {
    auto regex = compile_ecma_regex(text);
    if (!regex) {
      fault(place, keyword, fmt::format("pattern \"{}\": {}", shown(text), regex.error().message));
      return nullptr;
    }
    patterns_size_ += (*regex)->ProgramSize();
    if (patterns_size_ > kPatternsSizeMax) {
      fault(place, keyword, "the patterns of this schema are too large together");
      return nullptr;
    }
    return std::move(*regex);
  }

  void read_pattern(Node& node, const Place& place, std::string_view keyword, const Value& value) {
    if (!value.is_string()) return fault(place, keyword, "must be a string");
    rules(node.string).pattern = regex_of(place, keyword, value.as_string());
    node.string->pattern_text = value.as_string();
  }

  void read_unique_items(Node& node, const Place& place, std::string_view keyword,
                         const Value& value) {
    if (!value.is_bool()) return fault(place, keyword, "must be a boolean");
    rules(node.array).unique_items = value.as_bool();
  }

  void read_prefix_items(Node& node, const Place&, std::string_view, const Value& value) {
    if (!value.is_array()) return;
    for (const Value& schema : value.as_array())
      rules(node.array).prefix_items.push_back(node_of(schema));
  }

  template <auto kRules, auto kField>
  void read_schema_in(Node& node, const Place&, std::string_view, const Value& value) {
    rules(node.*kRules).*kField = node_of(value);
  }

  std::vector<std::string> names_of(const Place& place, std::string_view keyword,
                                    const Value& value) {
    std::set<std::string> names;
    bool is_ok = value.is_array();
    if (is_ok) {
      for (const Value& name : value.as_array()) {
        is_ok = is_ok && name.is_string() && names.insert(name.as_string()).second;
      }
    }
    if (!is_ok) fault(place, keyword, "must be an array of different strings");
    return {names.begin(), names.end()};
  }

  void read_required(Node& node, const Place& place, std::string_view keyword, const Value& value) {
    rules(node.object).required = names_of(place, keyword, value);
  }

  void read_dependent_required(Node& node, const Place& place, std::string_view keyword,
                               const Value& value) {
    if (!value.is_object()) return fault(place, keyword, "must be an object of arrays of strings");
    for (const Member& member : value.as_object()) {
      rules(node.object).dependent_required[member.key] = names_of(place, keyword, member.value);
    }
  }

  template <auto kField>
  void read_schema_map(Node& node, const Place&, std::string_view, const Value& value) {
    if (!value.is_object()) return;
    for (const Member& member : value.as_object()) {
      (rules(node.object).*kField)[member.key] = node_of(member.value);
    }
  }

  void read_pattern_properties(Node& node, const Place& place, std::string_view keyword,
                               const Value& value) {
    if (!value.is_object()) return;
    for (const Member& member : value.as_object()) {
      auto regex = regex_of(place, keyword, member.key);
      const Node* child = node_of(member.value);
      if (regex) rules(node.object).pattern_properties.emplace_back(std::move(regex), child);
    }
  }

  Program& program_;
  const SchemaOptions& options_;
  std::vector<SchemaFault>& faults_;
  std::deque<Source> sources_;
  std::deque<Place> places_;
  std::map<std::string, Source*, std::less<>> by_uri_;
  std::unordered_map<const Value*, const Place*> place_of_;
  std::unordered_map<const Value*, const Node*> nodes_;
  std::vector<std::pair<const Value*, Node*>> to_compile_;
  std::int64_t patterns_size_ = 0;
  bool is_too_large_ = false;
  const Node* accepts_all_ = nullptr;
  const Node* refuses_all_ = nullptr;
};

const std::map<std::string_view, Compiler::Keyword>& Compiler::keywords() {
  using C = Compiler;
  using Numbers = NumberRules;
  using Strings = StringRules;
  using Arrays = ArrayRules;
  using Objects = ObjectRules;
  constexpr auto kNone = Holds::kNoSchema;
  constexpr auto kOne = Holds::kSchema;
  constexpr auto kList = Holds::kSchemaArray;
  constexpr auto kMap = Holds::kSchemaMap;
  static const std::map<std::string_view, Keyword> table = {
      {"$ref", {kCore, kNone, &C::read_ref}},
      {"$dynamicRef", {kCore, kNone, &C::read_dynamic_ref}},
      {"$defs", {kCore, kMap, &C::read_definitions}},
      {"definitions", {kCore, kMap, &C::read_definitions}},  // deprecated, but a place for schemas

      {"allOf", {kApplicator, kList, &C::read_schemas<&Node::all_of>}},
      {"anyOf", {kApplicator, kList, &C::read_schemas<&Node::any_of>}},
      {"oneOf", {kApplicator, kList, &C::read_schemas<&Node::one_of>}},
      {"not", {kApplicator, kOne, &C::read_schema<&Node::not_schema>}},
      {"if", {kApplicator, kOne, &C::read_schema<&Node::if_schema>}},
      {"then", {kApplicator, kOne, &C::read_schema<&Node::then_schema>}},
      {"else", {kApplicator, kOne, &C::read_schema<&Node::else_schema>}},
      {"prefixItems", {kApplicator, kList, &C::read_prefix_items}},
      {"items", {kApplicator, kOne, &C::read_schema_in<&Node::array, &Arrays::items>}},
      {"contains", {kApplicator, kOne, &C::read_schema_in<&Node::array, &Arrays::contains>}},
      {"properties", {kApplicator, kMap, &C::read_schema_map<&Objects::properties>}},
      {"patternProperties", {kApplicator, kMap, &C::read_pattern_properties}},
      {"additionalProperties",
       {kApplicator, kOne, &C::read_schema_in<&Node::object, &Objects::additional_properties>}},
      {"propertyNames",
       {kApplicator, kOne, &C::read_schema_in<&Node::object, &Objects::property_names>}},
      {"dependentSchemas", {kApplicator, kMap, &C::read_schema_map<&Objects::dependent_schemas>}},

      {"unevaluatedItems", {kUnevaluated, kOne, &C::read_schema<&Node::unevaluated_items>}},
      {"unevaluatedProperties",
       {kUnevaluated, kOne, &C::read_schema<&Node::unevaluated_properties>}},

      {"type", {kValidation, kNone, &C::read_type}},
      {"const", {kValidation, kNone, &C::read_const}},
      {"enum", {kValidation, kNone, &C::read_enum}},
      {"multipleOf", {kValidation, kNone, &C::read_multiple_of}},
      {"minimum", {kValidation, kNone, &C::read_bound<&Numbers::minimum>}},
      {"maximum", {kValidation, kNone, &C::read_bound<&Numbers::maximum>}},
      {"exclusiveMinimum", {kValidation, kNone, &C::read_bound<&Numbers::exclusive_minimum>}},
      {"exclusiveMaximum", {kValidation, kNone, &C::read_bound<&Numbers::exclusive_maximum>}},
      {"minLength", {kValidation, kNone, &C::read_limit<&Node::string, &Strings::min_length>}},
      {"maxLength", {kValidation, kNone, &C::read_limit<&Node::string, &Strings::max_length>}},
      {"pattern", {kValidation, kNone, &C::read_pattern}},
      {"minItems", {kValidation, kNone, &C::read_limit<&Node::array, &Arrays::min_items>}},
      {"maxItems", {kValidation, kNone, &C::read_limit<&Node::array, &Arrays::max_items>}},
      {"uniqueItems", {kValidation, kNone, &C::read_unique_items}},
      {"minContains", {kValidation, kNone, &C::read_limit<&Node::array, &Arrays::min_contains>}},
      {"maxContains", {kValidation, kNone, &C::read_limit<&Node::array, &Arrays::max_contains>}},
      {"minProperties",
       {kValidation, kNone, &C::read_limit<&Node::object, &Objects::min_properties>}},
      {"maxProperties",
       {kValidation, kNone, &C::read_limit<&Node::object, &Objects::max_properties>}},
      {"required", {kValidation, kNone, &C::read_required}},
      {"dependentRequired", {kValidation, kNone, &C::read_dependent_required}},

      {"contentSchema", {kCore, kOne, nullptr}},  // an annotation; its "$id" and anchors count
  };
  return table;
}

}  // namespace

std::int64_t weight_of(const Value& value) {
  std::int64_t weight = 1;
  if (value.is_string()) weight += fuel_for(value.as_string().size());
  if (value.is_array()) {
    for (const Value& item : value.as_array()) weight += weight_of(item);
  } else if (value.is_object()) {
    for (const Member& member : value.as_object()) {
      weight += fuel_for(member.key.size()) + weight_of(member.value);
    }
  }
  return weight;
}

bool compile_into(Program& program, const Value& schema, const SchemaOptions& options,
                  std::vector<SchemaFault>& faults) {
  program.fuel = options.fuel;
  program.faults_max = std::max<std::size_t>(options.faults_max, 1);
  return Compiler(program, options, faults).run(schema);
}

}  // namespace avow::json::schema
