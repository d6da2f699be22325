// SPDX-License-Identifier: Apache-2.0
#include "net/server/request_reader.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace avow::net {
namespace {

using State = RequestReader::State;

constexpr std::size_t kHeaderMax = 1024;
constexpr std::size_t kBodyMax = 100;

struct Outcome {
  State state;
  int status = 0;   ///< Of the fault.
  Request request;  ///< If done.
  std::size_t rest = 0;
};

/// Feeds `text` in pieces of `step` bytes, as a connection would.
Outcome read(std::string_view text, std::size_t step = 1'000'000) {
  RequestReader reader(kHeaderMax, kBodyMax);
  std::string pending;
  while (!text.empty() && (reader.state() == State::kHead || reader.state() == State::kBody)) {
    const std::size_t n = std::min(step, text.size());
    pending += text.substr(0, n);
    text.remove_prefix(n);
    pending.erase(0, reader.feed(pending));
  }
  Outcome outcome{reader.state(), 0, {}, pending.size() + text.size()};
  if (reader.state() == State::kRefused) outcome.status = reader.fault().status;
  if (reader.state() == State::kDone) outcome.request = reader.take();
  return outcome;
}

TEST(RequestReader, ReadsARequestHoweverItIsCutIntoPieces) {
  const std::string text =
      "POST /v1/a%20b/%2F?x=1&y=%C3%A9 HTTP/1.1\r\nHost: h\r\nX-One:  two \r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: no\r\n\r\n";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    const Outcome got = read(text, step);
    ASSERT_EQ(got.state, State::kDone) << step;
    EXPECT_EQ(got.request.method, "POST");
    EXPECT_EQ(got.request.target, "/v1/a%20b/%2F?x=1&y=%C3%A9");
    EXPECT_EQ(got.request.path(), "/v1/a%20b/%2F");
    EXPECT_EQ(got.request.segments, (std::vector<std::string>{"v1", "a b", "/"}));
    EXPECT_EQ(*got.request.query_value("y"), "\xC3\xA9");
    EXPECT_EQ(*got.request.headers.find("x-one"), "two");
    EXPECT_EQ(got.request.headers.find("X-Trailer"), nullptr);
    EXPECT_EQ(got.request.body, "abcde");
  }
}

TEST(RequestReader, LeavesTheNextRequestAlone) {
  const std::string one = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";
  const std::string two = "GET / HTTP/1.1\r\n";
  EXPECT_EQ(read(one + two).rest, two.size());
}

TEST(RequestReader, SplitsThePathBeforeDecodingIt) {
  const auto segments = [](std::string_view target) {
    return read(fmt::format("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", target)).request.segments;
  };
  using Segments = std::vector<std::string>;
  EXPECT_EQ(segments("/"), Segments{});
  EXPECT_EQ(segments("/a/"), (Segments{"a", ""}));
  EXPECT_EQ(segments("//a"), (Segments{"", "a"}));
  EXPECT_EQ(segments("/a%2Fb/c?d/e"), (Segments{"a/b", "c"}));
  EXPECT_EQ(segments("http://host:1/a?b"), (Segments{"a"}));
  EXPECT_EQ(segments("http://host"), Segments{});
}

