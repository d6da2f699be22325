// SPDX-License-Identifier: Apache-2.0
#include "testing/stub_server.h"

#include "base/check.h"

namespace avow::testing {

StubServer::StubServer(Answering answering)
    : pool_("stub", 1, clock_), strand_(pool_.make_strand()), answering_(std::move(answering)) {
  auto started = net::HttpServer::start(
      {.request_threads = 2}, clock_,
      [this](const net::Request& request) { return answer(request); },
      [](int status, std::string_view, const net::Request*) {
        return net::Response{.status = status};
      });
  CHECK(started.has_value());
  server_ = std::move(*started);
}

StubServer::~StubServer() {
  server_->stop(Duration::zero());
  pool_.stop();
}

std::string StubServer::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", server_->port(), path);
}

std::vector<StubCall> StubServer::calls() const {
  const MutexLock lock(mutex_);
  return calls_;
}

net::Answer StubServer::answer(const net::Request& request) {
  const std::string* const key = request.headers.find("Idempotency-Key");
  const StubCall call{key == nullptr ? "" : *key, request.target, request.body,
                      std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now())};
  {
    const MutexLock lock(mutex_);
    calls_.push_back(call);
  }
  const StubAnswer given = answering_(call);
  net::Response response{.headers = {{"Content-Type", "application/json"}}, .body = given.body};
  if (given.delay == Duration::zero()) return response;
  net::Later later;
  later.start = [this, response, at = clock_.now() + given.delay](const net::Responder& respond) {
    strand_->post_at(at, [response, respond] { respond(response); });
  };
  return later;
}

}  // namespace avow::testing
