// SPDX-License-Identifier: Apache-2.0
// engine/effect_runner.h: what the engine asks of the outside world. `connectors` implements it on
// HTTP; simulations script it. The engine decides, commits, and only then calls start().
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "json/value.h"
#include "workflow/template.h"

namespace avow::engine {

/// Millionths of a cent, so that costs add up exactly.
using Cost = std::int64_t;

/// kRun starts a child run. The engine makes that call itself: it never comes to a runner.
enum class CallKind { kModel, kTool, kWebhook, kRun };
std::string_view call_kind_name(CallKind kind);  ///< "model", "tool", "webhook", "run"

/// One outside call as the machine sees it, before anything of a protocol is in it.
///
/// kModel    {"model", "system"?, "messages": [{"role": user|assistant|tool, "content": text,
///           "tool_calls"?: [{"id","name","arguments"}], "tool_call_id"?}], "tools"?: [{"name",
///           "description"?, "input_schema"}], "response_schema"?, "temperature"?, "max_tokens"?}
/// kTool     {"tool": the tool's definition (CONTRACT.md section 4), "arguments": object}
/// kWebhook  {"url", "method", "headers"?, "body"?, "secret"?, "expect_status": [int...]}; empty
///           expect_status: any 2xx
struct CallSpec {
  CallKind kind = CallKind::kWebhook;
  json::Value value;
  std::vector<workflow::SecretUse> secrets;  ///< Pointers into `value`.
};

/// Names one call: DESIGN.md, promise 2.
struct CallId {
  RunId run;
  std::string step;
  std::uint32_t number = 1;  ///< Within the step, from 1; the same for every attempt at it.
  auto operator<=>(const CallId&) const = default;

  /// "<run ULID>/<step>" and "/c<number>" from 2 on: the Idempotency-Key.
  [[nodiscard]] std::string key() const;
};

/// A call to make. `request` is what render() gave and the journal committed to.
struct Call {
  CallId id;
  CallKind kind = CallKind::kWebhook;
  TenantId tenant;
  std::uint32_t attempt = 1;
  json::Value request;
  Time deadline;
  std::string traceparent;  ///< W3C; empty: none.
  /// kModel: told what the model says piece by piece, if it comes in pieces, before `done`; on any
  /// thread, brief. Nothing hangs on it: all of it is in the outcome again. No secret.
  std::function<void(std::string_view)> on_text = {};
};

struct Usage {
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
};

/// The most that a call may come to.
struct WorstCase {
  std::int64_t tokens = 0;  ///< Read and written.
  Cost cost = 0;
};

/// What a call gave.
/// kModel    value {"text", "json"? (with a response_schema), "tool_calls"?: [{"id","name",
///           "arguments": object}], "finish_reason": stop|length|tool_calls|content_filter}
/// kTool     value: the tool's result (a JSON body as it is, other text as a string)
/// kWebhook  value {"status", "body"}
struct CallResult {
  json::Value value;
  Usage usage;
  Cost cost = 0;
  std::string model;  ///< The one that answered.
};

/// Why a call gave nothing. `retry_class` is what retry_on matches beside the code.
struct CallError {
  std::string code;         ///< "TRANSPORT_ERROR", "TIMEOUT", "HTTP_503", "ADDRESS_REFUSED", ...
  std::string message;      ///< Content: may quote the peer. No secret.
  std::string retry_class;  ///< "transport", "timeout", "408", "429", "5xx"; empty: never by class.
  std::optional<Duration> retry_after;  ///< What the peer asked for.
  json::Value detail;  ///< What the peer said (status and body), content; null: nothing.
};

using CallOutcome = std::variant<CallResult, CallError>;

/// Threads: render() from any; start() and cancel() from any; `done` comes on any thread, once,
/// also after cancel() and before stop() returns.
class EffectRunner {
 public:
  virtual ~EffectRunner() = default;

  /// The request that start() would send, as JSON without secrets: what is recorded. Pure: the same
  /// spec gives the same request as long as the configuration is the same.
  /// Errors: kInvalidArgument   it cannot be sent (arguments against the tool's schema, a bad URL
  /// ...)
  ///         kNotFound          an unknown model or secret
  ///         kPermissionDenied  a secret that may not go there
  [[nodiscard]] virtual Result<json::Value> render(TenantId tenant, const CallSpec& spec) const = 0;

  /// The most that the kModel call with this (rendered) request may come to, for the run's budget:
  /// every byte of it a token, and as many back as it allows. Pure. Where no call costs anything:
  /// nothing.
  [[nodiscard]] virtual WorstCase worst_case(const json::Value& /*request*/) const { return {}; }

  /// Makes the call that `call.request` describes, filling in its secrets, until call.deadline.
  virtual void start(Call call, std::function<void(CallOutcome)> done) = 0;

  /// Stops waiting for a call, if it is still under way; `done` then says code "CANCELLED". Never
  /// an undo.
  virtual void cancel(const CallId& id) = 0;
};

}  // namespace avow::engine
