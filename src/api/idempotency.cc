// SPDX-License-Identifier: Apache-2.0
#include "api/idempotency.h"

#include <algorithm>
#include <atomic>

#include "api/orchestrations.h"
#include "crypto/sha256.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::api {
namespace {

/// Everything that a repetition needs after its request has gone.
struct Repetition {
  Services& services;
  KeyedRequest keyed;
  auth::Caller caller;
  std::string trace_id;
  Time now;
};

std::string digest_of(std::string_view text) { return std::string(view_of(crypto::sha256(text))); }

/// Each part with its length before it, so that no two lists of parts give the same text.
std::string digest_of(std::initializer_list<std::string_view> parts) {
  crypto::Sha256 hash;
  for (const std::string_view part : parts)
    hash.update(fmt::format("{}:", part.size())).update(part);
  return std::string(view_of(hash.finish()));
}

Problem conflict(std::string message) { return problem(409, std::move(message)); }

net::Response as_replay(net::Response response) {
  response.headers.set("Idempotent-Replayed", "true");
  return response;
}

/// Errors: kCorruption; those of show_run()
Result<net::Response> read_kept(const Repetition& again, const std::string& answer) {
  const auto body = json::parse(answer);
  const json::Value* status = body ? body->find("status") : nullptr;
  if (status == nullptr || !status->is_int()) {
    return failure(Code::kCorruption, "a kept answer is not what was written");
  }
  const int code = static_cast<int>(status->as_int());
  if (const json::Value* run = body->find("run")) {
    ASSIGN_OR_RETURN(const Id id, parse_id(run->is_string() ? run->as_string() : ""));
    return show_run(again.services, again.caller, code, RunId{id});
  }
  net::Response response{.status = code, .headers = {}, .body = body->string_or("body")};
  if (const json::Value* headers = body->find("headers"); headers && headers->is_array()) {
    for (const json::Value& field : headers->as_array()) {
      const json::Array& pair = field.as_array();
      response.headers.add(pair.at(0).as_string(), pair.at(1).as_string());
    }
  }
  return response;
}

/// The answer that the store keeps, or why there is none for this request; nothing if none is kept.
std::optional<std::variant<net::Response, Problem>> find_kept(const Repetition& again) {
  const auto kept = again.services.store.find_answer(again.keyed.key, again.now);
  if (!kept && kept.error().code == Code::kNotFound) return {};
  if (!kept) return problem_of(kept.error());
  if (kept->body_digest != again.keyed.body_digest) {
    return conflict("this Idempotency-Key was used with another body");
  }
  auto response = read_kept(again, kept->answer);
  if (!response) return problem_of(response.error());
  return as_replay(std::move(*response));
}

/// Answers a repetition when the first request has ended with `first`.
net::Response after_first(const Repetition& again, const std::optional<net::Response>& first) {
  if (auto kept = find_kept(again)) {
    if (auto* const problem = std::get_if<Problem>(&*kept)) return render(*problem, again.trace_id);
    return std::get<net::Response>(std::move(*kept));
  }
  if (first) return as_replay(*first);
  return render(
      conflict("the first request with this Idempotency-Key gave no answer; send it again"),
      again.trace_id);
}

net::Later wait_for_first(Repetition repetition) {
  const auto again = std::make_shared<const Repetition>(std::move(repetition));
  net::Later later;
  later.start = [again](const net::Responder& respond) {
    // The waiter runs where the first is answered, which may be the store's thread: it only hands
    // on.
    const auto waiter = [again, respond](const std::optional<net::Response>& first) {
      const bool is_posted = again->services.pool.try_post(
          [again, respond, first] { respond(after_first(*again, first)); });
      if (is_posted) return;
      respond(render(problem_of(failure(Code::kUnavailable, "too busy")), again->trace_id));
    };
    const bool is_waiting = again->services.idempotency.wait(again->keyed.key, waiter);
    if (!is_waiting) respond(after_first(*again, {}));
  };
  later.deadline = again->now + kDuplicateWaits;
  later.at_deadline = [again] {
    // The first may have done its work and be waiting for something else (Prefer: wait).
    if (find_kept(*again)) return after_first(*again, {});
    return render(conflict("the first request with this Idempotency-Key is still being answered"),
                  again->trace_id);
  };
  return later;
}

/// Leaves the gate once: when told, or when nobody can answer any more.
class Passage {
 public:
  Passage(IdempotencyGate& gate, std::string key) : gate_(gate), key_(std::move(key)) {}
  ~Passage() { leave({}); }
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;

