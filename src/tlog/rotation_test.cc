// SPDX-License-Identifier: Apache-2.0
#include "tlog/rotation.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "store/store_test_support.h"
#include "tlog/key_files.h"
#include "tlog/sequencer_for_tests.h"

namespace avow::tlog {
namespace {

namespace fs = std::filesystem;
using provenance::StatementType;
using provenance::Verdict;

constexpr std::string_view kNextLogKeyFile = "log.ed25519.next.pem";
constexpr std::string_view kNextStatementKeyFile = "statements.p256.next.pem";

/// The files of a folder and those of the folders in it, by name.
std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& file : fs::recursive_directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    std::ifstream in(file.path(), std::ios::binary);
    files[fs::relative(file.path(), folder).string()] =
        std::string(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

void put_files(const fs::path& folder, const std::map<std::string, std::string>& files) {
  fs::remove_all(folder);
  fs::create_directory(folder);
  for (const auto& [name, text] : files) {
    fs::create_directories((folder / name).parent_path());
    ASSERT_TRUE(write_private_file(folder / name, Secret(text)));
  }
}

/// A deployment's folders, and what the server and the offline commands do with them.
class Rotating : public ::testing::Test {
 protected:
  Rotating() {
    fs::create_directory(folder_);
    auto made = make_keys(folder_, std::string(kOrigin), passphrase_, rng_);
    EXPECT_TRUE(made);
    store_ = *store::SqliteStore::create(directory_.options());
    EXPECT_TRUE(store_->put_meta("origin", kOrigin));
  }
  ~Rotating() override { close(); }

  void close() {
    if (store_ != nullptr) store_->stop();
    store_ = nullptr;
    sequencer_ = nullptr;
  }
  store::Store& reopen() {
    close();
    store_ = *store::SqliteStore::open(directory_.options());
    return *store_;
  }

  Result<LogKeys> load() {
    ASSIGN_OR_RETURN(const std::string origin, newest_origin(*store_));
    return load_keys(folder_, origin, passphrase_);
  }
  /// What a server does at its start.
  void serve() {
    reopen();
    const auto finished = finish_rotation(*store_, folder_, passphrase_);
    ASSERT_TRUE(finished) << finished.error().message;
    const auto keys = load();
    ASSERT_TRUE(keys) << keys.error().message;
    auto opened = Sequencer::open(*store_, *keys, clock_, rng_, {.signing_threads = 0});
    ASSERT_TRUE(opened) << opened.error().message;
    sequencer_ = *std::move(opened);
    EXPECT_EQ(sequencer_->sealed(), std::nullopt);
    store_->set_hook(*sequencer_);
  }
  void grow(std::uint64_t count) {
    store::Commit commit;
    for (std::uint64_t i = 0; i < count; ++i) {
      ++statements_made_;
      commit.statements.push_back(queued(change(statements_made_ % 3, statements_made_)));
    }
    const auto done = store::write(*store_, std::move(commit));
    ASSERT_TRUE(done) << done.error().message;
  }
  Result<LogKeys> rotate(const Rotation& what) {
    reopen();
    ASSIGN_OR_RETURN(LogKeys keys, load());
    return rotate_keys(*store_, folder_, std::move(keys), passphrase_, what, "cli", clock_, rng_);
  }
  Result<LogKeys> recover(const std::string& origin,
                          const std::optional<merkle::Checkpoint>& last_seen,
                          bool is_healthy_too = false) {
    reopen();
    return recover_log(*store_, folder_, {origin, last_seen, is_healthy_too}, passphrase_, clock_,
                       rng_);
  }

  /// What the new log says of the one before, if that was seen at `last_seen`.
  provenance::OldHead old_head_after_recovery(const merkle::Checkpoint& last_seen) {
    const auto recovered = recover("new.example.com", last_seen, true);
    EXPECT_TRUE(recovered) << recovered.error().message;
    reopen();
    return provenance::decode_statement(entries(2).at(0).statement)->old_head.value();
  }

  std::vector<store::LogEntry> entries(std::uint32_t log = 1) {
    return *store_->read_log(log, 0, 10'000);
  }
  Verdict verdict(std::uint64_t index, const Head& head,
                  const std::vector<merkle::VerifierKey>& trusted) {
    return provenance::verify(receipt_of(entries(head.log), index, head),
                              provenance::Trust{trusted, {}})
        .verdict;
  }
  /// Every entry of the newest log is valid to who trusts one of `trusted`.
  void expect_valid(const std::vector<merkle::VerifierKey>& trusted) {
    const auto head = sequencer_->head();
    for (std::uint64_t index = 0; index < head->checkpoint.size; ++index) {
      for (const merkle::VerifierKey& key : trusted) {
        EXPECT_EQ(verdict(index, *head, {key}), Verdict::kValid) << index << " " << key.text();
      }
    }
  }

  store::Directory directory_;
  std::string folder_ = directory_.file("keys");
  Secret passphrase_;
  testing::Scheduler clock_;
  SeededRng rng_{3};
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<Sequencer> sequencer_;
  std::uint64_t statements_made_ = 0;
};

TEST_F(Rotating, BothKeysKeepsEverythingProvableWithTheOldLogKeyAndTheNew) {
  serve();
  grow(4);
  const LogKeys before = *load();
  const auto rotated = rotate({.log_key = true, .statement_key = true});
  ASSERT_TRUE(rotated) << rotated.error().message;
  serve();
  grow(3);
  const LogKeys after = sequencer_->keys();
  EXPECT_EQ(after.log_keys(), rotated->log_keys());
  EXPECT_EQ(after.statements.public_key(), rotated->statements.public_key());
  EXPECT_NE(after.statements.public_key(), before.statements.public_key());
  ASSERT_EQ(after.log_keys().size(), 2U);
  EXPECT_EQ(after.log_keys()[1], before.log_keys()[0]);

  const auto all = entries();
  ASSERT_EQ(all.size(), 9U);
  const auto statement = provenance::decode_statement(all[5].statement);
  ASSERT_TRUE(statement);
  EXPECT_EQ(statement->type, StatementType::kKeyRotated);
  EXPECT_EQ(statement->actor, "cli");
  EXPECT_EQ(statement->log_keys, after.log_keys());
  EXPECT_EQ(statement->keys, (std::vector<provenance::StatementKey>{
                                 {0, 5, before.statements.public_key().spki_der()},
                                 {5, {}, after.statements.public_key().spki_der()}}));
  EXPECT_TRUE(provenance::has_valid_signatures(*statement));
  EXPECT_EQ(sequencer_->head()->keys_index, 5U);
  expect_right_tree(*store_, *sequencer_->head(), after.log_keys());
  expect_right_chains(all, 5);
  expect_valid(after.log_keys());
}

TEST_F(Rotating, EndsWithTheOverlap) {
  serve();
  grow(2);
  const auto old_key = sequencer_->keys().log_keys().front();
  const auto old_head = *sequencer_->head();
  ASSERT_TRUE(rotate({}));
  const auto again = rotate({});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
  ASSERT_TRUE(end_overlap(folder_));
  EXPECT_EQ(end_overlap(folder_).error().code, Code::kNotFound);
  serve();  // the stored checkpoint is still signed by both
  grow(2);
  const auto new_keys = sequencer_->keys().log_keys();
  ASSERT_EQ(new_keys.size(), 1U);
  expect_right_tree(*store_, *sequencer_->head(), new_keys);
  // Its newest statement about keys still names both log keys; one has signed.
  expect_valid(new_keys);
  EXPECT_EQ(verdict(1, *sequencer_->head(), {old_key}), Verdict::kKeyUntrusted);
  // A receipt from before holds with the key from before.
  const auto all = entries();
  const std::vector<store::LogEntry> then(all.begin(), all.begin() + 3);
  EXPECT_EQ(
      provenance::verify(receipt_of(then, 1, old_head), provenance::Trust{{old_key}, {}}).verdict,
      Verdict::kValid);
  ASSERT_TRUE(rotate({}));
  serve();
  grow(1);
  expect_valid(sequencer_->keys().log_keys());
}

TEST_F(Rotating, ManyTimesKeepsEveryStatementKeyWithItsRange) {
  serve();
  for (int round = 0; round < 4; ++round) {
    grow(3);
    ASSERT_TRUE(rotate({.log_key = false, .statement_key = true}));
    serve();
  }
  grow(2);
  expect_right_chains(entries(), sequencer_->head()->keys_index);
  expect_valid(sequencer_->keys().log_keys());
  EXPECT_EQ(sequencer_->keys().log_keys().size(), 1U);
}

TEST_F(Rotating, OfALogWithoutEntriesComesBehindItsGenesis) {
  ASSERT_TRUE(rotate({.log_key = true, .statement_key = true}));
  serve();
  const auto all = entries();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(provenance::decode_statement(all[0].statement)->type, StatementType::kLogGenesis);
  expect_right_chains(all, 1);
  expect_valid(sequencer_->keys().log_keys());
}

TEST_F(Rotating, NothingOrASealedLogIsRefusedAndLeavesNoFile) {
  serve();
  grow(1);
  EXPECT_EQ(rotate({.log_key = false, .statement_key = false}).error().code,
            Code::kInvalidArgument);
  reopen();
  const auto before = files_of(folder_);
  const auto refused =
      rotate_keys(*store_, folder_, test_keys(), passphrase_, {}, "cli", clock_, rng_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(files_of(folder_), before);
}

TEST_F(Rotating, AStoreThatIsNotWhatWasSeenIsRefused) {
  serve();
  grow(3);
  const merkle::Checkpoint seen = sequencer_->head()->checkpoint;
  grow(3);
  merkle::Checkpoint larger = seen;
  larger.size = 100;
  merkle::Checkpoint forked = seen;
  forked.root = provenance::filled(7);
  merkle::Checkpoint other = seen;
  other.origin = "other.example.com";
  reopen();
  const auto before = files_of(folder_);
  for (const auto& last_seen : {larger, forked, other}) {
    const auto refused = rotate({.last_seen = last_seen});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kUnavailable) << refused.error().message;
    EXPECT_EQ(files_of(folder_), before);
  }
  const auto done = rotate({.last_seen = seen});
  EXPECT_TRUE(done) << done.error().message;
}

TEST_F(Rotating, ClockThatWentBackDoesNotShow) {
  serve();
  grow(1);
  const Time genesis = provenance::decode_statement(entries()[0].statement)->created_at;
  testing::Scheduler past(1, genesis - std::chrono::hours(5));
  reopen();
  ASSERT_TRUE(rotate_keys(*store_, folder_, *load(), passphrase_, {}, "", past, rng_));
  reopen();
  EXPECT_EQ(provenance::decode_statement(entries()[2].statement)->created_at, genesis);
}

// Every state of the folder that a crash can leave, rebuilt by hand from what was there before and
// is there after.
TEST_F(Rotating, IsFinishedFromWhereverACrashLeftIt) {
  passphrase_ = Secret("from outside");
  fs::remove_all(folder_);
  fs::create_directory(folder_);
  ASSERT_TRUE(make_keys(folder_, std::string(kOrigin), passphrase_, rng_));
  serve();
  grow(2);
  close();
  const std::string log(kLogKeyFile);
  const std::string old_log(kOldLogKeyFile);
  const std::string statements(kStatementKeyFile);
  const std::string next_log(kNextLogKeyFile);
  const std::string next_statements(kNextStatementKeyFile);
  const auto before = files_of(folder_);

  // Before the commit: the log names none of it, however much is there.
  for (const auto& left : {std::map<std::string, std::string>{{next_log, ""}},
                           {{next_log, "half a key"}},
                           {{next_log, before.at(log)}, {next_statements, "half a key"}}}) {
    auto files = before;
    files.insert(left.begin(), left.end());
    put_files(folder_, files);
    serve();
    EXPECT_EQ(files_of(folder_), before);
  }

  ASSERT_TRUE(rotate({.log_key = true, .statement_key = true}));
  close();
  const auto after = files_of(folder_);
  ASSERT_EQ(after.size(), 3U);
  EXPECT_EQ(after.at(old_log), before.at(log));
  const std::pair<std::string, std::string> next_key{next_log, after.at(log)};
  const std::pair<std::string, std::string> next_signer{next_statements, after.at(statements)};
  const std::pair<std::string, std::string> old_key{old_log, before.at(log)};
  const std::pair<std::string, std::string> old_signer{statements, before.at(statements)};
  for (const auto& left : {std::map<std::string, std::string>{
                               {log, before.at(log)}, old_signer, next_key, next_signer},
                           {old_key, old_signer, next_key, next_signer},
                           {old_key, {log, after.at(log)}, old_signer, next_signer},
                           after}) {
    put_files(folder_, left);
    reopen();
    const auto refused = finish_rotation(*store_, folder_, Secret("another one"));
    if (left != after) {
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    }
    EXPECT_EQ(files_of(folder_), left);  // no key is lost by a wrong passphrase
    serve();
    EXPECT_EQ(files_of(folder_), after);
  }
}

TEST_F(Rotating, RecoveryBeginsALogThatNamesTheHeadThatWasLastSeen) {
  serve();
  grow(5);
  const LogKeys old_keys = sequencer_->keys();
  const Head old = *sequencer_->head();
  merkle::Checkpoint last_seen = old.checkpoint;
  last_seen.size = 100;
  last_seen.root = provenance::filled(7);
  EXPECT_EQ(recover(std::string(kOrigin), last_seen).error().code, Code::kInvalidArgument);
  EXPECT_EQ(recover("not a name", last_seen).error().code, Code::kInvalidArgument);
  const auto recovered = recover("log2.example.com", last_seen);
  ASSERT_TRUE(recovered) << recovered.error().message;
  serve();
  EXPECT_EQ(*newest_origin(*store_), "log2.example.com");
  EXPECT_EQ(sequencer_->keys().log_keys(), recovered->log_keys());
  grow(4);

  const auto first = entries(1);
  const auto second = entries(2);
  ASSERT_EQ(second.size(), 5U);
  const auto genesis = provenance::decode_statement(second[0].statement);
  ASSERT_TRUE(genesis);
  EXPECT_EQ(genesis->type, StatementType::kLogGenesis);
  EXPECT_EQ(genesis->origin, "log2.example.com");
  EXPECT_EQ(genesis->old_head,
            (provenance::OldHead{std::string(kOrigin), 100, provenance::filled(7)}));
  // The chains of the tenants go on through both logs.
  std::map<TenantId, std::string> newest;
  for (const auto& entry : first) newest[entry.tenant] = entry.statement;
  expect_right_chains(second, 0, newest);
  expect_right_tree(*store_, *sequencer_->head(), recovered->log_keys());
  expect_valid(recovered->log_keys());
  // What the old log proved, it still proves, with its own key.
  EXPECT_EQ(verdict(2, old, old_keys.log_keys()), Verdict::kValid);
  const auto aside = load_keys(folder_ + "/log-1", std::string(kOrigin), passphrase_);
  ASSERT_TRUE(aside);
  EXPECT_EQ(aside->log_keys(), old_keys.log_keys());
}

TEST_F(Rotating, RecoveryNamesTheStoredHeadWhereNothingLargerWasSeen) {
  serve();
  grow(5);
  const merkle::Checkpoint stored = sequencer_->head()->checkpoint;
  ASSERT_TRUE(recover("log2.example.com", {}));
  reopen();
  EXPECT_EQ(provenance::decode_statement(entries(2)[0].statement)->old_head,
            (provenance::OldHead{stored.origin, stored.size, stored.root}));
}

TEST_F(Rotating, RecoveryOfAStoreThatLostItsWholeLogNamesWhatWasSeen) {
  const merkle::Checkpoint last_seen{std::string(kOrigin), 9, provenance::filled(7)};
  ASSERT_TRUE(recover("log2.example.com", last_seen));
  serve();
  grow(1);
  EXPECT_EQ(sequencer_->head()->log, 2U);
  EXPECT_EQ(provenance::decode_statement(entries(2)[0].statement)->old_head->size, 9U);
  expect_valid(sequencer_->keys().log_keys());
}

TEST_F(Rotating, RecoveryIsFinishedFromWhereverACrashLeftIt) {
  serve();
  grow(2);
  ASSERT_TRUE(rotate({}));  // an overlap, whose old key moves too
  serve();
  const merkle::Checkpoint last_seen = sequencer_->head()->checkpoint;
  close();
  const auto before = files_of(folder_);
  ASSERT_TRUE(recover("log2.example.com", last_seen, true));
  close();
  const auto after = files_of(folder_);
  const std::string log(kLogKeyFile);
  const std::string old_log(kOldLogKeyFile);
  const std::string statements(kStatementKeyFile);
  ASSERT_EQ(after.size(), 5U);
  EXPECT_EQ(after.at("log-1/" + old_log), before.at(old_log));

  auto left = before;
  left[std::string(kNextLogKeyFile)] = after.at(log);
  left[std::string(kNextStatementKeyFile)] = after.at(statements);
  const auto move = [&](const std::string& from, const std::string& to) {
    left[to] = left.at(from);
    left.erase(from);
  };
  const std::vector<std::pair<std::string, std::string>> steps = {
      {old_log, "log-1/" + old_log},
      {log, "log-1/" + log},
      {std::string(kNextLogKeyFile), log},
      {statements, "log-1/" + statements},
      {std::string(kNextStatementKeyFile), statements}};
  for (const auto& [from, to] : steps) {
    put_files(folder_, left);
    serve();
    EXPECT_EQ(files_of(folder_), after) << "before " << from << " goes to " << to;
    move(from, to);
  }
  EXPECT_EQ(left, after);
  // The command again, before the watermark was reset: it finds that all is done.
  const auto again = recover("log2.example.com", last_seen);
  ASSERT_TRUE(again) << again.error().message;
  reopen();
  EXPECT_EQ(store_->newest_log_head()->log, 2U);
  EXPECT_EQ(entries(2).size(), 1U);
  // And afterwards it is the name of a log that there was.
  EXPECT_EQ(recover("log2.example.com", merkle::Checkpoint{"log2.example.com", 1, {}}).error().code,
            Code::kInvalidArgument);
}

TEST_F(Rotating, RecoveryNamesTheStoredHeadIfItContinuesWhatWasSeen) {
  serve();
  grow(2);
  const merkle::Checkpoint seen = sequencer_->head()->checkpoint;
  grow(300);
  const merkle::Checkpoint stored = sequencer_->head()->checkpoint;
  EXPECT_EQ(old_head_after_recovery(seen),
            (provenance::OldHead{stored.origin, stored.size, stored.root}));
}

TEST_F(Rotating, RecoveryNamesWhatWasSeenIfTheStoredHeadIsLargerAndAnother) {
  serve();
  grow(5);
  EXPECT_EQ(old_head_after_recovery({std::string(kOrigin), 3, provenance::filled(7)}),
            (provenance::OldHead{std::string(kOrigin), 3, provenance::filled(7)}));
}

TEST_F(Rotating, RecoveryNamesWhatWasSeenIfTheStoredHeadIsLargerAndOfAnotherLog) {
  serve();
  grow(2);
  merkle::Checkpoint seen = sequencer_->head()->checkpoint;
  seen.origin = "log2.example.com";
  grow(2);
  EXPECT_EQ(old_head_after_recovery(seen),
            (provenance::OldHead{seen.origin, seen.size, seen.root}));
}

TEST_F(Rotating, RecoveryRefusesTheNameOfALogThatWasSeenAndIsNotInTheStore) {
  serve();
  grow(2);
  close();
  const auto before = files_of(folder_);
  const merkle::Checkpoint seen{"log2.example.com", 9, provenance::filled(7)};
  EXPECT_EQ(recover("log2.example.com", seen).error().code, Code::kInvalidArgument);
  EXPECT_EQ(store_->newest_log_head()->log, 1U);
  EXPECT_EQ(files_of(folder_), before);
  // Nor is it free when another one has taken its place: that one's genesis names it.
  ASSERT_TRUE(recover("log3.example.com", seen));
  EXPECT_EQ(
      recover("log2.example.com", merkle::Checkpoint{"log3.example.com", 9, provenance::filled(8)})
          .error()
          .code,
      Code::kInvalidArgument);
}

TEST_F(Rotating, RecoveryNeverPutsAKeyInThePlaceOfAnother) {
  serve();
  grow(2);
  close();
  const merkle::Checkpoint seen{std::string(kOrigin), 9, provenance::filled(7)};
  fs::create_directory(folder_ + "/log-1");
  for (const std::string_view name : {kLogKeyFile, kStatementKeyFile}) {
    const fs::path aside = fs::path(folder_) / "log-1" / name;
    ASSERT_TRUE(write_private_file(aside, Secret("of a log 1 that went another way")));
    const auto before = files_of(folder_);
    const auto refused = recover("log2.example.com", seen);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kConflict) << refused.error().message;
    EXPECT_EQ(store_->newest_log_head()->log, 1U);
    EXPECT_EQ(files_of(folder_), before);
    fs::remove(aside);
  }
  // Nor when it finishes what a crash left.
  close();
  auto left = files_of(folder_);
  ASSERT_TRUE(recover("log2.example.com", seen));
  close();
  const auto after = files_of(folder_);
  left[std::string(kNextLogKeyFile)] = after.at(std::string(kLogKeyFile));
  left["log-1/" + std::string(kLogKeyFile)] = "of a log 1 that went another way";
  put_files(folder_, left);
  reopen();
  EXPECT_EQ(finish_rotation(*store_, folder_, passphrase_).error().code, Code::kConflict);
  EXPECT_EQ(files_of(folder_), left);
}

TEST_F(Rotating, RecoveryOfALogThatCanGoOnIsRefusedUnlessItIsMeant) {
  EXPECT_EQ(recover("log2.example.com", {}).error().code, Code::kConflict);  // it has not begun
  serve();
  grow(2);
  const merkle::Checkpoint seen = sequencer_->head()->checkpoint;
  grow(2);
  const merkle::Checkpoint newest = sequencer_->head()->checkpoint;
  close();
  const auto before = files_of(folder_);
  for (const auto& last_seen : {seen, newest}) {
    const auto refused = recover("log2.example.com", last_seen);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kConflict) << refused.error().message;
    EXPECT_EQ(store_->newest_log_head()->log, 1U);
    EXPECT_EQ(files_of(folder_), before);
  }
  const auto meant = recover("log2.example.com", seen, true);
  EXPECT_TRUE(meant) << meant.error().message;
}

TEST_F(Rotating, RecoveryOfALogWithoutItsKeysNeedsNoMore) {
  serve();
  grow(2);
  const merkle::Checkpoint seen = sequencer_->head()->checkpoint;
  close();
  fs::remove(fs::path(folder_) / kLogKeyFile);
  const auto recovered = recover("log2.example.com", seen);
  ASSERT_TRUE(recovered) << recovered.error().message;
  serve();
}

TEST_F(Rotating, RecoveryOfALogThatLostARotationNeedsNoMore) {
  serve();
  grow(2);
  const merkle::Checkpoint seen = sequencer_->head()->checkpoint;
  reopen();
  // As after a rotation that the store has forgotten: the keys at hand are others.
  fs::remove_all(folder_);
  fs::create_directory(folder_);
  ASSERT_TRUE(make_keys(folder_, std::string(kOrigin), passphrase_, rng_));
  auto opened = Sequencer::open(*store_, *load(), clock_, rng_, {.signing_threads = 0});
  ASSERT_TRUE(opened);
  EXPECT_THAT(*(*opened)->sealed(), ::testing::HasSubstr("avow log recover"));
  opened->reset();
  const auto recovered = recover("log2.example.com", seen);
  ASSERT_TRUE(recovered) << recovered.error().message;
}

TEST_F(Rotating, RecoveryWithoutThePassphraseOfTheKeysThatAreThereChangesNothing) {
  passphrase_ = Secret("from outside");
  fs::remove_all(folder_);
  fs::create_directory(folder_);
  ASSERT_TRUE(make_keys(folder_, std::string(kOrigin), passphrase_, rng_));
  serve();
  grow(2);
  close();
  const merkle::Checkpoint seen{std::string(kOrigin), 9, provenance::filled(7)};
  for (const std::string_view missing : {kOldLogKeyFile, kLogKeyFile}) {  // none, and the log's
    fs::remove(fs::path(folder_) / missing);
    const auto before = files_of(folder_);
    for (const char* given : {"", "wrong"}) {
      passphrase_ = Secret(given);
      const auto refused = recover("log2.example.com", seen);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Code::kInvalidArgument) << refused.error().message;
      EXPECT_EQ(store_->newest_log_head()->log, 1U);
      EXPECT_EQ(files_of(folder_), before);
    }
  }
  passphrase_ = Secret("from outside");
  const auto recovered = recover("log2.example.com", seen);
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_THAT(files_of(folder_).at(std::string(kLogKeyFile)),
              ::testing::HasSubstr("ENCRYPTED PRIVATE KEY"));
}

}  // namespace
}  // namespace avow::tlog
