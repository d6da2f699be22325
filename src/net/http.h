// SPDX-License-Identifier: Apache-2.0
// net/http.h: HTTP messages as plain values, and the three ways to answer a request.
// No I/O here. Values belong to one thread at a time; Responder and StreamWriter are handles that
// any thread may use.
#pragma once
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"

namespace avow::net {

struct Header {
  std::string name;
  std::string value;
};

/// Compares as HTTP compares header names: ASCII letters without regard to case.
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// Header fields in the order in which they came. Names compare without regard to case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<Header> fields) : fields_(fields) {}

  /// The first field `name`; null pointer if there is none.
  [[nodiscard]] const std::string* find(std::string_view name) const;
  /// The values of all fields `name`, as views into this object.
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  /// Adds a field, whether or not there is one of that name.
  void add(std::string name, std::string value);
  /// Makes `value` the only one of that name.
  void set(std::string_view name, std::string value);
  void erase(std::string_view name);

  [[nodiscard]] std::size_t size() const { return fields_.size(); }
  [[nodiscard]] auto begin() const { return fields_.begin(); }
  [[nodiscard]] auto end() const { return fields_.end(); }

 private:
  std::vector<Header> fields_;
};

/// A whole request, well formed but otherwise untrusted: what the server lets through is bounded in
/// size, its target is percent-decoded UTF-8 without control characters, header values hold no
/// control characters but tabs.
struct Request {
  std::string method;  ///< As sent, save that HEAD becomes GET (the server leaves out the body).
  std::string target;  ///< Origin form as sent, not decoded: "/v1/a%20b?x=1".
  /// The path, split at "/" and then decoded: {"v1", "a b"}; "/" is {}, "/a/" is {"a", ""}.
  std::vector<std::string> segments;
  std::vector<std::pair<std::string, std::string>> query;  ///< Decoded, in order; "x" is {"x", ""}.
  Headers headers;
  std::string body;
  std::string peer_address;  ///< "192.0.2.1" or "2001:db8::1", without a port.
  bool tls = false;
  /// Stops when the client has gone away or the server stops. Callbacks run on the I/O thread:
  /// brief.
  std::stop_token cancelled;

  /// The target without its query, not decoded.
  [[nodiscard]] std::string_view path() const {
    return std::string_view(target).substr(0, target.find('?'));
  }
  /// The first query parameter `name`; null pointer if there is none.
  [[nodiscard]] const std::string* query_value(std::string_view name) const;
};

/// The server adds Date, Content-Length and Connection itself and leaves out those given here.
/// Control characters in header values are replaced by '?'.
struct Response {
  int status = 200;
  Headers headers = {};
  std::string body = {};
};

/// "Not Found" for 404; "Unknown" for a status that RFC 9110 and its kin do not name.
std::string_view reason_phrase(int status);

/// Gives the one answer to a request, from any thread, now or later. Copies share it: the first
/// call counts, later ones do nothing. If the last copy goes without a call, the client gets a 500.
class Responder {
 public:
  /// `deliver` runs exactly once, on the calling thread, with nothing if no answer was given.
  explicit Responder(std::function<void(std::optional<Response>)> deliver);
  void operator()(Response response) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Where the chunks of a streamed answer go.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  virtual bool write(std::string chunk) = 0;
  virtual void when_sent(std::function<void()> then) = 0;
  virtual void end() = 0;
};

/// The body of a streamed answer, from any thread. Copies share it; it ends with end() or with the
/// last copy.
class StreamWriter {
 public:
  explicit StreamWriter(std::shared_ptr<StreamSink> sink);
  /// Queues `chunk` (not empty) and returns at once. False if nothing more will arrive: the client
  /// has gone, was cut off because it was more than ServerOptions::stream_backlog_max behind, or
  /// the stream has ended.
  bool write(std::string chunk) const;
  /// Calls `then` once, on the I/O thread (brief), when all that was written has been handed to the
  /// network; drops it where nothing more will arrive. At most one waits: a later takes its place.
  void when_sent(std::function<void()> then) const;
  /// Ends the body after what was written.
  void end() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// An answer that comes later. No thread waits for it.
struct Later {
  /// Called once, on the request thread, right after the handler. The Request is valid until it
  /// returns.
  std::function<void(Responder)> start;
  /// If no answer was given by then (checked every 100 ms or so), `at_deadline` makes it, on a
  /// request thread; a 503 if that is empty. No deadline: the answer may take for ever.
  std::optional<Time> deadline = {};
  std::function<Response()> at_deadline = {};
};

/// A body in pieces, for server-sent events: chunked transfer encoding.
struct Stream {
  int status = 200;
  Headers headers = {};
  /// Called once, on the request thread, right after the handler.
  std::function<void(StreamWriter)> start;
};

using Answer = std::variant<Response, Later, Stream>;

/// Answers a request. Runs on a request thread, several at a time; may read a store briefly, must
/// not wait for anything else. The Request is valid until it returns.
using Handler = std::function<Answer(const Request&)>;

/// Renders an error that the server itself has to write: 400, 408, 413, 431, 500, 503. `reason` is
/// a phrase for people that holds no input of the client. `request` is null if none was read; its
/// body may be missing. Runs on any of the server's threads, must not wait.
using ErrorRenderer =
    std::function<Response(int status, std::string_view reason, const Request* request)>;

}  // namespace avow::net
