// SPDX-License-Identifier: Apache-2.0
#include "tlog/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "merkle/note.h"
#include "tlog/key_files.h"

namespace avow::tlog {
namespace {

namespace fs = std::filesystem;

class KeyFolder : public ::testing::Test {
 protected:
  KeyFolder() {
    std::string name = (fs::temp_directory_path() / "avow-keys-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~KeyFolder() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path at(std::string_view name) const { return fs::path(folder_) / name; }

  std::string folder_;
  SeededRng rng_{7};
};

TEST_F(KeyFolder, GivesBackTheKeysThatWereMadeInIt) {
  for (const Secret& passphrase : {Secret(), Secret("correct horse")}) {
    const auto made = make_keys(folder_, "log.example.com", passphrase, rng_);
    ASSERT_TRUE(made) << made.error().message;
    const auto loaded = load_keys(folder_, "log.example.com", passphrase);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->log_keys(), made->log_keys());
    EXPECT_EQ(loaded->statements.public_key(), made->statements.public_key());
    EXPECT_EQ(loaded->log_keys().at(0).name, "log.example.com");
    fs::remove(at(kLogKeyFile));
    fs::remove(at(kStatementKeyFile));
  }
}

TEST_F(KeyFolder, IsReadByItsOwnerAlone) {
  ASSERT_TRUE(make_keys(folder_, "log.example.com", {}, rng_));
  for (const std::string_view name : {kLogKeyFile, kStatementKeyFile}) {
    EXPECT_EQ(fs::status(at(name)).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
  ASSERT_EQ(::chmod(at(kStatementKeyFile).c_str(), 0640), 0);
  const auto keys = load_keys(folder_, "log.example.com", {});
  ASSERT_FALSE(keys);
  EXPECT_EQ(keys.error().code, Code::kInvalidArgument) << keys.error().message;
}

TEST_F(KeyFolder, OfWrongPassphraseMissingFileOrOtherKeyIsRefused) {
  ASSERT_TRUE(make_keys(folder_, "log.example.com", Secret("right"), rng_));
  EXPECT_EQ(load_keys(folder_, "o", Secret("wrong")).error().code, Code::kInvalidArgument);
  EXPECT_EQ(load_keys(folder_, "o", {}).error().code, Code::kInvalidArgument);
  fs::rename(at(kStatementKeyFile), at("aside"));
  EXPECT_EQ(load_keys(folder_, "o", Secret("right")).error().code, Code::kNotFound);
  fs::copy_file(at(kLogKeyFile), at(kStatementKeyFile));  // an Ed25519 key, not a P-256 one
  EXPECT_EQ(load_keys(folder_, "o", Secret("right")).error().code, Code::kInvalidArgument);
}

TEST_F(KeyFolder, WithAMissingFileStillNeedsThePassphraseOfTheOthers) {
  ASSERT_TRUE(make_keys(folder_, "log.example.com", Secret("right"), rng_));
  fs::remove(at(kLogKeyFile));
  EXPECT_EQ(load_keys(folder_, "o", Secret("wrong")).error().code, Code::kInvalidArgument);
  EXPECT_EQ(load_keys(folder_, "o", {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(load_keys(folder_, "o", Secret("right")).error().code, Code::kNotFound);
}

TEST_F(KeyFolder, WithKeysIsNotWrittenOver) {
  const auto made = make_keys(folder_, "log.example.com", {}, rng_);
  ASSERT_TRUE(made);
  EXPECT_EQ(make_keys(folder_, "log.example.com", {}, rng_).error().code, Code::kConflict);
  EXPECT_EQ(load_keys(folder_, "log.example.com", {})->log_keys(), made->log_keys());
  EXPECT_EQ(make_keys(folder_ + "/none", "log.example.com", {}, rng_).error().code,
            Code::kNotFound);
}

TEST_F(KeyFolder, WithAnOldLogKeyHasBothSignCheckpointsTheNewestFirst) {
  ASSERT_TRUE(make_keys(folder_, "log.example.com", {}, rng_));
  const auto old = crypto::Ed25519PrivateKey::from_seed(rng_.bytes32());
  ASSERT_TRUE(write_private_file(at(kOldLogKeyFile), old.pem()));
  const auto keys = load_keys(folder_, "log.example.com", {});
  ASSERT_TRUE(keys);
  const auto verifiers = keys->log_keys();
  ASSERT_EQ(verifiers.size(), 2U);
  EXPECT_EQ(verifiers[1].key, view_of(old.public_key().bytes));
  const auto note = merkle::Note::parse(keys->sign_checkpoint("log.example.com\n1\nAAAA\n"));
  ASSERT_TRUE(note);
  const auto signers = merkle::verify_note(*note, verifiers);
  ASSERT_TRUE(signers);
  ASSERT_EQ(signers->size(), 2U);
  EXPECT_EQ(signers->at(0).key, verifiers[0]);
}

TEST_F(KeyFolder, HoldsPassphrasesOnlyInTheEnvironment) {
  ::unsetenv(kPassphraseVariable);
  EXPECT_TRUE(keys_passphrase().empty());
  ::setenv(kPassphraseVariable, "from outside", 1);
  EXPECT_EQ(keys_passphrase().reveal(), "from outside");
  ::unsetenv(kPassphraseVariable);
}

}  // namespace
}  // namespace avow::tlog
