// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include <curl/curl.h>
#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/check.h"
#include "net/client/call.h"

namespace avow::net {
namespace {

constexpr long kConnectionsPerHostMax = 32;
constexpr long kConnectionsKeptMax = 256;
constexpr Duration kPollMax = std::chrono::seconds(60);

void set_up_libcurl() {
  static const CURLcode is_set_up = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(is_set_up == CURLE_OK);
}

/// Hands the result over; `done` runs on the executor.
void finish(Executor& executor, HttpClient::Done done, Result<ClientResponse> result) {
  // Shared, so that a body is not copied with the task.
  auto shared = std::make_shared<Result<ClientResponse>>(std::move(result));
  executor.post([run = std::move(done), shared] { run(std::move(*shared)); });
}

}  // namespace

/// Calls wait in `incoming_` until the thread takes them; from then on they are the thread's alone.
class CurlClient::Impl {
 public:
  Impl(ClientOptions options, Clock& clock) : options_(std::move(options)), clock_(clock) {
    set_up_libcurl();
    multi_ = curl_multi_init();
    CHECK(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, kConnectionsPerHostMax);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kConnectionsKeptMax);
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() {
    CHECK(!thread_.joinable());
    curl_multi_cleanup(multi_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void send(ClientRequest request, Time deadline, std::stop_token stop, Executor& executor,
            Done done);
  void stop();

 private:
  using Number = std::uint64_t;
  using StopCallback = std::stop_callback<std::function<void()>>;
  struct Pending {
    Pending(const ClientOptions& options, ClientRequest request, Time d, Executor& e, Done f)
        : call(options, std::move(request)), deadline(d), executor(e), done(std::move(f)) {}
    Call call;
    const Time deadline;
    Executor& executor;
    Done done;
    std::stop_token stop;
    std::optional<StopCallback> on_stop;
    bool is_in_multi = false;
  };
  using Calls = std::map<Number, std::unique_ptr<Pending>>;

  void run();
  bool take_messages();
  void start(Number number, std::unique_ptr<Pending> pending);
  void end(Number number, Result<ClientResponse> result);
  void end_finished_transfers();
  void end_overdue();
  [[nodiscard]] int poll_timeout() const;
  void cancel(Number number);
  void wake() { curl_multi_wakeup(multi_); }

  const ClientOptions options_;
  Clock& clock_;
  CURLM* multi_ = nullptr;
  std::thread thread_;

  std::mutex mutex_;
  // Guarded by mutex_.
  Calls incoming_;
  std::set<Number> cancelled_;
  Number next_number_ = 1;
  std::size_t count_ = 0;  ///< Calls that were accepted and have not ended.
  bool is_stopping_ = false;

  // The thread's.
  Calls calls_;
  std::map<CURL*, Number> transfers_;
  std::set<std::pair<Time, Number>> deadlines_;
};

void CurlClient::Impl::send(ClientRequest request, Time deadline, std::stop_token stop,
                            Executor& executor, Done done) {
  if (request.on_piece) {
    request.on_piece = [&executor, tell = std::move(request.on_piece)](std::string_view piece) {
      executor.post([tell, text = std::string(piece)] { tell(text); });
    };
  }
  auto pending =
      std::make_unique<Pending>(options_, std::move(request), deadline, executor, std::move(done));
  Number number = 0;
  bool is_stopping = false;
  {
    const std::lock_guard lock(mutex_);
    is_stopping = is_stopping_;
    if (!is_stopping && count_ < options_.calls_max) {
      number = next_number_++;
      ++count_;
    }
  }
  if (number == 0) {
    return finish(executor, std::move(pending->done),
                  is_stopping ? failure(Code::kCancelled, "the client has stopped")
                              : failure(Code::kResourceExhausted, "more than {} outbound calls",
                                        options_.calls_max));
  }
  // Made outside the lock: it may call cancel() at once. The thread asks `stop` again when it
  // starts the call, so that a cancel() that came before the call is not lost.
  pending->stop = stop;
  if (stop.stop_possible()) pending->on_stop.emplace(stop, [this, number] { cancel(number); });
  {
    const std::lock_guard lock(mutex_);
    incoming_.emplace(number, std::move(pending));
  }
  wake();
}

void CurlClient::Impl::cancel(Number number) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_.insert(number);
  }
  wake();
}

void CurlClient::Impl::stop() {
  {
    const std::lock_guard lock(mutex_);
    CHECK(!is_stopping_);
    is_stopping_ = true;
  }
  wake();
  thread_.join();
}

void CurlClient::Impl::run() {
  pthread_setname_np(pthread_self(), "http-client");
  // OpenSSL writes to sockets whose peer has gone; the signal would end the process.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  while (take_messages()) {
    int running = 0;
    curl_multi_perform(multi_, &running);
    end_finished_transfers();
    end_overdue();
    curl_multi_poll(multi_, nullptr, 0, poll_timeout(), nullptr);
  }
}

