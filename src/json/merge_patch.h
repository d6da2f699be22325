// SPDX-License-Identifier: Apache-2.0
// json/merge_patch.h: RFC 7396. Pure; safe from any thread.
#pragma once
#include "json/value.h"

namespace avow::json {

/// `target` with `patch` merged in: objects member by member, null removes, anything else replaces.
Value merge_patch(Value target, const Value& patch);

}  // namespace avow::json
