// SPDX-License-Identifier: Apache-2.0
// net/http_client.h: outbound HTTP calls, by libcurl on one thread.
// HTTP/1.1, and HTTP/2 over TLS; certificates are verified against the system's roots; connections
// are reused, at most 32 a host. No proxy, netrc or cookie from the environment.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "base/result.h"
#include "base/time.h"
#include "net/address.h"
#include "net/http.h"

namespace avow::net {

struct ClientRequest {
  std::string method = "GET";
  std::string url;  ///< Absolute, http or https, without user and password.
  Headers headers = {};
  std::string body = {};
  std::size_t response_bytes_max = std::size_t{8} << 20;  ///< Of the body; headers: 64 KiB.
  /// Follows at most 5 redirects, each checked like the first URL. 303, and 301 and 302 of a POST,
  /// continue as GET without body. If false, a redirect is an answer like any other.
  bool follow_redirects = false;
  /// Header names left out when a redirect leads to another scheme, host or port.
  std::vector<std::string> drop_on_redirect = {};
  /// The request carries secrets: over plain http it goes only to addresses in
  /// AddressPolicy::allow.
  bool has_secrets = false;
  /// Called on the executor with each piece of the body of a 2xx as it comes, before `done`, which
  /// gets all of them again.
  std::function<void(std::string_view)> on_piece = {};
};

struct ClientResponse {
  int status = 0;
  Headers headers = {};
  std::string body = {};
};

class HttpClient {
 public:
  using Done = std::function<void(Result<ClientResponse>)>;
  virtual ~HttpClient() = default;

  /// Makes the call; any thread. `done` runs exactly once, on `executor`, which must outlive the
  /// call. Any HTTP status is a success here. The answer is untrusted and bounded.
  /// Errors: kInvalidArgument    bad URL, scheme, method or header; more than 5 redirects
  ///         kPermissionDenied   every address of the host is refused by the policy
  ///         kUnavailable        no connection: nothing was sent
  ///         kOutcomeUnknown     the connection was lost after the request may have been sent
  ///         kDeadlineExceeded   no whole answer by `deadline`; the request may have been sent
  ///         kCancelled          `stop` was requested, or the client stopped; the same
  ///         kResourceExhausted  the answer is longer than response_bytes_max, or too many calls
  ///         wait
  virtual void send(ClientRequest request, Time deadline, std::stop_token stop, Executor& executor,
                    Done done) = 0;
};

struct ClientOptions {
  AddressPolicy policy = {};
  std::string proxy = {};  ///< "http://host:port"; empty: none. The policy then cannot see names.
  std::string extra_ca_file = {};  ///< PEM, beside the system's roots.
  std::string user_agent = "avow";
  std::size_t calls_max = 4096;  ///< In flight or waiting; beyond: kResourceExhausted.
};

class CurlClient : public HttpClient {
 public:
  /// Starts the thread. `clock` must outlive the client.
  CurlClient(ClientOptions options, Clock& clock);
  /// CHECKs that stop() was called.
  ~CurlClient() override;
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  void send(ClientRequest request, Time deadline, std::stop_token stop, Executor& executor,
            Done done) override;
  /// Ends all calls with kCancelled and joins the thread. Once.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Makes the call and waits for its end: for the command line, not for the server. Errors: as
/// send().
Result<ClientResponse> send_blocking(HttpClient& client, ClientRequest request, Duration timeout);

}  // namespace avow::net
