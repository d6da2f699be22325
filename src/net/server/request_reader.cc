// SPDX-License-Identifier: Apache-2.0
#include "net/server/request_reader.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>
#include <optional>

#include "base/bytes.h"
#include "base/check.h"
#include "net/characters.h"
#include "net/percent.h"
#include "net/server/chunk_decoder.h"

namespace avow::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Fault = RequestReader::Fault;
using ErrorCode = boost::system::error_code;

/// A body grows as it arrives; a declared length is believed up to here.
constexpr std::size_t kBodyReserveMax = std::size_t{64} << 10;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

/// Finds the end of a head and refuses bytes that parsers are known to disagree about.
class HeadScanner {
 public:
  enum class Found { kMore, kEnd, kBad };

  /// Looks at `input` from where it stopped; end() is behind the empty line when found.
  Found scan(std::string_view input) {
    for (; position_ < input.size(); ++position_) {
      const char c = input[position_];
      if (after_cr_ != (c == '\n')) return Found::kBad;  // bare CR or bare LF
      if (c == '\n') {
        after_cr_ = false;
        if (line_length_ == 0 && lines_ > 0) {
          ++position_;
          return Found::kEnd;
        }
        if (line_length_ > 0) ++lines_;  // RFC 9112, section 2.2: empty lines before a request
        line_length_ = 0;
      } else if (c == '\r') {
        after_cr_ = true;
      } else {
        const bool is_folded = line_length_ == 0 && lines_ > 0 && (c == ' ' || c == '\t');
        if (is_folded || is_control(c)) return Found::kBad;
        ++line_length_;
      }
    }
    return Found::kMore;
  }
  [[nodiscard]] std::size_t end() const { return position_; }

 private:
  std::size_t position_ = 0;
  std::size_t line_length_ = 0;
  std::size_t lines_ = 0;
  bool after_cr_ = false;
};

/// Beast's grammar of the head, our Request.
class HeadParser : public http::basic_parser<true> {
 public:
  explicit HeadParser(std::size_t header_bytes_max) {
    header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(header_bytes_max + 4, 1U << 30)));
    skip(true);  // the body is read below
  }

  Request request;
  bool is_head_done = false;
  bool is_http_1_0 = false;

 private:
  void on_request_impl(http::verb, beast::string_view method, beast::string_view target,
                       int version, ErrorCode&) override {
    is_http_1_0 = version == 10;
    request.method.assign(method.data(), method.size());
    request.target.assign(target.data(), target.size());
  }
  void on_response_impl(int, beast::string_view, int, ErrorCode&) override {}

  void on_field_impl(http::field, beast::string_view name, beast::string_view value,
                     ErrorCode&) override {
    request.headers.add(std::string(view(name)), std::string(view(value)));
  }

  void on_header_impl(ErrorCode&) override { is_head_done = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(beast::string_view body, ErrorCode&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, ErrorCode&) override {
    return body.size();
  }
  void on_finish_impl(ErrorCode&) override {}
};

/// What the fields together must fulfil, and Beast does not ask for. Null pointer if all is well.
const char* fault_of_fields(const Headers& headers, bool is_http_1_0) {
  const auto hosts = headers.all("Host");
  if (hosts.size() > 1) return "Host is given more than once";
  if (hosts.empty() && !is_http_1_0) return "Host is missing";
  const auto lengths = headers.all("Content-Length");
  const auto codings = headers.all("Transfer-Encoding");
  if (lengths.size() > 1) return "Content-Length is given more than once";
  if (!lengths.empty() && !codings.empty()) {
    return "Content-Length and Transfer-Encoding exclude each other";
  }
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!lengths.empty() &&
      (lengths[0].empty() || !std::all_of(lengths[0].begin(), lengths[0].end(), is_digit))) {
    return "Content-Length is no number";
  }
  if (codings.size() > 1 || (codings.size() == 1 && !equal_ignoring_case(codings[0], "chunked"))) {
    return "the only Transfer-Encoding is chunked";
  }
  if (!codings.empty() && is_http_1_0) return "HTTP/1.0 has no Transfer-Encoding";
  return nullptr;
}

/// Reduces `request.target` to origin form and decodes it. Null pointer if all is well.
const char* decode_target(Request& request) {
  std::string& target = request.target;
  for (const std::string_view scheme : {"http://", "https://"}) {
    // The absolute form is for proxies, but every server must take it (RFC 9112, section 3.2.2).
    if (!equal_ignoring_case(std::string_view(target).substr(0, scheme.size()), scheme)) continue;
    const std::size_t end = std::min(target.find_first_of("/?", scheme.size()), target.size());
    if (target.find('@') < end) return "credentials in a URL are refused";
    target.erase(0, end);
    if (target.empty() || target.front() == '?') target.insert(0, "/");
  }
  if (target == "*") return nullptr;
  if (target.empty() || target.front() != '/') return "the target does not begin with \"/\"";
  if (target.find('#') != std::string::npos) return "the target holds a fragment";

  const std::string_view path = request.path();
  for (std::size_t start = 1; path.size() > 1 && start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    auto segment = percent_decode(path.substr(start, end - start));
    if (!segment) return "the path is not percent-encoded";
    if (!is_utf8(*segment) || segment->find('\t') != std::string::npos ||
        std::any_of(segment->begin(), segment->end(), is_control)) {
      return "the path is not UTF-8 without control characters";
    }
    request.segments.push_back(std::move(*segment));
    start = end + 1;
  }
  if (path.size() < target.size()) {
    auto query = parse_query(std::string_view(target).substr(path.size() + 1));
    if (!query) return "the query is not percent-encoded";
    for (const auto& [name, value] : *query) {
      for (const std::string& text : {std::cref(name), std::cref(value)}) {
        if (!is_utf8(text) || text.find('\0') != std::string::npos) {
          return "the query is not UTF-8 without NUL";
        }
      }
    }
    request.query = std::move(*query);
  }
  return nullptr;
}

}  // namespace