/// False once the client has stopped and every call has ended.
bool CurlClient::Impl::take_messages() {
  Calls incoming;
  std::set<Number> cancelled;
  bool is_stopping = false;
  bool is_empty = false;
  {
    const std::lock_guard lock(mutex_);
    incoming.swap(incoming_);
    cancelled.swap(cancelled_);
    is_stopping = is_stopping_;
  }
  for (auto& [number, pending] : incoming) start(number, std::move(pending));
  if (is_stopping) {
    for (const auto& [number, pending] : calls_) cancelled.insert(number);
  }
  for (const Number number : cancelled)
    end(number, failure(Code::kCancelled, "the call was cancelled"));
  if (is_stopping) {
    const std::lock_guard lock(mutex_);
    is_empty = count_ == 0;  // not so while a send() is between its two locks
  }
  return !is_empty;
}

void CurlClient::Impl::start(Number number, std::unique_ptr<Pending> pending) {
  Pending& call = *pending;
  calls_.emplace(number, std::move(pending));
  deadlines_.emplace(call.deadline, number);
  if (call.stop.stop_requested()) {
    return end(number, failure(Code::kCancelled, "the call was cancelled"));
  }
  if (call.deadline <= clock_.now()) {
    return end(number, failure(Code::kDeadlineExceeded, "the deadline had passed before the call"));
  }
  if (auto prepared = call.call.prepare(); !prepared) return end(number, prepared.error());
  transfers_.emplace(call.call.transfer(), number);
  call.is_in_multi = true;
  CHECK(curl_multi_add_handle(multi_, call.call.transfer()) == CURLM_OK);
}

/// Nothing happens if the call has ended already.
void CurlClient::Impl::end(Number number, Result<ClientResponse> result) {
  const auto found = calls_.find(number);
  if (found == calls_.end()) return;
  const std::unique_ptr<Pending> call = std::move(found->second);
  calls_.erase(found);
  deadlines_.erase({call->deadline, number});
  if (call->is_in_multi) {
    curl_multi_remove_handle(multi_, call->call.transfer());
    transfers_.erase(call->call.transfer());
  }
  {
    const std::lock_guard lock(mutex_);
    --count_;
  }
  call->on_stop.reset();  // waits for a cancel() that is going on, so not under the lock
  finish(call->executor, std::move(call->done), std::move(result));
}

void CurlClient::Impl::end_finished_transfers() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* transfer = message->easy_handle;
    const CURLcode code = message->data.result;  // `message` dies with the next libcurl call
    const auto found = transfers_.find(transfer);
    CHECK(found != transfers_.end());
    const Number number = found->second;
    Pending& call = *calls_.at(number);
    curl_multi_remove_handle(multi_, transfer);
    transfers_.erase(found);
    call.is_in_multi = false;
    auto outcome = call.call.on_transfer_ended(code);
    if (outcome) {
      end(number, std::move(*outcome));
      continue;
    }
    transfers_.emplace(call.call.transfer(), number);  // a redirect
    call.is_in_multi = true;
    CHECK(curl_multi_add_handle(multi_, call.call.transfer()) == CURLM_OK);
  }
}

void CurlClient::Impl::end_overdue() {
  const Time now = clock_.now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const Number number = deadlines_.begin()->second;
    const std::string title = calls_.at(number)->call.title();
    end(number, failure(Code::kDeadlineExceeded, "{}: no whole answer in time", title));
  }
}

int CurlClient::Impl::poll_timeout() const {
  Duration wait = kPollMax;
  if (!deadlines_.empty())
    wait = std::min<Duration>(wait, deadlines_.begin()->first - clock_.now());
  return static_cast<int>(std::max<Duration>(wait, Duration(0)).count());
}

CurlClient::CurlClient(ClientOptions options, Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}

CurlClient::~CurlClient() = default;

void CurlClient::send(ClientRequest request, Time deadline, std::stop_token stop,
                      Executor& executor, Done done) {
  impl_->send(std::move(request), deadline, std::move(stop), executor, std::move(done));
}

void CurlClient::stop() { impl_->stop(); }

Result<ClientResponse> send_blocking(HttpClient& client, ClientRequest request, Duration timeout) {
  // The one thread that waits is woken right where the answer arrives.
  class Inline : public Executor {
   public:
    void post(Task task) override { task(); }
    void post_at(Time, Task) override { CHECK(false); }
  };
  Inline executor;
  std::promise<Result<ClientResponse>> promise;
  auto future = promise.get_future();
  client.send(std::move(request), SystemClock().now() + timeout, {}, executor,
              [&promise](Result<ClientResponse> result) { promise.set_value(std::move(result)); });
  return future.get();
}

}  // namespace avow::net
