// SPDX-License-Identifier: Apache-2.0
#include "net/client/call.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "net/characters.h"

namespace avow::net {
namespace {

constexpr int kRedirectsMax = 5;
constexpr std::size_t kHeaderBytesMax = std::size_t{64} << 10;
constexpr std::size_t kErrorTextMax = 300;

/// One part of a URL; nothing if it has none.
std::optional<std::string> part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return std::nullopt;
  std::string out(text);
  curl_free(text);
  return out;
}

/// Scheme, host and port, as text to compare.
std::string origin_of(CURLU* url) {
  return part(url, CURLUPART_SCHEME).value_or("") + "://" + part(url, CURLUPART_HOST).value_or("") +
         ":" + part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT).value_or("");
}

bool is_framing(std::string_view name) {
  for (const char* ours : {"Content-Length", "Transfer-Encoding", "Connection", "Expect"}) {
    if (equal_ignoring_case(name, ours)) return true;
  }
  return false;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::optional<IpAddress> address_of(const curl_sockaddr& from) {
  if (from.family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from.addr, sizeof v4);
    return IpAddress::v4(ntohl(v4.sin_addr.s_addr));
  }
  if (from.family == AF_INET6) {
    sockaddr_in6 v6{};
    // `addr` is declared as the short sockaddr; libcurl stores the whole address there.
    std::memcpy(&v6, static_cast<const void*>(&from.addr),
                std::min<std::size_t>(sizeof v6, from.addrlen));
    IpAddress address;
    std::memcpy(address.bytes.data(), &v6.sin6_addr, address.bytes.size());
    return address;
  }
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

template <class Value>
void set(CURL* transfer, CURLoption option, Value value) {
  // A refused option is a libcurl without the feature; each one used here is in 7.88.
  CHECK(curl_easy_setopt(transfer, option, value) == CURLE_OK);
}

}  // namespace

Call::Call(const ClientOptions& options, ClientRequest request)
    : options_(options), request_(std::move(request)) {}

Call::~Call() = default;

std::string Call::title() const {
  const auto host = url_ ? part(url_.get(), CURLUPART_HOST) : std::nullopt;
  return fmt::format("{} {}", shown(request_.method), shown(host.value_or("?")));
}

Result<void> Call::prepare() {
  RETURN_IF_ERROR(check_headers());
  url_.reset(curl_url());
  CHECK(url_ != nullptr);
  if (request_.url.find('\0') != std::string::npos ||
      curl_url_set(url_.get(), CURLUPART_URL, request_.url.c_str(), 0) != CURLUE_OK) {
    return failure(Code::kInvalidArgument, "the URL is not an absolute http or https URL");
  }
  RETURN_IF_ERROR(check_url(url_.get()));
  return make_transfer();
}

Result<void> Call::check_headers() const {
  if (!is_token(request_.method)) {
    return failure(Code::kInvalidArgument, "\"{}\" is no HTTP method", shown(request_.method));
  }
  for (const Header& field : request_.headers) {
    if (!is_token(field.name) || is_framing(field.name)) {
      return failure(Code::kInvalidArgument, "header \"{}\" cannot be set", shown(field.name));
    }
    if (std::any_of(field.value.begin(), field.value.end(), is_control)) {
      return failure(Code::kInvalidArgument, "header \"{}\" holds a control character",
                     shown(field.name));
    }
  }
  return {};
}

Result<void> Call::check_url(CURLU* url) const {
  const std::string scheme = part(url, CURLUPART_SCHEME).value_or("");
  if (scheme != "http" && scheme != "https") {
    return failure(Code::kInvalidArgument, "the URL's scheme \"{}\" is not http or https",
                   shown(scheme));
  }
  if (part(url, CURLUPART_USER) || part(url, CURLUPART_PASSWORD)) {
    return failure(Code::kInvalidArgument, "the URL holds user or password");
  }
  std::string host = part(url, CURLUPART_HOST).value_or("");
  if (host.empty()) return failure(Code::kInvalidArgument, "the URL has no host");
  if (options_.proxy.empty()) return {};

  // Behind a proxy no address is seen at connect time: what can be said is said here.
  if (request_.has_secrets && scheme == "http") {
    return failure(Code::kPermissionDenied, "secrets do not go over plain http through a proxy");
  }
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (address && !options_.policy.allows(*address)) {
    return failure(Code::kPermissionDenied, "address {} is refused", address->text());
  }
  return {};
}

