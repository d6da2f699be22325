// SPDX-License-Identifier: Apache-2.0
#include "json/merge_patch.h"

namespace avow::json {

Value merge_patch(Value target, const Value& patch) {
  if (!patch.is_object()) return patch;
  if (!target.is_object()) target = Object();
  for (const Member& member : patch.as_object()) {
    if (member.value.is_null()) {
      target.mutable_object().erase(member.key);
      continue;
    }
    // Taken out of the target, so that an object there has one owner and need not be cloned.
    Value before;
    if (Value* present = target.mutable_object().find(member.key)) before = std::move(*present);
    target.set(member.key, merge_patch(std::move(before), member.value));
  }
  return target;
}

}  // namespace avow::json
