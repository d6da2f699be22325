// SPDX-License-Identifier: Apache-2.0
#include "json/schema.h"

#include "json/schema/program.h"

namespace avow::json {

struct Schema::Compiled {
  schema::Program program;
};

Result<Schema> Schema::compile(const Value& schema, const SchemaOptions& options,
                               std::vector<SchemaFault>* faults) {
  auto compiled = std::make_shared<Compiled>();
  std::vector<SchemaFault> found;
  const bool is_ok = schema::compile_into(compiled->program, schema, options, found);
  if (faults != nullptr) *faults = found;
  if (is_ok) return Schema(std::move(compiled));
  return failure(Code::kInvalidArgument, "schema, at \"{}\": {}", found[0].pointer,
                 found[0].message);
}

Result<std::vector<SchemaFault>> Schema::validate(const Value& instance) const {
  return schema::run(compiled_->program, instance);
}

}  // namespace avow::json
