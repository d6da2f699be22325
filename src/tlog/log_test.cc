// SPDX-License-Identifier: Apache-2.0
// The log of a real sequencer over a memory store, seen from outside. Roots are the recursive
// tree's. The witnesses behave as C2SP tlog-witness says, or as a test tells them to.
#include "tlog/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "merkle/inclusion.h"
#include "merkle/lines.h"
#include "testing/thread_executor.h"
#include "tlog/rows_for_tests.h"
#include "tlog/sequencer_for_tests.h"

namespace avow::tlog {
namespace {

namespace fs = std::filesystem;
using merkle::Checkpoint;
using merkle::SignatureType;
using merkle::VerifierKey;

/// Keeps the checkpoint that it last cosigned, and checks that the next one goes on from it.
class Witness {
 public:
  enum class Mood { kHonest, kSilent, kBusy, kSeesAFork };
  Mood mood = Mood::kHonest;
  std::uint64_t size = 0;  ///< Where it stands.
  int calls = 0;

  Witness(std::string name, std::uint8_t seed)
      : name_(std::move(name)),
        key_(crypto::Ed25519PrivateKey::from_seed(provenance::filled(seed))) {}
  [[nodiscard]] VerifierKey vkey() const {
    return VerifierKey::ed25519(name_, SignatureType::kCosignature, key_.public_key());
  }

