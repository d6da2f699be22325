// SPDX-License-Identifier: Apache-2.0
#include "api/live_view.h"

#include <algorithm>
#include <atomic>
#include <deque>

#include "json/parse.h"
#include "json/write.h"
#include "provenance/event.h"

namespace avow::api {
namespace {

constexpr Duration kHeartbeat = std::chrono::seconds(15);
/// What is read of the journal at once; the next is read when this has left.
constexpr std::size_t kPageBytes = std::size_t{256} << 10;
constexpr std::size_t kSegmentsPerPage = 64;
/// Of a model's text that waits for the client; beyond, the client is cut off and resumes.
constexpr std::size_t kTextWaitingMax = std::size_t{1} << 20;

/// The journal is the only source of events: what the engine says of them is no more than that
/// there are some, so nothing can come twice, be missed, or be seen before it is durable. All of it
/// is done on one strand; who calls from elsewhere only leaves word.
class LiveView : public engine::Follower, public std::enable_shared_from_this<LiveView> {
 public:
  LiveView(const Call& call, RunId run, std::uint32_t after)
      : services_(call.services),
        strand_(call.services.pool.make_strand()),
        run_(run),
        key_(call.caller.key),
        expires_at_(call.caller.expires_at),
        shows_text_(call.caller.allows(auth::Scope::kContentsRead)),
        sent_(after) {}

  void start(const net::StreamWriter& writer, const std::stop_token& gone) {
    strand_->post([self = shared_from_this(), writer, gone] { self->begin(writer, gone); });
  }

  void on_events(std::uint32_t seq, bool is_over) override {
    strand_->post([self = shared_from_this(), seq, is_over] {
      self->is_over_ = self->is_over_ || is_over;
      const bool is_behind = !self->waiting_.empty() && self->waiting_.back().seq > 0;
      if (is_behind) {
        self->waiting_.back().seq = std::max(self->waiting_.back().seq, seq);
      } else {
        self->waiting_.push_back({seq, {}, 0});
      }
      self->go_on();
    });
  }

  void on_text(const engine::SpokenText& spoken) override {
    if (!shows_text_) return;
    const std::size_t size = spoken.text.size();
    if (text_waiting_.fetch_add(size) + size > kTextWaitingMax) return leave_word_to_end();
    json::Value data = json::Object{{"step", spoken.call.step},
                                    {"attempt", std::int64_t{spoken.attempt}},
                                    {"call", std::int64_t{spoken.call.number}},
                                    {"text", spoken.text}};
    strand_->post([self = shared_from_this(), size,
                   message = fmt::format("event: llm.delta\ndata: {}\n\n", json::write(data))] {
      self->waiting_.push_back({0, message, size});
      self->go_on();
    });
  }

  void on_stop() override { leave_word_to_end(); }

 private:
  /// What is to be sent next: the journal up to `seq` (0: none of it), and a text.
  struct Item {
    std::uint32_t seq = 0;
    std::string message;
    std::size_t text_size = 0;
  };
  using OnGone = std::stop_callback<std::function<void()>>;

  void leave_word_to_end() {
    strand_->post([self = shared_from_this()] { self->end(); });
  }

  void begin(const net::StreamWriter& writer, const std::stop_token& gone) {
    writer_.emplace(writer);
    // First of all what may end it: from here on nothing of that is missed.
    const auto word = [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->leave_word_to_end();
    };
    if (key_) key_watch_ = services_.authenticator.watch(*key_, word);
    on_gone_ = std::make_unique<OnGone>(gone, word);
    follow_ = services_.engine.follow(run_, shared_from_this());
    const auto is_revoked = key_ ? services_.authenticator.is_revoked(*key_) : Result<bool>(false);
    const auto row = services_.store.get_run(run_);
    if (!is_revoked || *is_revoked || !row) return end();
    is_over_ = is_over_ || engine::is_terminal(row->status);
    const auto summary = json::parse(row->summary);
    const std::int64_t so_far = summary ? summary->int_or("events", 0) : 0;
    waiting_.push_front({static_cast<std::uint32_t>(so_far), {}, 0});
    look_later();
    go_on();
  }

