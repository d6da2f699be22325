// SPDX-License-Identifier: Apache-2.0
#include "cli/trust.h"

#include <ostream>

namespace avow::cli {

void add_trust(CLI::App& command, TrustOptions& options, const std::string& flag) {
  command
      .add_option(flag, options.keys,
                  "The log's public key (vkey), any number of times: as `avow init` printed it")
      ->allow_extra_args(false);  // what follows may be the file
  command.add_option("--policy", options.policy_file,
                     "Logs, witnesses and quorum that are believed (C2SP tlog-policy)");
}

std::optional<provenance::Trust> read_trust(Terminal& terminal, const TrustOptions& options) {
  provenance::Trust trust;
  for (const std::string& text : options.keys) {
    auto key = merkle::VerifierKey::parse(text);
    if (!key) {
      terminal.err << "avow: the key " << shown(text, 128) << ": " << key.error().message << '\n';
      return {};
    }
    trust.log_keys.push_back(std::move(*key));
  }
  if (!options.policy_file.empty()) {
    const auto text = read_input(terminal, options.policy_file);
    if (!text) return {};
    auto policy = merkle::Policy::parse(*text);
    if (!policy) {
      terminal.err << "avow: " << options.policy_file << ": " << policy.error().message << '\n';
      return {};
    }
    trust.policy = std::move(*policy);
  }
  return trust;
}

}  // namespace avow::cli
