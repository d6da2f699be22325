// SPDX-License-Identifier: Apache-2.0
// The judge of every receipt is provenance::verify(), which knows the log's key and nothing of how
// the receipt was made.
#include "tlog/receipts.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "json/write.h"
#include "tlog/sequencer_for_tests.h"

namespace avow::tlog {
namespace {

namespace fs = std::filesystem;
using provenance::ContentAccount;
using provenance::OpenedContent;
using provenance::Receipt;
using provenance::Statement;
using provenance::StatementType;
using provenance::Verdict;
using provenance::Withheld;

constexpr std::uint32_t kExtractEnded = 3;
constexpr std::uint32_t kPublishSkipped = 4;

/// Nobody is asked over it.
class NoNetwork : public net::HttpClient {
 public:
  void send(net::ClientRequest request, Time /*deadline*/, std::stop_token /*stop*/,
            Executor& /*executor*/, Done /*done*/) override {
    ADD_FAILURE() << request.url;
  }
};

struct ReceiptTest : ::testing::Test {
  ReceiptTest() {
    std::string name = (fs::temp_directory_path() / "avow-receipts-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    world.statements_made = 5000;  // ids that are not the run's
    auto opened = Log::open(world.store, *world.sequencer, (folder / "log.watermark").string(),
                            network, *strand, world.scheduler, {});
    EXPECT_TRUE(opened);
    log = *std::move(opened);
  }
  ~ReceiptTest() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  void rename_run(RunId to) {
    run.id = to;
    for (std::string& bytes : run.events) {
      auto event = *provenance::decode(bytes);
      event.run = to;
      bytes = provenance::encode(event);
    }
  }

  /// Stores the run as the engine leaves it when it has ended, with `statements` about it.
  void store_run(const std::vector<Statement>& statements,
                 std::optional<std::string> own_plan = {}) {
    store::Commit commit;
    commit.run.emplace();
    commit.run->row = row(1, summary);
    commit.run->journal = {1, static_cast<std::uint32_t>(run.events.size()),
                           provenance::encode_journal(run.events)};
    commit.run->contents = {1, static_cast<std::uint32_t>(run.events.size()),
                            contents_segment.value_or(provenance::encode_contents(run.contents))};
    commit.run->plan = std::move(own_plan);
    for (const Statement& statement : statements) commit.statements.push_back(queued(statement));
    const auto done = world.commit(std::move(commit));
    ASSERT_TRUE(done) << done.error().message;
  }
  void store_finished_run() { store_run({run.statement()}); }

  [[nodiscard]] store::RunRow row(std::uint64_t version, json::Object members = {}) const {
    store::RunRow out;
    out.id = run.id;
    out.tenant = run.tenant;
    out.version = version;
    out.status = status;
    out.workflow = WorkflowId{provenance::test_id(50)};
    out.created_at = provenance::test_time(0);
    out.summary = json::write(json::Value(std::move(members)));
    return out;
  }

  /// The run as its first `events` events are; not over.
  [[nodiscard]] Statement open_at(std::uint32_t events) const {
    Statement s = run.statement(StatementType::kRunOpen);
    s.events = events;
    s.root = merkle::oracle::root(merkle::oracle::Entries(run.events).first(events));
    return s;
  }

  /// Erases `erased`, in one commit with the statement that says so. What is left is `left`.
  void erase(std::vector<provenance::ErasedContent> erased, std::vector<provenance::Content> left) {
    Statement s;
    s.type = StatementType::kContentErased;
    s.tenant = run.tenant;
    s.id = provenance::test_id(700 + ++erasures);
    s.created_at = provenance::test_time(100);
    s.nonce = provenance::filled(8);
    s.erased = std::move(erased);
    erasure_ids.push_back(s.id.uuid());
    store::Commit commit;
    commit.run.emplace();
    commit.run->row = row(1 + erasures, {{"erasures", erasure_ids}});
    commit.run->expected_version = erasures;
    commit.run->replaced.emplace();
    if (!left.empty()) {
      commit.run->replaced->push_back(
          {1, static_cast<std::uint32_t>(run.events.size()), provenance::encode_contents(left)});
    }
    commit.statements.push_back(queued(s));
    const auto done = world.commit(std::move(commit));
    ASSERT_TRUE(done) << done.error().message;
  }

  [[nodiscard]] Id id(std::uint32_t seq) const { return provenance::receipt_id(run.id.value, seq); }
  Result<Receipt> make(std::uint32_t seq, const ReceiptOptions& options = {}) {
    return make_receipt(world.store, *log, run.tenant, id(seq), options);
  }
  Result<Receipt> reveal(std::uint32_t seq, const std::vector<std::string>& what) {
    ReceiptOptions options;
    for (const std::string& one : what) options.reveal.push_back(*Reveal::parse(one));
    return make(seq, options);
  }
  Result<Receipt> bundle(bool shows_contents) {
    return make(0, {.is_bundle = true, .shows_contents = shows_contents, .reveal = {}});
  }
  [[nodiscard]] Verdict verdict(const Result<Receipt>& receipt) const {
    EXPECT_TRUE(receipt) << receipt.error().message;
    if (!receipt) return Verdict::kMalformed;
    const auto result = provenance::verify(provenance::encode(*receipt),
                                           {.log_keys = world.keys.log_keys(), .policy = {}});
    for (const auto& check : result.checks) {
      EXPECT_TRUE(check.outcome != provenance::Outcome::kFailed ||
                  check.verdict == Verdict::kIncomplete)
          << provenance::verdict_name(check.verdict) << ": " << check.detail;
    }
    return result.verdict;
  }
  /// What a receipt shows of a content.
  static const ContentAccount* account(const Receipt& receipt, std::uint32_t seq,
                                       const std::string& member) {
    for (const ContentAccount& one : receipt.contents) {
      if (one.ref == provenance::ContentRef{seq, member}) return &one;
    }
    return nullptr;
  }
  static bool is_opened(const ContentAccount* account) {
    return account != nullptr && std::holds_alternative<OpenedContent>(account->shown);
  }
  static bool is_withheld(const ContentAccount* account, Withheld why) {
    const auto* withheld = account != nullptr ? std::get_if<Withheld>(&account->shown) : nullptr;
    return withheld != nullptr && *withheld == why;
  }

  fs::path folder;
  provenance::TestRun run;
  LogWorld world;
  std::unique_ptr<Executor> strand = world.scheduler.make_executor();
  NoNetwork network;
  std::unique_ptr<Log> log;
  store::RunStatus status = store::RunStatus::kCompleted;
  json::Object summary;                         ///< Of the run's row, when it is stored.
  std::optional<std::string> contents_segment;  ///< Instead of the run's contents.
  std::uint64_t erasures = 0;
  json::Array erasure_ids;
};

TEST_F(ReceiptTest, OfRunStepAndBundleAreValidWhereverTheyStandInTheLog) {
  // Before the run's entry: the genesis and so many others; then one more each time.
  std::uint64_t size = 1;
  for (const std::uint64_t before : {1U, 2U, 3U, 254U, 255U, 256U, 257U, 511U, 512U, 600U}) {
    rename_run(RunId{provenance::test_id(100'000 + before)});
    while (size < before) {
      world.grow(1);
      size = world.sequencer->head()->checkpoint.size;
    }
    store_finished_run();
    for (int after = 0; after < 3; ++after) {
      SCOPED_TRACE(::testing::Message() << before << " before, " << after << " after");
      EXPECT_EQ(verdict(make(0)), Verdict::kValid);
      EXPECT_EQ(verdict(make(kExtractEnded)), Verdict::kValid);
      EXPECT_EQ(verdict(make(kPublishSkipped)), Verdict::kValid);
      EXPECT_EQ(verdict(bundle(true)), Verdict::kValid);
      EXPECT_EQ(verdict(bundle(false)), Verdict::kValid);
      world.grow(1);
    }
    size = world.sequencer->head()->checkpoint.size;
  }
}

TEST_F(ReceiptTest, OfAStepHasItsStartAndItsEndAndNothingElse) {
  store_finished_run();
  const auto extract = make(kExtractEnded);
  ASSERT_TRUE(extract);
  ASSERT_EQ(extract->events.size(), 2U);
  EXPECT_EQ(extract->events[0].event, run.events[1]);
  EXPECT_EQ(extract->events[1].event, run.events[2]);
  EXPECT_TRUE(extract->contents.empty());
  const auto skipped = make(kPublishSkipped);
  ASSERT_TRUE(skipped);
  EXPECT_EQ(skipped->events.size(), 1U) << "it never started";
}

TEST_F(ReceiptTest, BundleShowsContentsOnlyToWhoMaySeeThem) {
  store_finished_run();
  const auto shown = bundle(true);
  const auto withheld = bundle(false);
  ASSERT_TRUE(shown && withheld);
  EXPECT_EQ(*shown->journal, run.events);
  EXPECT_EQ(shown->contents.size(), run.contents.size());
  EXPECT_EQ(withheld->contents.size(), run.contents.size());
  for (const ContentAccount& one : shown->contents) EXPECT_TRUE(is_opened(&one));
  for (const ContentAccount& one : withheld->contents) {
    EXPECT_TRUE(is_withheld(&one, Withheld::kFromReader));
  }
  EXPECT_NE(provenance::encode(*shown).find("because"), std::string::npos);
  EXPECT_EQ(provenance::encode(*withheld).find("because"), std::string::npos);
}

TEST_F(ReceiptTest, BundleWithContentsIsRefusedByTheirSumBeforeTheyAreRead) {
  ReceiptOptions options{.is_bundle = true, .shows_contents = true};
  summary = {{"contents_bytes", 1000}};
  store_finished_run();
  options.bytes_max = 999;
  const auto refused = make(0, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  EXPECT_EQ(refused.error().message,
            "bundle: contents have 1000 bytes, at most 999: ask with contents=false");
  options.shows_contents = false;
  EXPECT_EQ(verdict(make(0, options)), Verdict::kValid);
  EXPECT_EQ(verdict(reveal(kExtractEnded, {"output.score"})), Verdict::kValid);
}

TEST_F(ReceiptTest, BundleWithContentsIsRefusedByItsOwnSize) {
  ReceiptOptions options{.is_bundle = true, .shows_contents = true};
  store_finished_run();  // an older program did not write the sum
  const std::size_t bytes = provenance::encode(*make(0, options)).size();
  options.bytes_max = bytes;
  EXPECT_TRUE(make(0, options));
  options.bytes_max = bytes - 1;
  EXPECT_EQ(make(0, options).error().code, Code::kResourceExhausted);
}

// What cannot be decoded was not read.
TEST_F(ReceiptTest, ReadsContentsOnlyWhereSomeAreShown) {
  contents_segment = "no contents";
  store_finished_run();
  EXPECT_EQ(verdict(make(0)), Verdict::kValid);
  EXPECT_EQ(verdict(make(kExtractEnded)), Verdict::kValid);
  EXPECT_EQ(verdict(bundle(false)), Verdict::kValid);
  EXPECT_EQ(bundle(true).error().code, Code::kCorruption);
  EXPECT_EQ(reveal(kExtractEnded, {"output"}).error().code, Code::kCorruption);
}

// ------------------------------------------------------------------------------------- disclosure

TEST_F(ReceiptTest, RevealsOneMemberAndHidesTheOthers) {
  store_finished_run();
  const auto receipt = reveal(kExtractEnded, {"output.score"});
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
  const std::string text = provenance::encode(*receipt);
  EXPECT_NE(text.find("0.75"), std::string::npos);
  EXPECT_EQ(text.find("because"), std::string::npos);
  EXPECT_EQ(text.find("\"text\""), std::string::npos) << "not even its name";
}

TEST_F(ReceiptTest, RevealsOfAStepWhatItBeganWithAndWhatItLeft) {
  store_finished_run();
  const auto receipt = reveal(kExtractEnded, {"output", "input", "output.score"});
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
  EXPECT_EQ(receipt->contents.size(), 2U);
  EXPECT_TRUE(is_opened(account(*receipt, 2, "input")));
  EXPECT_TRUE(is_opened(account(*receipt, 3, "output"))) << "the whole holds the member";
}

TEST_F(ReceiptTest, RevealsOfARunItsInputAndOutput) {
  store_finished_run();
  const auto receipt = reveal(0, {"output.text", "input.question", "input.user"});
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
  EXPECT_EQ(receipt->events.size(), 2U);
  const auto* input = account(*receipt, 1, "input");
  ASSERT_NE(input, nullptr);
  EXPECT_EQ(std::get<provenance::Disclosure>(input->shown).members.size(), 2U);
  EXPECT_EQ(verdict(reveal(0, {"output"})), Verdict::kValid);
  EXPECT_EQ(reveal(0, {"output"})->events.size(), 1U);
}

TEST_F(ReceiptTest, RevealsNothingThatIsNotThere) {
  store_finished_run();
  for (const std::string what : {"outptu", "output.scroe", "mode", "workflow_digest"}) {
    EXPECT_EQ(reveal(kExtractEnded, {what}).error().code, Code::kInvalidArgument) << what;
  }
  EXPECT_EQ(reveal(kExtractEnded, {"input.x"}).error().code, Code::kInvalidArgument) << "text";
  EXPECT_EQ(reveal(0, {"request"}).error().code, Code::kInvalidArgument);
  ReceiptOptions options;
  options.is_bundle = true;
  options.reveal = {*Reveal::parse("output")};
  EXPECT_EQ(make(0, options).error().code, Code::kInvalidArgument);
}

TEST_F(ReceiptTest, RevealsNoMoreThanAReceiptMayHold) {
  run.add("step.completed", "large", 0, {{"output", std::string(1 << 20, 'x')}}, {});
  store_run({run.statement(StatementType::kRunOpen)});
  EXPECT_EQ(verdict(make(6)), Verdict::kValid);
  EXPECT_EQ(reveal(6, {"output"}).error().code, Code::kResourceExhausted);
}

TEST(Reveal, IsAContentAndPerhapsAMember) {
  const auto whole = *Reveal::parse("output");
  EXPECT_EQ(whole.content + "|" + whole.member, "output|");
  const auto member = *Reveal::parse("output.a.b");
  EXPECT_EQ(member.content + "|" + member.member, "output|a.b");
  for (const std::string_view text : {"", ".", "output.", ".score"}) {
    EXPECT_EQ(Reveal::parse(text).error().code, Code::kInvalidArgument) << text;
  }
}

// ------------------------------------------------------------------------- what is not there (yet)

TEST_F(ReceiptTest, OfARunThatIsNotOverCoversWhatItsNewestStatementDoes) {
  store_run({open_at(2), open_at(3)});
  EXPECT_EQ(verdict(make(kExtractEnded)), Verdict::kValid);
  EXPECT_EQ(make(kPublishSkipped).error().code, Code::kUnavailable) << "behind the statement";
  EXPECT_EQ(verdict(make(0)), Verdict::kIncomplete);
  EXPECT_EQ(verdict(bundle(true)), Verdict::kIncomplete);
  EXPECT_EQ(bundle(true)->journal->size(), 3U);
  ASSERT_TRUE(world.commit(std::vector{queued(run.statement())}));
  EXPECT_EQ(verdict(make(kPublishSkipped)), Verdict::kValid);
  EXPECT_EQ(verdict(bundle(true)), Verdict::kValid);
}

TEST_F(ReceiptTest, OfARunThatGoesOnWithoutAStatementIsForLater) {
  status = store::RunStatus::kRunning;
  store_run({});
  EXPECT_EQ(make(0).error().code, Code::kUnavailable);
  EXPECT_EQ(make(kExtractEnded).error().code, Code::kUnavailable);
  EXPECT_EQ(make_receipt(world.store, *log, test_tenant(9), id(0), {}).error().code,
            Code::kNotFound);
}

TEST_F(ReceiptTest, OfARunThatEndedWithoutAStatementIsNotFoundForEver) {
  store_run({});
  for (const auto& receipt : {make(0), make(kExtractEnded), bundle(false)}) {
    EXPECT_EQ(receipt.error().code, Code::kNotFound);
    EXPECT_NE(receipt.error().message.find("before there was a log"), std::string::npos);
  }
  EXPECT_EQ(make_receipt(world.store, *log, test_tenant(9), id(0), {}).error().message.find("log"),
            std::string::npos)
      << "another tenant learns nothing";
}

TEST_F(ReceiptTest, IsNotFoundForAnotherTenantOrWhereNoStepEnded) {
  store_finished_run();
  EXPECT_EQ(make_receipt(world.store, *log, test_tenant(9), id(0), {}).error().code,
            Code::kNotFound);
  EXPECT_EQ(make_receipt(world.store, *log, run.tenant, provenance::test_id(999), {}).error().code,
            Code::kNotFound);
  for (const std::uint32_t seq : {1U, 2U, 5U, 6U, 1'000'000U}) {
    EXPECT_EQ(make(seq).error().code, Code::kNotFound) << "event " << seq;
  }
}

TEST_F(ReceiptTest, OfAnyOtherStatementHasNoEvents) {
  const Statement changed = change(1, 5);
  ASSERT_TRUE(world.commit(std::vector{queued(changed)}));
  const auto receipt = make_receipt(world.store, *log, changed.tenant, changed.id, {});
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
  EXPECT_TRUE(receipt->events.empty());
  const auto genesis =
      make_receipt(world.store, *log, {}, world.store.read_log(1, 0, 1)->at(0).id, {});
  EXPECT_EQ(verdict(genesis), Verdict::kValid);

  const Id step = provenance::receipt_id(changed.id, 3);
  EXPECT_EQ(make_receipt(world.store, *log, changed.tenant, step, {}).error().code,
            Code::kNotFound);
  ReceiptOptions options;
  options.is_bundle = true;
  EXPECT_EQ(make_receipt(world.store, *log, changed.tenant, changed.id, options).error().code,
            Code::kInvalidArgument);
  options = {};
  options.reveal = {*Reveal::parse("record")};
  EXPECT_EQ(make_receipt(world.store, *log, changed.tenant, changed.id, options).error().code,
            Code::kInvalidArgument);
}

// --------------------------------------------------------------------------------------- the plan

struct PlanTest : ReceiptTest {
  json::Value plan;
  /// The engine stores the plan elsewhere, and its salt with the contents.
  PlanTest() {
    for (provenance::Content& content : run.contents) {
      if (content.ref.member == "plan") plan = std::exchange(content.value, {});
    }
  }
  Result<Receipt> bundle_with(const json::Value& given) {
    return make(0, {.is_bundle = true,
                    .shows_contents = true,
                    .reveal = {},
                    .plan_of = [given](WorkflowId) { return given; }});
  }
};

TEST_F(PlanTest, IsShownWhereItStandsBesideTheRun) {
  Statement statement = run.statement();
  statement.plan = provenance::TestRun().statement().plan;
  store_run({statement}, json::write(plan));
  const auto receipt = bundle(true);
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
  EXPECT_TRUE(is_opened(account(*receipt, 1, "plan")));
  EXPECT_EQ(verdict(reveal(0, {"plan.steps"})), Verdict::kValid);
}

TEST_F(PlanTest, IsShownWhereTheWorkflowHasIt) {
  Statement statement = run.statement();
  statement.plan = provenance::TestRun().statement().plan;
  store_run({statement});
  const auto receipt = bundle_with(plan);
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
  EXPECT_TRUE(is_opened(account(*receipt, 1, "plan")));
}

TEST_F(PlanTest, IsWithheldWhereNobodyHasItAnyMore) {
  Statement statement = run.statement();
  statement.plan = provenance::TestRun().statement().plan;
  store_run({statement});
  for (const auto& receipt : {bundle(true), bundle_with(json::Object{{"steps", 1}})}) {
    EXPECT_EQ(verdict(receipt), Verdict::kValid);
    EXPECT_TRUE(is_withheld(account(*receipt, 1, "plan"), Withheld::kFromReader));
  }
  EXPECT_EQ(reveal(0, {"plan"}).error().code, Code::kConflict);
}

// ---------------------------------------------------------------------------------------- erasure

TEST_F(ReceiptTest, MadeBeforeAndAfterAnErasureIsValid) {
  store_finished_run();
  const auto before = bundle(true);
  erase({{run.id, 0, {}}}, {});
  EXPECT_EQ(verdict(before), Verdict::kValid);
  for (const bool shows : {true, false}) {
    const auto after = bundle(shows);
    EXPECT_EQ(verdict(after), Verdict::kValid);
    EXPECT_EQ(after->contents.size(), run.contents.size());
    for (const ContentAccount& one : after->contents) {
      EXPECT_TRUE(is_withheld(&one, Withheld::kErased)) << one.ref.member;
    }
    EXPECT_EQ(after->erasures.size(), 1U);
  }
  EXPECT_EQ(verdict(make(0)), Verdict::kValid);
  EXPECT_EQ(verdict(make(kExtractEnded)), Verdict::kValid);
  EXPECT_EQ(reveal(kExtractEnded, {"output.score"}).error().code, Code::kConflict);
}

TEST_F(ReceiptTest, AfterErasuresOfPartsShowsTheRestAndQuotesThemAll) {
  store_finished_run();
  auto left = run.contents;
  std::erase_if(left, [](const auto& content) { return content.ref.member == "output"; });
  erase({{run.id, 3, "output"}, {run.id, 5, "output"}}, left);
  std::erase_if(left, [](const auto& content) { return content.ref.seq == 2; });
  erase({{run.id, 2, "input"}}, left);
  world.grow(3);
  const auto after = bundle(true);
  EXPECT_EQ(verdict(after), Verdict::kValid);
  EXPECT_EQ(after->erasures.size(), 2U);
  EXPECT_TRUE(is_withheld(account(*after, 3, "output"), Withheld::kErased));
  EXPECT_TRUE(is_withheld(account(*after, 2, "input"), Withheld::kErased));
  EXPECT_TRUE(is_opened(account(*after, 1, "input")));
  EXPECT_EQ(reveal(kExtractEnded, {"input"}).error().code, Code::kConflict);
  EXPECT_EQ(verdict(reveal(0, {"input"})), Verdict::kValid);
}

// ------------------------------------------------------------------------------------ another log

TEST_F(ReceiptTest, OfAnOlderLogGoOnByItsOwnKeys) {
  store_finished_run();
  const auto old = world.sequencer->head();
  auto next = Sequencer::begin_log(
      {2, {old->checkpoint.origin, old->checkpoint.size, old->checkpoint.root}, {}},
      test_keys(7, "next.example.com"), world.scheduler, world.rng);
  world.store.set_hook(*next);
  ASSERT_TRUE(world.commit(std::vector{Sequencer::genesis()}));
  world.sequencer = std::move(next);
  fs::remove(folder / "log.watermark");
  {
    auto watermark = Watermark::open((folder / "log.watermark").string());
    ASSERT_TRUE((*watermark)->reset({"next.example.com", 0, merkle::empty_root()}));
  }
  auto opened = Log::open(world.store, *world.sequencer, (folder / "log.watermark").string(),
                          network, *strand, world.scheduler, {});
  ASSERT_TRUE(opened);
  log = *std::move(opened);
  EXPECT_EQ(log->fault(), std::nullopt);

  EXPECT_EQ(verdict(make(kExtractEnded)), Verdict::kValid) << "by the key of the old log";
  auto left = run.contents;
  std::erase_if(left, [](const auto& content) { return content.ref.member == "output"; });
  erase({{run.id, 3, "output"}, {run.id, 5, "output"}}, left);
  const auto refused = bundle(true);
  ASSERT_FALSE(refused) << "it would say of an erased content that its reader may not see it";
  EXPECT_EQ(refused.error().code, Code::kConflict);
  const Id erasure = provenance::test_id(701);
  for (const std::string& word : {"rcpt_" + erasure.ulid(), std::string("contents=false")}) {
    EXPECT_NE(refused.error().message.find(word), std::string::npos) << refused.error().message;
  }
  EXPECT_TRUE(make_receipt(world.store, *log, run.tenant, erasure, {}));
  EXPECT_EQ(verdict(bundle(false)), Verdict::kValid);
  EXPECT_EQ(verdict(make(0)), Verdict::kValid);
  EXPECT_EQ(verdict(make(kExtractEnded)), Verdict::kValid);
  EXPECT_EQ(verdict(reveal(0, {"input"})), Verdict::kValid) << "it is kept";
  EXPECT_EQ(reveal(kExtractEnded, {"output"}).error().code, Code::kConflict);
}

}  // namespace
}  // namespace avow::tlog
