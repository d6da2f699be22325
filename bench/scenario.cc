// SPDX-License-Identifier: Apache-2.0
#include "bench/scenario.h"

#include <sys/resource.h>

#include <algorithm>

#include "bench/closed_loop.h"
#include "bench/server_process.h"
#include "bench/stub.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::bench {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::string_view kToolName = "bench";
constexpr std::string_view kModelName = "bench";
constexpr double kMegabyte = 1024.0 * 1024.0;

json::Value step_of(StepKind kind, std::size_t i, const std::string& stub_url) {
  const std::string before = fmt::format("steps.s{}.result", i);
  json::Object config;
  std::string_view type;
  switch (kind) {
    case StepKind::kPure:
      type = "transform";
      config.set("output", i == 0 ? "${{ input }}" : fmt::format("${{{{ {} }}}}", before));
      break;
    case StepKind::kWebhook:
      type = "webhook";
      config.set("url", stub_url);
      config.set("method", "POST");
      config.set("body", i == 0 ? "${{ input }}" : fmt::format("${{{{ {}.body }}}}", before));
      break;
    case StepKind::kTool:
      type = "tool_call";
      config.set("tool", kToolName);
      config.set("arguments", i == 0 ? "${{ input }}" : fmt::format("${{{{ {} }}}}", before));
      break;
    case StepKind::kFanOut:
    case StepKind::kAgent:
      break;  // no chain
  }
  json::Array depends_on;
  if (i > 0) depends_on.emplace_back(fmt::format("s{}", i));
  return json::Object{{"name", fmt::format("s{}", i + 1)},
                      {"type", type},
                      {"depends_on", std::move(depends_on)},
                      {"config", std::move(config)}};
}

/// What a run is started with.
std::string input_of(const Scenario& scenario) {
  json::Value input = json::Object{{"q", "hello"}, {"n", 1}};
  if (scenario.kind == StepKind::kFanOut) {
    json::Array items;
    for (std::size_t i = 0; i < scenario.steps; ++i)
      items.emplace_back(static_cast<std::int64_t>(i));
    input = json::Object{{"items", std::move(items)}};
  }
  return json::write(json::Object{{"input", std::move(input)}});
}

/// One step with `count` items, all of them under way at once, and one that joins what they gave.
json::Array fan_out(std::size_t count, const std::string& stub_url) {
  const json::Value each = json::Object{
      {"name", "each"},
      {"type", "webhook"},
      {"depends_on", json::Array()},
      {"for_each", "input.items"},
      {"max_parallel", static_cast<std::int64_t>(count)},
      {"config", json::Object{{"url", stub_url}, {"body", json::Object{{"item", "${{ item }}"}}}}}};
  const json::Value join =
      json::Object{{"name", "join"},
                   {"type", "transform"},
                   {"depends_on", json::Array{"each"}},
                   {"config", json::Object{{"output", "${{ size(steps.each.result) }}"}}}};
  return {each, join};
}

/// What is asked of the server to prepare a measurement.
class Setup {
 public:
  Setup(ClosedLoop& loop, const std::string& api_key) : loop_(loop), api_key_(api_key) {}

  /// The request that is one run.
  Result<std::string> make_request(const Scenario& scenario, const std::string& stub_url) {
    json::Value agent = json::Object{{"agent_type", "worker"}, {"display_name", "bench"}};
    if (scenario.kind == StepKind::kTool || scenario.kind == StepKind::kAgent) {
      const json::Value http = json::Object{{"method", "POST"}, {"url", stub_url}};
      RETURN_IF_ERROR(ask("/v1/tools", json::Object{{"name", kToolName}, {"http", http}}));
    }
    if (scenario.kind == StepKind::kAgent) {
      agent.set("model", kModelName);
      agent.set("tools", json::Array{kToolName});
    }
    ASSIGN_OR_RETURN(const json::Value made, ask("/v1/agents", agent));
    const std::string agent_id = made.string_or("id");
    if (scenario.kind == StepKind::kAgent) {
      const json::Value body = json::Object{
          {"agent_id", agent_id},
          {"max_steps", static_cast<std::int64_t>(2 * scenario.steps + 1)},
          {"input", json::Object{{"prompt", fmt::format("calls={}", scenario.steps)}}}};
      return post({.path = "/v1/orchestrations/execute",
                   .api_key = api_key_,
                   .prefer = "wait=20",
                   .body = json::write(body)});
    }
    ASSIGN_OR_RETURN(const std::string workflow, make_workflow(scenario, stub_url, agent_id));
    return post({.path = fmt::format("/v1/workflows/{}/execute", workflow),
                 .api_key = api_key_,
                 .prefer = "wait=20",
                 .body = input_of(scenario)});
  }

