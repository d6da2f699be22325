// SPDX-License-Identifier: Apache-2.0
// net/client/call.h: one outbound call, over all its redirects, as libcurl transfers.
// Used by the client's thread only; it knows no threads itself.
#pragma once
#include <curl/curl.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "net/http_client.h"

namespace avow::net {

class Call {
 public:
  /// `options` outlives the call.
  Call(const ClientOptions& options, ClientRequest request);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// Checks the request and makes the first transfer. Errors: kInvalidArgument, kPermissionDenied
  Result<void> prepare();
  /// The transfer to hand to a multi handle; it leads back to this call by CURLINFO_PRIVATE.
  [[nodiscard]] CURL* transfer() const { return transfer_.get(); }

  /// The transfer has ended and left its multi handle. The answer or error; nothing if there is a
  /// redirect to follow by the new transfer().
  std::optional<Result<ClientResponse>> on_transfer_ended(CURLcode code);

  /// "GET example.org", for messages: no path and no query, they may hold secrets.
  [[nodiscard]] std::string title() const;

 private:
  struct UrlDeleter {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
  };
  struct TransferDeleter {
    void operator()(CURL* transfer) const { curl_easy_cleanup(transfer); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  using Url = std::unique_ptr<CURLU, UrlDeleter>;

  [[nodiscard]] Result<void> check_headers() const;
  Result<void> check_url(CURLU* url) const;
  Result<void> make_transfer();
  void set_method();
  bool set_headers();
  Result<void> redirect(const std::string& location);
  [[nodiscard]] Error error_of(CURLcode code) const;

  // libcurl's callbacks.
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static std::size_t take_header(char* data, std::size_t one, std::size_t size, void* self);
  static std::size_t take_body(char* data, std::size_t one, std::size_t size, void* self);
  static CURLcode set_up_tls(CURL* transfer, void* context, void* self);

  const ClientOptions& options_;
  ClientRequest request_;
  Url url_;
  std::unique_ptr<CURL, TransferDeleter> transfer_;
  std::unique_ptr<curl_slist, ListDeleter> headers_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  int redirects_ = 0;

  // What the transfer has seen so far.
  ClientResponse response_;
  std::size_t header_bytes_ = 0;
  bool is_head_complete_ = false;
  bool is_too_large_ = false;
  std::optional<IpAddress> refused_;   ///< An address that the policy does not allow.
  bool has_tried_an_address_ = false;  ///< There was one that it does.
};

}  // namespace avow::net
