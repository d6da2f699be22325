// SPDX-License-Identifier: Apache-2.0
// The other side is a witness that behaves as C2SP tlog-witness says: it keeps the checkpoint that
// it last cosigned and checks proofs with merkle::verify_consistency. Proofs are RFC 6962's
// recursive ones.
#include "tlog/witness.h"

#include <gtest/gtest.h>

#include <deque>

#include "merkle/lines.h"
#include "merkle/recursive_tree.h"
#include "testing/scheduler.h"

namespace avow::tlog {
namespace {

using Kind = WitnessAnswer::Kind;
using merkle::SignatureType;
using merkle::VerifierKey;

constexpr const char* kOrigin = "log.example.com";
constexpr std::chrono::sys_seconds kNow{std::chrono::seconds(1'795'000'000)};

crypto::Ed25519PrivateKey key_of(std::uint8_t n) {
  Bytes32 seed{};
  seed.fill(n);
  return crypto::Ed25519PrivateKey::from_seed(seed);
}

struct TestLog {
  std::vector<std::string> entries = merkle::oracle::entries(merkle::oracle::kSizeMax);
  crypto::Ed25519PrivateKey key = key_of(1);

  [[nodiscard]] VerifierKey vkey() const {
    return VerifierKey::ed25519(kOrigin, SignatureType::kEd25519, key.public_key());
  }
  [[nodiscard]] merkle::oracle::Entries first(std::size_t size) const {
    return merkle::oracle::Entries(entries).first(size);
  }
  [[nodiscard]] merkle::Checkpoint checkpoint(std::size_t size) const {
    return {kOrigin, size, merkle::oracle::root(first(size))};
  }
  [[nodiscard]] std::string signed_checkpoint(std::size_t size) const {
    const std::string text = checkpoint(size).text();
    return merkle::Note{text, {merkle::sign_note(text, kOrigin, key)}}.format();
  }
  [[nodiscard]] WitnessRounds::Prove prover(std::size_t size) const {
    return [this, size](std::uint64_t old_size) -> Result<merkle::ConsistencyProof> {
      return merkle::ConsistencyProof{old_size, size, merkle::oracle::proof(old_size, first(size))};
    };
  }
};

/// What a call of add-checkpoint holds. An empty optional: it is malformed.
struct AddCheckpoint {
  std::uint64_t old_size = 0;
  std::vector<merkle::Hash> proof;
  merkle::Note note;
  merkle::Checkpoint checkpoint;

  static std::optional<AddCheckpoint> parse(std::string_view body) {
    AddCheckpoint out;
    const auto first = merkle::take_line(body);
    if (!first || !first->starts_with("old ")) return std::nullopt;
    const auto old_size = merkle::parse_decimal(first->substr(4));
    if (!old_size) return std::nullopt;
    out.old_size = *old_size;
    for (auto line = merkle::take_line(body); line && !line->empty();
         line = merkle::take_line(body)) {
      const auto hash = merkle::parse_hash(*line);
      if (!hash) return std::nullopt;
      out.proof.push_back(*hash);
    }
    const auto note = merkle::Note::parse(body);
    if (!note) return std::nullopt;
    const auto checkpoint = merkle::Checkpoint::parse(note->text);
    if (!checkpoint) return std::nullopt;
    out.note = *note;
    out.checkpoint = *checkpoint;
    return out;
  }
};

/// A witness of one log.
class FakeWitness {
 public:
  FakeWitness(std::string name, std::uint8_t seed, VerifierKey log)
      : name_(std::move(name)), key_(key_of(seed)), log_(std::move(log)) {}

  [[nodiscard]] VerifierKey vkey() const {
    return VerifierKey::ed25519(name_, SignatureType::kCosignature, key_.public_key());
  }
  /// As if another server had led it there.
  void stand_at(merkle::Checkpoint checkpoint) { last_ = std::move(checkpoint); }
  void forget() { last_.reset(); }
  [[nodiscard]] const std::optional<merkle::Checkpoint>& last() const { return last_; }

  net::ClientResponse add_checkpoint(std::string_view body) {
    const auto call = AddCheckpoint::parse(body);
    if (!call) return {400, {}, {}};
    if (call->checkpoint.origin != log_.name) return {404, {}, {}};
    if (!merkle::verify_note(call->note, {&log_, 1})) return {403, {}, {}};
    const std::uint64_t size = last_ ? last_->size : 0;
    if (call->old_size > call->checkpoint.size) return {400, {}, {}};
    if (call->old_size != size) {
      return {409, {{"Content-Type", "text/x.tlog.size"}}, std::to_string(size) + "\n"};
    }
    if (size == call->checkpoint.size && last_ && last_->root != call->checkpoint.root) {
      return {409, {}, {}};
    }
    const merkle::ConsistencyProof proof{size, call->checkpoint.size, call->proof};
    if (size == 0 ? !call->proof.empty()
                  : !merkle::verify_consistency(proof, last_->root, call->checkpoint.root)) {
      return {422, {}, {}};
    }
    last_ = call->checkpoint;
    const std::string& text = call->note.text;
    // A key that nobody knows signs first: the protocol has it passed over.
    return {200,
            {},
            merkle::cosign_note(text, "stranger.example", key_of(99), kNow).line() +
                merkle::cosign_note(text, name_, key_, kNow).line()};
  }

 private:
  const std::string name_;
  const crypto::Ed25519PrivateKey key_;
  const VerifierKey log_;
  std::optional<merkle::Checkpoint> last_;
};

/// Carries calls to the witnesses, by URL. Says nothing at all for a URL that it does not know:
/// such a call ends at its deadline.
class Network : public net::HttpClient {
 public:
  void send(net::ClientRequest request, Time deadline, std::stop_token /*stop*/, Executor& executor,
            Done done) override {
    EXPECT_EQ(request.method, "POST");
    sent.push_back(request);
    if (!scripted.empty()) {
      const auto response = scripted.front();
      scripted.pop_front();
      return executor.post([done, response] { done(response); });
    }
    const auto found = witnesses.find(request.url);
    if (found == witnesses.end()) {
      return executor.post_at(deadline, [done] {
        done(failure(Code::kDeadlineExceeded, "no answer by the deadline"));
      });
    }
    executor.post([done, witness = found->second, body = request.body] {
      done(witness->add_checkpoint(body));
    });
  }

  std::map<std::string, FakeWitness*> witnesses;
  std::deque<Result<net::ClientResponse>> scripted;  ///< Comes before the witnesses.
  std::vector<net::ClientRequest> sent;
};

struct WitnessRoundsTest : ::testing::Test {
  testing::Scheduler scheduler;
  std::unique_ptr<Executor> strand = scheduler.make_executor();
  Network network;
  TestLog log;
  FakeWitness one{"one.example/w", 11, log.vkey()};
  FakeWitness two{"two.example/w", 12, log.vkey()};
  merkle::Policy policy;
  std::unique_ptr<WitnessRounds> rounds;

  void know(const std::string& text) {
    policy = *merkle::Policy::parse("log " + log.vkey().text() + "\n" + text);
    rounds = std::make_unique<WitnessRounds>(policy, network, *strand, scheduler);
  }
  void know_one() {
    network.witnesses["http://one.example/add-checkpoint"] = &one;
    know("witness w1 " + one.vkey().text() + " http://one.example\nquorum w1\n");
  }

  // What a round of the checkpoint of `size` ends with.
  std::vector<WitnessAnswer> ask(std::size_t size) {
    std::vector<WitnessAnswer> out;
    int ended = 0;
    rounds->ask(log.checkpoint(size), log.signed_checkpoint(size), log.prover(size),
                scheduler.now() + std::chrono::seconds(5), [&](std::vector<WitnessAnswer> answers) {
                  ++ended;
                  out = std::move(answers);
                });
    EXPECT_EQ(ended, 0) << "done is never called inside ask()";
    scheduler.run_for(std::chrono::seconds(6));
    EXPECT_EQ(ended, 1);
    return out;
  }
  WitnessAnswer ask_one(std::size_t size) {
    auto answers = ask(size);
    EXPECT_EQ(answers.size(), 1U);
    return answers.empty() ? WitnessAnswer() : answers.front();
  }
  // What it does with one scripted answer, or two.
  WitnessAnswer told(std::size_t size, std::vector<net::ClientResponse> script) {
    for (auto& response : script) network.scripted.emplace_back(std::move(response));
    return ask_one(size);
  }
  static net::ClientResponse conflict(const std::string& body) {
    return {409, {{"content-type", "text/x.tlog.size"}}, body};
  }
};

TEST_F(WitnessRoundsTest, LeadAWitnessThroughEverySizeWithOneRequestEach) {
  know_one();
  for (std::size_t size = 1; size <= merkle::oracle::kSizeMax; ++size) {
    const auto answer = ask_one(size);
    ASSERT_EQ(answer.kind, Kind::kCosigned) << answer.detail;
    const std::vector keys = {one.vkey()};
    const auto verified =
        merkle::verify_note({log.checkpoint(size).text(), {*answer.cosignature}}, keys);
    ASSERT_TRUE(verified);
    EXPECT_EQ(verified->front().time, kNow);
    EXPECT_EQ(network.sent.size(), size);
  }
}

TEST_F(WitnessRoundsTest, CosignTheSameCheckpointAgain) {
  know_one();
  EXPECT_EQ(ask_one(7).kind, Kind::kCosigned);
  EXPECT_EQ(ask_one(7).kind, Kind::kCosigned);
  EXPECT_EQ(network.sent.size(), 2U);
}

TEST_F(WitnessRoundsTest, AnswerAConflictWithOneMoreRequest) {
  one.stand_at(log.checkpoint(30));
  know_one();
  EXPECT_EQ(ask_one(64).kind, Kind::kCosigned);
  EXPECT_EQ(network.sent.size(), 2U);
  EXPECT_TRUE(network.sent[0].body.starts_with("old 0\n\nlog.example.com\n64\n"));
  EXPECT_TRUE(network.sent[1].body.starts_with("old 30\n"));
  EXPECT_EQ(one.last(), log.checkpoint(64));
}

TEST_F(WitnessRoundsTest, FindAWitnessThatForgotAtSizeZero) {
  know_one();
  ASSERT_EQ(ask_one(5).kind, Kind::kCosigned);
  one.forget();
  EXPECT_EQ(ask_one(9).kind, Kind::kCosigned);
  EXPECT_TRUE(network.sent.back().body.starts_with("old 0\n\nlog.example.com\n9\n"));
}

TEST_F(WitnessRoundsTest, TellThatTheWitnessIsAhead) {
  one.stand_at(log.checkpoint(30));
  know_one();
  const auto answer = ask_one(29);
  EXPECT_EQ(answer.kind, Kind::kAhead);
  EXPECT_EQ(answer.size, 30U);
  EXPECT_EQ(network.sent.size(), 1U);
  // A copy of the log that grew again, past where the witness stands, is a fork or the same log.
  EXPECT_EQ(ask_one(31).kind, Kind::kCosigned);
  EXPECT_EQ(ask_one(30).kind, Kind::kAhead) << "also where the size is known";
}

TEST_F(WitnessRoundsTest, TellAForkAtEverySizeOfTheWitness) {
  for (std::size_t size = 1; size <= 20; ++size) {
    auto other = log.checkpoint(size);
    other.root[31] ^= 1;
    one.stand_at(other);
    know_one();
    EXPECT_EQ(ask_one(20).kind, Kind::kFork) << "from " << size;
    EXPECT_EQ(one.last(), other);
  }
}

TEST_F(WitnessRoundsTest, AskAllAtOnceAndKeepTheOrderOfThePolicy) {
  network.witnesses["http://one.example/a/add-checkpoint"] = &one;
  two.stand_at(log.checkpoint(3));
  network.witnesses["http://two.example/add-checkpoint"] = &two;
  const auto silent = FakeWitness("three.example", 13, log.vkey());
  const auto no_url = FakeWitness("four.example", 14, log.vkey());
  know("witness w1 " + one.vkey().text() + " http://one.example/a/\n" +  //
       "witness w3 " + silent.vkey().text() + " http://three.example\n" + "witness w4 " +
       no_url.vkey().text() + "\n" +  //
       "witness w2 " + two.vkey().text() + " http://two.example\n" +
       "group g 2 w1 w2 w3\nquorum g\n");
  const Time before = scheduler.now();
  const auto answers = ask(10);
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].witness, "w1");
  EXPECT_EQ(answers[0].kind, Kind::kCosigned);
  EXPECT_EQ(answers[1].witness, "w3");
  EXPECT_EQ(answers[1].kind, Kind::kUnreachable);
  EXPECT_EQ(answers[2].witness, "w2");
  EXPECT_EQ(answers[2].kind, Kind::kCosigned);
  EXPECT_GE(scheduler.now() - before, std::chrono::seconds(5));
  merkle::Note note = *merkle::Note::parse(log.signed_checkpoint(10));
  for (const auto& answer : answers) {
    if (answer.cosignature) note.signatures.push_back(*answer.cosignature);
  }
  EXPECT_TRUE(policy.has_quorum(*merkle::verify_note(note, policy.keys())));
}

TEST_F(WitnessRoundsTest, EndAtOnceWithoutWitnesses) {
  know("quorum none\n");
  EXPECT_TRUE(ask(10).empty());
  EXPECT_TRUE(network.sent.empty());
}

TEST_F(WitnessRoundsTest, KeepEveryStatusApart) {
  know_one();
  for (const int status : {400, 403, 404}) {
    EXPECT_EQ(told(9, {{status, {}, {}}}).kind, Kind::kRefused) << status;
  }
  for (const int status : {100, 201, 301, 401, 429, 500, 503}) {
    EXPECT_EQ(told(9, {{status, {}, {}}}).kind, Kind::kUnreachable) << status;
  }
  EXPECT_EQ(told(9, {{422, {}, {}}}).kind, Kind::kFork);
}

TEST_F(WitnessRoundsTest, BelieveNoConflictThatMakesNoSense) {
  know_one();
  EXPECT_EQ(told(9, {{409, {}, "5\n"}}).kind, Kind::kRefused) << "another content type";
  for (const std::string body : {"", "\n", "-1\n", "05\n", "5 \n", "18446744073709551616\n"}) {
    EXPECT_EQ(told(9, {conflict(body)}).kind, Kind::kRefused) << body;
  }
  EXPECT_EQ(told(9, {conflict("0\n")}).kind, Kind::kRefused) << "the size that it was sent";
  network.sent.clear();
  EXPECT_EQ(told(9, {conflict("3\n"), conflict("4\n")}).kind, Kind::kUnreachable);
  EXPECT_EQ(network.sent.size(), 2U) << "one more request, not one more each time";
}

TEST_F(WitnessRoundsTest, TakeAConflictAtTheSameSizeForAForkOnlyAfterTheProofFromThere) {
  know_one();
  EXPECT_EQ(told(9, {conflict("9\n"), conflict("9\n")}).kind, Kind::kFork);
  EXPECT_TRUE(network.sent.back().body.starts_with("old 9\n\n")) << "an empty proof";
  EXPECT_EQ(told(9, {{409, {}, {}}}).kind, Kind::kFork) << "the size is known by now";
}

TEST_F(WitnessRoundsTest, BelieveNoCosignatureThatDoesNotHold) {
  know_one();
  const std::string text = log.checkpoint(9).text();
  const auto body = [](const merkle::NoteSignature& signature) {
    return net::ClientResponse{200, {}, signature.line()};
  };
  EXPECT_EQ(told(9, {body(merkle::cosign_note(text, "one.example/w", key_of(11), kNow))}).kind,
            Kind::kCosigned);
  EXPECT_EQ(told(9, {body(merkle::cosign_note(text, "one.example/w", key_of(12), kNow))}).kind,
            Kind::kRefused)
      << "another key";
  EXPECT_EQ(told(9, {body(merkle::sign_note(text, "one.example/w", key_of(11)))}).kind,
            Kind::kRefused)
      << "a signature without a time";
  EXPECT_EQ(
      told(9,
           {body(merkle::cosign_note(log.checkpoint(8).text(), "one.example/w", key_of(11), kNow))})
          .kind,
      Kind::kRefused)
      << "of another checkpoint";
  for (const std::string lines : {"", "\n", "x", "— one.example/w AAAA\n"}) {
    EXPECT_EQ(told(9, {{200, {}, lines}}).kind, Kind::kRefused) << lines;
  }
}

TEST_F(WitnessRoundsTest, GoOnAfterAnAnswerThatWasLost) {
  know_one();
  ASSERT_EQ(ask_one(5).kind, Kind::kCosigned);
  one.stand_at(log.checkpoint(8));  // it cosigned that, and the answer was lost
  network.scripted.emplace_back(failure(Code::kOutcomeUnknown, "the connection was lost"));
  EXPECT_EQ(ask_one(8).kind, Kind::kUnreachable);
  EXPECT_EQ(ask_one(9).kind, Kind::kCosigned);
}

TEST_F(WitnessRoundsTest, DoNotBlameTheWitnessWhereNoProofCanBeMade) {
  know_one();
  ASSERT_EQ(ask_one(5).kind, Kind::kCosigned);
  std::vector<WitnessAnswer> answers;
  rounds->ask(
      log.checkpoint(9), log.signed_checkpoint(9),
      [](std::uint64_t) -> Result<merkle::ConsistencyProof> {
        return failure(Code::kUnavailable, "the store is busy");
      },
      scheduler.now() + std::chrono::seconds(5),
      [&](std::vector<WitnessAnswer> got) { answers = std::move(got); });
  EXPECT_TRUE(answers.empty());
  scheduler.run_due();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].kind, Kind::kUnreachable);
}

TEST_F(WitnessRoundsTest, MayGoAwayInTheMiddleOfARound) {
  know_one();
  rounds->ask(log.checkpoint(9), log.signed_checkpoint(9), log.prover(9), scheduler.now(),
              [](const std::vector<WitnessAnswer>&) { ADD_FAILURE() << "nobody waits"; });
  rounds.reset();
  scheduler.run_due();
}

TEST_F(WitnessRoundsTest, BeginTheNextRoundWhereThisOneEnds) {
  know_one();
  int ended = 0;
  const Time deadline = scheduler.now() + std::chrono::seconds(5);
  rounds->ask(log.checkpoint(5), log.signed_checkpoint(5), log.prover(5), deadline,
              [&](const std::vector<WitnessAnswer>&) {
                ++ended;
                rounds->ask(log.checkpoint(6), log.signed_checkpoint(6), log.prover(6), deadline,
                            [&](const std::vector<WitnessAnswer>&) { ++ended; });
              });
  scheduler.run_due();
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(one.last(), log.checkpoint(6));
}

}  // namespace
}  // namespace avow::tlog
