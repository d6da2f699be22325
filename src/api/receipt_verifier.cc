// SPDX-License-Identifier: Apache-2.0
#include "api/receipt_verifier.h"

#include <algorithm>

namespace avow::api {
namespace {

constexpr std::size_t kPage = 100;

/// Adds the log keys that the deployment's statements of `type` name.
Result<void> add_keys(store::Store& store, provenance::StatementType type,
                      std::vector<merkle::VerifierKey>& keys) {
  store::StatementQuery query;
  query.kind = tlog::kind_of(type);
  query.is_newest_first = true;
  query.limit = kPage;
  while (true) {
    ASSIGN_OR_RETURN(const auto entries, store.list_statements(query));
    for (const store::LogEntry& entry : entries) {
      ASSIGN_OR_RETURN(const auto statement, provenance::decode_statement(entry.statement));
      for (const merkle::VerifierKey& key : statement.log_keys) {
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
      }
    }
    if (entries.size() < kPage) return {};
    query.before = entries.back().tenant_seq;
  }
}

}  // namespace

Result<std::vector<merkle::VerifierKey>> ReceiptVerifier::log_keys(store::Store& store,
                                                                   const tlog::Log& log) {
  const MutexLock lock(mutex_);
  if (!log_keys_) {
    std::vector<merkle::VerifierKey> keys = log.keys().log_keys();
    RETURN_IF_ERROR(add_keys(store, provenance::StatementType::kKeyRotated, keys));
    RETURN_IF_ERROR(add_keys(store, provenance::StatementType::kLogGenesis, keys));
    log_keys_ = std::move(keys);
  }
  return *log_keys_;
}

std::optional<provenance::Verification> ReceiptVerifier::verify(
    std::string_view file, std::vector<merkle::VerifierKey> keys) {
  if (under_way_.fetch_add(1) >= options_.at_once_max) {
    under_way_.fetch_sub(1);
    return {};
  }
  auto out = provenance::verify(file, {.log_keys = std::move(keys), .policy = {}});
  under_way_.fetch_sub(1);
  return out;
}

}  // namespace avow::api
