// SPDX-License-Identifier: Apache-2.0
// net/server/exchange.h: one request and its answer, where the I/O thread and all others meet.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>

#include "base/mutex.h"
#include "net/http.h"

namespace avow::net {

class Session;

/// How other threads reach the I/O thread. Outlives the server, as Responders do.
class IoDoor {
 public:
  virtual ~IoDoor() = default;
  /// Runs `task` on the I/O thread; drops it once the server has stopped. Any thread.
  virtual void post(std::function<void()> task) = 0;
};

/// The head of a streamed answer; its body comes through the exchange.
struct StreamHead {
  int status;
  Headers headers;
};

using Outcome = std::variant<Response, StreamHead>;

/// Shared by the session, the request thread and every handle given out. Other threads never touch
/// the session itself: it lives and dies on the I/O thread, and is looked up there.
class Exchange : public StreamSink, public std::enable_shared_from_this<Exchange> {
 public:
  /// `backlog_max` and `is_chunked` are for a streamed body.
  Exchange(std::shared_ptr<IoDoor> door, std::weak_ptr<Session> session, Request r,
           std::size_t backlog_max, bool is_chunked);

  /// Of the request threads, until the handler has returned.
  Request request;

  // Any thread.

  /// The answer, once: hands it to the session.
  void answer(Outcome outcome);
  /// For StreamWriter.
  bool write(std::string chunk) override;
  void when_sent(std::function<void()> then) override;
  void end() override;
  /// Nobody wants the answer any more: stops what watches Request::cancelled.
  void cancel() { stop_.request_stop(); }
  [[nodiscard]] bool is_cancelled() const { return stop_.stop_requested(); }

  /// From the request thread: the answer comes later.
  void wait_for_answer(std::optional<Time> deadline, std::function<Response()> at_deadline);

  // The I/O thread.

  /// Whether the handler has said that the answer comes later.
  [[nodiscard]] bool is_waiting() const { return is_waiting_.load(std::memory_order_acquire); }
  /// What makes the answer if the deadline has passed, once.
  std::optional<std::function<Response()>> take_overdue(Time now);

  /// What the session has to send next of a streamed body.
  struct Piece {
    std::string bytes;
    bool is_last = false;     ///< The body has ended; `bytes` completes it.
    bool is_cut_off = false;  ///< The client is too far behind; the connection must go.
  };
  /// Takes what was written; `sent` bytes of earlier pieces have left. Where nothing is left, who
  /// waited for that is told.
  Piece take_piece(std::size_t sent);
  [[nodiscard]] bool is_cut_off();
  /// The session is done with it: lets go of what a Later or a Stream left here, which may hold
  /// this very exchange.
  void close();

 private:
  void wake_session_locked() REQUIRES(mutex_);

  const std::shared_ptr<IoDoor> door_;
  const std::weak_ptr<Session> session_;
  const std::size_t backlog_max_;
  const bool is_chunked_;
  std::stop_source stop_;
  std::atomic<bool> is_waiting_{false};

  Mutex mutex_;
  // A Later.
  std::optional<Time> deadline_ GUARDED_BY(mutex_);
  std::function<Response()> at_deadline_ GUARDED_BY(mutex_);
  // A Stream.
  std::string unsent_ GUARDED_BY(mutex_);           ///< Written, in its coding, and not yet taken.
  std::size_t taken_bytes_ GUARDED_BY(mutex_) = 0;  ///< Taken, and not yet sent.
  std::function<void()> when_sent_ GUARDED_BY(mutex_);
  bool has_ended_ GUARDED_BY(mutex_) = false;
  bool is_cut_off_ GUARDED_BY(mutex_) = false;
  bool is_wake_up_on_its_way_ GUARDED_BY(mutex_) = false;
};

}  // namespace avow::net
