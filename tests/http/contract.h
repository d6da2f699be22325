// SPDX-License-Identifier: Apache-2.0
// tests/http/contract.h: holds real answers against the server's own OpenAPI document.
// One thread.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "json/schema.h"
#include "testing/http_exchange.h"

namespace avow {

class Contract {
 public:
  /// `document`: what /openapi.json answers.
  explicit Contract(json::Value document);

  /// Why `reply` is not what the document says about `method` and `target`; empty if it is. What no
  /// route answers must be a Problem.
  std::string fault_of(std::string_view method, std::string_view target,
                       const testing::HttpReply& reply);
  /// Why `value` is no `component` (a name in components.schemas); empty if it is one.
  std::string fault_of(std::string_view component, const json::Value& value);

  [[nodiscard]] const json::Value& document() const { return document_; }
  /// The operationId and status of every documented answer below 300, and of those seen so far.
  [[nodiscard]] std::set<std::pair<std::string, std::string>> documented() const;
  [[nodiscard]] const std::set<std::pair<std::string, std::string>>& seen() const { return seen_; }

 private:
  /// The operation of a request; null pointer if there is none.
  [[nodiscard]] const json::Value* operation_of(std::string_view method,
                                                std::string_view target) const;
  std::string schema_fault(const json::Value& schema, const json::Value& instance);

  const json::Value document_;
  std::map<std::string, json::Schema> compiled_;
  std::set<std::pair<std::string, std::string>> seen_;
};

}  // namespace avow
