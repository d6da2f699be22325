// SPDX-License-Identifier: Apache-2.0
#include "server/init.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "auth/authenticator.h"
#include "auth/tenant.h"
#include "crypto/ed25519.h"
#include "crypto/p256.h"
#include "crypto/sha256.h"
#include "json/write.h"
#include "provenance/content.h"
#include "provenance/statement.h"
#include "store/sqlite/sqlite_store.h"

namespace avow::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;
namespace fs = std::filesystem;

constexpr std::string_view kLogKeyFile = "keys/log.ed25519.pem";
constexpr std::string_view kStatementKeyFile = "keys/statements.p256.pem";

class Initialise : public ::testing::Test {
 protected:
  Initialise() {
    std::string name = (fs::temp_directory_path() / "avow-init-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    root_ = name;
    options_.data_directory = (root_ / "data").string();
  }
  ~Initialise() override { fs::remove_all(root_); }

  Result<Deployment> run() { return initialise(options_, clock_, rng_); }
  [[nodiscard]] std::set<std::string> names_in(const fs::path& folder) const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  [[nodiscard]] std::string read(std::string_view name) const {
    std::ifstream file(fs::path(options_.data_directory) / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  [[nodiscard]] unsigned mode_of(std::string_view name) const {
    struct stat status{};
    EXPECT_EQ(::stat((fs::path(options_.data_directory) / name).c_str(), &status), 0) << name;
    return status.st_mode & 0777U;
  }

  fs::path root_;
  InitOptions options_;
  SystemClock clock_;
  SystemRng rng_;
};

TEST_F(Initialise, MakesAFolderThatOnlyItsOwnerCanRead) {
  ASSERT_TRUE(run());
  EXPECT_EQ(mode_of(""), 0700U);
  EXPECT_EQ(mode_of("keys"), 0700U);
  EXPECT_EQ(mode_of(kLogKeyFile), 0600U);
  EXPECT_EQ(mode_of(kStatementKeyFile), 0600U);
  EXPECT_EQ(mode_of("avow.db"), 0600U);
  EXPECT_EQ(names_in(root_), std::set<std::string>{"data"});  // nothing beside it
}

TEST_F(Initialise, MakesATenantAndKeysThatAuthenticate) {
  const auto made = run();
  ASSERT_TRUE(made) << made.error().message;
  const auto store = store::SqliteStore::open({.directory = options_.data_directory});
  ASSERT_TRUE(store) << store.error().message;
  auth::Authenticator authenticator(**store, nullptr);
  const auto caller =
      authenticator.authenticate({.api_keys = {made->api_key.reveal()}}, clock_.now());
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ(caller->tenant, made->tenant);
  EXPECT_FALSE(caller->is_platform);
  for (const auth::Scope scope : auth::all_scopes()) EXPECT_TRUE(caller->allows(scope));
  const auto platform =
      authenticator.authenticate({.api_keys = {made->platform_key.reveal()}}, clock_.now());
  ASSERT_TRUE(platform) << platform.error().message;
  EXPECT_TRUE(platform->is_platform);
  const auto record = (*store)->get_record(store::RecordKind::kTenant, made->tenant.value);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->name, "default");
  EXPECT_EQ((*store)->get_meta("origin").value(), "avow.local");
  (*store)->stop();
}

// The oracle is the text of C2SP signed-note: "<name>+<hash>+<base64 of 0x01 and the key>".
TEST_F(Initialise, NamesTheLogKeyAsItsPrivateFileHasIt) {
  options_.origin = "log.example.org";
  const auto made = run();
  ASSERT_TRUE(made) << made.error().message;
  const auto key = crypto::Ed25519PrivateKey::from_pem(read(kLogKeyFile));
  ASSERT_TRUE(key);
  const std::string typed = std::string(1, '\x01') + std::string(view_of(key->public_key().bytes));
  const std::string id = to_hex(view_of(crypto::sha256("log.example.org\n" + typed))).substr(0, 8);
  EXPECT_EQ(made->log_key, "log.example.org+" + id + "+" + to_base64(typed));
  EXPECT_TRUE(crypto::P256PrivateKey::from_pem(read(kStatementKeyFile)));
}

// What the log says of a new deployment: itself, its first tenant, and the two keys.
TEST_F(Initialise, WitnessesWhatItMadeFromTheFirstEntryOn) {
  const auto made = run();
  ASSERT_TRUE(made) << made.error().message;
  const auto store = store::SqliteStore::open({.directory = options_.data_directory});
  ASSERT_TRUE(store) << store.error().message;
  const auto entries = (*store)->read_log(1, 0, 100);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 4U);
  const auto genesis = provenance::decode_statement((*entries)[0].statement);
  ASSERT_TRUE(genesis);
  EXPECT_EQ(genesis->type, provenance::StatementType::kLogGenesis);
  EXPECT_EQ(genesis->log_keys.at(0).text(), made->log_key);
  std::vector<std::string> subjects;
  for (std::size_t i = 1; i < entries->size(); ++i) {
    const auto statement = provenance::decode_statement((*entries)[i].statement);
    ASSERT_TRUE(statement);
    EXPECT_EQ(statement->type, provenance::StatementType::kAdminChanged);
    EXPECT_EQ(statement->change, "created");
    subjects.push_back((statement->tenant == made->tenant ? "tenant's " : "own ") +
                       statement->subject);
    const auto contents = provenance::decode_contents((*entries)[i].contents);
    ASSERT_TRUE(contents);
    ASSERT_EQ(contents->size(), 1U);
    EXPECT_EQ(provenance::commitment((*contents)[0].value, (*contents)[0].salt), statement->record);
    // A key's text is shown once, here it is not.
    const std::string shown = json::write((*contents)[0].value);
    EXPECT_THAT(shown, Not(HasSubstr(made->api_key.reveal())));
    EXPECT_THAT(shown, Not(HasSubstr(made->platform_key.reveal())));
  }
  EXPECT_THAT(subjects, UnorderedElementsAre("tenant's tenant", "tenant's api_key", "own api_key"));
  const auto head = (*store)->newest_log_head();
  ASSERT_TRUE(head);
  EXPECT_THAT(head->checkpoint, StartsWith(read("log.watermark")));
  (*store)->stop();
}

TEST_F(Initialise, RefusesAnExistingStoreAndLeavesItAsItIs) {
  ASSERT_TRUE(run());
  const std::string before = read(kLogKeyFile);
  const auto again = run();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_THAT(again.error().message, HasSubstr("holds a store already"));
  EXPECT_EQ(read(kLogKeyFile), before);
}

TEST_F(Initialise, RefusesAFolderThatHoldsAnythingElse) {
  fs::create_directory(options_.data_directory);
  std::ofstream(fs::path(options_.data_directory) / "notes.txt") << "mine";
  const auto made = run();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kConflict);
  EXPECT_EQ(names_in(options_.data_directory), std::set<std::string>{"notes.txt"});
}

