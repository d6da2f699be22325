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

/// The largest first_seq of `change.replaced`; 0 where there is none.
std::uint32_t last_replaced_seq(const RunChange& change);

/// The hook of a store that was given none: it agrees to everything and drops statements.
CommitHook& no_hook();

/// An error of the hook as a commit answers it: a kConflict, which would tell the caller that its
/// version is old, becomes kInternal.
Result<void> from_hook(Result<void> outcome);

}  // namespace avow::store
