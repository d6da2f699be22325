// SPDX-License-Identifier: Apache-2.0
#include "connectors/outcome.h"

#include <gtest/gtest.h>

#include "json/write.h"

namespace avow::connectors {
namespace {

const Time kNow = *parse_time("1994-11-06T08:49:00Z");

net::ClientResponse response_of(int status, std::string body,
                                std::string type = "application/json") {
  return {
      .status = status, .headers = {{"Content-Type", std::move(type)}}, .body = std::move(body)};
}

TEST(RetryAfter, IsReadInSecondsAndAsADate) {
  EXPECT_EQ(retry_after("0", kNow), Duration(0));
  EXPECT_EQ(retry_after("120", kNow), std::chrono::seconds(120));
  EXPECT_EQ(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", kNow), std::chrono::seconds(37));
  EXPECT_EQ(retry_after("Sun, 06 Nov 1994 08:48:00 GMT", kNow), Duration(0));
}

TEST(RetryAfter, IsBoundedAndOtherwiseIgnored) {
  EXPECT_EQ(retry_after("99999999999999999999", kNow), std::chrono::hours(24));
  EXPECT_EQ(retry_after("9000000000000", kNow), std::chrono::hours(24));
  EXPECT_EQ(retry_after("Fri, 31 Dec 9999 23:59:59 GMT", kNow), std::chrono::hours(24));
  for (const char* const text :
       {"", "-1", "1.5", "soon", "10 s", "Sun, 06 Nov 1994 08:49:37 GMT+1"}) {
    EXPECT_EQ(retry_after(text, kNow), std::nullopt) << text;
  }
}

TEST(StatusError, HasTheClassThatRetryOnKnows) {
  const auto class_of = [](int status) {
    const auto error = status_error(response_of(status, ""), Redactor(), kNow);
    EXPECT_EQ(error.code, fmt::format("HTTP_{}", status));
    return error.retry_class;
  };
  EXPECT_EQ(class_of(408), "408");
  EXPECT_EQ(class_of(429), "429");
  EXPECT_EQ(class_of(500), "5xx");
  EXPECT_EQ(class_of(599), "5xx");
  for (const int status : {100, 302, 400, 401, 404, 409, 422})
    EXPECT_EQ(class_of(status), "") << status;
}

TEST(StatusError, QuotesWhatThePeerSays) {
  const auto error =
      status_error(response_of(429, R"({"error":{"message":"slow down"}})"), Redactor(), kNow);
  EXPECT_EQ(error.message, "the answer was 429 Too Many Requests: slow down");
  EXPECT_EQ(json::write(error.detail),
            R"({"status":429,"body":{"error":{"message":"slow down"}}})");
  EXPECT_EQ(error.retry_after, std::nullopt);
}

TEST(StatusError, RedactsBeforeItCuts) {
  Redactor redactor;
  redactor.add("KEY", "0123456789abcdef");
  const std::string text = std::string(4090, '.') + "0123456789abcdef";
  const auto error = status_error(response_of(500, text, "text/plain"), redactor, kNow);
  EXPECT_EQ(json::write(error.detail).find("012345"), std::string::npos);
}

TEST(TransportError, SaysWhatMayBeTriedAgain) {
  const struct {
    Code code;
    const char* name;
    const char* retry_class;
  } cases[] = {{Code::kUnavailable, "TRANSPORT_ERROR", "transport"},
               {Code::kOutcomeUnknown, "TRANSPORT_ERROR", "transport"},
               {Code::kDeadlineExceeded, "TIMEOUT", "timeout"},
               {Code::kCancelled, "CANCELLED", ""},
               {Code::kPermissionDenied, "ADDRESS_REFUSED", ""},
               {Code::kResourceExhausted, "RESPONSE_TOO_LARGE", ""},
               {Code::kInvalidArgument, "INVALID_REQUEST", ""}};
  for (const auto& one : cases) {
    const auto error = transport_error({one.code, "why"});
    EXPECT_EQ(error.code, one.name);
    EXPECT_EQ(error.retry_class, one.retry_class) << one.name;
  }
}

TEST(Body, IsJsonWhereItSaysSoOrSaysNothing) {
  EXPECT_EQ(*body_value(response_of(200, R"({"a":1})", "application/problem+json")),
            json::Value(json::Object{{"a", 1}}));
  EXPECT_EQ(*body_value(response_of(200, "5", "text/plain")), json::Value("5"));
  EXPECT_EQ(*body_value({.status = 200, .headers = {}, .body = "5"}), json::Value(5));
  EXPECT_EQ(*body_value({.status = 200, .headers = {}, .body = "five"}), json::Value("five"));
  EXPECT_EQ(*body_value(response_of(204, "")), json::Value());
  EXPECT_FALSE(body_value(response_of(200, "{", "application/json")));
  EXPECT_FALSE(body_value(response_of(200, "\xFF", "text/plain")));
}

}  // namespace
}  // namespace avow::connectors
