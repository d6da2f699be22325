// SPDX-License-Identifier: Apache-2.0
#include "api/record_list.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"

namespace avow::api {

Reply list_records(const Call& call, store::RecordKind kind,
                   std::initializer_list<std::string_view> statuses,
                   Result<json::Value> (*show)(const store::Record& record)) {
  const bool has_status = statuses.size() > 0;
  const auto known = has_status ? check_query(call, {"limit", "cursor", "name", "status"})
                                : check_query(call, {"limit", "cursor", "name"});
  if (!known) return problem_of(known.error());
  const auto page = page_of(call);
  if (!page) return problem_of(page.error());
  store::RecordQuery query;
  query.kind = kind;
  query.tenant = call.caller.tenant;
  query.before = page->before;
  query.limit = page->limit + 1;  // one more, to know whether there is more
  if (const std::string* name = call.request.query_value("name")) query.name = *name;
  if (const std::string* status = call.request.query_value("status"); status != nullptr) {
    if (std::find(statuses.begin(), statuses.end(), *status) == statuses.end()) {
      return problem(400, fmt::format("status \"{}\" is not one of {}", shown(*status),
                                      fmt::join(statuses, ", ")));
    }
    query.status = *status;
  }
  const auto records = call.services.store.list_records(query);
  if (!records) return problem_of(records.error());
  json::Array items;
  std::size_t bytes = 0;
  for (const store::Record& record : *records) {
    bytes += record.body.size();
    const bool is_full = items.size() == page->limit || (!items.empty() && bytes > kListBytesMax);
    if (is_full) return json_response(200, list_of(items, (*records)[items.size() - 1].id));
    auto item = show(record);
    if (!item) return problem_of(item.error());
    items.push_back(std::move(*item));
  }
  return json_response(200, list_of(std::move(items), {}));
}

}  // namespace avow::api
