// SPDX-License-Identifier: Apache-2.0
#include "cel/internal/value.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace avow::cel {
namespace {

constexpr std::array<std::string_view, 8> kKindNames = {"null_type", "bool", "int", "double",
                                                        "string",    "list", "map", "type"};
constexpr double kTwoTo63 = 9223372036854775808.0;

/// A strict order over keys: by kind, then by value.
bool key_less(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return a.kind() < b.kind();
  return order(a, b).sign < 0;
}

int sign_of(double a, double b) { return a < b ? -1 : static_cast<int>(a > b); }

}  // namespace

std::string_view kind_name(Kind kind) { return kKindNames.at(static_cast<std::size_t>(kind)); }

std::optional<Kind> kind_named(std::string_view name) {
  const auto* found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<Kind>(found - kKindNames.begin());
}

Value Value::view_of(const json::Value& json) {
  switch (json.type()) {
    case json::Type::kNull:
      return {};
    case json::Type::kBool:
      return json.as_bool();
    case json::Type::kInt:
      return json.as_int();
    case json::Type::kDouble:
      return json.as_double();
    case json::Type::kString:
      return std::string_view(json.as_string());
    case json::Type::kArray:
    case json::Type::kObject:
      break;
  }
  Value value;
  value.state_ = &json;
  return value;
}

Kind Value::kind() const {
  struct Visitor {
    Kind operator()(std::monostate) const { return Kind::kNull; }
    Kind operator()(bool) const { return Kind::kBool; }
    Kind operator()(std::int64_t) const { return Kind::kInt; }
    Kind operator()(double) const { return Kind::kDouble; }
    Kind operator()(std::string_view) const { return Kind::kString; }
    Kind operator()(const List*) const { return Kind::kList; }
    Kind operator()(const Map*) const { return Kind::kMap; }
    Kind operator()(const json::Value* json) const {
      return json->is_array() ? Kind::kList : Kind::kMap;
    }
    Kind operator()(Kind) const { return Kind::kType; }
  };
  return std::visit(Visitor{}, state_);
}

std::optional<std::int64_t> Value::integral() const {
  if (const auto* n = get<std::int64_t>()) return *n;
  const auto* d = get<double>();
  if (d == nullptr || std::trunc(*d) != *d || *d < -kTwoTo63 || *d >= kTwoTo63) return std::nullopt;
  return static_cast<std::int64_t>(*d);
}

std::size_t Value::size() const {
  if (const auto* list = get<const List*>()) return (*list)->size();
  if (const auto* map = get<const Map*>()) return (*map)->entries().size();
  const json::Value& json = **get<const json::Value*>();
  return json.is_array() ? json.as_array().size() : json.as_object().size();
}

Value Value::element(std::size_t at) const {
  if (const auto* list = get<const List*>()) return (**list)[at];
  return view_of((*get<const json::Value*>())->as_array()[at]);
}

Value Value::key(std::size_t at) const {
  if (const auto* map = get<const Map*>()) return (*map)->entries()[at].first;
  const auto member =
      (*get<const json::Value*>())->as_object().begin() + static_cast<std::ptrdiff_t>(at);
  return std::string_view(member->key);
}

Value Value::mapped(std::size_t at) const {
  if (const auto* map = get<const Map*>()) return (*map)->entries()[at].second;
  const auto member =
      (*get<const json::Value*>())->as_object().begin() + static_cast<std::ptrdiff_t>(at);
  return view_of(member->value);
}

std::optional<Value> Value::find(const Value& key) const {
  if (const auto* map = get<const Map*>()) return (*map)->find(key);
  const auto* name = key.get<std::string_view>();
  if (name == nullptr) return std::nullopt;
  const json::Value* found = (*get<const json::Value*>())->as_object().find(*name);
  if (found == nullptr) return std::nullopt;
  return view_of(*found);
}

bool Map::fill(std::vector<std::pair<Value, Value>> entries) {
  entries_ = std::move(entries);
  by_key_.resize(entries_.size());
  std::iota(by_key_.begin(), by_key_.end(), 0U);
  std::sort(by_key_.begin(), by_key_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return key_less(entries_[a].first, entries_[b].first);
  });
  return std::adjacent_find(by_key_.begin(), by_key_.end(),
                            [this](std::uint32_t a, std::uint32_t b) {
                              return !key_less(entries_[a].first, entries_[b].first);
                            }) == by_key_.end();
}

