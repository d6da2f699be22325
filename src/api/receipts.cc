// SPDX-License-Identifier: Apache-2.0
// Receipts: given in the form that is asked for, listed for a run, and verified for anybody
// (CONTRACT.md section 6).
#include <algorithm>
#include <array>

#include "api/orchestration_view.h"
#include "api/orchestrations.h"
#include "api/route.h"
#include "api/workflow_cache.h"
#include "base/bytes.h"
#include "provenance/exports.h"
#include "tlog/receipts.h"

namespace avow::api {
namespace {

constexpr Duration kWitnessWait = std::chrono::seconds(10);
constexpr std::size_t kRevealMax = 100;
/// Each holds a run's contents in memory, and its answer.
constexpr int kBundlesAtOnceMax = 2;

struct Format {
  std::string_view name;
  std::string_view media;
};
constexpr std::array<Format, 4> kFormats = {
    {{"avow", "application/json"},
     {"tlog-proof", "text/plain; charset=utf-8"},
     {"sigstore", "application/vnd.dev.sigstore.bundle.v0.3+json"},
     {"cose", "application/cose"}}};

struct Asked {
  Id id;
  Format format = kFormats[0];
  bool is_witnessed = false;
  tlog::ReceiptOptions options;
};

Result<bool> flag_in(const std::string& text, std::string_view name) {
  if (text == "true" || text == "false") return text == "true";
  return failure(Code::kInvalidArgument, "{} must be true or false", name);
}

/// "output.score,input": adds each to `out`.
Result<void> read_reveal(std::string_view list, std::vector<tlog::Reveal>& out) {
  while (true) {
    const std::size_t comma = std::min(list.find(','), list.size());
    ASSIGN_OR_RETURN(tlog::Reveal one, tlog::Reveal::parse(list.substr(0, comma)));
    out.push_back(std::move(one));
    if (out.size() > kRevealMax) {
      return failure(Code::kInvalidArgument, "at most {} members can be revealed", kRevealMax);
    }
    if (comma == list.size()) return {};
    list.remove_prefix(comma + 1);
  }
}

/// Errors: kInvalidArgument, kPermissionDenied
Result<Asked> read_query(const Call& call) {
  Asked out;
  ASSIGN_OR_RETURN(out.id, call.path_id("id"));
  for (const auto& [name, value] : call.request.query) {
    if (name == "format") {
      const auto* const known = std::find_if(kFormats.begin(), kFormats.end(),
                                             [&](const Format& one) { return one.name == value; });
      if (known == kFormats.end()) {
        return failure(Code::kInvalidArgument,
                       "format \"{}\" is not one of avow, tlog-proof, sigstore, cose",
                       shown(value));
      }
      out.format = *known;
    } else if (name == "witnessed") {
      ASSIGN_OR_RETURN(out.is_witnessed, flag_in(value, name));
    } else if (name == "reveal") {
      RETURN_IF_ERROR(read_reveal(value, out.options.reveal));
    } else {
      return failure(Code::kInvalidArgument,
                     "unknown query parameter \"{}\"; allowed: format, witnessed, reveal",
                     shown(name));
    }
  }
  if (out.options.reveal.empty()) return out;
  if (out.format.name != "avow") {
    return failure(Code::kInvalidArgument, "only the format avow can reveal contents");
  }
  if (!call.caller.allows(auth::Scope::kContentsRead)) {
    return failure(Code::kPermissionDenied, "reveal needs the scope contents:read");
  }
  return out;
}

/// Of a receipt that could not be made: what the log will soon have is 409, save where it stands.
Problem no_receipt(Services& services, const Error& error) {
  if (error.code == Code::kResourceExhausted) return problem(413, error.message);
  if (error.code != Code::kUnavailable || services.log.fault()) return problem_of(error);
  Problem out = problem(409, error.message);
  out.headers.set("Retry-After", "1");
  return out;
}

Result<std::string> encoded(const provenance::Receipt& receipt, std::string_view format,
                            tlog::Log& log) {
  if (format == "tlog-proof") return provenance::tlog_proof_of(receipt);
  if (format == "sigstore") return provenance::sigstore_bundle(receipt);
  if (format == "avow") return provenance::encode(receipt);
  // A COSE receipt is signed when it is made: nothing is signed for a log that is not believed, nor
  // for one that another has taken the place of.
  if (const auto fault = log.fault()) return failure(Code::kUnavailable, "{}", *fault);
  const tlog::LogKeys& keys = log.keys();
  if (!receipt.checkpoint.starts_with(keys.origin + "\n")) {
    return failure(Code::kConflict, "this is in an earlier log, which signs nothing any more");
  }
  return provenance::cose_receipt(receipt, keys.origin,
                                  [&keys](std::string_view bytes) { return keys.log.sign(bytes); });
}

/// The receipt as it is now.
Reply answer_receipt(Services& services, TenantId tenant, const Asked& asked, bool is_witnessed) {
  const auto receipt =
      tlog::make_receipt(services.store, services.log, tenant, asked.id, asked.options);
  if (!receipt) return no_receipt(services, receipt.error());
  auto text = encoded(*receipt, asked.format.name, services.log);
  if (!text) return problem_of(text.error());
  net::Response response{.status = 200,
                         .headers = {{"Content-Type", std::string(asked.format.media)}},
                         .body = std::move(*text)};
  if (asked.is_witnessed) response.headers.set("Avow-Witnessed", is_witnessed ? "true" : "false");
  return response;
}

net::Response rendered(Reply reply, const std::string& trace_id) {
  if (const auto* refused = std::get_if<Problem>(&reply)) return render(*refused, trace_id);
  return std::get<net::Response>(std::move(reply));
}

/// Answers when the witnesses have cosigned the entry at `index`, or have had their time.
net::Later when_witnessed(const Call& call, const Asked& asked, std::uint64_t index) {
  net::Later later;
  later.start = [services = &call.services, tenant = call.caller.tenant, asked, index,
                 trace_id = call.trace_id, deadline = call.now + kWitnessWait,
                 gone = call.request.cancelled](const net::Responder& respond) {
    services->log.when_witnessed(
        index, deadline, gone, [services, tenant, asked, trace_id, respond](bool is_witnessed) {
          const bool is_posted =
              services->pool.try_post([services, tenant, asked, trace_id, respond, is_witnessed] {
                respond(rendered(answer_receipt(*services, tenant, asked, is_witnessed), trace_id));
              });
          if (!is_posted) respond(render(problem(503, "the server is busy"), trace_id));
        });
  };
  return later;
}

/// Of a run that shares its workflow's plan, the plan is opened like any other content.
auto plan_of(Services& services) {
  return [&workflows = services.workflows](WorkflowId workflow) -> Result<json::Value> {
    ASSIGN_OR_RETURN(const auto plan, workflows.workflow_plan(workflow));
    return plan->plan->source;
  };
}

Reply get_receipt(Call& call) {
  auto asked = read_query(call);
  if (!asked) return problem_of(asked.error());
  Services& services = call.services;
  asked->options.plan_of = plan_of(services);
  if (!asked->is_witnessed) return answer_receipt(services, call.caller.tenant, *asked, false);
  const auto entry = services.store.find_statement(provenance::statement_of(asked->id));
  const bool is_theirs = entry && entry->tenant == call.caller.tenant;
  // What is not there, or not yet, is said by the receipt.
  if (!is_theirs) return answer_receipt(services, call.caller.tenant, *asked, false);
  const auto covering = services.log.covering(entry->log, entry->index);
  if (!covering) return no_receipt(services, covering.error());
  const auto head = services.store.newest_log_head();
  const bool is_over = covering->is_witnessed || !head || head->log != entry->log;
  if (is_over) {
    return answer_receipt(services, call.caller.tenant, *asked, covering->is_witnessed);
  }
  return when_witnessed(call, *asked, entry->index);
}

/// One of the bundles that are being made, if there is room for it.
class BundleSlot {
 public:
  explicit BundleSlot(std::atomic<int>& under_way) : under_way_(under_way) {
    is_free_ = under_way_.fetch_add(1) < kBundlesAtOnceMax;
  }
  ~BundleSlot() { under_way_.fetch_sub(1); }
  BundleSlot(const BundleSlot&) = delete;
  BundleSlot& operator=(const BundleSlot&) = delete;
  [[nodiscard]] bool is_free() const { return is_free_; }

