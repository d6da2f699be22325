// SPDX-License-Identifier: Apache-2.0
#include "provenance/event.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/bytes.h"
#include "json/parse.h"
#include "json/write.h"
#include "provenance/segment.h"

namespace avow::provenance {
namespace {

constexpr std::int64_t kSeqMax = (1 << 20) - 1;  // what a receipt's id has room for
constexpr std::int64_t kAttemptMax = std::numeric_limits<std::uint32_t>::max();
constexpr std::array<std::string_view, 10> kMembers = {"actor", "agent", "attempt", "data", "run",
                                                       "seq",   "step",  "time",    "type", "v"};

Error bad_member(std::string_view name) {
  return failure(Code::kCorruption, "event: member \"{}\" is missing or wrong", name);
}

Result<std::int64_t> int_member(const json::Value& event, std::string_view name, std::int64_t max) {
  const json::Value* value = event.find(name);
  if (value == nullptr || !value->is_int() || value->as_int() < 1 || value->as_int() > max) {
    return bad_member(name);
  }
  return value->as_int();
}

/// A string that is there and not empty.
Result<std::string> text_member(const json::Value& event, std::string_view name) {
  const json::Value* value = event.find(name);
  if (value == nullptr || !value->is_string() || value->as_string().empty())
    return bad_member(name);
  return value->as_string();
}

Result<Id> id_member(const json::Value& event, std::string_view name) {
  ASSIGN_OR_RETURN(const std::string text, text_member(event, name));
  auto id = parse_id(text);
  return id ? std::move(id) : bad_member(name);
}

Result<Event> from_json(const json::Value& value) {
  for (const auto& member : value.as_object()) {
    if (std::ranges::find(kMembers, member.key) == kMembers.end()) {
      return failure(Code::kCorruption, "event: unknown member \"{}\"", shown(member.key));
    }
  }
  Event event;
  ASSIGN_OR_RETURN(event.run.value, id_member(value, "run"));
  ASSIGN_OR_RETURN(const std::int64_t seq, int_member(value, "seq", kSeqMax));
  event.seq = static_cast<std::uint32_t>(seq);
  ASSIGN_OR_RETURN(const std::string time, text_member(value, "time"));
  auto parsed_time = parse_time(time);
  if (!parsed_time) return bad_member("time");
  event.time = *parsed_time;
  ASSIGN_OR_RETURN(event.type, text_member(value, "type"));
  if (value.find("step") != nullptr) {
    ASSIGN_OR_RETURN(event.step, text_member(value, "step"));
  }
  if (value.find("attempt") != nullptr) {
    ASSIGN_OR_RETURN(const std::int64_t attempt, int_member(value, "attempt", kAttemptMax));
    event.attempt = static_cast<std::uint32_t>(attempt);
  }
  if (value.find("agent") != nullptr) {
    ASSIGN_OR_RETURN(const Id agent, id_member(value, "agent"));
    event.agent = AgentId{agent};
  }
  if (value.find("actor") != nullptr) {
    ASSIGN_OR_RETURN(event.actor, text_member(value, "actor"));
  }
  const json::Value* data = value.find("data");
  if (data == nullptr || !data->is_object()) return bad_member("data");
  event.data = *data;
  return event;
}

}  // namespace

std::string encode(const Event& event) {
  CHECK(event.seq >= 1 && event.seq <= kSeqMax);
  CHECK(!event.type.empty() && event.data.is_object());
  std::string out;
  constexpr std::size_t kUsualBytes = 512;  // most events fit, so that most cost one allocation
  out.reserve(kUsualBytes);
  // The members stand in the order that RFC 8785 sorts them to.
  out += '{';
  if (!event.actor.empty()) {
    out += "\"actor\":";
    json::write_string_to(event.actor, out);
    out += ',';
  }
  if (event.agent) out.append("\"agent\":\"").append(event.agent->uuid()).append("\",");
  if (event.attempt != 0) {
    out.append("\"attempt\":").append(fmt::format_int(event.attempt).c_str()).append(",");
  }
  out += "\"data\":";
  json::write_canonical_to(event.data, out);
  out.append(",\"run\":\"").append(event.run.uuid());
  out.append("\",\"seq\":").append(fmt::format_int(event.seq).c_str());
  if (!event.step.empty()) {
    out += ",\"step\":";
    json::write_string_to(event.step, out);
  }
  out.append(",\"time\":\"").append(format_time(event.time));
  out += "\",\"type\":";
  json::write_string_to(event.type, out);
  out.append(",\"v\":").append(fmt::format_int(kEventVersion).c_str()).append("}");
  return out;
}

Result<Event> decode(std::string_view bytes) {
  const auto value = json::parse(bytes);
  if (!value) return Error{Code::kCorruption, value.error().in("event").message};
  if (!value->is_object()) return failure(Code::kCorruption, "event is no object");
  const std::int64_t version = value->int_or("v", 0);
  if (version > kEventVersion) {
    return failure(Code::kUnavailable, "event has version {}, this program knows up to {}", version,
                   kEventVersion);
  }
  if (version < 1) return bad_member("v");
  ASSIGN_OR_RETURN(Event event, from_json(*value));
  // One meaning, one spelling: a digest over other bytes of the same event would be another digest.
  if (encode(event) != bytes) {
    return failure(Code::kCorruption, "event {} is not spelled canonically", event.seq);
  }
  return event;
}

std::string encode_journal(std::span<const std::string> events) {
  std::size_t bytes = 0;
  for (const std::string& event : events) bytes += kNumberBytes + event.size();
  SegmentWriter segment(events.size(), bytes);
  for (const std::string& event : events) segment.add_field(event);
  return std::move(segment).finish();
}

Result<std::vector<std::string>> decode_journal(std::string_view segment) {
  ASSIGN_OR_RETURN(auto reader, SegmentReader::open(segment, "journal segment", kNumberBytes));
  std::vector<std::string> events;
  events.reserve(reader.records());
  for (std::uint32_t i = 0; i < reader.records(); ++i) {
    ASSIGN_OR_RETURN(const std::string_view event, reader.field());
    events.emplace_back(event);
  }
  RETURN_IF_ERROR(reader.close());
  return events;
}

}  // namespace avow::provenance
