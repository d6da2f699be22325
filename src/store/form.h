// SPDX-License-Identifier: Apache-2.0
// store/form.h: what every store asks of a commit before it looks at what it holds already.
// Pure; safe from any thread.
#pragma once
#include "store/store.h"

namespace avow::store {

/// Checks the rules that store.h puts beside the fields of a Commit and that need no look at the
/// store: versions that follow, seqs within bounds, what only a creation may carry.
/// Errors: kInvalidArgument  the caller's mistake; the message names it
Result<void> check_form(const Commit& commit);

}  // namespace avow::store