 private:
  /// The id of the published workflow.
  Result<std::string> make_workflow(const Scenario& scenario, const std::string& stub_url,
                                    const std::string& agent_id) {
    json::Array steps;
    if (scenario.kind == StepKind::kFanOut) steps = fan_out(scenario.steps, stub_url);
    for (std::size_t i = 0; scenario.kind != StepKind::kFanOut && i < scenario.steps; ++i) {
      steps.push_back(step_of(scenario.kind, i, stub_url));
    }
    ASSIGN_OR_RETURN(
        const json::Value workflow,
        ask("/v1/workflows",
            json::Object{{"name", "bench"}, {"agent_id", agent_id}, {"steps", std::move(steps)}}));
    const std::string id = workflow.string_or("id");
    RETURN_IF_ERROR(ask(fmt::format("/v1/workflows/{}/publish", id), json::Object()));
    return id;
  }

  Result<json::Value> ask(const std::string& path, const json::Value& body) {
    const std::string text = json::write(body);
    const auto answer =
        loop_.ask(post({.path = path, .api_key = api_key_, .prefer = {}, .body = text}));
    if (!answer) return answer.error().in(path);
    return json::parse(*answer);
  }

  ClosedLoop& loop_;
  const std::string& api_key_;
};

/// Of this process, in microseconds.
double own_cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

double at_quantile(const std::vector<std::chrono::nanoseconds>& sorted, double quantile) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return static_cast<double>(sorted[static_cast<std::size_t>(last * quantile)].count()) / 1e6;
}

bool is_completed_run(const HttpMessage& message) {
  return message.status == 200 && is_completed(message.body);
}

bool is_receipt(const HttpMessage& message) {
  return message.status == 200 && message.body.find("\"checkpoint\":") != std::string_view::npos;
}

struct Repeat {
  LoopResult loop;
  Usage before;
  Usage after;
  double client_cpu_us = 0;
  Seconds machine_cpu{};
  std::chrono::nanoseconds fdatasync{};

  [[nodiscard]] double runs() const { return static_cast<double>(loop.latencies.size()); }
  [[nodiscard]] Seconds server_cpu() const { return after.cpu - before.cpu; }
  [[nodiscard]] double other_cpu_s() const {
    return (machine_cpu - server_cpu()).count() - client_cpu_us / 1e6;
  }
};

Result<Repeat> measure_once(ClosedLoop& loop, const std::string& request,
                            const ServerProcess& server, const std::filesystem::path& folder,
                            bool with_receipts, Seconds duration) {
  Repeat repeat;
  ASSIGN_OR_RETURN(repeat.fdatasync, median_fdatasync(folder));
  ASSIGN_OR_RETURN(repeat.before, server.usage());
  const double cpu_before = own_cpu_us();
  const Seconds machine_before = machine_cpu();
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(duration);
  if (with_receipts) {
    const auto is_good = [](const HttpMessage& message) {
      return is_completed_run(message) || is_receipt(message);
    };
    const auto receipt_of = [&server](const HttpMessage& run) {
      return get(fmt::format("/v1/receipts/{}", first_string(run.body, "id")), server.api_key());
    };
    ASSIGN_OR_RETURN(repeat.loop, loop.run(request, nanoseconds, is_good, receipt_of));
  } else {
    ASSIGN_OR_RETURN(repeat.loop, loop.run(request, nanoseconds, is_completed_run));
  }
  repeat.client_cpu_us = own_cpu_us() - cpu_before;
  repeat.machine_cpu = machine_cpu() - machine_before;
  ASSIGN_OR_RETURN(repeat.after, server.usage());
  return repeat;
}

