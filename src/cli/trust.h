// SPDX-License-Identifier: Apache-2.0
// cli/trust.h: whom a verifying command believes: keys and a policy that the user brings, never
// what the file or the server under check says. One thread.
#pragma once
#include <string>
#include <vector>

#include "cli/command.h"
#include "provenance/verify.h"

namespace avow::cli {

/// Options that every verifying command has.
struct TrustOptions {
  std::vector<std::string> keys;  ///< vkeys.
  std::string policy_file;
};

/// Adds `flag` (such as "--key") and --policy.
void add_trust(CLI::App& command, TrustOptions& options, const std::string& flag);

/// Nothing, which the user is told, if a key or the policy cannot be read.
std::optional<provenance::Trust> read_trust(Terminal& terminal, const TrustOptions& options);

}  // namespace avow::cli