  /// Sends a page of what there is; the rest follows when that has left.
  void go_on() {
    if (!writer_ || is_sending_) return;
    auto page = next_page();
    if (!page) return end();  // the client resumes when the journal can be read again
    const bool is_empty = page->empty();
    if (!is_empty && !writer_->write(std::move(*page))) return end();
    if (is_over_ && waiting_.empty()) return end();
    if (is_empty) return;
    is_sending_ = true;
    writer_->when_sent([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->strand_->post([self] {
        self->is_sending_ = false;
        self->go_on();
      });
    });
  }

  Result<std::string> next_page() {
    std::string page;
    while (!waiting_.empty() && page.size() < kPageBytes) {
      const Item& next = waiting_.front();
      if (next.seq > sent_) {
        ASSIGN_OR_RETURN(const bool is_complete, add_events(next.seq, page));
        if (!is_complete) break;
      }
      page += next.message;
      text_waiting_ -= next.text_size;
      waiting_.pop_front();
    }
    return page;
  }

  /// Adds the journal's events after `sent_` up to `seq`. False if there may be more of them than
  /// the page holds.
  Result<bool> add_events(std::uint32_t seq, std::string& page) {
    ASSIGN_OR_RETURN(const auto segments,
                     services_.store.read_journal(run_, sent_, kSegmentsPerPage));
    for (const store::Segment& segment : segments) {
      ASSIGN_OR_RETURN(const auto events, provenance::decode_journal(segment.bytes));
      for (std::uint32_t n = 0; n < events.size(); ++n) {
        const std::uint32_t at = segment.first_seq + n;
        if (at <= sent_) continue;
        if (at > seq) return true;
        if (page.size() >= kPageBytes) return false;
        ASSIGN_OR_RETURN(const provenance::Event event, provenance::decode(events[n]));
        page += fmt::format("id: {}\nevent: {}\ndata: {}\n\n", at, event.type, events[n]);
        sent_ = at;
      }
    }
    return segments.size() < kSegmentsPerPage;
  }

  /// A heartbeat now and then, and the end when the caller's time is over.
  void look_later() {
    Time at = services_.clock.now() + kHeartbeat;
    if (expires_at_) at = std::min(at, *expires_at_);
    strand_->post_at(at, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || !self->writer_) return;
      const bool has_expired =
          self->expires_at_ && *self->expires_at_ <= self->services_.clock.now();
      if (has_expired || !self->writer_->write(": alive\n\n")) return self->end();
      self->look_later();
    });
  }

  void end() {
    if (!writer_) return;
    services_.engine.unfollow(run_, follow_);
    if (key_watch_) services_.authenticator.unwatch(*key_watch_);
    on_gone_.reset();
    writer_->end();
    writer_.reset();
    waiting_.clear();
  }

  Services& services_;
  const std::unique_ptr<Executor> strand_;
  const RunId run_;
  const std::optional<KeyId> key_;
  const std::optional<Time> expires_at_;
  const bool shows_text_;
  std::atomic<std::size_t> text_waiting_ = 0;

  // The strand's.
  std::optional<net::StreamWriter> writer_;  ///< None: not begun, or over.
  std::optional<std::uint64_t> key_watch_;
  std::unique_ptr<OnGone> on_gone_;
  std::uint64_t follow_ = 0;
  std::deque<Item> waiting_;
  std::uint32_t sent_;
  bool is_sending_ = false;
  bool is_over_ = false;
};

}  // namespace

bool wants_live_view(const net::Request& request) {
  for (std::string_view rest : request.headers.all("Accept")) {
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view media = rest.substr(0, std::min(rest.find(';'), comma));
      while (media.starts_with(' ')) media.remove_prefix(1);
      while (media.ends_with(' ')) media.remove_suffix(1);
      if (net::equal_ignoring_case(media, "text/event-stream")) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

net::Stream live_view(const Call& call, RunId run, std::uint32_t after) {
  net::Stream stream;
  // A proxy that collects an answer before it passes it on would defeat the purpose.
  stream.headers = {{"Content-Type", "text/event-stream"}, {"X-Accel-Buffering", "no"}};
  stream.start = [view = std::make_shared<LiveView>(call, run, after),
                  gone = call.request.cancelled](const net::StreamWriter& writer) {
    view->start(writer, gone);
  };
  return stream;
}

}  // namespace avow::api
