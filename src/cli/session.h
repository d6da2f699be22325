// SPDX-License-Identifier: Apache-2.0
// cli/session.h: a conversation with a server: calls, and what people see of the answers.
// One thread; a call blocks.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "cli/command.h"
#include "json/value.h"
#include "net/http_client.h"

namespace avow::cli {

/// Options that every client command has.
struct Connection {
  std::string url = "http://127.0.0.1:8080";
  std::string key;
  std::string tenant;   ///< X-Tenant-ID; empty: none.
  std::string ca_file;  ///< Certificates (PEM) that are trusted beside the system's.
  bool is_json = false;
};

/// Adds --url, --key, --tenant-id, --ca-file and --json.
void add_connection(CLI::App& command, Connection& connection);

struct Answer {
  std::string text;  ///< As it came.
  json::Value body;
};

class Session {
 public:
  Session(Terminal& terminal, const Connection& connection);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// The server's 2xx, whatever its form. Anything else is told to the user (with --json the
  /// server's own error on stdout), leaves its exit code in exit_code(), and gives nothing. `body`
  /// is JSON text; empty: none.
  std::optional<net::ClientResponse> fetch(const std::string& method, const std::string& path,
                                           std::string body = {});
  /// The same of an answer in JSON.
  std::optional<Answer> call(const std::string& method, const std::string& path,
                             std::string body = {});
  /// Reads server-sent events after `last_id` (empty: all): `take` gets the data of each as it
  /// comes. True when the server has ended the stream, or has nothing to send; false where it broke
  /// off, and can be asked for the rest. Nothing, as call(), where the server refused or cannot be
  /// reached.
  std::optional<bool> listen(const std::string& path, const std::string& last_id,
                             const std::function<void(const std::string&)>& take);
  [[nodiscard]] Exit exit_code() const { return exit_code_; }
  /// Of the last answer; 0 if there was none, or it was too long.
  [[nodiscard]] int status() const { return status_; }
  /// From now on a GET that the server answers with Retry-After is asked again, up to 20 times,
  /// after at most 10 s each; once that was in vain, none is.
  void be_patient() { is_patient_ = true; }

  /// Tells the user and remembers the exit code. Returns it.
  Exit fail(Exit code, std::string_view message);

  [[nodiscard]] bool is_json() const { return connection_.is_json; }
  Terminal& terminal() { return terminal_; }
  /// With --json: prints the server's answer as it came, and true.
  bool print_json(const Answer& answer);

  /// Prints an array of faults {pointer, message, code, line?, column?} for the user, a line each.
  void tell_faults(const json::Value* errors);

  /// The id of a workflow given by id or name: of that name the highest version with `status` (any
  /// if empty). Nothing if there is none, which the user is told.
  std::optional<std::string> workflow_id(const std::string& id_or_name, std::string_view status);

 private:
  /// Nothing, which the user is told, if the server did not answer.
  std::optional<net::ClientResponse> send(const net::ClientRequest& request);
  void tell_refusal(int status, const net::ClientResponse& response);

  Terminal& terminal_;
  const Connection& connection_;
  SystemClock clock_;
  net::CurlClient client_;
  Exit exit_code_ = kOk;
  int status_ = 0;
  bool is_patient_ = false;
};

/// "/v1/a/" and the id as a path segment.
std::string path_to(std::string_view collection, std::string_view id);

}  // namespace avow::cli
