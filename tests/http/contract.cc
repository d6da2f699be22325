// SPDX-License-Identifier: Apache-2.0
#include "contract.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <vector>

#include "json/parse.h"
#include "json/write.h"

namespace avow {
namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t slash = path.find('/');
    out.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    path.remove_prefix(slash + 1);
  }
}

/// How many segments a path shares literally with `pattern`; nothing if it does not fit.
std::optional<int> literal_segments(std::string_view pattern, std::string_view path) {
  const auto wanted = segments_of(pattern);
  const auto given = segments_of(path);
  // {path} is the one parameter that takes several segments.
  const bool has_rest = wanted.back() == "{path}";
  if (has_rest ? given.size() < wanted.size() : given.size() != wanted.size()) return {};
  int literal = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const bool is_open = wanted[i].starts_with('{');
    if (!is_open && wanted[i] != given[i]) return {};
    if (!is_open) ++literal;
  }
  return literal;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

json::Value reference_to(std::string_view component) {
  return json::Object{{"$ref", fmt::format("#/components/schemas/{}", component)}};
}

std::string media_of(const testing::HttpReply& reply) {
  const std::string* const type = reply.headers.find("Content-Type");
  return type == nullptr ? "" : type->substr(0, type->find(';'));
}

}  // namespace

Contract::Contract(json::Value document) : document_(std::move(document)) {}

const json::Value* Contract::operation_of(std::string_view method, std::string_view target) const {
  const json::Value* const paths = document_.find("paths");
  if (paths == nullptr) return nullptr;
  const json::Value* best = nullptr;
  int best_literal = -1;
  for (const json::Member& path : paths->as_object()) {
    const auto literal = literal_segments(path.key, target.substr(0, target.find('?')));
    if (!literal || *literal <= best_literal) continue;
    best = &path.value;
    best_literal = *literal;
  }
  return best == nullptr ? nullptr : best->find(lower(method));
}

std::string Contract::schema_fault(const json::Value& schema, const json::Value& instance) {
  const std::string key = json::write_canonical(schema);
  auto known = compiled_.find(key);
  if (known == compiled_.end()) {
    json::Value whole = schema;
    whole.set("components", *document_.find("components"));
    auto compiled = json::Schema::compile(whole, {.fuel = 100'000'000});
    if (!compiled) return "the schema does not compile: " + compiled.error().message;
    known = compiled_.emplace(key, std::move(*compiled)).first;
  }
  const auto faults = known->second.validate(instance);
  if (!faults) return faults.error().message;
  std::string out;
  for (const json::SchemaFault& fault : *faults) {
    out += fmt::format("{} ({}): {}\n", fault.pointer, fault.keyword, fault.message);
  }
  return out;
}

std::string Contract::fault_of(std::string_view component, const json::Value& value) {
  return schema_fault(reference_to(component), value);
}

std::string Contract::fault_of(std::string_view method, std::string_view target,
                               const testing::HttpReply& reply) {
  if (reply.headers.find("X-Request-ID") == nullptr) return "the answer has no X-Request-ID";
  const json::Value* const operation = operation_of(method, target);
  if (operation == nullptr) return fault_of("Problem", reply.json());
  const std::string status = std::to_string(reply.status);
  const std::string id = operation->string_or("operationId");
  const json::Value* const answer = operation->find("responses")->find(status);
  if (answer == nullptr) return fmt::format("{} does not document status {}", id, status);
  seen_.emplace(id, status);
  const json::Value* const content = answer->find("content");
  if (content == nullptr) return reply.body.empty() ? "" : "a body where none is documented";
  const json::Value* const media = content->find(media_of(reply));
  if (media == nullptr) return fmt::format("{} {}: undocumented media type", id, status);
  const bool is_json = media_of(reply).ends_with("json");
  std::string fault;
  if (is_json && !json::parse(reply.body, {.depth_max = 256, .bytes_max = std::size_t{16} << 20})) {
    fault = "the body is no JSON\n";
  } else {
    fault = schema_fault(*media->find("schema"), is_json ? reply.json() : json::Value(reply.body));
  }
  return fault.empty() ? "" : fmt::format("{} {}: {}", id, status, fault);
}

std::set<std::pair<std::string, std::string>> Contract::documented() const {
  std::set<std::pair<std::string, std::string>> out;
  for (const json::Member& path : document_.find("paths")->as_object()) {
    for (const json::Member& operation : path.value.as_object()) {
      for (const json::Member& answer : operation.value.find("responses")->as_object()) {
        if (answer.key < "300") out.emplace(operation.value.string_or("operationId"), answer.key);
      }
    }
  }
  return out;
}

}  // namespace avow
