// SPDX-License-Identifier: Apache-2.0
// net/server/session.h: one connection, from its first byte to its last. I/O thread only.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "net/http_server.h"
#include "net/server/asio.h"
#include "net/server/exchange.h"
#include "net/server/request_reader.h"
#include "net/thread_pool.h"

namespace avow::net {

/// What all sessions of a server share.
struct ServerContext {
  const ServerOptions options;
  Clock& clock;
  const Handler handler;
  const std::shared_ptr<const ErrorRenderer> render_error;  ///< Shared with Responders.
  ThreadPool& request_threads;
  const std::shared_ptr<IoDoor> door;
  std::optional<asio::ssl::context> tls;

  // The I/O thread's.
  std::unordered_set<Session*> sessions = {};
  bool is_draining = false;
  std::size_t body_bytes = 0;  ///< Held by all sessions, see ServerOptions::all_bodies_bytes_max.
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  /// `context` outlives the session.
  Session(ServerContext& context, Socket socket);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Reads requests and answers them until the connection ends.
  static Awaitable<void> serve(std::shared_ptr<Session> self);
  /// Only tells the client that there are too many connections.
  static Awaitable<void> turn_away(std::shared_ptr<Session> self);

  /// Looks at the deadlines; called every so often.
  void tick(SteadyClock::time_point now, Time wall_time);
  /// Closes the connection if no request is on its way.
  void close_if_idle();
  /// Closes the connection whatever it does.
  void abort();

  // Called through the exchange.
  void on_answer(Exchange& exchange, Outcome outcome);
  void on_stream_bytes(Exchange& exchange);

 private:
  enum class Phase { kIdle, kReading, kHandling, kAnswering };
  enum class Got { kRequest, kFault, kNothing };
  using Fault = RequestReader::Fault;
  using Buffers = std::array<asio::const_buffer, 2>;

  Awaitable<bool> shake_hands();
  Awaitable<Got> read_request();
  Awaitable<bool> read_some();
  Awaitable<bool> answer_request();
  Awaitable<bool> send_response(Response response, bool is_head, bool keeps_alive);
  Awaitable<bool> send_stream(StreamHead head, bool is_head, bool keeps_alive);
  Awaitable<bool> write_all(Buffers buffers);
  Awaitable<void> send_fault(Fault fault);
  Awaitable<void> linger();

  bool start_handler();
  void start_watch();
  void on_watched(ErrorCode error, std::size_t bytes);
  void make_room();
  [[nodiscard]] Fault fault() const;
  [[nodiscard]] bool has_too_many_bodies() const;
  void hold_body(std::size_t bytes);
  void set_deadline(Duration timeout);
  void clear_deadline();
  Response render(int status, const char* reason, const Request* request) const;
  [[nodiscard]] asio::mutable_buffer free_space() const;

  ServerContext& context_;
  Transport transport_;
  std::string peer_address_;
  RequestReader reader_;

  // Bytes that were read and not used yet: [begin_, end_) of the buffer.
  const std::size_t buffer_size_;
  const std::unique_ptr<char[]> buffer_;  // NOLINT(modernize-avoid-c-arrays): not zeroed on purpose
  std::size_t begin_ = 0;
  std::size_t end_ = 0;

  std::size_t body_bytes_ = 0;  ///< This session's part of ServerContext::body_bytes.

  Phase phase_ = Phase::kIdle;
  SteadyClock::time_point deadline_;
  bool is_timed_out_ = false;    ///< The deadline has cancelled what was going on.
  bool has_peer_ended_ = false;  ///< Nothing more can be read.
  bool is_aborted_ = false;
  bool is_watching_ = false;  ///< A read is going on beside the handler, see start_watch().
  WakeUp wake_up_;            ///< For outcome_, stream bytes, is_watching_ and is_aborted_.

  std::shared_ptr<Exchange> exchange_;  ///< The request that is being answered.
  std::optional<Outcome> outcome_;
  std::string head_;
};

}  // namespace avow::net
