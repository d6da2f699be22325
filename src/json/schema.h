// SPDX-License-Identifier: Apache-2.0
// json/schema.h: JSON Schema, draft 2020-12: compile once, validate often.
// Pure; a compiled Schema is immutable and safe from any thread.
#pragma once
#include <functional>
#include <memory>

#include "json/value.h"

namespace avow::json {

struct SchemaFault {
  std::string pointer;  ///< RFC 6901, into the instance (validate) or the schema (compile).
  std::string keyword;  ///< "required", "type", ...; empty for a false schema.
  std::string message;  ///< What was wrong and what is allowed.
};

struct SchemaOptions {
  /// Looks up a schema document by its absolute URI without fragment; null pointer if it is not
  /// registered. The 2020-12 metaschemas are always known. Nothing is ever fetched.
  /// What it gives must live until compile() returns, and no longer.
  std::function<const Value*(std::string_view uri)> registered = nullptr;
  std::int64_t fuel =
      1'000'000;  ///< Work of one validation; a unit is a node, or 16 bytes of text.
  std::size_t faults_max = 20;
};

class Schema {
 public:
  /// Compiles `schema` (an object or a boolean). Patterns are ECMA-262 translated to RE2; one that
  /// RE2 cannot express (backreferences, look-around) is refused. Unknown keywords are annotations.
  /// `faults` receives what was wrong. Errors: kInvalidArgument (the first fault)
  static Result<Schema> compile(const Value& schema, const SchemaOptions& options = {},
                                std::vector<SchemaFault>* faults = nullptr);

  /// All faults of `instance` up to faults_max; empty if it is valid.
  /// Errors: kResourceExhausted  the fuel ran out, or the schema refers to itself without end
  [[nodiscard]] Result<std::vector<SchemaFault>> validate(const Value& instance) const;

 private:
  struct Compiled;
  explicit Schema(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace avow::json