  void leave(const std::optional<net::Response>& answer) {
    if (!has_left_.exchange(true)) gate_.leave(key_, answer);
  }

 private:
  IdempotencyGate& gate_;
  const std::string key_;
  std::atomic<bool> has_left_ = false;
};

/// `reply`, with the gate left when it has been given.
Reply leaving(std::shared_ptr<Passage> passage, Reply reply, const std::string& trace_id) {
  if (const auto* const response = std::get_if<net::Response>(&reply)) passage->leave(*response);
  if (const auto* const problem = std::get_if<Problem>(&reply)) {
    passage->leave(render(*problem, trace_id));
  }
  if (auto* const later = std::get_if<net::Later>(&reply)) {
    later->start = [passage = std::move(passage),
                    start = std::move(later->start)](const net::Responder& respond) {
      start(net::Responder([passage, respond](std::optional<net::Response> response) {
        passage->leave(response);
        if (response) respond(std::move(*response));
      }));
    };
  }
  return reply;
}

}  // namespace

IdempotencyGate::Entry IdempotencyGate::enter(const KeyedRequest& request) {
  const MutexLock lock(mutex_);
  const auto [place, is_new] =
      in_flight_.try_emplace(request.key, InFlight{request.body_digest, {}});
  if (is_new) return Entry::kFirst;
  return place->second.body_digest == request.body_digest ? Entry::kDuplicate : Entry::kOtherBody;
}

bool IdempotencyGate::wait(const std::string& key, Waiter waiter) {
  const MutexLock lock(mutex_);
  const auto place = in_flight_.find(key);
  if (place == in_flight_.end()) return false;
  place->second.waiters.push_back(std::move(waiter));
  return true;
}

void IdempotencyGate::leave(const std::string& key, const std::optional<net::Response>& answer) {
  std::vector<Waiter> waiters;
  {
    const MutexLock lock(mutex_);
    const auto place = in_flight_.find(key);
    CHECK(place != in_flight_.end());
    waiters = std::move(place->second.waiters);
    in_flight_.erase(place);
  }
  for (const Waiter& waiter : waiters) waiter(answer);
}

Result<std::optional<KeyedRequest>> keyed_request(const net::Request& request,
                                                  const auth::Caller& caller, Time now) {
  const auto values = request.headers.all("Idempotency-Key");
  if (values.empty()) return std::optional<KeyedRequest>();
  const auto is_visible = [](char c) { return c > ' ' && c < '\x7F'; };
  const std::string_view key = values[0];
  if (values.size() > 1 || key.empty() || key.size() > kIdempotencyKeyMax ||
      !std::all_of(key.begin(), key.end(), is_visible)) {
    return failure(Code::kInvalidArgument,
                   "the header Idempotency-Key must be there once, with 1 to {} visible characters",
                   kIdempotencyKeyMax);
  }
  return std::optional(KeyedRequest{.key = digest_of({caller.tenant.bytes(), caller.principal,
                                                      request.method, request.path(), key}),
                                    .body_digest = digest_of(request.body),
                                    .expires_at = now + kAnswerKept});
}

Reply answer_once(Call& call, Reply (*handler)(Call&)) {
  if (!call.keyed) return handler(call);
  Repetition again{call.services, *call.keyed, call.caller, call.trace_id, call.now};
  IdempotencyGate& gate = call.services.idempotency;
  const auto entry = gate.enter(*call.keyed);
  if (entry == IdempotencyGate::Entry::kOtherBody) {
    return conflict("this Idempotency-Key is in use with another body");
  }
  // Enter first, look then: an answer that became durable before the gate was left is seen here.
  std::shared_ptr<Passage> passage;
  if (entry == IdempotencyGate::Entry::kFirst) {
    passage = std::make_shared<Passage>(gate, call.keyed->key);
  }
  if (auto kept = find_kept(again)) {
    return std::visit([](auto&& reply) { return Reply(std::move(reply)); }, std::move(*kept));
  }
  if (passage == nullptr) return wait_for_first(std::move(again));
  return leaving(std::move(passage), handler(call), call.trace_id);
}

std::string write_kept(const net::Response& response) {
  json::Array headers;
  for (const net::Header& field : response.headers) {
    headers.emplace_back(json::Array{field.name, field.value});
  }
  return json::write(json::Object{
      {"status", response.status}, {"headers", std::move(headers)}, {"body", response.body}});
}

std::string write_kept_run(int status, RunId run) {
  return json::write(json::Object{{"status", status}, {"run", run.uuid()}});
}

}  // namespace avow::api
