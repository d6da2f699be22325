// SPDX-License-Identifier: Apache-2.0
#include "json/value.h"

#include <cmath>

namespace avow::json {
namespace {
/// Above the members of any answer of ours: an index costs an allocation a member, and comparing
/// lengths and a few bytes finds a name among 32 sooner than a map.
constexpr std::size_t kLinearMax = 32;
/// Room from the first member on: most objects have a few.
constexpr std::size_t kMembersReserved = 4;
}  // namespace

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kNull:
      return "null";
    case Type::kBool:
      return "boolean";
    case Type::kInt:
    case Type::kDouble:
      return "number";
    case Type::kString:
      return "string";
    case Type::kArray:
      return "array";
    case Type::kObject:
      return "object";
  }
  return "null";
}

Value::Value(Array a) : state_(std::make_shared<Array>(std::move(a))) {}
Value::Value(Object o) : state_(std::make_shared<Object>(std::move(o))) {}

Value Value::number(double d) {
  CHECK(std::isfinite(d));
  if (std::trunc(d) == d && std::abs(d) <= static_cast<double>(kSafeIntegerMax)) {
    return static_cast<std::int64_t>(d);
  }
  Value value;
  value.state_ = d;
  return value;
}

bool Value::as_bool() const {
  CHECK(is_bool());
  return *std::get_if<bool>(&state_);
}

std::int64_t Value::as_int() const {
  CHECK(is_int());
  return *std::get_if<std::int64_t>(&state_);
}

double Value::as_double() const {
  if (is_int()) return static_cast<double>(*std::get_if<std::int64_t>(&state_));
  CHECK(is_double());
  return *std::get_if<double>(&state_);
}

const std::string& Value::as_string() const {
  CHECK(is_string());
  return *std::get_if<std::string>(&state_);
}

const Array& Value::as_array() const {
  CHECK(is_array());
  return **std::get_if<std::shared_ptr<Array>>(&state_);
}

const Object& Value::as_object() const {
  CHECK(is_object());
  return **std::get_if<std::shared_ptr<Object>>(&state_);
}

Array& Value::mutable_array() {
  CHECK(is_array());
  auto& shared = *std::get_if<std::shared_ptr<Array>>(&state_);
  if (shared.use_count() > 1) shared = std::make_shared<Array>(*shared);
  return *shared;
}

Object& Value::mutable_object() {
  CHECK(is_object());
  auto& shared = *std::get_if<std::shared_ptr<Object>>(&state_);
  if (shared.use_count() > 1) shared = std::make_shared<Object>(*shared);
  return *shared;
}

const Value* Value::find(std::string_view key) const {
  return is_object() ? as_object().find(key) : nullptr;
}

std::string Value::string_or(std::string_view key, std::string_view fallback) const {
  const Value* member = find(key);
  return member != nullptr && member->is_string() ? member->as_string() : std::string(fallback);
}

std::int64_t Value::int_or(std::string_view key, std::int64_t fallback) const {
  const Value* member = find(key);
  return member != nullptr && member->is_int() ? member->as_int() : fallback;
}

bool Value::bool_or(std::string_view key, bool fallback) const {
  const Value* member = find(key);
  return member != nullptr && member->is_bool() ? member->as_bool() : fallback;
}

void Value::set(std::string_view key, Value value) {
  if (is_null()) *this = Object();
  mutable_object().set(key, std::move(value));
}

void Value::push_back(Value value) {
  if (is_null()) *this = Array();
  mutable_array().push_back(std::move(value));
}

bool Value::operator==(const Value& other) const {
  if (is_number() && other.is_number()) {
    if (is_int() && other.is_int()) return as_int() == other.as_int();
    return as_double() == other.as_double();
  }
  if (type() != other.type()) return false;
  switch (type()) {
    case Type::kNull:
      return true;
    case Type::kBool:
      return as_bool() == other.as_bool();
    case Type::kString:
      return as_string() == other.as_string();
    case Type::kArray:
      return as_array() == other.as_array();
    case Type::kObject:
      return as_object() == other.as_object();
    case Type::kInt:
    case Type::kDouble:
      break;  // compared above
  }
  return false;
}

Object::Object(std::initializer_list<Member> members) {
  members_.reserve(members.size());
  for (const Member& member : members) set(member.key, member.value);
}

Object::Object(const Object& other) : members_(other.members_) {
  if (other.index_)
    index_ = std::make_unique<std::map<std::string, std::size_t, std::less<>>>(*other.index_);
}

Object& Object::operator=(const Object& other) {
  if (this != &other) *this = Object(other);
  return *this;
}

std::size_t Object::index_of(std::string_view key) const {
  if (index_) {
    const auto at = index_->find(key);
    return at == index_->end() ? members_.size() : at->second;
  }
  std::size_t i = 0;
  while (i < members_.size() && members_[i].key != key) ++i;
  return i;
}

void Object::index_last() {
  if (members_.size() <= kLinearMax) return;
  const bool is_new = !index_;
  if (is_new) index_ = std::make_unique<std::map<std::string, std::size_t, std::less<>>>();
  for (std::size_t i = is_new ? 0 : members_.size() - 1; i < members_.size(); ++i) {
    index_->emplace(members_[i].key, i);
  }
}

const Value* Object::find(std::string_view key) const {
  const std::size_t i = index_of(key);
  return i == members_.size() ? nullptr : &members_[i].value;
}

Value* Object::find(std::string_view key) {
  const std::size_t i = index_of(key);
  return i == members_.size() ? nullptr : &members_[i].value;
}

void Object::set(std::string_view key, Value value) {
  if (Value* present = find(key)) {
    *present = std::move(value);
    return;
  }
  if (members_.empty()) members_.reserve(kMembersReserved);
  members_.push_back({std::string(key), std::move(value)});
  index_last();
}

bool Object::add(std::string key, Value value) {
  Value* place = append(std::move(key));
  if (place != nullptr) *place = std::move(value);
  return place != nullptr;
}

Value* Object::append(std::string key) {
  if (contains(key)) return nullptr;
  if (members_.empty()) members_.reserve(kMembersReserved);
  members_.push_back({std::move(key), Value()});
  index_last();
  return &members_.back().value;
}

void Object::erase(std::string_view key) {
  const std::size_t i = index_of(key);
  if (i == members_.size()) return;
  members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(i));
  if (!index_) return;
  index_.reset();
  if (members_.size() > kLinearMax) index_last();
}

bool Object::operator==(const Object& other) const {
  if (size() != other.size()) return false;
  for (const Member& member : members_) {
    const Value* theirs = other.find(member.key);
    if (theirs == nullptr || !(member.value == *theirs)) return false;
  }
  return true;
}

}  // namespace avow::json
