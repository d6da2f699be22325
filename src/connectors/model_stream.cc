// SPDX-License-Identifier: Apache-2.0
#include "connectors/model_stream.h"

#include "base/bytes.h"
#include "json/parse.h"

namespace avow::connectors {
namespace {

constexpr std::size_t kPartsMax = 1024;

/// The members of `more` over those of `usage`: Anthropic tells the one half first and the other
/// last.
void add_usage(json::Value& usage, const json::Value* more) {
  if (more == nullptr || !more->is_object()) return;
  for (const auto& [name, value] : more->as_object()) usage.set(name, value);
}

/// What a provider says went wrong in the middle of a stream.
Error told_error(const json::Value& error) {
  const std::string said = error.is_string() ? error.as_string() : error.string_or("message");
  return failure(Code::kInvalidArgument, "the stream ended with an error: {}", shown(said, 300));
}

}  // namespace

bool is_event_stream(const net::ClientResponse& response) {
  constexpr std::string_view kMedia = "text/event-stream";
  const std::string* const type = response.headers.find("content-type");
  return type != nullptr && net::equal_ignoring_case(type->substr(0, kMedia.size()), kMedia);
}

std::string ModelStream::take(std::string_view bytes) {
  std::string said;
  for (const std::string& data : reader_.take(bytes)) {
    if (fault_) break;
    auto piece = take_message(data);
    if (piece) {
      said += *piece;
    } else {
      fault_ = piece.error();
    }
  }
  return said;
}

Result<std::string> ModelStream::take_message(const std::string& data) {
  if (provider_ == Provider::kOpenAi && data == "[DONE]") {
    is_whole_ = true;
    return std::string();
  }
  auto message = json::parse(data);
  if (!message) return message.error().in("a message of the stream is no valid JSON");
  return provider_ == Provider::kAnthropic ? take_anthropic(*message) : take_openai(*message);
}

/// The part whose "index" `holder` names, made if it is new.
Result<ModelStream::Part*> ModelStream::part_at(const json::Value& holder) {
  const std::int64_t index = holder.int_or("index", 0);
  const auto known = parts_.find(index);
  if (known != parts_.end()) return &known->second;
  if (parts_.size() == kPartsMax) {
    return failure(Code::kInvalidArgument, "the answer has more than {} parts", kPartsMax);
  }
  return &parts_[index];
}

Result<std::string> ModelStream::take_openai(const json::Value& chunk) {
  if (const json::Value* const error = chunk.find("error")) return told_error(*error);
  if (model_.empty()) model_ = chunk.string_or("model");
  add_usage(usage_, chunk.find("usage"));
  const json::Value* const choices = chunk.find("choices");
  if (choices == nullptr || !choices->is_array() || choices->as_array().empty()) {
    return std::string();  // the last one, which has the usage
  }
  const json::Value& choice = choices->as_array().front();
  if (choice.int_or("index", 0) != 0) return std::string();
  if (std::string reason = choice.string_or("finish_reason"); !reason.empty()) {
    reason_ = std::move(reason);
    is_whole_ = true;
  }
  const json::Value* const delta = choice.find("delta");
  if (delta == nullptr) return std::string();
  if (const json::Value* const calls = delta->find("tool_calls");
      calls != nullptr && calls->is_array()) {
    for (const json::Value& call : calls->as_array()) {
      ASSIGN_OR_RETURN(Part* const part, part_at(call));
      if (part->id.empty()) part->id = call.string_or("id");
      const json::Value* const function = call.find("function");
      if (function == nullptr) continue;
      part->name += function->string_or("name");
      part->text += function->string_or("arguments");
    }
  }
  refusal_ += delta->string_or("refusal");
  std::string said = delta->string_or("content");
  text_ += said;
  return said;
}

Result<std::string> ModelStream::take_anthropic(const json::Value& message) {
  const std::string type = message.string_or("type");
  if (type == "error") {
    const json::Value* const error = message.find("error");
    return told_error(error == nullptr ? json::Value() : *error);
  }
  if (type == "message_start") {
    if (const json::Value* const begun = message.find("message")) {
      model_ = begun->string_or("model");
      add_usage(usage_, begun->find("usage"));
    }
  } else if (type == "content_block_start") {
    ASSIGN_OR_RETURN(Part* const part, part_at(message));
    const json::Value* const block = message.find("content_block");
    if (block == nullptr) return std::string();
    part->type = block->string_or("type");
    part->id = block->string_or("id");
    part->name = block->string_or("name");
    part->text = block->string_or("text");
    return part->text;
  } else if (type == "content_block_delta") {
    ASSIGN_OR_RETURN(Part* const part, part_at(message));
    const json::Value* const delta = message.find("delta");
    if (delta == nullptr) return std::string();
    part->text += delta->string_or("partial_json");
    std::string said = delta->string_or("text");
    part->text += said;
    return said;
  } else if (type == "message_delta") {
    if (const json::Value* const delta = message.find("delta")) {
      reason_ = delta->string_or("stop_reason");
    }
    add_usage(usage_, message.find("usage"));
  } else if (type == "message_stop") {
    is_whole_ = true;
  }
  return std::string();  // "ping", and what is new since
}

Result<json::Value> ModelStream::finish() && {
  if (fault_) return *fault_;
  if (!is_whole_) return failure(Code::kInvalidArgument, "the stream ended before the answer did");
  if (provider_ == Provider::kAnthropic) return anthropic_answer();
  return openai_answer();
}

json::Value ModelStream::openai_answer() const {
  json::Object message{{"content", text_}};
  if (!refusal_.empty()) message.set("refusal", refusal_);
  if (!parts_.empty()) {
    json::Array calls;
    for (const auto& [index, part] : parts_) {
      calls.push_back(
          json::Object{{"id", part.id},
                       {"function", json::Object{{"name", part.name}, {"arguments", part.text}}}});
    }
    message.set("tool_calls", std::move(calls));
  }
  json::Object choice{{"message", std::move(message)}, {"finish_reason", reason_}};
  return json::Object{
      {"model", model_}, {"choices", json::Array{std::move(choice)}}, {"usage", usage_}};
}

Result<json::Value> ModelStream::anthropic_answer() const {
  json::Array content;
  for (const auto& [index, part] : parts_) {
    json::Object block{{"type", part.type}};
    if (part.type == "tool_use") {
      auto input = json::parse(part.text.empty() ? "{}" : part.text);
      if (!input) {
        return input.error().in(fmt::format("call of tool \"{}\"", shown(part.name)));
      }
      block.set("id", part.id);
      block.set("name", part.name);
      block.set("input", std::move(*input));
    } else {
      block.set("text", part.text);
    }
    content.push_back(std::move(block));
  }
  return json::Value(json::Object{{"model", model_},
                                  {"content", std::move(content)},
                                  {"stop_reason", reason_},
                                  {"usage", usage_}});
}

std::string SpokenTextFilter::take(std::string_view text) {
  held_.append(text);
  std::size_t length = held_.size() - redactor_.open_length(held_);
  // What is complete is not cut in two either: it is replaced whole, or waits.
  const std::string whole = redactor_.text(held_);
  std::string shown;
  for (;; --length) {
    shown = redactor_.text(std::string_view(held_).substr(0, length));
    if (length == 0 || shown + redactor_.text(std::string_view(held_).substr(length)) == whole)
      break;
  }
  held_.erase(0, length);
  return shown;
}

std::string SpokenTextFilter::finish() { return redactor_.text(std::exchange(held_, {})); }

}  // namespace avow::connectors
