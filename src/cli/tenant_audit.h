// SPDX-License-Identifier: Apache-2.0
// cli/tenant_audit.h: whether a tenant's statements are complete: numbered without gaps, chained by
// digest, every run that was open finished or still running. Pure; one thread. It remembers each
// run once.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provenance/statement.h"

namespace avow::cli {

class TenantAudit {
 public:
  /// Takes the tenant's next statement, which is untrusted.
  /// Errors: kCorruption  it is none, or does not follow the one before
  Result<void> add(std::string_view bytes);

  struct Run {
    Id id;
    bool is_finished = false;
    std::uint64_t tenant_seq = 0;  ///< Of its newest statement.
    Bytes32 digest{};              ///< Of its newest statement.
  };
  [[nodiscard]] const std::map<Id, Run>& runs() const { return runs_; }
  [[nodiscard]] std::uint64_t size() const { return seq_; }
  /// The newest one: its receipt proves, through `prev`, all before it.
  [[nodiscard]] const std::optional<Id>& newest() const { return newest_; }
  [[nodiscard]] const std::optional<Bytes32>& digest() const { return digest_; }

 private:
  Result<void> add_run(const provenance::Statement& statement, const Bytes32& digest);

  std::uint64_t seq_ = 0;
  std::optional<TenantId> tenant_;
  std::optional<Id> newest_;
  std::optional<Bytes32> digest_;
  std::map<Id, Run> runs_;
};

}  // namespace avow::cli
