// SPDX-License-Identifier: Apache-2.0
// api/record_list.h: a page of records as an answer. One thread.
#pragma once
#include "api/call.h"

namespace avow::api {

/// Answers the page of the caller's records of `kind` that the query asks for, newest first, each
/// as `show` gives it. Filters: `name`, and `status` if it is one of `statuses`. The page ends
/// early before its items come to more than kListBytesMax.
inline constexpr std::size_t kListBytesMax = std::size_t{4} << 20;
Reply list_records(const Call& call, store::RecordKind kind,
                   std::initializer_list<std::string_view> statuses,
                   Result<json::Value> (*show)(const store::Record& record));

}  // namespace avow::api