double median(const std::vector<Repeat>& repeats, const std::function<double(const Repeat&)>& of) {
  std::vector<double> values;
  for (const Repeat& repeat : repeats) values.push_back(of(repeat));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Figures summarise(const Scenario& scenario, const std::vector<Repeat>& repeats) {
  Figures out;
  out.runs_per_second = median(
      repeats, [](const Repeat& one) { return one.runs() / Seconds(one.loop.elapsed).count(); });
  out.steps_per_second = out.runs_per_second * static_cast<double>(scenario.steps);
  out.p50_ms =
      median(repeats, [](const Repeat& one) { return at_quantile(one.loop.latencies, 0.5); });
  out.p99_ms =
      median(repeats, [](const Repeat& one) { return at_quantile(one.loop.latencies, 0.99); });
  out.server_cpu_us_per_run = median(
      repeats, [](const Repeat& one) { return one.server_cpu().count() * 1e6 / one.runs(); });
  out.client_cpu_us_per_run =
      median(repeats, [](const Repeat& one) { return one.client_cpu_us / one.runs(); });
  out.bytes_written_per_run = median(repeats, [](const Repeat& one) {
    return static_cast<double>(one.after.bytes_written - one.before.bytes_written) / one.runs();
  });
  out.fdatasync_us = median(
      repeats, [](const Repeat& one) { return static_cast<double>(one.fdatasync.count()) / 1e3; });
  for (const Repeat& repeat : repeats) {
    out.server_cpu_s += repeat.server_cpu().count();
    out.other_cpu_s += repeat.other_cpu_s();
    out.runs += repeat.loop.latencies.size();
  }
  out.resident_mb = static_cast<double>(repeats.back().after.resident_bytes) / kMegabyte;
  out.proportional_mb = static_cast<double>(repeats.back().after.proportional_bytes) / kMegabyte;
  return out;
}

}  // namespace

std::string_view kind_name(StepKind kind) {
  switch (kind) {
    case StepKind::kPure:
      return "pure";
    case StepKind::kWebhook:
      return "webhook";
    case StepKind::kFanOut:
      return "fan-out";
    case StepKind::kAgent:
      return "agent";
    case StepKind::kTool:
      break;
  }
  return "tool";
}

Result<Figures> measure(const Scenario& scenario, const LoadOptions& options) {
  ASSIGN_OR_RETURN(const auto folder, Folder::create(options.directory));
  ASSIGN_OR_RETURN(const auto stub, Stub::start());
  const std::string stub_url = fmt::format("http://127.0.0.1:{}", stub->port());
  ASSIGN_OR_RETURN(const auto server,
                   ServerProcess::start(options.avow, options.serve, folder->path(), stub_url));
  fmt::print(stderr, "{} {} steps, {} clients: server is process {}\n", kind_name(scenario.kind),
             scenario.steps, scenario.clients, server->pid());
  ASSIGN_OR_RETURN(ClosedLoop loop, ClosedLoop::connect(server->port(), scenario.clients));
  ASSIGN_OR_RETURN(const std::string request,
                   Setup(loop, server->api_key()).make_request(scenario, stub_url + "/s"));
  const auto once = [&](Seconds duration) {
    return measure_once(loop, request, *server, folder->path(), options.with_receipts, duration);
  };
  RETURN_IF_ERROR(once(options.warm_up));
  std::vector<Repeat> repeats;
  for (std::size_t i = 0; i < options.repeats; ++i) {
    ASSIGN_OR_RETURN(Repeat repeat, once(options.duration));
    repeats.push_back(std::move(repeat));
  }
  return summarise(scenario, repeats);
}

}  // namespace avow::bench