TEST(RequestReader, PresentsHeadAsGet) {
  RequestReader reader(kHeaderMax, kBodyMax);
  (void)reader.feed("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(reader.is_head_method());
  EXPECT_EQ(reader.take().method, "GET");
}

TEST(RequestReader, KeepsTheConnectionOnlyInHttp11WithoutClose) {
  const auto keeps = [](std::string_view text) {
    RequestReader reader(kHeaderMax, kBodyMax);
    (void)reader.feed(text);
    EXPECT_EQ(reader.state(), State::kDone) << text;
    return reader.keeps_alive();
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
}

TEST(RequestReader, SaysThatTheClientExpectsContinueOnlyUntilTheBodyComes) {
  RequestReader reader(kHeaderMax, kBodyMax);
  (void)reader.feed(
      "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(reader.state(), State::kBody);
  EXPECT_TRUE(reader.expects_continue());
  (void)reader.feed("a");
  EXPECT_FALSE(reader.expects_continue());
}

struct Bad {
  const char* why;
  const char* text;
};

TEST(RequestReader, RefusesWhatIsMalformedOrAmbiguous) {
  const Bad cases[] = {
      {"length and coding",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n"},
      {"coding and length",
       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: "
       "5\r\n\r\n0\r\n\r\n"},
      {"two equal lengths",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"},
      {"list of lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\na"},
      {"signed length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na"},
      {"negative length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\na"},
      {"huge length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n"},
      {"empty length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n"},
      {"two hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"},
      {"no host", "GET / HTTP/1.1\r\n\r\n"},
      {"folded line", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"},
      {"line folded with a tab", "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n\r\n"},
      {"space before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n"},
      {"space in a name", "GET / HTTP/1.1\r\nHost: h\r\nX Y: z\r\n\r\n"},
      {"empty name", "GET / HTTP/1.1\r\nHost: h\r\n: z\r\n\r\n"},
      {"no colon", "GET / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n"},
      {"control character", "GET / HTTP/1.1\r\nHost: h\r\nX: a\x01z\r\n\r\n"},
      {"delete character", "GET / HTTP/1.1\r\nHost: h\r\nX: a\x7Fz\r\n\r\n"},
      {"bare line feed", "GET / HTTP/1.1\nHost: h\n\n"},
      {"bare carriage return", "GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"},
      {"other coding",
       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {"coding twice",
       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
       "chunked\r\n\r\n"},
      {"coding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"chunk size", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
      {"negative chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"},
      {"chunk without end",
       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"},
      {"version 2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n"},
      {"version 0.9", "GET /\r\n\r\n"},
      {"no http", "\x16\x03\x01 hello\r\n\r\n"},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"leading space", " GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"percent", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"percent in the query", "GET /?a=%1 HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"encoded NUL", "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"encoded NUL in the query", "GET /?a=%00b HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"encoded line feed", "GET /a%0Ab HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"not UTF-8", "GET /%FF HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"relative target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"credentials in the URL", "GET http://u:p@h/ HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"connect", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"},
  };
  for (const Bad& bad : cases) {
    for (const std::size_t step : {1, 7, 10'000}) {
      const Outcome got = read(bad.text, step);
      EXPECT_EQ(got.state, State::kRefused) << bad.why << ", step " << step;
      EXPECT_EQ(got.status, 400) << bad.why << ", step " << step;
    }
  }
  const std::string nul("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 36);
  EXPECT_EQ(read(nul).status, 400);
}

TEST(RequestReader, AcceptsWhatIsUnusualButClear) {
  for (const char* good : {
           "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost:\r\n\r\n",
           "GET / HTTP/1.1\r\nhOsT: h\r\nX:\r\nY: \t a\tb \t\r\n\r\n",
           "GET / HTTP/1.0\r\n\r\n",
           "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /?%0A=+ HTTP/1.1\r\nHost: h\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n000\r\n\r\n",
           "BREW /a HTTP/1.1\r\nHost: h\r\nX: \xC3\xA9\r\n\r\n",
       }) {
    EXPECT_EQ(read(good).state, State::kDone) << good;
  }
}

TEST(RequestReader, RefusesABodyAboveItsLimitBeforeReadingItWhereItIsDeclared) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(read(head + "Content-Length: 101\r\n\r\n").status, 413);
  EXPECT_EQ(read(head + "Content-Length: 100\r\n\r\n" + std::string(100, 'a')).state, State::kDone);
  EXPECT_EQ(read(head + "Transfer-Encoding: chunked\r\n\r\n65\r\n").status, 413);
  EXPECT_EQ(
      read(head + "Transfer-Encoding: chunked\r\n\r\n64\r\n" + std::string(100, 'a') + "\r\n1\r\na")
          .status,
      413);
  EXPECT_EQ(read(head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n").status, 413);
}

TEST(RequestReader, RefusesAHeaderAboveItsLimit) {
  const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  const auto of_size = [&](std::size_t n) {
    return start + std::string(n - start.size() - 4, 'a') + "\r\n\r\n";
  };
  for (const std::size_t step : {1, 100, 100'000}) {
    EXPECT_EQ(read(of_size(kHeaderMax), step).state, State::kDone);
    EXPECT_EQ(read(of_size(kHeaderMax + 1), step).status, 431);
  }
  EXPECT_EQ(read("GET /" + std::string(kHeaderMax, 'a')).status, 431);
}

TEST(RequestReader, BoundsTrailersAndChunkHeaders) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& rest :
       {"0\r\nX: " + std::string(5000, 'a'), "1;x=" + std::string(5000, 'a')}) {
    for (const std::size_t step : {1, 100, 100'000}) {
      EXPECT_EQ(read(head + rest, step).status, 400) << step;
    }
  }
}

// No oracle but the sanitizers and Beast's own assertions: whatever comes, it ends in one of four
// states.
TEST(RequestReader, SurvivesMutatedRequests) {
  constexpr std::uint64_t kSeed = 20261121;
  SeededRng rng(kSeed);
  const std::string seeds[] = {
      "POST /a%20b?c=d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n",
      "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nabcdeGET / "
      "HTTP/1.1\r\n\r\n"};
  const std::string_view alphabet("\r\n :;,%0aF/\0\t", 13);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = seeds[i % 2];
    for (std::uint64_t n = rng.below(4) + 1; n > 0; --n) {
      const auto at = static_cast<std::size_t>(rng.below(text.size()));
      const char c = alphabet[static_cast<std::size_t>(rng.below(alphabet.size()))];
      const std::uint64_t kind = rng.below(3);
      if (kind == 0) text[at] = c;
      if (kind == 1) text.insert(at, 1, c);
      if (kind == 2) text.erase(at, 1);
    }
    const Outcome whole = read(text);
    const Outcome cut = read(text, 1 + static_cast<std::size_t>(rng.below(9)));
    ASSERT_EQ(whole.state, cut.state) << "seed " << kSeed << " case " << i << "\n" << text;
    ASSERT_EQ(whole.request.body, cut.request.body) << "seed " << kSeed << " case " << i;
  }
}

}  // namespace
}  // namespace avow::net
