// SPDX-License-Identifier: Apache-2.0
#include "net/http.h"

#include <algorithm>
#include <atomic>

namespace avow::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

const std::string* Headers::find(std::string_view name) const {
  for (const Header& field : fields_) {
    if (equal_ignoring_case(field.name, name)) return &field.value;
  }
  return nullptr;
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Header& field : fields_) {
    if (equal_ignoring_case(field.name, name)) values.emplace_back(field.value);
  }
  return values;
}

void Headers::add(std::string name, std::string value) {
  fields_.push_back(Header{std::move(name), std::move(value)});
}

void Headers::set(std::string_view name, std::string value) {
  erase(name);
  add(std::string(name), std::move(value));
}

void Headers::erase(std::string_view name) {
  std::erase_if(fields_, [&](const Header& f) { return equal_ignoring_case(f.name, name); });
}

const std::string* Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Unknown";
  }
}

struct Responder::State {
  explicit State(std::function<void(std::optional<Response>)> f) : deliver(std::move(f)) {}
  ~State() {
    if (!is_answered.exchange(true)) deliver(std::nullopt);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::function<void(std::optional<Response>)> deliver;
  std::atomic<bool> is_answered{false};
};

Responder::Responder(std::function<void(std::optional<Response>)> deliver)
    : state_(std::make_shared<State>(std::move(deliver))) {}

void Responder::operator()(Response response) const {
  if (!state_->is_answered.exchange(true)) state_->deliver(std::move(response));
}

struct StreamWriter::State {
  explicit State(std::shared_ptr<StreamSink> s) : sink(std::move(s)) {}
  ~State() { sink->end(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::shared_ptr<StreamSink> sink;
};

StreamWriter::StreamWriter(std::shared_ptr<StreamSink> sink)
    : state_(std::make_shared<State>(std::move(sink))) {}

bool StreamWriter::write(std::string chunk) const { return state_->sink->write(std::move(chunk)); }

void StreamWriter::when_sent(std::function<void()> then) const {
  state_->sink->when_sent(std::move(then));
}

void StreamWriter::end() const { state_->sink->end(); }

}  // namespace avow::net
