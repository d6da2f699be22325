// SPDX-License-Identifier: Apache-2.0
// tlog/keys.h: the log's private keys and the folder that holds them. Never in the store.
//
// Files of the folder, each PKCS#8 PEM with mode 0600, encrypted where a passphrase is set:
//   log.ed25519.pem       signs checkpoints; its public half is what others trust
//   log.ed25519.old.pem   during the overlap after a rotation: signs them too
//   statements.p256.pem   signs entries
//   *.next.pem            written before the statement that names them; what a crash leaves of a
//                         rotation or a recovery, finish_rotation() finishes or drops (rotation.h)
//   log-<n>/              the keys of the log <n>, which a recovery put aside
// One thread at a time for each folder; a LogKeys is an immutable value.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/secret.h"
#include "crypto/ed25519.h"
#include "crypto/p256.h"
#include "merkle/verifier_key.h"

namespace avow::tlog {

inline constexpr std::string_view kLogKeyFile = "log.ed25519.pem";
inline constexpr std::string_view kOldLogKeyFile = "log.ed25519.old.pem";
inline constexpr std::string_view kStatementKeyFile = "statements.p256.pem";
/// The environment variable with the passphrase of the key files.
inline constexpr const char* kPassphraseVariable = "AVOW_KEYS_PASSPHRASE";

struct LogKeys {
  std::string origin;  ///< Names the log and its keys.
  crypto::Ed25519PrivateKey log;
  std::optional<crypto::Ed25519PrivateKey> old_log;
  crypto::P256PrivateKey statements;

  /// The public halves that sign checkpoints now: the newest first.
  [[nodiscard]] std::vector<merkle::VerifierKey> log_keys() const;
  /// `text`, a checkpoint's, with a signature of each.
  [[nodiscard]] std::string sign_checkpoint(const std::string& text) const;
};

/// Makes the first keys of a log in `folder`, which exists and is empty of keys. `origin` is a key
/// name. The files are durable when it returns. Errors: kConflict (there are keys),
/// kResourceExhausted, kUnavailable (they cannot be written)
Result<LogKeys> make_keys(const std::string& folder, const std::string& origin,
                          const Secret& passphrase, Rng& rng);

/// Reads them; the old log key if it is there. A key in clear is taken also with a passphrase, with
/// a warning. Errors: kInvalidArgument  one that is there is no such key, or one that others than
///                                      its owner can use, or the passphrase is missing or wrong
///                    kNotFound         a file is missing, and the others can be read
///                    kUnavailable
Result<LogKeys> load_keys(const std::string& folder, const std::string& origin,
                          const Secret& passphrase);

/// The passphrase out of the environment; empty: the files are not encrypted.
Secret keys_passphrase();

}  // namespace avow::tlog