  net::ClientResponse answer(std::string_view body) {
    ++calls;
    if (mood == Mood::kBusy) return {503, {}, {}};
    if (mood == Mood::kSeesAFork) return {422, {}, {}};
    const std::uint64_t old_size = *merkle::parse_decimal(merkle::take_line(body)->substr(4));
    merkle::ConsistencyProof proof{old_size, 0, {}};
    for (auto line = merkle::take_line(body); line && !line->empty();
         line = merkle::take_line(body)) {
      proof.nodes.push_back(*merkle::parse_hash(*line));
    }
    const auto note = *merkle::Note::parse(body);
    const auto checkpoint = *Checkpoint::parse(note.text);
    proof.new_size = checkpoint.size;
    if (old_size != size) {
      return {409, {{"Content-Type", "text/x.tlog.size"}}, std::to_string(size) + "\n"};
    }
    if (size > 0 && !merkle::verify_consistency(proof, root_, checkpoint.root))
      return {422, {}, {}};
    size = checkpoint.size;
    root_ = checkpoint.root;
    const std::chrono::sys_seconds now{std::chrono::seconds(1'795'000'000)};
    return {200, {}, merkle::cosign_note(note.text, name_, key_, now).line()};
  }

 private:
  const std::string name_;
  const crypto::Ed25519PrivateKey key_;
  merkle::Hash root_{};
};

/// Carries calls to them, by URL. Before each it tells `before`.
class Network : public net::HttpClient {
 public:
  void send(net::ClientRequest request, Time deadline, std::stop_token /*stop*/, Executor& executor,
            Done done) override {
    if (before) before();
    Witness* const witness = witnesses.at(request.url);
    if (witness->mood == Witness::Mood::kSilent) {
      return executor.post_at(deadline, [done] {
        done(failure(Code::kDeadlineExceeded, "no answer by the deadline"));
      });
    }
    executor.post([done, witness, body = request.body] { done(witness->answer(body)); });
  }

  std::map<std::string, Witness*> witnesses;
  std::function<void()> before;
};

struct LogTest : ::testing::Test {
  LogTest() {
    std::string name = (fs::temp_directory_path() / "avow-log-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    path = (folder / "log.watermark").string();
    network.witnesses = {{"http://one.example/add-checkpoint", &one},
                         {"http://two.example/add-checkpoint", &two}};
  }
  ~LogTest() override {
    log.reset();
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  /// Opens the log of `of` with this folder's watermark, as at a start of the process.
  void open(LogWorld& of, LogOptions options = {}, Executor* on = nullptr) {
    auto opened = Log::open(of.store, *of.sequencer, path, network, on ? *on : *strand,
                            of.scheduler, std::move(options));
    ASSERT_TRUE(opened) << opened.error().message;
    log = *std::move(opened);
  }
  void open() { open(world); }
  void reopen() {
    world.open();
    open();
  }
  /// Both witnesses are known, `quorum` of them are enough.
  [[nodiscard]] LogOptions witnessed(int quorum) const {
    LogOptions options;
    options.policy = *merkle::Policy::parse(
        fmt::format("witness w1 {} http://one.example\nwitness w2 {} http://two.example\n"
                    "group all {} w1 w2\nquorum all\n",
                    one.vkey().text(), two.vkey().text(), quorum));
    return options;
  }

  [[nodiscard]] std::string watermark() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  [[nodiscard]] std::uint64_t watermark_size() const {
    return Checkpoint::parse(watermark())->size;
  }
  [[nodiscard]] std::uint64_t published_size() {
    const auto out = log->published();
    EXPECT_TRUE(out) << out.error().message;
    return out ? out->checkpoint.size : 0;
  }
  [[nodiscard]] Code published_error() {
    const auto out = log->published();
    return out ? Code::kInternal : out.error().code;
  }
  /// What a wait for the entry at `index` ends with, if it has ended.
  std::shared_ptr<std::optional<bool>> wait(std::uint64_t index, Duration patience,
                                            std::stop_token gone = {}) {
    auto answer = std::make_shared<std::optional<bool>>();
    log->when_witnessed(index, world.scheduler.now() + patience, std::move(gone),
                        [answer](bool is_witnessed) {
                          EXPECT_FALSE(answer->has_value()) << "called twice";
                          *answer = is_witnessed;
                        });
    EXPECT_FALSE(answer->has_value()) << "called inside the call";
    return answer;
  }
  void run_for(int milliseconds) { world.scheduler.run_for(Duration(milliseconds)); }

  fs::path folder;
  std::string path;
  LogWorld world;
  std::unique_ptr<Executor> strand = world.scheduler.make_executor();
  Witness one{"one.example", 11};
  Witness two{"two.example", 12};
  Network network;
  std::unique_ptr<Log> log;
};

std::vector<store::LogEntry> entries_of(LogWorld& world) {
  return *world.store.read_log(1, 0, 1'000'000);
}

// ----------------------------------------------------------------------------------- publishing

TEST_F(LogTest, OfANewDeploymentBeginsItsWatermarkAndHasNothingToPublish) {
  open();
  EXPECT_EQ(watermark(), (Checkpoint{std::string(kOrigin), 0, merkle::empty_root()}.text()));
  EXPECT_EQ(published_error(), Code::kNotFound);
  EXPECT_EQ(log->covering(1, 0).error().code, Code::kNotFound);
  EXPECT_EQ(log->tile({0, 0, 1}).error().code, Code::kNotFound);
  EXPECT_EQ(log->fault(), std::nullopt);
}

TEST_F(LogTest, PublishesTheSignedHead) {
  open();
  world.grow(3);
  const auto out = log->published();
  ASSERT_TRUE(out) << out.error().message;
  const auto leaves = leaves_of(entries_of(world));
  EXPECT_EQ(out->checkpoint.size, 4U) << "the genesis and three";
  EXPECT_EQ(out->checkpoint.root, merkle::oracle::root(leaves));
  const auto note = merkle::Note::parse(out->note);
  ASSERT_TRUE(note);
  EXPECT_EQ(note->text, out->checkpoint.text());
  EXPECT_TRUE(merkle::verify_note(*note, world.keys.log_keys()));
  EXPECT_FALSE(out->is_witnessed);
}

TEST_F(LogTest, MovesAtMostOncePerInterval) {
  open();
  world.grow(1);
  EXPECT_EQ(published_size(), 2U);
  world.grow(1);
  run_for(99);
  EXPECT_EQ(published_size(), 2U);
  run_for(1);
  EXPECT_EQ(published_size(), 3U);
  run_for(1000);
  world.grow(1);
  EXPECT_EQ(published_size(), 4U) << "an interval has passed since it last moved";
}

TEST_F(LogTest, RaisesTheWatermarkBeforeAnythingLeaves) {
  open();
  world.grow(1);
  EXPECT_EQ(watermark_size(), 0U);
  const auto out = log->published();
  EXPECT_EQ(watermark(), out->checkpoint.text());
  world.grow(1);
  const auto covering = log->covering(1, 2);
  EXPECT_EQ(watermark(), covering->checkpoint.text());
}

TEST_F(LogTest, LetsNothingOutWhoseWatermarkCannotBeWritten) {
  open();
  world.grow(1);
  ASSERT_TRUE(log->published());
  world.grow(1);
  run_for(1000);
  fs::create_directory(path + ".next");
  EXPECT_EQ(published_size(), 2U) << "what left before";
  EXPECT_EQ(log->covering(1, 2).error().code, Code::kUnavailable);
  EXPECT_EQ(log->tile({0, 0, 3}).error().code, Code::kNotFound);
  EXPECT_TRUE(log->covering(1, 1)) << "it left before";
  fs::remove(path + ".next");
  EXPECT_EQ(published_size(), 3U);
}

TEST_F(LogTest, ServesTilesUpToWhatLeft) {
  open();
  world.grow(1);
  ASSERT_TRUE(log->published());
  world.grow(2);
  EXPECT_TRUE(log->tile({0, 0, 2}));
  EXPECT_EQ(log->tile({0, 0, 3}).error().code, Code::kNotFound);
  EXPECT_EQ(log->tile({merkle::kEntriesLevel, 0, 3}).error().code, Code::kNotFound);
  ASSERT_TRUE(log->covering(1, 3));
  EXPECT_EQ(*log->tile({0, 0, 3}),
            joined(std::vector<merkle::Hash>{merkle::hash_leaf(entries_of(world)[0].entry),
                                             merkle::hash_leaf(entries_of(world)[1].entry),
                                             merkle::hash_leaf(entries_of(world)[2].entry)}));
}

TEST_F(LogTest, GivesReceiptsACheckpointThatLeftAlreadyIfItCoversThem) {
  open();
  world.grow(2);
  EXPECT_EQ(log->covering(1, 2)->checkpoint.size, 3U);
  world.grow(2);
  EXPECT_EQ(log->covering(1, 1)->checkpoint.size, 3U);
  EXPECT_EQ(watermark_size(), 3U);
  EXPECT_EQ(log->covering(1, 3)->checkpoint.size, 5U);
  EXPECT_EQ(log->covering(1, 5).error().code, Code::kNotFound);
  EXPECT_EQ(log->covering(2, 0).error().code, Code::kNotFound);
}

/// The moment between COMMIT and the new head, in which `meanwhile` asks for what was committed.
struct BetweenCommitAndHead : store::CommitHook {
  BetweenCommitAndHead(store::CommitHook& its_behind, std::function<void()> its_meanwhile)
      : behind(its_behind), meanwhile(std::move(its_meanwhile)) {}
  Result<void> begin() override { return behind.begin(); }
  Result<void> add(store::LogWriter& log, std::vector<store::QueuedStatement> statements) override {
    return behind.add(log, std::move(statements));
  }
  Result<void> integrate(store::LogWriter& log) override { return behind.integrate(log); }
  void committed() override {
    meanwhile();
    behind.committed();
  }
  void rolled_back() override { behind.rolled_back(); }
  store::CommitHook& behind;
  const std::function<void()> meanwhile;
};

TEST_F(LogTest, SaysOfAnEntryThatWasCommittedThisMomentToAskAgain) {
  open();
  std::vector<Code> codes;
  BetweenCommitAndHead hook(*world.sequencer, [&] {
    const std::uint64_t size = world.store.newest_log_head()->size;
    codes.push_back(log->covering(1, size - 1).error().code);
    codes.push_back(log->covering(1, size).error().code);
  });
  world.store.set_hook(hook);
  world.grow(2);  // the first ones of the log
  world.grow(2);
  EXPECT_EQ(codes, (std::vector{Code::kUnavailable, Code::kNotFound, Code::kUnavailable,
                                Code::kNotFound}));
  EXPECT_TRUE(log->covering(1, 4));
}

TEST_F(LogTest, ProvesEveryEntryAndItsKeysInTheCheckpointThatCoversIt) {
  open();
  world.grow(7);
  for (const store::LogEntry& entry : entries_of(world)) {
    const auto checkpoint = *log->covering(1, entry.index);
    for (const auto& logged : {log->prove(entry, checkpoint), log->prove_keys(checkpoint)}) {
      ASSERT_TRUE(logged) << logged.error().message;
      EXPECT_TRUE(merkle::verify_inclusion(
          merkle::hash_leaf(logged->entry),
          {logged->index, checkpoint.checkpoint.size, logged->path}, checkpoint.checkpoint.root));
    }
  }
}

TEST_F(LogTest, GivesManyThreadsTheSameCheckpoint) {
  open();
  world.grow(40);
  std::vector<std::thread> threads;
  for (std::uint64_t first = 0; first < 4; ++first) {
    threads.emplace_back([this, first] {
      for (std::uint64_t i = first; i <= 40; i += 4) {
        const auto checkpoint = log->covering(1, i);
        ASSERT_TRUE(checkpoint);
        EXPECT_EQ(checkpoint->checkpoint.size, 41U);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// ----------------------------------------------------------------------- what a start finds out

/// The log of `from` as it was at `head`.
LogRows old_copy(LogWorld& from, const store::LogHead& head) {
  return {*from.store.read_log(1, 0, head.size), {}, head};
}

TEST_F(LogTest, GoesOnAfterARestart) {
  open();
  world.grow(5);
  ASSERT_TRUE(log->published());
  world.grow(5);  // durable, and nobody has seen it
  reopen();
  EXPECT_EQ(log->fault(), std::nullopt);
  EXPECT_TRUE(log->tile({0, 0, 6})) << "what left before is still there";
  EXPECT_EQ(published_size(), 11U);
  reopen();
  world.grow(1);
  EXPECT_EQ(published_size(), 12U);
}

struct SealedLogTest : LogTest {
  /// It says why, nothing is signed, and nothing of it leaves.
  void expect_sealed(LogWorld& of, const std::vector<std::string>& words) {
    const auto fault = log->fault();
    ASSERT_TRUE(fault);
    for (const std::string& word : words) EXPECT_NE(fault->find(word), std::string::npos) << *fault;
    EXPECT_NE(fault->find("avow log recover"), std::string::npos) << *fault;
    EXPECT_TRUE(log->figures().is_sealed);
    const std::string before = watermark();
    EXPECT_EQ(published_error(), Code::kUnavailable);
    EXPECT_EQ(watermark(), before);
    EXPECT_EQ(of.commit(std::vector{queued(change(1, 77))}).error().code, Code::kUnavailable);

    const std::uint64_t size = of.store.newest_log_head()->size;
    for (const std::uint64_t index : {std::uint64_t{0}, size - 1, size}) {
      const auto covering = log->covering(1, index);
      ASSERT_FALSE(covering) << "a checkpoint of " << covering->checkpoint.size << " left";
      EXPECT_EQ(covering.error().code, Code::kUnavailable);
      EXPECT_EQ(covering.error().message, *fault);
    }
    for (const int level : {merkle::kEntriesLevel, 0}) {
      EXPECT_EQ(log->tile({level, 0, size}).error().code, Code::kUnavailable);
      EXPECT_EQ(log->tile({level, 0, 1}).error().code, Code::kUnavailable);
    }
    EXPECT_EQ(watermark(), before);
  }
};

TEST_F(SealedLogTest, IsSealedIfTheStoreIsAnOldCopy) {
  open();
  world.grow(2);
  const auto old_head = *world.store.newest_log_head();
  world.grow(4);
  ASSERT_TRUE(log->published());
  LogWorld copy;
  put_rows(copy.store, copy.scheduler, old_copy(world, old_head));
  copy.keys = world.keys;
  copy.open();
  open(copy);
  expect_sealed(copy, {"3 entries", "seen with 7"});
}

TEST_F(SealedLogTest, IsSealedIfTheStoreHasAnotherLogOfTheSameKeys) {
  open();
  world.grow(2);
  const auto old_head = *world.store.newest_log_head();
  world.grow(4);
  ASSERT_TRUE(log->published());
  LogWorld other;  // goes on from there with other entries
  put_rows(other.store, other.scheduler, old_copy(world, old_head));
  other.keys = world.keys;
  other.open();
  other.statements_made = 100;
  other.grow(6);
  open(other);
  expect_sealed(other, {"first 7 entries", "which has 9"});
}

TEST_F(SealedLogTest, IsSealedIfTheWatermarkIsGone) {
  open();
  world.grow(1);
  fs::remove(path);
  reopen();
  expect_sealed(world, {"log.watermark is missing"});
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(SealedLogTest, IsSealedIfTheWatermarkIsNoCheckpoint) {
  open();
  world.grow(1);
  std::ofstream(path, std::ios::binary) << "garbage";
  reopen();
  expect_sealed(world, {"holds no checkpoint"});
}

TEST_F(SealedLogTest, IsSealedIfTheWatermarkIsOfAnotherLog) {
  open();
  world.grow(1);
  std::ofstream(path, std::ios::binary)
      << Checkpoint{"other.example", 0, merkle::empty_root()}.text();
  reopen();
  expect_sealed(world, {"other.example", std::string(kOrigin)});
}

TEST_F(SealedLogTest, IsSealedIfALogThatWasSeenIsEmptyNow) {
  open();
  world.grow(1);
  ASSERT_TRUE(log->published());
  LogWorld empty;
  empty.keys = world.keys;
  empty.open();
  open(empty);
  ASSERT_TRUE(log->fault());
  EXPECT_EQ(published_error(), Code::kUnavailable);
  EXPECT_EQ(log->covering(1, 0).error().code, Code::kUnavailable);
  EXPECT_EQ(log->tile({0, 0, 1}).error().code, Code::kUnavailable);
  EXPECT_FALSE(empty.commit(std::vector{queued(change(1, 1))}));
}

TEST_F(SealedLogTest, StaysSealedIfTheSequencerWasBornSo) {
  open();
  world.grow(3);
  ASSERT_TRUE(log->published());
  world.keys = test_keys(9);
  reopen();
  ASSERT_TRUE(log->fault());
  EXPECT_EQ(published_error(), Code::kUnavailable);
  EXPECT_EQ(log->covering(1, 3).error().code, Code::kUnavailable);
  EXPECT_EQ(log->tile({0, 0, 4}).error().code, Code::kUnavailable);
}

// ------------------------------------------------------------------------------------- older logs

struct OlderLogTest : LogTest {
  /// In `of` another log begins, which says that the first got to `end`.
  void end_first_log(LogWorld& of, const provenance::OldHead& end) {
    auto next =
        Sequencer::begin_log({2, end, {}}, test_keys(7, "next.example.com"), of.scheduler, of.rng);
    of.store.set_hook(*next);
    ASSERT_TRUE(of.commit(std::vector{Sequencer::genesis()}));
    of.sequencer = std::move(next);
    auto opened = Watermark::open(path);
    ASSERT_TRUE((*opened)->reset({"next.example.com", 0, merkle::empty_root()}));
    open(of);
    ASSERT_EQ(log->fault(), std::nullopt);
  }
  [[nodiscard]] Checkpoint grow() {
    open();
    world.grow(5);
    return world.sequencer->head()->checkpoint;
  }
};

TEST_F(OlderLogTest, GoesOnWithTheEndThatTheNextOneNames) {
  const Checkpoint end = grow();
  end_first_log(world, {end.origin, end.size, end.root});
  const auto last = log->covering(1, 5);
  ASSERT_TRUE(last) << last.error().message;
  EXPECT_EQ(last->note, world.store.get_log_head(1)->checkpoint);
  EXPECT_TRUE(log->prove(world.store.read_log(1, 5, 1)->front(), *last));
  EXPECT_EQ(log->covering(1, 6).error().code, Code::kNotFound);
  world.sequencer->seal("the new one is not believed");
  EXPECT_TRUE(log->covering(1, 5)) << "the older log is another matter";
  EXPECT_EQ(log->covering(2, 0).error().code, Code::kUnavailable);
}

TEST_F(OlderLogTest, GoesOnWithLessThanWasSeenOfIt) {
  const Checkpoint end = grow();
  end_first_log(world, {end.origin, end.size + 10, provenance::filled(9)});
  EXPECT_EQ(log->covering(1, 5)->checkpoint, end);
}

TEST_F(OlderLogTest, LetsNothingOutIfItsEndIsAnother) {
  const Checkpoint end = grow();
  using Case = std::pair<const char*, provenance::OldHead>;
  for (const auto& [what, named] :
       {Case{"a fork of that size", {end.origin, end.size, provenance::filled(9)}},
        Case{"more than was named", {end.origin, end.size - 1, end.root}},
        Case{"another log", {"other.example.com", end.size, end.root}}}) {
    SCOPED_TRACE(what);
    LogWorld copy;
    put_rows(copy.store, copy.scheduler, {entries_of(world), {}, *world.store.get_log_head(1)});
    end_first_log(copy, named);
    const auto covering = log->covering(1, 2);
    ASSERT_FALSE(covering);
    EXPECT_EQ(covering.error().code, Code::kUnavailable);
    EXPECT_THAT(covering.error().message, ::testing::HasSubstr("log 2 took the place of"));
    EXPECT_TRUE(log->covering(2, 0));
    log.reset();
  }
}

// ----------------------------------------------------------------------------------- the witnesses

TEST_F(LogTest, UsesTheNewestCheckpointWithAQuorumOfCosignatures) {
  open(world, witnessed(2));
  world.grow(2);
  log->start();
  run_for(1);
  const auto checkpoint = *log->covering(1, 1);
  EXPECT_TRUE(checkpoint.is_witnessed);
  EXPECT_EQ(checkpoint.checkpoint.size, 3U);
  const auto policy = *log->options().policy;
  const auto verified = merkle::verify_note(*merkle::Note::parse(checkpoint.note), policy.keys());
  ASSERT_TRUE(verified);
  EXPECT_TRUE(policy.has_quorum(*verified));
  EXPECT_TRUE(merkle::verify_note(*merkle::Note::parse(checkpoint.note), world.keys.log_keys()));
  EXPECT_EQ(log->published()->note, checkpoint.note);
  EXPECT_EQ(log->figures().witnessed_size, 3U);

  world.grow(1);
  EXPECT_FALSE(log->covering(1, 3)->is_witnessed) << "newer than the round";
  EXPECT_EQ(log->covering(1, 2)->checkpoint.size, 3U) << "the cosigned one covers it";
  run_for(1000);
  EXPECT_TRUE(log->covering(1, 3)->is_witnessed);
}

TEST_F(LogTest, RaisesTheWatermarkBeforeAWitnessIsAsked) {
  open(world, witnessed(2));
  world.grow(2);
  int asked = 0;
  network.before = [&] {
    ++asked;
    EXPECT_EQ(watermark_size(), 3U);
  };
  log->start();
  run_for(1);
  EXPECT_EQ(asked, 2);
}

TEST_F(LogTest, AsksOncePerIntervalAndOnlyAboutWhatIsNew) {
  open(world, witnessed(2));
  world.grow(1);
  log->start();
  run_for(10'000);
  EXPECT_EQ(one.calls, 1) << "nothing grew";
  for (int i = 0; i < 10; ++i) {
    world.grow(1);
    run_for(100);
  }
  EXPECT_LE(one.calls, 2);
  run_for(1000);
  EXPECT_EQ(one.size, 12U) << "the newest only";
}

TEST_F(LogTest, KeepsTheCosignaturesOfFewerThanAQuorum) {
  two.mood = Witness::Mood::kBusy;
  open(world, witnessed(2));
  world.grow(2);
  log->start();
  run_for(1);
  const auto partly = *log->covering(1, 2);
  EXPECT_FALSE(partly.is_witnessed);
  EXPECT_EQ(merkle::Note::parse(partly.note)->signatures.size(), 2U);
  EXPECT_EQ(log->figures().witness_failures, 1U);

  two.mood = Witness::Mood::kHonest;
  run_for(1000);
  EXPECT_TRUE(log->covering(1, 2)->is_witnessed) << "asked again though nothing grew";
  EXPECT_EQ(merkle::Note::parse(log->covering(1, 2)->note)->signatures.size(), 3U);
}

TEST_F(LogTest, WaitsForASilentWitnessNoLongerThanItsDeadlineAndForOneRoundAtATime) {
  two.mood = Witness::Mood::kSilent;
  open(world, witnessed(1));
  world.grow(2);
  log->start();
  run_for(4000);
  EXPECT_EQ(one.calls, 1);
  EXPECT_EQ(log->figures().witness_rounds, 0U);
  run_for(1001);
  EXPECT_EQ(log->figures().witness_rounds, 1U);
  EXPECT_TRUE(log->covering(1, 2)->is_witnessed) << "one of two is the quorum";
}

TEST_F(LogTest, StopsPublishingWhenAWitnessSeesAFork) {
  open(world, witnessed(1));
  world.grow(2);
  log->start();
  run_for(1);
  EXPECT_EQ(published_size(), 3U);
  two.mood = Witness::Mood::kSeesAFork;
  world.grow(1);
  run_for(1000);
  EXPECT_TRUE(log->figures().is_alarmed);
  EXPECT_NE(log->fault().value_or("").find("w2"), std::string::npos);
  world.grow(3);
  run_for(5000);
  EXPECT_EQ(published_size(), 3U) << "as it was published last";
  EXPECT_TRUE(log->covering(1, 3)) << "it left before, to the witnesses";
  EXPECT_EQ(log->covering(1, 6).error().code, Code::kUnavailable);
  EXPECT_EQ(one.size, 4U) << "nobody is asked any more";
  EXPECT_FALSE(log->figures().is_sealed) << "runs go on";
}

TEST_F(LogTest, IsUnderAlarmWhenAWitnessHasSeenMoreThanThereIs) {
  open(world, witnessed(1));
  world.grow(2);
  one.size = 1000;
  log->start();
  run_for(1);
  EXPECT_TRUE(log->figures().is_alarmed);
  EXPECT_EQ(published_error(), Code::kUnavailable);
}

struct StartingLogTest : SealedLogTest {
  /// The witnesses' strand is a thread here: a start waits for it.
  void open_and_ask(int quorum) {
    thread = std::make_unique<testing::ThreadExecutor>(world.scheduler);
    open(world, witnessed(quorum), thread.get());
    log->ask_witnesses_at_start();
  }
  std::unique_ptr<testing::ThreadExecutor> thread;
};

TEST_F(StartingLogTest, AsksTheWitnessesAndGoesOnIfTheyAgreeOrDoNotAnswer) {
  two.mood = Witness::Mood::kBusy;
  open();
  world.grow(2);
  open_and_ask(1);
  EXPECT_EQ(log->fault(), std::nullopt);
  EXPECT_TRUE(log->covering(1, 2)->is_witnessed);
  EXPECT_EQ(two.calls, 1);
  log->stop();
}

TEST_F(StartingLogTest, IsSealedIfAWitnessHasSeenALargerLog) {
  open();
  world.grow(2);
  two.size = 1000;
  open_and_ask(1);
  expect_sealed(world, {"w2", "1000"});
  log->stop();
}

TEST_F(StartingLogTest, IsSealedIfAWitnessHasSeenAnotherLog) {
  open();
  world.grow(2);
  two.mood = Witness::Mood::kSeesAFork;
  open_and_ask(1);
  expect_sealed(world, {"w2"});
  EXPECT_TRUE(log->figures().is_alarmed);
  log->stop();
}

TEST_F(StartingLogTest, HasNothingToAskAboutAnEmptyLog) {
  open_and_ask(1);
  EXPECT_EQ(one.calls, 0);
  log->stop();
}

TEST_F(StartingLogTest, AnswersWhoWaitsWhenItStops) {
  open();
  world.grow(2);
  two.mood = Witness::Mood::kBusy;
  open_and_ask(2);
  log->start();
  std::promise<bool> answer;
  log->when_witnessed(2, Time::max(), {},
                      [&answer](bool is_witnessed) { answer.set_value(is_witnessed); });
  log->stop();
  EXPECT_FALSE(answer.get_future().get());
}

// ------------------------------------------------------------------------------ who waits for them

TEST_F(LogTest, TellsWhoWaitsWhenAQuorumCoversTheEntry) {
  open(world, witnessed(2));
  log->start();
  run_for(1);
  world.grow(2);
  const auto early = wait(2, Duration(10'000));
  run_for(500);
  EXPECT_EQ(*early, std::nullopt);
  run_for(501);
  EXPECT_EQ(*early, true);
  const auto late = wait(1, Duration(10'000));
  run_for(0);
  EXPECT_EQ(*late, true) << "covered already";
  run_for(20'000);
}

TEST_F(LogTest, TellsWhoWaitsAtTheDeadlineThatThereIsNoQuorum) {
  two.mood = Witness::Mood::kBusy;
  open(world, witnessed(2));
  world.grow(2);
  log->start();
  const auto answer = wait(2, Duration(3000));
  run_for(2999);
  EXPECT_EQ(*answer, std::nullopt);
  run_for(1);
  EXPECT_EQ(*answer, false);
  two.mood = Witness::Mood::kHonest;
  run_for(5000);
}

TEST_F(LogTest, LetsGoOfWhoWaitsNoLonger) {
  two.mood = Witness::Mood::kBusy;
  open(world, witnessed(2));
  world.grow(2);
  log->start();
  std::stop_source gone;
  const auto answer = wait(2, Duration(30'000), gone.get_token());
  run_for(10);
  gone.request_stop();
  EXPECT_EQ(*answer, std::nullopt) << "not on the caller's thread";
  run_for(0);
  EXPECT_EQ(*answer, false);
  const auto too_late = wait(2, Duration(30'000), gone.get_token());
  run_for(0);
  EXPECT_EQ(*too_late, false);
  run_for(40'000);
}

TEST_F(LogTest, LetsNobodyWaitWhereNoWitnessIsAsked) {
  open();
  world.grow(2);
  const auto answer = wait(2, Duration(30'000));
  run_for(0);
  EXPECT_EQ(*answer, false);
}

}  // namespace
}  // namespace avow::tlog
