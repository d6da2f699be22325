// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>
#include <ostream>

#include "base/bytes.h"
#include "json/write.h"

namespace avow::cli {
namespace {

constexpr std::size_t kCellMax = 80;
constexpr std::size_t kTextMax = 4000;  ///< Of an output or an error.

std::string text_of(const json::Value& value, std::size_t max) {
  if (value.is_null()) return "";
  return shown(value.is_string() ? value.as_string() : json::write(value), max);
}

/// Characters, not bytes.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string padded(std::string text, std::size_t width) {
  const std::size_t own = width_of(text);
  if (own < width) text.append(width - own, ' ');
  return text;
}

/// JSON as people read it. Strings in it may hold DEL and C1 control characters, which some
/// terminals obey: they are written as JSON's escapes.
std::string pretty(const json::Value& value) {
  const std::string text = json::write_pretty(value);
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto next = static_cast<unsigned char>(at + 1 < text.size() ? text[at + 1] : 0);
    if (byte == 0x7F) {
      out += "\\u007f";
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      out += fmt::format("\\u{:04x}", next);
      ++at;
    } else {
      out += text[at];
    }
  }
  return out;
}

}  // namespace

std::string cell(const json::Value& object, std::string_view member) {
  const json::Value* value = object.find(member);
  return value == nullptr ? "" : text_of(*value, kCellMax);
}

std::string coloured(const Terminal& terminal, std::string_view status) {
  if (!terminal.has_colours) return std::string(status);
  const auto in = [&](const char* code) { return fmt::format("\x1b[{}m{}\x1b[0m", code, status); };
  if (status == "completed" || status == "published" || status == "active") return in("32");
  if (status == "failed" || status == "revoked") return in("31");
  if (status == "running" || status == "waiting" || status == "draft") return in("33");
  return std::string(status);
}

void print_table(Terminal& terminal, const std::vector<Column>& columns, const json::Value* items) {
  if (items == nullptr || !items->is_array() || items->as_array().empty()) {
    terminal.out << "none\n";
    return;
  }
  std::vector<std::size_t> widths;
  for (const Column& column : columns) {
    std::size_t width = column.title.size();
    for (const json::Value& item : items->as_array()) {
      width = std::max(width, width_of(cell(item, column.member)));
    }
    widths.push_back(width);
  }
  const auto print_line = [&](const auto& text_in) {
    std::string line;
    for (std::size_t i = 0; i < columns.size(); ++i) line += padded(text_in(i), widths[i]) + "  ";
    line.erase(line.find_last_not_of(' ') + 1);
    terminal.out << line << '\n';
  };
  print_line([&](std::size_t i) { return std::string(columns[i].title); });
  for (const json::Value& item : items->as_array()) {
    print_line([&](std::size_t i) { return cell(item, columns[i].member); });
  }
}

void print_fields(Terminal& terminal, const std::vector<Column>& fields,
                  const json::Value& object) {
  std::size_t width = 0;
  for (const Column& field : fields) width = std::max(width, field.title.size());
  for (const Column& field : fields) {
    const json::Value* value = object.find(field.member);
    if (value == nullptr || value->is_null()) continue;
    const bool is_status = field.member == "status";
    const std::string text = text_of(*value, kTextMax);
    terminal.out << padded(std::string(field.title), width) << "  "
                 << (is_status ? coloured(terminal, text) : text) << '\n';
  }
}

void print_run(Terminal& terminal, const json::Value& run) {
  print_fields(terminal,
               {{"run", "id"},
                {"id", "orchestration_id"},
                {"name", "name"},
                {"workflow", "workflow_id"},
                {"version", "workflow_version"},
                {"agent", "agent_id"},
                {"status", "status"},
                {"waiting for", "waiting_for"},
                {"started", "started_at"},
                {"completed", "completed_at"},
                {"cost in cents", "total_cost_cents"}},
               run);
  terminal.out << '\n';
  print_table(terminal,
              {{"#", "step_number"},
               {"STEP", "name"},
               {"TYPE", "type"},
               {"STATUS", "status"},
               {"ATTEMPTS", "attempts"},
               {"MS", "duration_ms"}},
              run.find("steps"));
  const json::Value* steps = run.find("steps");
  for (std::size_t i = 0; steps != nullptr && i < steps->as_array().size(); ++i) {
    const json::Value& step = steps->as_array()[i];
    const json::Value* asked = step.find("approval");
    if (asked == nullptr || step.string_or("status") != "waiting") continue;
    terminal.out << fmt::format("\n{} asks: {}\n  avow approve {} {} --subject-digest {}\n",
                                cell(step, "name"), text_of(*asked->find("prompt"), kTextMax),
                                cell(run, "id"), cell(step, "name"),
                                cell(*asked, "subject_digest"));
  }
  if (const json::Value* error = run.find("error")) {
    terminal.out << fmt::format(
        "\n{}: {}{}\n", cell(*error, "code"), shown(error->string_or("message"), kTextMax),
        error->string_or("step").empty() ? "" : fmt::format(" (step {})", cell(*error, "step")));
  }
  if (const json::Value* output = run.find("output")) {
    terminal.out << "\noutput\n" << pretty(*output);
  }
}

}  // namespace avow::cli