Result<void> Call::make_transfer() {
  transfer_.reset(curl_easy_init());
  CHECK(transfer_ != nullptr);
  CURL* t = transfer_.get();
  response_ = {};
  header_bytes_ = 0;
  is_head_complete_ = false;
  refused_.reset();
  has_tried_an_address_ = false;

  set(t, CURLOPT_PRIVATE, static_cast<void*>(this));
  set(t, CURLOPT_CURLU, url_.get());
  set(t, CURLOPT_PROTOCOLS_STR, "http,https");
  set(t, CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
  set(t, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set(t, CURLOPT_NOSIGNAL, 1L);
  set(t, CURLOPT_QUICK_EXIT, 1L);  // or a cancelled call waits for its name resolution
  set(t, CURLOPT_ERRORBUFFER, error_text_.data());
  set(t, CURLOPT_USERAGENT, options_.user_agent.c_str());
  set(t, CURLOPT_PROXY, options_.proxy.c_str());  // empty: none, whatever the environment says
  set(t, CURLOPT_NOPROXY, "");
  set(t, CURLOPT_OPENSOCKETFUNCTION, &Call::open_socket);
  set(t, CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  set(t, CURLOPT_HEADERFUNCTION, &Call::take_header);
  set(t, CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(t, CURLOPT_WRITEFUNCTION, &Call::take_body);
  set(t, CURLOPT_WRITEDATA, static_cast<void*>(this));
  if (!options_.extra_ca_file.empty()) {
    set(t, CURLOPT_SSL_CTX_FUNCTION, &Call::set_up_tls);
    set(t, CURLOPT_SSL_CTX_DATA, static_cast<void*>(this));
  }
  // A connection that another call has opened was not checked for secrets.
  const bool is_plain = part(url_.get(), CURLUPART_SCHEME) == "http";
  if (request_.has_secrets && is_plain) set(t, CURLOPT_FRESH_CONNECT, 1L);
  set_method();
  if (!set_headers()) return failure(Code::kResourceExhausted, "out of memory for headers");
  return {};
}

void Call::set_method() {
  CURL* t = transfer_.get();
  const std::string& method = request_.method;
  const bool sends_length = method == "POST" || method == "PUT" || method == "PATCH";
  if (!request_.body.empty() || sends_length) {
    set(t, CURLOPT_POST, 1L);
    set(t, CURLOPT_POSTFIELDS, request_.body.c_str());  // not copied: request_ stays
    set(t, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  } else if (method == "HEAD") {
    set(t, CURLOPT_NOBODY, 1L);
  }
  set(t, CURLOPT_CUSTOMREQUEST, method.c_str());
}

/// False if memory is short.
bool Call::set_headers() {
  curl_slist* list = nullptr;
  bool is_complete = true;
  const auto add = [&](const std::string& line) {
    curl_slist* longer = curl_slist_append(list, line.c_str());
    if (longer) list = longer;
    is_complete = is_complete && longer != nullptr;
  };
  for (const Header& field : request_.headers) {
    // libcurl reads "Name:" as "leave it out" and "Name;" as "empty".
    const std::string_view value = trimmed(field.value);
    add(value.empty() ? field.name + ";" : fmt::format("{}: {}", field.name, value));
  }
  add("Expect:");  // its wait for "100 Continue" costs a second where servers do not answer it
  if (!request_.headers.find("Content-Type")) add("Content-Type:");
  headers_.reset(list);
  set(transfer_.get(), CURLOPT_HTTPHEADER, list);
  return is_complete;
}

std::optional<Result<ClientResponse>> Call::on_transfer_ended(CURLcode code) {
  if (code != CURLE_OK) return error_of(code).in(title());
  long status = 0;
  curl_easy_getinfo(transfer_.get(), CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  const std::string* location = response_.headers.find("Location");
  if (!request_.follow_redirects || !is_redirect(response_.status) || !location) {
    return std::move(response_);
  }
  if (auto redirected = redirect(*location); !redirected) return redirected.error().in(title());
  return std::nullopt;
}

Result<void> Call::redirect(const std::string& location) {
  if (++redirects_ > kRedirectsMax) {
    return failure(Code::kInvalidArgument, "more than {} redirects", kRedirectsMax);
  }
  Url next(curl_url_dup(url_.get()));
  if (!next || curl_url_set(next.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
    return failure(Code::kInvalidArgument, "redirect to an ill-formed URL");
  }
  RETURN_IF_ERROR(check_url(next.get()));
  if (origin_of(next.get()) != origin_of(url_.get())) {
    for (const std::string& name : request_.drop_on_redirect) request_.headers.erase(name);
  }
  const int status = response_.status;
  const bool becomes_get = (status == 303 && request_.method != "HEAD") ||
                           ((status == 301 || status == 302) && request_.method == "POST");
  if (becomes_get) {
    request_.method = "GET";
    request_.body.clear();
    request_.headers.erase("Content-Type");
  }
  transfer_.reset();  // it reads url_ and headers_
  url_ = std::move(next);
  return make_transfer();
}

Error Call::error_of(CURLcode code) const {
  // It may quote the peer, as the names in its certificate.
  const std::string text =
      shown(error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code), kErrorTextMax);
  if (is_too_large_) {
    return failure(Code::kResourceExhausted, "the answer is longer than {} bytes",
                   request_.response_bytes_max);
  }
  if (code == CURLE_COULDNT_CONNECT && refused_ && !has_tried_an_address_) {
    return failure(Code::kPermissionDenied, "address {} is refused", refused_->text());
  }
  if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT) {
    return failure(Code::kInvalidArgument, "{}", text);
  }
  long sent = 0;  // of headers, in all; they go before any body
  curl_easy_getinfo(transfer_.get(), CURLINFO_REQUEST_SIZE, &sent);
  // After a redirect the first request was certainly sent.
  if (sent == 0 && redirects_ == 0) return failure(Code::kUnavailable, "{}", text);
  return failure(Code::kOutcomeUnknown, "{}", text);
}

curl_socket_t Call::open_socket(void* self, curlsocktype, curl_sockaddr* to) {
  Call& call = *static_cast<Call*>(self);
  if (call.options_.proxy.empty()) {
    const auto address = address_of(*to);
    const AddressPolicy& policy = call.options_.policy;
    const bool needs_listing =
        call.request_.has_secrets && part(call.url_.get(), CURLUPART_SCHEME) == "http";
    if (!address || !policy.allows(*address) ||
        (needs_listing && !policy.is_plain_http_allowed(*address))) {
      call.refused_ = address.value_or(IpAddress{});
      return CURL_SOCKET_BAD;
    }
  }
  call.has_tried_an_address_ = true;
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

std::size_t Call::take_header(char* data, std::size_t, std::size_t size, void* self) {
  Call& call = *static_cast<Call*>(self);
  const std::string_view line(data, size);
  call.header_bytes_ += size;
  if (call.header_bytes_ > kHeaderBytesMax) {
    call.is_too_large_ = true;
    return 0;
  }
  if (line.starts_with("HTTP/")) {
    call.response_.headers = {};  // those before were of an interim answer
    call.is_head_complete_ = false;
  } else if (trimmed(line).empty()) {
    call.is_head_complete_ = true;  // what follows is a trailer, and not ours to believe
  } else if (const std::size_t colon = line.find(':');
             colon != std::string_view::npos && !call.is_head_complete_) {
    call.response_.headers.add(std::string(line.substr(0, colon)),
                               std::string(trimmed(line.substr(colon + 1))));
  }
  return size;
}

std::size_t Call::take_body(char* data, std::size_t, std::size_t size, void* self) {
  Call& call = *static_cast<Call*>(self);
  if (size > call.request_.response_bytes_max - call.response_.body.size()) {
    call.is_too_large_ = true;
    return 0;
  }
  call.response_.body.append(data, size);
  if (call.request_.on_piece) {
    long status = 0;
    curl_easy_getinfo(call.transfer_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) call.request_.on_piece({data, size});
  }
  return size;
}

CURLcode Call::set_up_tls(CURL*, void* context, void* self) {
  const Call& call = *static_cast<const Call*>(self);
  const char* file = call.options_.extra_ca_file.c_str();
  return SSL_CTX_load_verify_file(static_cast<SSL_CTX*>(context), file) == 1
             ? CURLE_OK
             : CURLE_SSL_CACERT_BADFILE;
}

}  // namespace avow::net