std::optional<Value> Map::find(const Value& key) const {
  Value wanted = key;
  if (key.is<double>()) {  // 1.0 finds the key 1
    const auto n = key.integral();
    if (!n) return std::nullopt;
    wanted = *n;
  }
  const auto found = std::lower_bound(
      by_key_.begin(), by_key_.end(), wanted,
      [this](std::uint32_t at, const Value& k) { return key_less(entries_[at].first, k); });
  if (found == by_key_.end() || key_less(wanted, entries_[*found].first)) return std::nullopt;
  return entries_[*found].second;
}

std::string_view Arena::keep(std::string text) {
  strings_.push_back(std::make_unique<const std::string>(std::move(text)));
  return *strings_.back();
}

Value Arena::keep(List list) {
  lists_.push_back(std::make_unique<const List>(std::move(list)));
  return lists_.back().get();
}

const Map* Arena::keep_map(std::vector<std::pair<Value, Value>> entries) {
  auto map = std::make_unique<Map>();
  if (!map->fill(std::move(entries))) return nullptr;
  maps_.push_back(std::move(map));
  return maps_.back().get();
}

// Recursion: values are at most as deep as the input, which json::parse and kValueDepthMax bound,
// plus kDepthMax literals around it.
bool equal(const Value& a, const Value& b, Fuel& fuel) {
  if (!fuel.take(1)) return false;
  if (a.is_number() && b.is_number()) {
    const auto* n = a.get<std::int64_t>();
    const auto* m = b.get<std::int64_t>();
    return n != nullptr && m != nullptr ? *n == *m : a.real() == b.real();
  }
  const Kind kind = a.kind();
  if (kind != b.kind()) return false;
  switch (kind) {
    case Kind::kNull:
      return true;
    case Kind::kBool:
      return *a.get<bool>() == *b.get<bool>();
    case Kind::kType:
      return *a.get<Kind>() == *b.get<Kind>();
    case Kind::kString: {
      const auto left = *a.get<std::string_view>();
      const auto right = *b.get<std::string_view>();
      return left.size() == right.size() && fuel.take_bytes(left.size()) && left == right;
    }
    case Kind::kList:
      if (a.size() != b.size()) return false;
      for (std::size_t i = 0; i < a.size(); ++i) {
        if (!equal(a.element(i), b.element(i), fuel)) return false;
      }
      return true;
    case Kind::kMap:
      if (a.size() != b.size()) return false;
      for (std::size_t i = 0; i < a.size(); ++i) {
        const Value key = a.key(i);
        const auto* name = key.get<std::string_view>();
        if (name != nullptr && !fuel.take_bytes(name->size())) return false;
        const auto other = b.find(key);
        if (!other || !equal(a.mapped(i), *other, fuel)) return false;
      }
      return true;
    case Kind::kInt:
    case Kind::kDouble:
      break;  // handled above
  }
  return false;
}

Order order(const Value& a, const Value& b) {
  const auto* n = a.get<std::int64_t>();
  const auto* m = b.get<std::int64_t>();
  if (n != nullptr && m != nullptr) return {true, false, *n < *m ? -1 : static_cast<int>(*n > *m)};
  if (a.is_number() && b.is_number()) {
    const bool unordered = std::isnan(a.real()) || std::isnan(b.real());
    return {true, unordered, sign_of(a.real(), b.real())};
  }
  if (const auto *x = a.get<std::string_view>(), *y = b.get<std::string_view>(); x && y) {
    return {true, false, x->compare(*y)};  // UTF-8 keeps the order of code points
  }
  if (const auto *x = a.get<bool>(), *y = b.get<bool>(); x && y) {
    return {true, false, static_cast<int>(*x) - static_cast<int>(*y)};
  }
  return {};
}

/// Builds the JSON of a result and measures it on the way.
class Converter {
 public:
  explicit Converter(Fuel& fuel) : fuel_(fuel) {}

  std::variant<json::Value, EvalError> run(const Value& value) {
    json::Value out;
    if (convert(value, 1, out)) return out;
    return std::move(error_);
  }

 private:
  bool fail(EvalError::Kind kind, std::string message) {
    error_ = {kind, std::move(message)};
    return false;
  }

