// SPDX-License-Identifier: Apache-2.0
#include "tlog/keys.h"

#include <cstdlib>
#include <filesystem>

#include "base/log.h"
#include "merkle/note.h"
#include "tlog/key_files.h"

namespace avow::tlog {
namespace {

namespace fs = std::filesystem;

/// Reads keys of a folder, and remembers those that were in clear.
class KeyReader {
 public:
  KeyReader(const std::string& folder, const Secret& passphrase)
      : folder_(folder), passphrase_(passphrase) {}

  template <class Key>
  Result<Key> read(std::string_view name) {
    const fs::path path = folder_ / name;
    ASSIGN_OR_RETURN(const Secret pem, read_private_file(path));
    auto key = Key::from_pem(pem.reveal(), passphrase_);
    if (!key) return key.error().in(path.string());
    // The armour says it (RFC 7468, section 11).
    if (pem.reveal().find("BEGIN ENCRYPTED") == std::string::npos) {
      clear_ += fmt::format("{}{}", clear_.empty() ? "" : ", ", name);
    }
    return key;
  }
  void warn_of_clear_keys() const {
    if (passphrase_.empty() || clear_.empty()) return;
    log::warning(
        "keys: {} in clear, although {} is set: `avow log rotate-key` makes encrypted ones", clear_,
        kPassphraseVariable);
  }

 private:
  const fs::path folder_;
  const Secret& passphrase_;
  std::string clear_;
};

template <class Key>
bool is_unreadable(const Result<Key>& key) {
  return !key && key.error().code != Code::kNotFound;
}

}  // namespace

std::vector<merkle::VerifierKey> LogKeys::log_keys() const {
  const auto verifier = [this](const crypto::Ed25519PrivateKey& key) {
    return merkle::VerifierKey::ed25519(origin, merkle::SignatureType::kEd25519, key.public_key());
  };
  std::vector<merkle::VerifierKey> keys = {verifier(log)};
  if (old_log) keys.push_back(verifier(*old_log));
  return keys;
}

std::string LogKeys::sign_checkpoint(const std::string& text) const {
  merkle::Note note{text, {merkle::sign_note(text, origin, log)}};
  if (old_log) note.signatures.push_back(merkle::sign_note(text, origin, *old_log));
  return note.format();
}

Result<LogKeys> make_keys(const std::string& folder, const std::string& origin,
                          const Secret& passphrase, Rng& rng) {
  LogKeys keys{origin, crypto::Ed25519PrivateKey::from_seed(rng.bytes32()), std::nullopt,
               crypto::P256PrivateKey::generate()};
  const fs::path path(folder);
  RETURN_IF_ERROR(write_private_file(path / kLogKeyFile, keys.log.pem(passphrase)));
  RETURN_IF_ERROR(write_private_file(path / kStatementKeyFile, keys.statements.pem(passphrase)));
  RETURN_IF_ERROR(sync_folder(path));
  return keys;
}

Result<LogKeys> load_keys(const std::string& folder, const std::string& origin,
                          const Secret& passphrase) {
  KeyReader reader(folder, passphrase);
  auto log = reader.read<crypto::Ed25519PrivateKey>(kLogKeyFile);
  auto statements = reader.read<crypto::P256PrivateKey>(kStatementKeyFile);
  auto old = reader.read<crypto::Ed25519PrivateKey>(kOldLogKeyFile);
  // A wrong passphrase before a missing file: new keys may take the place of missing ones.
  if (is_unreadable(log)) return log.error();
  if (is_unreadable(statements)) return statements.error();
  if (is_unreadable(old)) return old.error();
  if (!log) return log.error();
  if (!statements) return statements.error();
  reader.warn_of_clear_keys();
  LogKeys keys{origin, *std::move(log), std::nullopt, *std::move(statements)};
  if (old) keys.old_log = *std::move(old);
  return keys;
}

Secret keys_passphrase() {
  const char* text = std::getenv(kPassphraseVariable);
  return Secret(text == nullptr ? "" : text);
}

}  // namespace avow::tlog
