// SPDX-License-Identifier: Apache-2.0
// json/value.h: a JSON value in memory (RFC 8259), cheap to copy.
// Arrays and objects are shared between copies and cloned on the first write, so a value that was
// handed to another thread never changes there. One Value object belongs to one thread at a time;
// copies of it may be used by others.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace avow::json {

class Value;
class Object;
using Array = std::vector<Value>;

enum class Type { kNull, kBool, kInt, kDouble, kString, kArray, kObject };

/// "null", "boolean", "number" (ints and doubles), "string", "array" or "object".
std::string_view type_name(Type type);

/// The largest n for which every integer in [-n, n] is a double: 2^53 - 1.
inline constexpr std::int64_t kSafeIntegerMax = 9'007'199'254'740'991;

/// A null, bool, int, double, string, array or object.
/// A number is an int if it is integral and at most kSafeIntegerMax in magnitude, however it was
/// written, else a double; `number()` keeps to that. A double is never NaN nor infinite.
class Value {
 public:
  Value() = default;
  Value(std::nullptr_t) {}                                // NOLINT(google-explicit-constructor)
  Value(bool b) : state_(b) {}                            // NOLINT(google-explicit-constructor)
  Value(int n) : state_(static_cast<std::int64_t>(n)) {}  // NOLINT(google-explicit-constructor)
  Value(unsigned n)
      : state_(static_cast<std::int64_t>(n)) {}  // NOLINT(google-explicit-constructor)
  Value(std::int64_t n) : state_(n) {}           // NOLINT(google-explicit-constructor)
  Value(std::uint64_t n)
      : state_(static_cast<std::int64_t>(n)) {}          // NOLINT(google-explicit-constructor)
  Value(std::string s) : state_(std::move(s)) {}         // NOLINT(google-explicit-constructor)
  Value(std::string_view s) : state_(std::string(s)) {}  // NOLINT(google-explicit-constructor)
  Value(const char* s) : state_(std::string(s)) {}       // NOLINT(google-explicit-constructor)
  Value(Array a);                                        // NOLINT(google-explicit-constructor)
  Value(Object o);                                       // NOLINT(google-explicit-constructor)
  Value(const void*) = delete;                           // or any pointer would be a bool

  /// The number `d` in its normal form: an int where it is integral and safe. CHECKs that it is
  /// finite.
  static Value number(double d);

  [[nodiscard]] Type type() const { return static_cast<Type>(state_.index()); }
  [[nodiscard]] bool is_null() const { return type() == Type::kNull; }
  [[nodiscard]] bool is_bool() const { return type() == Type::kBool; }
  [[nodiscard]] bool is_int() const { return type() == Type::kInt; }
  [[nodiscard]] bool is_double() const { return type() == Type::kDouble; }
  [[nodiscard]] bool is_number() const { return is_int() || is_double(); }
  [[nodiscard]] bool is_string() const { return type() == Type::kString; }
  [[nodiscard]] bool is_array() const { return type() == Type::kArray; }
  [[nodiscard]] bool is_object() const { return type() == Type::kObject; }

  // Each CHECKs the type.
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_int() const;
  [[nodiscard]] double as_double() const;  ///< Of any number.
  [[nodiscard]] const std::string& as_string() const;
  [[nodiscard]] const Array& as_array() const;
  [[nodiscard]] const Object& as_object() const;

  /// For writing; clones first if the array or object is shared. The reference holds until this
  /// value is copied or written otherwise.
  Array& mutable_array();
  Object& mutable_object();

  /// The member `key` of an object; null pointer if it is absent or this is no object.
  [[nodiscard]] const Value* find(std::string_view key) const;
  /// The string member `key`, else `fallback`.
  [[nodiscard]] std::string string_or(std::string_view key, std::string_view fallback = {}) const;
  /// The int member `key`, else `fallback`.
  [[nodiscard]] std::int64_t int_or(std::string_view key, std::int64_t fallback) const;
  /// The bool member `key`, else `fallback`.
  [[nodiscard]] bool bool_or(std::string_view key, bool fallback) const;

  /// Sets the member `key` of an object (of a null: makes it an object first).
  void set(std::string_view key, Value value);
  /// Appends to an array (to a null: makes it an array first).
  void push_back(Value value);

  /// Deep equality; numbers by their value, objects without regard to order.
  bool operator==(const Value& other) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, std::shared_ptr<Array>,
               std::shared_ptr<Object>>
      state_;
};

struct Member {
  std::string key;
  Value value;
};

/// Members in the order in which they were added; every key once. Look-ups are linear up to 32
/// members and logarithmic beyond.
class Object {
 public:
  Object() = default;
  Object(std::initializer_list<Member> members);
  Object(const Object& other);
  Object& operator=(const Object& other);
  Object(Object&&) noexcept = default;
  Object& operator=(Object&&) noexcept = default;
  ~Object() = default;

  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] bool empty() const { return members_.empty(); }
  [[nodiscard]] auto begin() const { return members_.begin(); }
  [[nodiscard]] auto end() const { return members_.end(); }

  [[nodiscard]] const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  [[nodiscard]] bool contains(std::string_view key) const { return find(key) != nullptr; }
  /// Adds the member, or replaces its value where it stands.
  void set(std::string_view key, Value value);
  /// Adds the member; false, and nothing changed, if the key is there already.
  bool add(std::string key, Value value);
  /// Adds the member with the value null and returns its place, which holds until the next change
  /// of this object; null pointer, and nothing changed, if the key is there already.
  Value* append(std::string key);
  /// Removes the member if it is there.
  void erase(std::string_view key);

  bool operator==(const Object& other) const;

 private:
  [[nodiscard]] std::size_t index_of(std::string_view key) const;  ///< size() if absent.
  void index_last();

  std::vector<Member> members_;
  /// Key to place; only above kLinearMax members.
  std::unique_ptr<std::map<std::string, std::size_t, std::less<>>> index_;
};

}  // namespace avow::json