  bool count(std::size_t bytes) {
    bytes_ += bytes;
    if (bytes_ > kValueBytesMax)
      return fail(EvalError::Kind::kLimit, "result is larger than 4 MiB");
    if (!fuel_.take(1) || !fuel_.take_bytes(bytes)) {
      return fail(EvalError::Kind::kLimit, "fuel is used up");
    }
    return true;
  }

  bool check_depth(std::size_t depth) {
    return depth <= kValueDepthMax ||
           fail(EvalError::Kind::kLimit, fmt::format("result is deeper than {}", kValueDepthMax));
  }

  bool convert(const Value& value, std::size_t depth, json::Value& out) {
    if (const auto* json = value.get<const json::Value*>()) {
      out = **json;  // shared, not copied
      return measure(**json, depth);
    }
    switch (value.kind()) {
      case Kind::kNull:
        return count(5);
      case Kind::kBool:
        out = *value.get<bool>();
        return count(5);
      case Kind::kInt:
        return convert_int(*value.get<std::int64_t>(), out);
      case Kind::kDouble:
        return convert_double(*value.get<double>(), out);
      case Kind::kString:
        if (!count(value.get<std::string_view>()->size() + 3)) return false;
        out = *value.get<std::string_view>();
        return true;
      case Kind::kList:
        return convert_list(value, depth, out);
      case Kind::kMap:
        return convert_map(value, depth, out);
      case Kind::kType:
        break;
    }
    return fail(EvalError::Kind::kError, "result is a type, which JSON cannot hold");
  }

  bool convert_int(std::int64_t n, json::Value& out) {
    const bool safe = n >= -json::kSafeIntegerMax && n <= json::kSafeIntegerMax;
    out = safe ? json::Value(n) : json::Value::number(static_cast<double>(n));
    return count(8);
  }

  bool convert_double(double d, json::Value& out) {
    if (!std::isfinite(d)) {
      return fail(EvalError::Kind::kError, "result is NaN or infinite, which JSON cannot hold");
    }
    out = json::Value::number(d);
    return count(8);
  }

  bool convert_list(const Value& list, std::size_t depth, json::Value& out) {
    if (!check_depth(depth) || !count(3)) return false;
    json::Array array(list.size());
    for (std::size_t i = 0; i < array.size(); ++i) {
      if (!convert(list.element(i), depth + 1, array[i])) return false;
    }
    out = std::move(array);
    return true;
  }

  bool convert_map(const Value& map, std::size_t depth, json::Value& out) {
    if (!check_depth(depth) || !count(3)) return false;
    json::Object object;
    for (std::size_t i = 0; i < map.size(); ++i) {
      const Value key = map.key(i);
      const auto* name = key.get<std::string_view>();
      if (name == nullptr) {
        return fail(EvalError::Kind::kError,
                    fmt::format("result has a key of type {}, which JSON cannot hold",
                                kind_name(key.kind())));
      }
      json::Value member;
      if (!count(name->size() + 3) || !convert(map.mapped(i), depth + 1, member)) return false;
      object.add(std::string(*name), std::move(member));
    }
    out = std::move(object);
    return true;
  }

  /// A piece of input may stand in a result many times, so its size counts each time.
  bool measure(const json::Value& json, std::size_t depth) {
    switch (json.type()) {
      case json::Type::kNull:
      case json::Type::kBool:
        return count(5);
      case json::Type::kInt:
      case json::Type::kDouble:
        return count(2);
      case json::Type::kString:
        return count(json.as_string().size() + 3);
      case json::Type::kArray:
        if (!check_depth(depth) || !count(3)) return false;
        return std::all_of(json.as_array().begin(), json.as_array().end(),
                           [&](const json::Value& v) { return measure(v, depth + 1); });
      case json::Type::kObject:
        if (!check_depth(depth) || !count(3)) return false;
        return std::all_of(json.as_object().begin(), json.as_object().end(), [&](const auto& m) {
          return count(m.key.size() + 3) && measure(m.value, depth + 1);
        });
    }
    return true;
  }

  Fuel& fuel_;
  std::size_t bytes_ = 0;
  EvalError error_;
};

std::variant<json::Value, EvalError> to_json(const Value& value, Fuel& fuel) {
  return Converter(fuel).run(value);
}

}  // namespace avow::cel
