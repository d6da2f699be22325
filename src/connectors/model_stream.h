// SPDX-License-Identifier: Apache-2.0
// connectors/model_stream.h: what a model streams, put together to the answer that it would have
// given in one piece. The bytes are untrusted; the client bounds them. One thread at a time.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "connectors/config.h"
#include "connectors/event_stream.h"
#include "connectors/redaction.h"
#include "json/value.h"
#include "net/http_client.h"

namespace avow::connectors {

/// Whether an answer came as a stream. One that was asked for a stream and gave none is read as
/// any other.
bool is_event_stream(const net::ClientResponse& response);

class ModelStream {
 public:
  explicit ModelStream(Provider provider) : provider_(provider) {}

  /// What the model says in `bytes`: the text of its answer, not its tool calls. What is malformed
  /// adds nothing here and is told by finish().
  std::string take(std::string_view bytes);

  /// The body for read_openai() or read_anthropic().
  /// Errors: kInvalidArgument  malformed, cut short, or the provider says that it failed
  Result<json::Value> finish() &&;

 private:
  /// A tool call of OpenAI's, or a block of Anthropic's.
  struct Part {
    std::string type;
    std::string id;
    std::string name;
    std::string text;  ///< What it says, or its arguments as JSON text.
  };
  Result<std::string> take_message(const std::string& data);
  Result<std::string> take_openai(const json::Value& chunk);
  Result<std::string> take_anthropic(const json::Value& message);
  Result<Part*> part_at(const json::Value& holder);
  [[nodiscard]] json::Value openai_answer() const;
  [[nodiscard]] Result<json::Value> anthropic_answer() const;

  const Provider provider_;
  EventStreamReader reader_;
  std::map<std::int64_t, Part> parts_;
  std::string text_;     ///< OpenAI's.
  std::string refusal_;  ///< OpenAI's.
  std::string model_;
  std::string reason_;  ///< Why it stopped, in the provider's words.
  json::Value usage_ = json::Object();
  bool is_whole_ = false;
  std::optional<Error> fault_;
};

/// The text of a streamed answer for those who look on, without the secrets that the call used:
/// what could be the beginning of one is held back until it is known.
class SpokenTextFilter {
 public:
  explicit SpokenTextFilter(const Redactor& redactor) : redactor_(redactor) {}
  /// What of `text`, and of what was held back before, can be shown.
  std::string take(std::string_view text);
  /// What is left when nothing more comes.
  std::string finish();

 private:
  const Redactor& redactor_;
  std::string held_;
};

}  // namespace avow::connectors
