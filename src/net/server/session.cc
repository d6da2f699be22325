// SPDX-License-Identifier: Apache-2.0
#include "net/server/session.h"

#include <cstring>

#include "net/server/response_head.h"

namespace avow::net {
namespace {

/// Beside a whole header, so that a large body needs few reads.
constexpr std::size_t kReadSize = std::size_t{16} << 10;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// On a request thread: asks the handler, and sends its answer on its way.
void run_handler(const ServerContext& context, const std::shared_ptr<Exchange>& exchange) {
  if (exchange->is_cancelled()) return;  // the server stops
  Answer answer = context.handler(exchange->request);
  if (auto* response = std::get_if<Response>(&answer)) {
    exchange->answer(std::move(*response));
  } else if (auto* later = std::get_if<Later>(&answer)) {
    exchange->wait_for_answer(later->deadline, std::move(later->at_deadline));
    later->start(Responder([exchange, render = context.render_error](std::optional<Response> r) {
      if (!r) r = (*render)(500, "the request was not answered", &exchange->request);
      exchange->answer(std::move(*r));
    }));
  } else {
    auto& stream = std::get<Stream>(answer);
    exchange->answer(StreamHead{stream.status, std::move(stream.headers)});
    stream.start(StreamWriter(exchange));
  }
}

}  // namespace

Session::Session(ServerContext& context, Socket socket)
    : context_(context),
      transport_(std::move(socket), context.tls ? &*context.tls : nullptr),
      reader_(context.options.header_bytes_max, context.options.body_bytes_max),
      buffer_size_(context.options.header_bytes_max + kReadSize),
      buffer_(std::make_unique_for_overwrite<char[]>(buffer_size_)) {
  context_.sessions.insert(this);
  ErrorCode ignored;  // a peer that has gone is found out by the first read
  transport_.socket().set_option(Tcp::no_delay(true), ignored);
  const auto peer = transport_.socket().remote_endpoint(ignored);
  if (!ignored) peer_address_ = peer.address().to_string();
  clear_deadline();
}

Session::~Session() {
  hold_body(0);
  context_.sessions.erase(this);
}

Awaitable<void> Session::serve(std::shared_ptr<Session> self) {
  const bool is_ready = co_await self->shake_hands();
  if (!is_ready) co_return;
  for (;;) {
    const Got got = co_await self->read_request();
    if (got == Got::kNothing) co_return;
    if (got == Got::kFault) {
      const Fault fault = self->fault();
      co_await self->send_fault(fault);
      co_return;
    }
    const bool goes_on = co_await self->answer_request();
    if (!goes_on) co_return;
  }
}

Awaitable<void> Session::turn_away(std::shared_ptr<Session> self) {
  const Fault fault{503, "too many connections"};
  co_await self->send_fault(fault);
}

Awaitable<bool> Session::shake_hands() {
  if (!transport_.is_tls()) co_return true;
  phase_ = Phase::kReading;
  set_deadline(context_.options.header_timeout);
  const auto [error] =
      co_await transport_.tls().async_handshake(asio::ssl::stream_base::server, kAsTuple);
  co_return !error;
}

/// kFault: see fault().
Awaitable<Session::Got> Session::read_request() {
  phase_ = Phase::kIdle;
  set_deadline(context_.options.idle_timeout);
  bool is_continued = false;
  for (;;) {
    if (begin_ < end_) {
      if (phase_ == Phase::kIdle) {
        phase_ = Phase::kReading;
        set_deadline(context_.options.header_timeout);
      }
      const bool was_head = reader_.state() == RequestReader::State::kHead;
      begin_ += reader_.feed({buffer_.get() + begin_, end_ - begin_});
      hold_body(reader_.body_bytes());
      if (has_too_many_bodies()) co_return Got::kFault;
      if (reader_.state() == RequestReader::State::kDone) co_return Got::kRequest;
      if (reader_.state() == RequestReader::State::kRefused) co_return Got::kFault;
      const bool is_body = reader_.state() == RequestReader::State::kBody;
      if (is_body && was_head) set_deadline(context_.options.body_timeout);
    }
    if (reader_.expects_continue() && !is_continued) {
      is_continued = true;
      const Buffers line = {asio::buffer(kContinue), asio::const_buffer()};
      const bool is_sent = co_await write_all(line);
      if (!is_sent) co_return Got::kNothing;
      set_deadline(context_.options.body_timeout);
    }
    if (phase_ == Phase::kIdle && context_.is_draining) co_return Got::kNothing;
    const bool has_read = co_await read_some();
    if (is_timed_out_) co_return phase_ == Phase::kIdle ? Got::kNothing : Got::kFault;
    if (!has_read) co_return Got::kNothing;
  }
}

/// More bytes into the buffer; false if there are none to come.
Awaitable<bool> Session::read_some() {
  if (is_watching_) {
    // The read that ran beside the last handler still waits for bytes: they come through it.
    while (is_watching_) co_await wake_up_.next();
    co_return !has_peer_ended_ && !is_aborted_;
  }
  if (has_peer_ended_) co_return false;
  make_room();
  const asio::mutable_buffer space = free_space();
  const auto [error, bytes] = co_await transport_.async_read_some(space, kAsTuple);
  end_ += bytes;
  if (error) has_peer_ended_ = true;
  co_return !error;
}

/// False if the connection is over.
Awaitable<bool> Session::answer_request() {
  const bool is_head = reader_.is_head_method();
  const bool is_chunked = !reader_.is_http_1_0();
  const bool may_keep_alive = reader_.keeps_alive();
  Request request = reader_.take();
  request.peer_address = peer_address_;
  request.tls = transport_.is_tls();
  exchange_ = std::make_shared<Exchange>(context_.door, weak_from_this(), std::move(request),
                                         context_.options.stream_backlog_max, is_chunked);
  outcome_.reset();
  phase_ = Phase::kHandling;
  clear_deadline();
  if (!start_handler()) {
    Response busy = render(503, "too many requests wait", &exchange_->request);
    outcome_ = std::move(busy);
  }
  while (!outcome_ && !is_aborted_) co_await wake_up_.next();
  if (is_aborted_) co_return false;

  phase_ = Phase::kAnswering;
  const bool keeps_alive = may_keep_alive && !context_.is_draining && !has_peer_ended_;
  Outcome outcome = std::move(*outcome_);
  bool is_sent = false;
  if (auto* response = std::get_if<Response>(&outcome)) {
    is_sent = co_await send_response(std::move(*response), is_head, keeps_alive);
  } else {
    auto* head = std::get_if<StreamHead>(&outcome);
    is_sent = co_await send_stream(std::move(*head), is_head, keeps_alive && is_chunked);
  }
  if (!is_sent) exchange_->cancel();
  exchange_->close();
  exchange_.reset();
  hold_body(0);
  if (is_sent && !keeps_alive) co_await linger();
  co_return is_sent&& keeps_alive;
}

bool Session::start_handler() {
  return context_.request_threads.try_post(
      [&context = context_, exchange = exchange_] { run_handler(context, exchange); });
}

Awaitable<bool> Session::send_response(Response response, bool is_head, bool keeps_alive) {
  write_head(head_, response.status, response.headers, Framing::kLength, response.body.size(),
             keeps_alive);
  const bool sends_body = !is_head && has_body(response.status);
  const Buffers buffers = {asio::buffer(head_),
                           sends_body ? asio::buffer(response.body) : asio::const_buffer()};
  const bool is_sent = co_await write_all(buffers);
  co_return is_sent;
}

/// True once the body has ended as the handler wished.
Awaitable<bool> Session::send_stream(StreamHead head, bool is_head, bool keeps_alive) {
  const Framing framing = reader_.is_http_1_0() ? Framing::kUntilEnd : Framing::kChunked;
  write_head(head_, head.status, head.headers, framing, 0, keeps_alive);
  Buffers buffers = {asio::buffer(head_), asio::const_buffer()};
  bool is_sent = co_await write_all(buffers);
  if (is_head || !has_body(head.status)) {
    exchange_->cancel();
    co_return is_sent;
  }
  start_watch();
  std::size_t sent = 0;
  while (is_sent && !is_aborted_) {
    const Exchange::Piece piece = exchange_->take_piece(sent);
    sent = piece.bytes.size();
    if (piece.is_cut_off) co_return false;
    if (sent > 0) {
      buffers = {asio::buffer(piece.bytes), asio::const_buffer()};
      is_sent = co_await write_all(buffers);
      clear_deadline();
    }
    if (piece.is_last) co_return is_sent;
    if (has_peer_ended_) co_return false;
    if (sent == 0) co_await wake_up_.next();
  }
  co_return false;
}

Awaitable<bool> Session::write_all(Buffers buffers) {
  while (buffers[0].size() + buffers[1].size() > 0) {
    set_deadline(context_.options.write_timeout);
    const auto [error, bytes] = co_await transport_.async_write_some(buffers, kAsTuple);
    if (error) co_return false;
    const std::size_t of_first = std::min(bytes, buffers[0].size());
    buffers[0] += of_first;
    buffers[1] += bytes - of_first;
  }
  co_return true;
}

Awaitable<void> Session::send_fault(Fault fault) {
  const Request* request = reader_.request();
  const bool is_head = request != nullptr && reader_.is_head_method();
  phase_ = Phase::kAnswering;
  Response response = render(fault.status, fault.reason, request);
  const bool is_sent = co_await send_response(std::move(response), is_head, false);
  reader_.forget();
  hold_body(0);
  if (is_sent) co_await linger();
}

/// Ends our side and reads on for a while. A connection that is closed with unread bytes is reset,
/// and the reset may overtake the answer.
Awaitable<void> Session::linger() {
  phase_ = Phase::kAnswering;
  set_deadline(context_.options.drain_timeout);
  ErrorCode ignored;
  if (is_watching_) transport_.socket().cancel(ignored);
  while (is_watching_) co_await wake_up_.next();
  if (transport_.is_tls()) {
    // It fails when the client goes on sending; our "close notify" has left by then.
    const auto [error] = co_await transport_.tls().async_shutdown(kAsTuple);
    (void)error;
  }
  transport_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
  std::size_t drained = 0;
  const asio::mutable_buffer whole(buffer_.get(), buffer_size_);
  while (!is_timed_out_ && !has_peer_ended_ && drained < context_.options.drain_bytes_max) {
    const auto [error, bytes] = co_await transport_.socket().async_read_some(whole, kAsTuple);
    if (error) co_return;
    drained += bytes;
  }
}

/// While an answer is awaited, a read tells whether the client is still there. What it reads
/// belongs to the next request; when the buffer is full of that, the watch ends.
void Session::start_watch() {
  if (is_watching_ || has_peer_ended_) return;
  make_room();
  const asio::mutable_buffer space = free_space();
  if (space.size() == 0) return;
  is_watching_ = true;
  transport_.async_read_some(space,
                             [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
                               self->on_watched(error, bytes);
                             });
}

void Session::on_watched(ErrorCode error, std::size_t bytes) {
  is_watching_ = false;
  end_ += bytes;
  if (error && error != asio::error::operation_aborted) {
    has_peer_ended_ = true;
    if (exchange_) exchange_->cancel();
  }
  wake_up_.announce();
}

void Session::tick(SteadyClock::time_point now, Time wall_time) {
  if (now >= deadline_) {
    deadline_ = SteadyClock::time_point::max();
    is_timed_out_ = true;
    ErrorCode ignored;
    transport_.socket().cancel(ignored);
    return;
  }
  if (phase_ != Phase::kHandling || !exchange_ || !exchange_->is_waiting()) return;
  start_watch();
  auto overdue = exchange_->take_overdue(wall_time);
  if (!overdue) return;
  const auto give_up = [exchange = exchange_, render = context_.render_error,
                        make = std::move(*overdue)] {
    exchange->answer(make ? make()
                          : (*render)(503, "the answer took too long", &exchange->request));
  };
  if (!context_.request_threads.try_post(give_up)) give_up();
}

void Session::close_if_idle() {
  if (phase_ == Phase::kIdle) abort();
}

void Session::abort() {
  is_aborted_ = true;
  has_peer_ended_ = true;
  if (exchange_) exchange_->cancel();
  ErrorCode ignored;
  transport_.socket().close(ignored);
  wake_up_.announce();
}

void Session::on_answer(Exchange& exchange, Outcome outcome) {
  if (exchange_.get() != &exchange || outcome_) return;  // the deadline, or abort(), was first
  outcome_ = std::move(outcome);
  wake_up_.announce();
}

void Session::on_stream_bytes(Exchange& exchange) {
  if (exchange_.get() != &exchange) return;
  if (exchange.is_cut_off()) {
    ErrorCode ignored;
    transport_.socket().close(ignored);  // it may hang in a write
  }
  wake_up_.announce();
}

void Session::make_room() {
  if (begin_ == 0) return;
  std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

/// Why read_request() gave up.
Session::Fault Session::fault() const {
  if (is_timed_out_) return {408, "the request took too long to arrive"};
  if (has_too_many_bodies()) return {503, "too many bytes of requests are held"};
  return reader_.fault();
}

/// Only for who holds a body himself: others may go on.
bool Session::has_too_many_bodies() const {
  return body_bytes_ > 0 && context_.body_bytes > context_.options.all_bodies_bytes_max;
}

void Session::hold_body(std::size_t bytes) {
  context_.body_bytes = context_.body_bytes - body_bytes_ + bytes;
  body_bytes_ = bytes;
}

void Session::set_deadline(Duration timeout) {
  deadline_ = SteadyClock::now() + timeout;
  is_timed_out_ = false;
}

void Session::clear_deadline() {
  deadline_ = SteadyClock::time_point::max();
  is_timed_out_ = false;
}

Response Session::render(int status, const char* reason, const Request* request) const {
  Response response = (*context_.render_error)(status, reason, request);
  if (status == 503 && !response.headers.find("Retry-After"))
    response.headers.set("Retry-After", "1");
  return response;
}

asio::mutable_buffer Session::free_space() const {
  return {buffer_.get() + end_, buffer_size_ - end_};
}

}  // namespace avow::net
