// SPDX-License-Identifier: Apache-2.0
#include "tlog/keys.h"

#include <cstdlib>
#include <filesystem>

#include "merkle/note.h"
#include "tlog/key_files.h"

namespace avow::tlog {
namespace {

namespace fs = std::filesystem;

template <class Key>
Result<Key> read_key(const fs::path& path, const Secret& passphrase) {
  ASSIGN_OR_RETURN(const Secret pem, read_private_file(path));
  auto key = Key::from_pem(pem.reveal(), passphrase);
  if (!key) return key.error().in(path.string());
  return key;
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
  const fs::path path(folder);
  ASSIGN_OR_RETURN(auto log, read_key<crypto::Ed25519PrivateKey>(path / kLogKeyFile, passphrase));
  ASSIGN_OR_RETURN(auto statements,
                   read_key<crypto::P256PrivateKey>(path / kStatementKeyFile, passphrase));
  LogKeys keys{origin, std::move(log), std::nullopt, std::move(statements)};
  auto old = read_key<crypto::Ed25519PrivateKey>(path / kOldLogKeyFile, passphrase);
  if (old) {
    keys.old_log = *std::move(old);
  } else if (old.error().code != Code::kNotFound) {
    return old.error();
  }
  return keys;
}

Secret keys_passphrase() {
  const char* text = std::getenv(kPassphraseVariable);
  return Secret(text == nullptr ? "" : text);
}

}  // namespace avow::tlog