 private:
  std::atomic<int>& under_way_;
  bool is_free_ = false;
};

Reply get_bundle(Call& call) {
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  tlog::ReceiptOptions options{.is_bundle = true,
                               .shows_contents = call.caller.allows(auth::Scope::kContentsRead),
                               .reveal = {},
                               .plan_of = plan_of(call.services)};
  for (const auto& [name, value] : call.request.query) {
    if (name != "contents") {
      return problem(400,
                     fmt::format("unknown query parameter \"{}\"; allowed: contents", shown(name)));
    }
    const auto is_wanted = flag_in(value, name);
    if (!is_wanted) return problem_of(is_wanted.error());
    options.shows_contents = options.shows_contents && *is_wanted;
  }
  Services& services = call.services;
  const BundleSlot slot(*services.bundles_under_way);
  if (!slot.is_free()) {
    return problem_of(failure(Code::kUnavailable, "{} bundles are being made", kBundlesAtOnceMax));
  }
  const auto bundle =
      tlog::make_receipt(services.store, services.log, call.caller.tenant, *id, options);
  if (!bundle) return no_receipt(services, bundle.error());
  std::string text = provenance::encode(*bundle);
  if (text.size() > kAnswerBytesMax) {
    return problem(413, fmt::format("the bundle has more than {} bytes{}", kAnswerBytesMax,
                                    options.shows_contents ? ": ask with contents=false" : ""));
  }
  return net::Response{
      .status = 200, .headers = {{"Content-Type", "application/json"}}, .body = std::move(text)};
}

json::Object listed(const Id& receipt, std::string_view kind, std::string_view status,
                    std::uint64_t log_index) {
  return json::Object{{"receipt_id", receipt_name(receipt)},
                      {"kind", kind},
                      {"status", status},
                      {"log_index", log_index}};
}

/// Every receipt that the newest statement about the run covers.
Reply list_receipts(Call& call) {
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  if (const auto known = check_query(call, {}); !known) return problem_of(known.error());
  const auto run = read_own_run(call.services, call.caller, RunId{*id});
  if (!run) return problem_of(run.error());
  const auto entry = call.services.store.find_statement(*id);
  if (!entry && entry.error().code == Code::kNotFound) return json_response(200, list_of({}, {}));
  if (!entry) return problem_of(entry.error());
  const auto statement = provenance::decode_statement(entry->statement);
  if (!statement) return problem_of(statement.error());
  json::Array items;
  items.emplace_back(listed(*id, "run", statement->status, entry->index));
  const engine::RunState& state = run->machine.state();
  const std::size_t count = state.steps.size() + state.compensations.size();
  for (std::size_t i = 0; i < count; ++i) {
    const engine::StepState& step = state.unit(i);
    if (step.ended_seq == 0 || step.ended_seq > statement->events) continue;
    json::Object item = listed(provenance::receipt_id(*id, step.ended_seq), "step",
                               engine::step_status_name(step.status), entry->index);
    item.set("step", step.name);
    items.emplace_back(std::move(item));
  }
  return json_response(200, list_of(std::move(items), {}));
}

std::string_view outcome_name(provenance::Outcome outcome) {
  switch (outcome) {
    case provenance::Outcome::kPassed:
      return "passed";
    case provenance::Outcome::kFailed:
      return "failed";
    case provenance::Outcome::kSkipped:
      return "skipped";
  }
  return "skipped";
}

Reply verify_receipt(Call& call) {
  Services& services = call.services;
  ReceiptVerifier& verifier = *services.receipt_verifier;
  const auth::RateState rate = verifier.take(call.source, call.now);
  if (!rate.is_allowed) {
    Problem out = problem(429, fmt::format("more than {} receipts from one address", rate.limit));
    const auto wait = std::chrono::ceil<std::chrono::seconds>(rate.retry_after);
    out.headers.set("Retry-After", std::to_string(std::max<std::int64_t>(wait.count(), 1)));
    return out;
  }
  if (const auto known = check_query(call, {}); !known) return problem_of(known.error());
  if (call.request.body.size() > provenance::kReceiptBytesMax) {
    return problem(
        413, fmt::format("a receipt may have at most {} bytes", provenance::kReceiptBytesMax));
  }
  auto keys = verifier.log_keys(services.store, services.log);
  if (!keys) return problem_of(keys.error());
  const auto verified = verifier.verify(call.request.body, std::move(*keys));
  if (!verified) {
    return problem_of(failure(Code::kUnavailable, "too many receipts are being verified"));
  }
  json::Array checks;
  for (const provenance::Check& check : verified->checks) {
    json::Object shown{{"check", provenance::verdict_name(check.verdict)},
                       {"outcome", outcome_name(check.outcome)}};
    if (!check.detail.empty()) shown.set("detail", check.detail);
    checks.emplace_back(std::move(shown));
  }
  return json_response(200,
                       json::Object{{"valid", verified->verdict == provenance::Verdict::kValid},
                                    {"verdict", provenance::verdict_name(verified->verdict)},
                                    {"checks", std::move(checks)}});
}

}  // namespace

std::vector<Route> receipt_routes() {
  constexpr Access kRead = scope(auth::Scope::kReceiptsRead);
  return {
      {"GET", "/v1/receipts/{id}", kRead, get_receipt, "getReceipt"},
      {"GET", "/v1/receipts/{id}/bundle", kRead, get_bundle, "getBundle"},
      {"GET", "/v1/orchestrations/{id}/receipts", kRead, list_receipts,
       "listOrchestrationReceipts"},
      {.method = "POST",
       .path = "/v1/receipts/verify",
       .access = kPublic,
       .handler = verify_receipt,
       .operation_id = "verifyReceipt",
       .takes_raw_body = true},
  };
}

}  // namespace avow::api
