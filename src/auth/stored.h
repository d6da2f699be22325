// SPDX-License-Identifier: Apache-2.0
// auth/stored.h: how tenants, keys and agents lie in the store: a JSON object as the body of a
// record. Inside this module only. Pure; one thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "json/value.h"
#include "store/store.h"

namespace avow::auth::stored {

/// The change that writes `record` with `body`; `record.version` is the version that was read, 0
/// for none.
store::RecordChange change_of(store::Record record, const json::Value& body);

/// The object in a record of that kind. Errors: kCorruption
Result<json::Value> body_of(const store::Record& record, store::RecordKind kind);

json::Value texts_value(const std::vector<std::string>& texts);

/// Reads members of a stored body. What is not what we wrote spoils the whole: verdict() says so.
class Members {
 public:
  Members(const json::Value& body, const store::Record& record) : body_(body), record_(record) {}
  std::string text(std::string_view name);  ///< "" where absent.
  std::vector<std::string> texts(std::string_view name);
  std::optional<Time> time(std::string_view name);
  void spoil(std::string_view name);
  /// Errors: kCorruption, naming the record and the member
  [[nodiscard]] Result<void> verdict() const { return verdict_; }

 private:
  const json::Value& body_;
  const store::Record& record_;
  Result<void> verdict_;
};

}  // namespace avow::auth::stored
