// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include <algorithm>
#include <charconv>
#include <ostream>
#include <thread>

#include "base/bytes.h"
#include "base/id.h"
#include "cli/log_source.h"
#include "connectors/event_stream.h"
#include "json/parse.h"
#include "net/percent.h"
#include "workflow/definition.h"

namespace avow::cli {
namespace {

/// More than the server ever makes a request wait (60 s).
constexpr Duration kTimeout = std::chrono::seconds(90);
constexpr std::size_t kAnswerBytesMax = std::size_t{32} << 20;
constexpr int kTriesMax = 21;
constexpr std::chrono::seconds kRetryWaitMax{10};
constexpr std::size_t kFaultsShownMax = 20;
constexpr std::size_t kTextMax = 1024;  ///< Characters of a message.

std::optional<json::Value> parse_answer(const std::string& text) {
  if (text.empty()) return json::Object();
  auto body = json::parse(text, {.depth_max = 256, .bytes_max = kAnswerBytesMax});
  if (!body) return {};
  return std::move(*body);
}

/// When to ask again; nothing if the server does not say.
std::optional<std::chrono::seconds> retry_after(const net::ClientResponse& response) {
  const std::string* text = response.headers.find("Retry-After");
  if (text == nullptr) return {};
  int seconds = 0;
  const char* end = text->data() + text->size();
  if (std::from_chars(text->data(), end, seconds).ptr != end || seconds < 0) return {};
  return std::min(std::chrono::seconds(seconds), kRetryWaitMax);
}

}  // namespace

void add_connection(CLI::App& command, Connection& connection) {
  command.add_option("--url", connection.url, "The server [http://127.0.0.1:8080]")
      ->envname("AVOW_URL")
      ->group("Connection");
  command.add_option("--key", connection.key, "API key; better in the environment than here")
      ->envname("AVOW_API_KEY")
      ->group("Connection");
  command.add_option("--tenant-id", connection.tenant, "Tenant, where a platform key needs one")
      ->envname("AVOW_TENANT_ID")
      ->group("Connection");
  command.add_option("--ca-file", connection.ca_file, "Certificate authority of a server with TLS")
      ->envname("AVOW_CA_FILE")
      ->group("Connection");
  command.add_flag("--json", connection.is_json, "Print the server's JSON and nothing else")
      ->group("Connection");
}

Session::Session(Terminal& terminal, const Connection& connection)
    : terminal_(terminal),
      connection_(connection),
      client_({.policy = anywhere(), .extra_ca_file = connection.ca_file}, clock_) {}

Session::~Session() { client_.stop(); }

Exit Session::fail(Exit code, std::string_view message) {
  terminal_.err << "avow: " << message << '\n';
  exit_code_ = code;
  return code;
}

std::optional<net::ClientResponse> Session::fetch(const std::string& method,
                                                  const std::string& path, std::string body) {
  net::ClientRequest request{.method = method,
                             .url = without_trailing_slash(connection_.url) + path,
                             .response_bytes_max = kAnswerBytesMax};
  if (!connection_.key.empty()) request.headers.add("X-API-Key", connection_.key);
  if (!connection_.tenant.empty()) request.headers.add("X-Tenant-ID", connection_.tenant);
  if (!body.empty()) request.headers.add("Content-Type", "application/json");
  request.body = std::move(body);

  for (int tries = 1;; ++tries) {
    auto response = send(request);
    if (!response) return {};
    if (response->status >= 200 && response->status <= 299) return response;
    const auto wait = is_patient_ && method == "GET" ? retry_after(*response) : std::nullopt;
    if (!wait || tries >= kTriesMax) {
      is_patient_ = is_patient_ && !wait;  // what did not pass in time may stand for hours
      tell_refusal(response->status, *response);
      return {};
    }
    std::this_thread::sleep_for(*wait);
  }
}

std::optional<bool> Session::listen(const std::string& path, const std::string& last_id,
                                    const std::function<void(const std::string&)>& take) {
  net::ClientRequest request{.url = without_trailing_slash(connection_.url) + path,
                             .headers = {{"Accept", "text/event-stream"}},
                             .response_bytes_max = kAnswerBytesMax};
  if (!connection_.key.empty()) request.headers.add("X-API-Key", connection_.key);
  if (!connection_.tenant.empty()) request.headers.add("X-Tenant-ID", connection_.tenant);
  if (!last_id.empty()) request.headers.add("Last-Event-ID", last_id);
  connectors::EventStreamReader reader;
  request.on_piece = [&reader, &take](std::string_view piece) {
    for (const std::string& data : reader.take(piece)) take(data);
  };
  const auto response = net::send_blocking(client_, std::move(request), kTimeout);
  if (response && response->status >= 200 && response->status <= 299) return true;
  if (response) {
    tell_refusal(response->status, *response);
    return {};
  }
  // A long run outlasts the time and the length of one answer.
  const Code code = response.error().code;
  if (code != Code::kInvalidArgument && code != Code::kUnavailable) return false;
  fail(code == Code::kInvalidArgument ? kUsage : kUnreachable,
       fmt::format("cannot reach the server at {}: {}", connection_.url, response.error().message));
  return {};
}

std::optional<net::ClientResponse> Session::send(const net::ClientRequest& request) {
  auto response = net::send_blocking(client_, request, kTimeout);
  status_ = response ? response->status : 0;
  if (response) return std::move(*response);
  const Error& error = response.error();
  if (error.code == Code::kResourceExhausted) {
    fail(kRefused, fmt::format("the answer is too long: {}", error.message));
    return {};
  }
  fail(error.code == Code::kInvalidArgument ? kUsage : kUnreachable,
       fmt::format("cannot reach the server at {}: {}", connection_.url, error.message));
  return {};
}

std::optional<Answer> Session::call(const std::string& method, const std::string& path,
                                    std::string body) {
  auto response = fetch(method, path, std::move(body));
  if (!response) return {};
  auto parsed = parse_answer(response->body);
  if (!parsed) {
    fail(kUnreachable, fmt::format("{} does not answer like an Avow server", connection_.url));
    return {};
  }
  return Answer{std::move(response->body), std::move(*parsed)};
}

void Session::tell_refusal(int status, const net::ClientResponse& response) {
  exit_code_ = kRefused;
  const auto body = parse_answer(response.body);
  if (!body || body->string_or("code").empty()) {
    fail(kRefused, fmt::format("the server answered {} {}", status, net::reason_phrase(status)));
    return;
  }
  if (connection_.is_json) terminal_.out << response.body << '\n';
  const json::Value* details = body->find("details");
  const json::Value* errors = details == nullptr ? nullptr : details->find("errors");
  const std::string pointer = details == nullptr ? "" : details->string_or("pointer");
  terminal_.err << fmt::format("avow: {}: {}{}\n", shown(body->string_or("code")),
                               shown(body->string_or("message"), kTextMax),
                               pointer.empty() ? "" : " (at " + shown(pointer, kTextMax) + ")");
  if (errors != nullptr && errors->is_array() && errors->as_array().size() > 1) tell_faults(errors);
  if (status == 401 && connection_.key.empty()) {
    terminal_.err << "Give a key with --key or in AVOW_API_KEY.\n";
  }
}

void Session::tell_faults(const json::Value* errors) {
  if (errors == nullptr || !errors->is_array()) return;
  std::size_t count = 0;
  for (const json::Value& error : errors->as_array()) {
    if (++count > kFaultsShownMax) break;
    std::string place = error.string_or("pointer");
    if (const auto line = error.int_or("line", 0); line > 0) {
      place += fmt::format(" line {} column {}", line, error.int_or("column", 0));
    }
    terminal_.err << fmt::format("  {}: {} [{}]\n", shown(place, kTextMax),
                                 shown(error.string_or("message"), kTextMax),
                                 shown(error.string_or("code")));
  }
}

bool Session::print_json(const Answer& answer) {
  if (connection_.is_json) terminal_.out << answer.text << '\n';
  return connection_.is_json;
}

std::optional<std::string> Session::workflow_id(const std::string& id_or_name,
                                                std::string_view status) {
  if (parse_id(id_or_name)) return id_or_name;
  std::string path = "/v1/workflows?limit=200&name=" + net::percent_encode(id_or_name);
  if (!status.empty()) path += fmt::format("&status={}", status);
  const auto answer = call("GET", path);
  if (!answer) return {};
  const json::Value* items = answer->body.find("items");
  const json::Value* best = nullptr;
  if (items != nullptr && items->is_array()) {
    for (const json::Value& item : items->as_array()) {
      const std::string version = item.string_or("version");
      if (!workflow::is_version(version)) continue;
      if (best == nullptr || workflow::compare_versions(version, best->string_or("version")) > 0) {
        best = &item;
      }
    }
  }
  if (best != nullptr) return best->string_or("id");
  fail(kRefused, fmt::format("there is no {}{}workflow \"{}\"; see avow workflow list", status,
                             status.empty() ? "" : " ", shown(id_or_name)));
  return {};
}

std::string path_to(std::string_view collection, std::string_view id) {
  return fmt::format("/v1/{}/{}", collection, net::percent_encode(id));
}

}  // namespace avow::cli
