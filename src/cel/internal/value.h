// SPDX-License-Identifier: Apache-2.0
// cel/internal/value.h: what an expression computes with. Values are 24 trivial bytes: strings,
// lists and maps are views of the input JSON, of the program's literals or of the evaluation's
// Arena, all of which outlive the evaluation. Nothing of the input is copied. One thread.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cel/expression.h"
#include "json/value.h"

namespace avow::cel {

enum class Kind { kNull, kBool, kInt, kDouble, kString, kList, kMap, kType };

/// "null_type", "bool", "int", "double", "string", "list", "map" or "type".
std::string_view kind_name(Kind kind);
/// The inverse of kind_name().
std::optional<Kind> kind_named(std::string_view name);

class Value;
using List = std::vector<Value>;
class Map;

class Value {
 public:
  Value() = default;
  Value(bool b) : state_(b) {}                    // NOLINT(google-explicit-constructor)
  Value(std::int64_t n) : state_(n) {}            // NOLINT(google-explicit-constructor)
  Value(double d) : state_(d) {}                  // NOLINT(google-explicit-constructor)
  Value(std::string_view text) : state_(text) {}  // NOLINT(google-explicit-constructor)
  Value(const List* list) : state_(list) {}       // NOLINT(google-explicit-constructor)
  Value(const Map* map) : state_(map) {}          // NOLINT(google-explicit-constructor)
  Value(Kind type) : state_(type) {}              // NOLINT(google-explicit-constructor)
  Value(const void*) = delete;                    // or any pointer would be a bool
  /// A view of `json`, which must stay where it is.
  static Value view_of(const json::Value& json);

  [[nodiscard]] Kind kind() const;
  [[nodiscard]] bool is_number() const { return is<std::int64_t>() || is<double>(); }
  /// The alternative, if it is that one: bool, std::int64_t, double, std::string_view, Kind.
  template <class T>
  [[nodiscard]] const T* get() const {
    return std::get_if<T>(&state_);
  }
  template <class T>
  [[nodiscard]] bool is() const {
    return std::holds_alternative<T>(state_);
  }
  /// Of an int or a double.
  [[nodiscard]] double real() const {
    const auto* n = get<std::int64_t>();
    return n != nullptr ? static_cast<double>(*n) : *get<double>();
  }
  /// An int, or a double that is exactly one.
  [[nodiscard]] std::optional<std::int64_t> integral() const;

  // Of a list or map; places are below size().
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] Value element(std::size_t at) const;
  [[nodiscard]] Value key(std::size_t at) const;
  [[nodiscard]] Value mapped(std::size_t at) const;
  /// The value under `key` of a map, however the key is typed; nothing if there is none.
  [[nodiscard]] std::optional<Value> find(const Value& key) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string_view, const List*,
               const Map*, const json::Value*, Kind>
      state_;
};

/// A map made by the expression. Keys are ints, bools or strings, each once.
class Map {
 public:
  /// False if a key stands twice. `entries` have keys of the right kinds.
  bool fill(std::vector<std::pair<Value, Value>> entries);
  [[nodiscard]] const std::vector<std::pair<Value, Value>>& entries() const { return entries_; }
  [[nodiscard]] std::optional<Value> find(const Value& key) const;

 private:
  std::vector<std::pair<Value, Value>> entries_;
  std::vector<std::uint32_t> by_key_;  ///< Places in `entries_`, ordered by key.
};

/// Owns what one evaluation makes.
class Arena {
 public:
  std::string_view keep(std::string text);
  Value keep(List list);
  /// Null if a key stands twice.
  const Map* keep_map(std::vector<std::pair<Value, Value>> entries);

 private:
  std::vector<std::unique_ptr<const std::string>> strings_;
  std::vector<std::unique_ptr<const List>> lists_;
  std::vector<std::unique_ptr<const Map>> maps_;
};

/// What is left of an evaluation's allowance.
class Fuel {
 public:
  explicit Fuel(std::int64_t units) : left_(units) {}
  /// False, for good, when there is not enough.
  bool take(std::size_t units) {
    left_ -= static_cast<std::int64_t>(units);
    return left_ >= 0;
  }
  bool take_bytes(std::size_t bytes) { return take(bytes / 16); }
  [[nodiscard]] std::int64_t left() const { return left_ > 0 ? left_ : 0; }
  [[nodiscard]] bool is_spent() const { return left_ < 0; }

 private:
  std::int64_t left_;
};

/// CEL equality: numbers by value across int and double, different kinds are unequal, NaN equals
/// nothing. Stops with false when `fuel` ends, which the caller sees in it.
bool equal(const Value& a, const Value& b, Fuel& fuel);

/// Less (negative), equal, or more; nothing where the two have no order (other kinds, NaN).
struct Order {
  bool comparable = false;  ///< False: no such overload.
  bool unordered = false;   ///< A NaN: every comparison is false.
  int sign = 0;
};
Order order(const Value& a, const Value& b);

/// The JSON form of a result. kError for NaN, infinities, types and non-string keys; kLimit beyond
/// kValueBytesMax (of text, approximately), kValueDepthMax or `fuel`.
std::variant<json::Value, EvalError> to_json(const Value& value, Fuel& fuel);

}  // namespace avow::cel
