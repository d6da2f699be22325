// SPDX-License-Identifier: Apache-2.0
#include "tlog/witness.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "merkle/lines.h"

namespace avow::tlog {
namespace {

constexpr int kRequestsMax = 2;  // a 409 may be answered once

using Kind = WitnessAnswer::Kind;

std::string add_checkpoint_url(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return std::string(prefix) + "/add-checkpoint";
}

// What a 409 says in text/x.tlog.size: a number and a newline.
std::optional<std::uint64_t> named_size(const net::ClientResponse& response) {
  const std::string* const type = response.headers.find("content-type");
  if (type == nullptr || !type->starts_with("text/x.tlog.size")) return std::nullopt;
  std::string_view text = response.body;
  if (text.ends_with('\n')) text.remove_suffix(1);
  return merkle::parse_decimal(text);
}

// The one cosignature of `witness`; lines of other keys are passed over, as the protocol asks.
Result<merkle::NoteSignature> read_cosignature(std::string_view lines, const std::string& text,
                                               const merkle::VerifierKey& witness) {
  ASSIGN_OR_RETURN(const auto signatures, merkle::parse_signature_lines(lines));
  for (const merkle::NoteSignature& signature : signatures) {
    if (signature.name != witness.name || signature.key_id != witness.id) continue;
    RETURN_IF_ERROR(merkle::verify_note({text, {signature}}, {&witness, 1}));
    return signature;
  }
  return failure(Code::kUnauthenticated, "its answer has no cosignature of its key");
}

}  // namespace

std::string add_checkpoint_request(std::uint64_t old_size, const std::vector<merkle::Hash>& proof,
                                   std::string_view signed_checkpoint) {
  std::string out = fmt::format("old {}\n", old_size);
  for (const merkle::Hash& hash : proof) out += merkle::format_hash(hash) + "\n";
  out += "\n";
  return out += signed_checkpoint;
}

struct WitnessRounds::Witness {
  merkle::Policy::Witness who;
  std::uint64_t size = 0;  // of what it last cosigned, or said that it had
};

struct WitnessRounds::Round {
  merkle::Checkpoint checkpoint;
  std::string text;  // what is cosigned
  std::string signed_checkpoint;
  Prove prove;
  Time deadline;
  Done done;
  std::size_t waiting = 0;
  std::vector<WitnessAnswer> answers;
};

struct WitnessRounds::State : std::enable_shared_from_this<State> {
  net::HttpClient& client;
  Executor& strand;
  Clock& clock;
  std::vector<Witness> witnesses = {};
  std::optional<Round> round = {};
  std::stop_source gone = {};

  State(net::HttpClient& calls, Executor& runs_on, Clock& time)
      : client(calls), strand(runs_on), clock(time) {}