TEST_F(Initialise, TakesAnEmptyFolderAndMakesItPrivate) {
  fs::create_directory(options_.data_directory);
  options_.data_directory += "/";
  ASSERT_TRUE(run());
  EXPECT_EQ(mode_of(""), 0700U);
  EXPECT_EQ(mode_of(kLogKeyFile), 0600U);
  EXPECT_FALSE(names_in(options_.data_directory).contains(".init-"));
  const auto store = store::SqliteStore::open({.directory = options_.data_directory});
  ASSERT_TRUE(store) << store.error().message;
  (*store)->stop();
}

TEST_F(Initialise, LeavesNothingBehindWhereItCannotWrite) {
  options_.data_directory = (root_ / "missing" / "data").string();
  const auto made = run();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kUnavailable);
  EXPECT_TRUE(names_in(root_).empty());
}

TEST_F(Initialise, RefusesOriginsThatAreNoBareHostName) {
  for (const char* origin : {"", "https://a.example", "a.example/log", "a.example:80", "A.example",
                             "-a.example", "a..example", "a.example.", "a+b", "a b"}) {
    options_.origin = origin;
    const auto made = run();
    ASSERT_FALSE(made) << origin;
    EXPECT_EQ(made.error().code, Code::kInvalidArgument);
  }
  EXPECT_TRUE(names_in(root_).empty());
}

TEST_F(Initialise, RefusesATenantWithoutAName) {
  options_.tenant = "";
  const auto made = run();
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("tenant"));
}

}  // namespace
}  // namespace avow::server
