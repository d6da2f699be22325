// SPDX-License-Identifier: Apache-2.0
#include "net/server/exchange.h"

#include "net/server/response_head.h"
#include "net/server/session.h"

namespace avow::net {

Exchange::Exchange(std::shared_ptr<IoDoor> door, std::weak_ptr<Session> session, Request r,
                   std::size_t backlog_max, bool is_chunked)
    : request(std::move(r)),
      door_(std::move(door)),
      session_(std::move(session)),
      backlog_max_(backlog_max),
      is_chunked_(is_chunked) {
  request.cancelled = stop_.get_token();
}

void Exchange::answer(Outcome outcome) {
  is_waiting_.store(false, std::memory_order_release);
  door_->post([self = shared_from_this(), o = std::move(outcome)]() mutable {
    if (const auto session = self->session_.lock()) session->on_answer(*self, std::move(o));
  });
}

void Exchange::wait_for_answer(std::optional<Time> deadline,
                               std::function<Response()> at_deadline) {
  {
    const MutexLock lock(mutex_);
    deadline_ = deadline;
    at_deadline_ = std::move(at_deadline);
  }
  is_waiting_.store(true, std::memory_order_release);
}

std::optional<std::function<Response()>> Exchange::take_overdue(Time now) {
  const MutexLock lock(mutex_);
  if (!deadline_ || *deadline_ > now) return std::nullopt;
  deadline_.reset();
  return std::exchange(at_deadline_, nullptr);
}

bool Exchange::write(std::string chunk) {
  const MutexLock lock(mutex_);
  if (has_ended_ || is_cut_off_ || is_cancelled()) return false;
  if (unsent_.size() + taken_bytes_ + chunk.size() > backlog_max_) {
    is_cut_off_ = true;
    unsent_.clear();
    // The session may hang in a write and not have seen the last wake-up: this one is for the
    // socket.
    is_wake_up_on_its_way_ = false;
  } else if (is_chunked_) {
    write_chunk(unsent_, chunk);
  } else {
    unsent_ += chunk;
  }
  wake_session_locked();
  return !is_cut_off_;
}

void Exchange::when_sent(std::function<void()> then) {
  std::function<void()> dropped;  // outlives the lock: what it holds may do anything when it goes
  const MutexLock lock(mutex_);
  if (has_ended_ || is_cut_off_ || is_cancelled()) return;
  dropped = std::exchange(when_sent_, std::move(then));
  wake_session_locked();
}

void Exchange::end() {
  const MutexLock lock(mutex_);
  if (has_ended_) return;
  has_ended_ = true;
  if (is_chunked_ && !is_cut_off_) unsent_ += kLastChunk;
  wake_session_locked();
}

void Exchange::close() {
  std::function<Response()> at_deadline;  // both outlive the lock
  std::function<void()> when_sent;
  const MutexLock lock(mutex_);
  deadline_.reset();
  at_deadline.swap(at_deadline_);
  when_sent.swap(when_sent_);
}

bool Exchange::is_cut_off() {
  const MutexLock lock(mutex_);
  return is_cut_off_;
}

Exchange::Piece Exchange::take_piece(std::size_t sent) {
  std::function<void()> then;
  Piece piece;
  {
    const MutexLock lock(mutex_);
    is_wake_up_on_its_way_ = false;
    taken_bytes_ = taken_bytes_ - sent + unsent_.size();
    piece = {std::exchange(unsent_, {}), has_ended_, is_cut_off_};
    if (taken_bytes_ == 0) then.swap(when_sent_);
  }
  if (then) then();
  return piece;
}

void Exchange::wake_session_locked() {
  if (is_wake_up_on_its_way_) return;
  is_wake_up_on_its_way_ = true;
  door_->post([self = shared_from_this()] {
    if (const auto session = self->session_.lock()) session->on_stream_bytes(*self);
  });
}

}  // namespace avow::net
