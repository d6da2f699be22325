// SPDX-License-Identifier: Apache-2.0
// GET /v1/audit: a tenant's statements, as the log has them (CONTRACT.md section 6).
#include <charconv>

#include "api/orchestration_view.h"
#include "api/record_list.h"
#include "api/route.h"
#include "base/bytes.h"
#include "tlog/sequencer.h"

namespace avow::api {
namespace {

using provenance::Statement;
using provenance::StatementType;

/// Whose statements a tenant has; those about keys are the deployment's own.
constexpr std::array kTypes = {StatementType::kAdminChanged,      StatementType::kAgentChanged,
                               StatementType::kWorkflowPublished, StatementType::kContentErased,
                               StatementType::kRunOpen,           StatementType::kRunProgress,
                               StatementType::kRunFinished,       StatementType::kJournalRetired};

Result<std::uint64_t> number_in(const std::string& text, std::string_view name) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault == std::errc() && end == text.data() + text.size()) return number;
  return failure(Code::kInvalidArgument, "{} must be a whole number", name);
}

Result<std::optional<std::uint8_t>> kind_in(const Call& call) {
  const std::string* const text = call.request.query_value("type");
  if (text != nullptr && *text == "all") return std::optional<std::uint8_t>();
  const std::string_view wanted = text == nullptr ? "admin.changed" : std::string_view(*text);
  std::string allowed = "all";
  for (const StatementType type : kTypes) {
    const std::string_view name = provenance::statement_type_name(type);
    if (name == wanted) return std::optional(tlog::kind_of(type));
    allowed += fmt::format(", {}", name);
  }
  return failure(Code::kInvalidArgument, "type \"{}\" is not one of {}", shown(wanted), allowed);
}

/// What the request asks for; `limit` is that of the page.
/// Errors: kInvalidArgument
Result<store::StatementQuery> query_of(const Call& call) {
  RETURN_IF_ERROR(check_query(call, {"type", "order", "after", "limit", "cursor"}));
  store::StatementQuery query;
  query.tenant = call.caller.tenant;
  ASSIGN_OR_RETURN(query.kind, kind_in(call));
  ASSIGN_OR_RETURN(query.limit, limit_of(call));
  const std::string* const order = call.request.query_value("order");
  query.is_newest_first = order == nullptr || *order == "desc";
  if (!query.is_newest_first && *order != "asc") {
    return failure(Code::kInvalidArgument, "order must be desc or asc");
  }
  if (const std::string* after = call.request.query_value("after")) {
    ASSIGN_OR_RETURN(query.after, number_in(*after, "after"));
  }
  if (const std::string* cursor = call.request.query_value("cursor")) {
    ASSIGN_OR_RETURN(const std::uint64_t last, number_in(*cursor, "cursor"));
    if (query.is_newest_first) {
      query.before = last;
    } else {
      query.after = last;
    }
  }
  return query;
}

/// Contents only for who may read contents: the commitments stand in the statement.
Result<json::Value> shown_statement(const store::LogEntry& entry, bool shows_contents) {
  ASSIGN_OR_RETURN(const Statement statement, provenance::decode_statement(entry.statement));
  json::Value out = json::Object{{"receipt_id", receipt_name(entry.id)},
                                 {"tenant_seq", entry.tenant_seq},
                                 {"type", provenance::statement_type_name(statement.type)},
                                 {"id", entry.id.uuid()},
                                 {"created_at", format_time(statement.created_at)}};
  for (const auto& [name, text] :
       {std::pair<std::string_view, const std::string&>{"subject", statement.subject},
        {"change", statement.change},
        {"status", statement.status},
        {"version", statement.version},
        {"actor", statement.actor}}) {
    if (!text.empty()) out.set(name, text);
  }
  if (shows_contents && !entry.contents.empty()) {
    ASSIGN_OR_RETURN(const auto contents, provenance::decode_contents(entry.contents));
    for (const provenance::Content& content : contents) {
      out.set(content.ref.member,
              json::Object{{"value", content.value}, {"salt", to_base64(view_of(content.salt))}});
    }
  }
  out.set("log", static_cast<std::int64_t>(entry.log));
  out.set("log_index", entry.index);
  out.set("statement", entry.statement);
  return out;
}

Reply list_statements(Call& call) {
  auto query = query_of(call);
  if (!query) return problem_of(query.error());
  const std::size_t limit = query->limit;
  query->limit = limit + 1;  // one more tells whether there is another page
  const auto entries = call.services.store.list_statements(*query);
  if (!entries) return problem_of(entries.error());
  const bool shows_contents = call.caller.allows(auth::Scope::kContentsRead);
  json::Array items;
  std::size_t bytes = 0;
  for (const store::LogEntry& entry : *entries) {
    bytes += entry.statement.size() + entry.contents.size();
    if (items.size() == limit || (!items.empty() && bytes > kListBytesMax)) break;
    auto item = shown_statement(entry, shows_contents);
    if (!item) return problem_of(item.error());
    items.push_back(std::move(*item));
  }
  json::Value cursor;
  if (items.size() < entries->size()) {
    cursor = std::to_string((*entries)[items.size() - 1].tenant_seq);
  }
  return json_response(
      200, json::Object{{"items", std::move(items)}, {"next_cursor", std::move(cursor)}});
}

}  // namespace

std::vector<Route> audit_routes() {
  return {{"GET", "/v1/audit", scope(auth::Scope::kAuditRead), list_statements, "listStatements"}};
}

}  // namespace avow::api