class RequestReader::Impl {
 public:
  Impl(std::size_t header_bytes_max, std::size_t body_bytes_max)
      : header_bytes_max_(header_bytes_max), body_bytes_max_(body_bytes_max) {}

  std::size_t feed(std::string_view input) {
    std::size_t used = 0;
    if (state == State::kHead) used = feed_head(input);
    if (state == State::kBody && used < input.size()) used += feed_body(input.substr(used));
    return used;
  }

  Request take() {
    CHECK(state == State::kDone);
    state = State::kHead;
    scanner_ = {};
    chunks_.reset();
    has_head = false;
    return std::exchange(request, {});
  }

  State state = State::kHead;
  Fault fault{400, ""};
  Request request;
  bool has_head = false;
  bool is_head_method = false;
  bool is_http_1_0 = false;
  bool keeps_alive = false;
  bool expects_continue = false;

 private:
  void refuse(Fault f) {
    state = State::kRefused;
    fault = f;
  }

  std::size_t feed_head(std::string_view input) {
    const auto found = scanner_.scan(input);
    if (found == HeadScanner::Found::kBad) {
      refuse({400, "a line of the header is malformed"});
      return 0;
    }
    if (scanner_.end() > header_bytes_max_) {
      refuse({431, "the header is too large"});
      return 0;
    }
    if (found == HeadScanner::Found::kMore) return 0;
    parse_head(input.substr(0, scanner_.end()));
    return scanner_.end();
  }

  void parse_head(std::string_view head) {
    while (head.starts_with("\r\n")) head.remove_prefix(2);
    HeadParser parser(header_bytes_max_);
    ErrorCode error;
    parser.put(boost::asio::const_buffer(head.data(), head.size()), error);
    if (error || !parser.is_head_done) return refuse({400, "the header is malformed"});
    request = std::move(parser.request);
    is_http_1_0 = parser.is_http_1_0;
    is_head_method = request.method == "HEAD";
    if (is_head_method) request.method = "GET";
    if (const char* reason = fault_of_fields(request.headers, is_http_1_0))
      return refuse({400, reason});
    if (const char* reason = decode_target(request)) return refuse({400, reason});
    has_head = true;
    keeps_alive = !is_http_1_0 && parser.keep_alive();
    prepare_body();
    const std::string* expect = request.headers.find("Expect");
    expects_continue = state == State::kBody && !is_http_1_0 && expect &&
                       equal_ignoring_case(*expect, "100-continue");
  }

  void prepare_body() {
    state = State::kBody;
    if (request.headers.find("Transfer-Encoding")) {
      chunks_.emplace(body_bytes_max_, header_bytes_max_);
      return;
    }
    const std::string* length = request.headers.find("Content-Length");
    std::uint64_t bytes = 0;
    if (length) {
      const auto [end, error] =
          std::from_chars(length->data(), length->data() + length->size(), bytes);
      // Only digits, so it is above 2^64; Beast has refused such a head already.
      if (error != std::errc{}) return refuse({400, "Content-Length is no number"});
    }
    if (bytes > body_bytes_max_) return refuse({413, "the body is too large"});
    body_left_ = bytes;
    request.body.reserve(std::min<std::size_t>(body_left_, kBodyReserveMax));
    if (body_left_ == 0) state = State::kDone;
  }

  std::size_t feed_body(std::string_view input) {
    expects_continue = false;  // it did not wait
    if (!chunks_) {
      const std::size_t used = std::min(body_left_, input.size());
      request.body.append(input.substr(0, used));
      body_left_ -= used;
      if (body_left_ == 0) state = State::kDone;
      return used;
    }
    const std::size_t used = chunks_->feed(input, request.body);
    switch (chunks_->state()) {
      case ChunkDecoder::State::kMore:
        break;
      case ChunkDecoder::State::kDone:
        state = State::kDone;
        break;
      case ChunkDecoder::State::kMalformed:
        refuse({400, "the body's chunks are malformed"});
        break;
      case ChunkDecoder::State::kTooLarge:
        refuse({413, "the body is too large"});
        break;
    }
    return used;
  }

  const std::size_t header_bytes_max_;
  const std::size_t body_bytes_max_;
  HeadScanner scanner_;
  std::optional<ChunkDecoder> chunks_;
  std::size_t body_left_ = 0;
};

RequestReader::RequestReader(std::size_t header_bytes_max, std::size_t body_bytes_max)
    : impl_(std::make_unique<Impl>(header_bytes_max, body_bytes_max)) {}
RequestReader::~RequestReader() = default;

std::size_t RequestReader::feed(std::string_view input) { return impl_->feed(input); }
RequestReader::State RequestReader::state() const { return impl_->state; }
const Fault& RequestReader::fault() const { return impl_->fault; }
bool RequestReader::expects_continue() const { return impl_->expects_continue; }
bool RequestReader::is_head_method() const { return impl_->is_head_method; }
bool RequestReader::is_http_1_0() const { return impl_->is_http_1_0; }
bool RequestReader::keeps_alive() const { return impl_->keeps_alive; }

std::size_t RequestReader::body_bytes() const { return impl_->request.body.size(); }

const Request* RequestReader::request() const {
  return impl_->has_head ? &impl_->request : nullptr;
}

Request RequestReader::take() { return impl_->take(); }

void RequestReader::forget() {
  impl_->has_head = false;
  impl_->request = {};
}

}  // namespace avow::net
