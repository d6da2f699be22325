// SPDX-License-Identifier: Apache-2.0
#include "auth/stored.h"

#include "json/parse.h"
#include "json/write.h"

namespace avow::auth::stored {

store::RecordChange change_of(store::Record record, const json::Value& body) {
  store::RecordChange change;
  change.expected_version = record.version;
  record.version += 1;
  record.body = json::write(body);
  change.record = std::move(record);
  return change;
}

Result<json::Value> body_of(const store::Record& record, store::RecordKind kind) {
  if (record.kind != kind) {
    return failure(Code::kCorruption, "record {} has kind {}, expected {}", record.id.uuid(),
                   static_cast<int>(record.kind), static_cast<int>(kind));
  }
  auto body = json::parse(record.body);
  if (!body || !body->is_object()) {
    return failure(Code::kCorruption, "record {} holds no JSON object", record.id.uuid());
  }
  return body;
}

json::Value texts_value(const std::vector<std::string>& texts) {
  return json::Array(texts.begin(), texts.end());
}

void Members::spoil(std::string_view name) {
  if (!verdict_) return;
  verdict_ = failure(Code::kCorruption, "record {}: member \"{}\" is not what was written",
                     record_.id.uuid(), name);
}

std::string Members::text(std::string_view name) {
  const json::Value* value = body_.find(name);
  if (value == nullptr) return {};
  if (value->is_string()) return value->as_string();
  spoil(name);
  return {};
}

std::vector<std::string> Members::texts(std::string_view name) {
  const json::Value* value = body_.find(name);
  if (value == nullptr) return {};
  std::vector<std::string> out;
  if (!value->is_array()) spoil(name);
  for (const json::Value& item : value->is_array() ? value->as_array() : json::Array()) {
    if (item.is_string()) {
      out.push_back(item.as_string());
    } else {
      spoil(name);
    }
  }
  return out;
}

std::optional<Time> Members::time(std::string_view name) {
  const std::string written = text(name);
  if (written.empty()) return {};
  const auto time = parse_time(written);
  if (time) return *time;
  spoil(name);
  return {};
}

}  // namespace avow::auth::stored