  void request(std::size_t i, int number);
  void on_answer(std::size_t i, int number, std::uint64_t old_size,
                 const Result<net::ClientResponse>& response);
  void on_conflict(std::size_t i, int number, std::uint64_t old_size,
                   const net::ClientResponse& response);
  void on_cosignature(std::size_t i, std::string_view lines);
  void settle(std::size_t i, Kind kind, std::string detail);
  void end();
};

void WitnessRounds::State::request(std::size_t i, int number) {
  // Never more than the checkpoint's own size, which the protocol forbids: a witness that stands
  // behind it then says so.
  const std::uint64_t old_size = std::min(witnesses[i].size, round->checkpoint.size);
  std::vector<merkle::Hash> proof;
  if (old_size > 0) {
    auto made = round->prove(old_size);
    if (!made) {
      return settle(i, Kind::kUnreachable,
                    fmt::format("no proof from size {}: {}", old_size, made.error().message));
    }
    proof = std::move(made->nodes);
  }
  net::ClientRequest call;
  call.method = "POST";
  call.url = add_checkpoint_url(witnesses[i].who.url);
  call.headers.add("Content-Type", "text/plain; charset=utf-8");
  call.body = add_checkpoint_request(old_size, proof, round->signed_checkpoint);
  call.response_bytes_max = kWitnessAnswerBytesMax;
  client.send(
      std::move(call), round->deadline, gone.get_token(), strand,
      [weak = weak_from_this(), i, number, old_size](const Result<net::ClientResponse>& response) {
        if (const auto state = weak.lock()) {
          state->on_answer(i, number, old_size, response);
        }
      });
}

void WitnessRounds::State::on_answer(std::size_t i, int number, std::uint64_t old_size,
                                     const Result<net::ClientResponse>& response) {
  if (!response) return settle(i, Kind::kUnreachable, response.error().message);
  switch (response->status) {
    case 200:
      return on_cosignature(i, response->body);
    case 409:
      return on_conflict(i, number, old_size, *response);
    case 422:
      return settle(i, Kind::kFork, fmt::format("the proof from size {} does not hold", old_size));
    case 400:
    case 403:
    case 404:
      return settle(i, Kind::kRefused, fmt::format("HTTP status {}", response->status));
    default:
      return settle(i, Kind::kUnreachable, fmt::format("HTTP status {}", response->status));
  }
}

void WitnessRounds::State::on_conflict(std::size_t i, int number, std::uint64_t old_size,
                                       const net::ClientResponse& response) {
  const std::uint64_t size = round->checkpoint.size;
  const std::optional<std::uint64_t> named = named_size(response);
  if (named && *named > size) {
    round->answers[i].size = *named;
    return settle(i, Kind::kAhead, fmt::format("it has cosigned size {}", *named));
  }
  // The sizes agree, so the roots do not. The protocol has this 409 name no size; it may.
  if (old_size == size && (!named || *named == size)) {
    return settle(i, Kind::kFork, fmt::format("it has cosigned another root at size {}", size));
  }
  if (!named) return settle(i, Kind::kRefused, "HTTP status 409 without a size");
  if (*named == old_size) {
    return settle(i, Kind::kRefused, fmt::format("it names size {}, which it was sent", old_size));
  }
  witnesses[i].size = *named;
  if (number == kRequestsMax || clock.now() >= round->deadline) {
    return settle(i, Kind::kUnreachable, fmt::format("it has moved to size {} meanwhile", *named));
  }
  request(i, number + 1);
}

void WitnessRounds::State::on_cosignature(std::size_t i, std::string_view lines) {
  auto cosignature = read_cosignature(lines, round->text, witnesses[i].who.key);
  if (!cosignature) return settle(i, Kind::kRefused, cosignature.error().message);
  witnesses[i].size = round->checkpoint.size;
  round->answers[i].cosignature = *std::move(cosignature);
  settle(i, Kind::kCosigned, {});
}

void WitnessRounds::State::settle(std::size_t i, Kind kind, std::string detail) {
  round->answers[i].kind = kind;
  round->answers[i].detail = std::move(detail);
  if (--round->waiting == 0) end();
}

// Posted, because a proof that cannot be made settles inside ask(). The round is over before `done`
// runs, which may begin the next one.
void WitnessRounds::State::end() {
  strand.post([weak = weak_from_this()] {
    const auto state = weak.lock();
    if (!state) return;
    Round ended = *std::move(state->round);
    state->round.reset();
    ended.done(std::move(ended.answers));
  });
}

WitnessRounds::WitnessRounds(const merkle::Policy& policy, net::HttpClient& client,
                             Executor& strand, Clock& clock)
    : state_(std::make_shared<State>(client, strand, clock)) {
  for (const merkle::Policy::Witness& witness : policy.witnesses) {
    if (!witness.url.empty()) state_->witnesses.push_back({witness, 0});
  }
}

WitnessRounds::~WitnessRounds() { state_->gone.request_stop(); }

void WitnessRounds::ask(const merkle::Checkpoint& checkpoint, std::string signed_checkpoint,
                        Prove prove, Time deadline, Done done) {
  CHECK(!state_->round);
  Round& round = state_->round.emplace();
  round.checkpoint = checkpoint;
  round.text = checkpoint.text();
  round.signed_checkpoint = std::move(signed_checkpoint);
  round.prove = std::move(prove);
  round.deadline = deadline;
  round.done = std::move(done);
  const std::size_t count = state_->witnesses.size();
  round.waiting = count;
  for (const Witness& witness : state_->witnesses) {
    round.answers.push_back({witness.who.name, Kind::kUnreachable, {}, 0, {}});
  }
  if (count == 0) state_->end();
  for (std::size_t i = 0; i < count; ++i) state_->request(i, 1);
}

}  // namespace avow::tlog
