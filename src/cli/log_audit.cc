// SPDX-License-Identifier: Apache-2.0
#include "cli/log_audit.h"

#include <algorithm>

#include "merkle/compact_range.h"
#include "merkle/entry_bundle.h"
#include "merkle/note.h"
#include "provenance/entry.h"

namespace avow::cli {
namespace {

/// A file that the log must have.
Result<std::string> read_tile(const ReadLogFile& read, const merkle::Tile& tile) {
  auto bytes = read(tile.path());
  if (!bytes && bytes.error().code == Code::kNotFound) {
    return failure(Code::kCorruption, "{} is missing", tile.path());
  }
  return bytes;
}

/// The tree as it grows entry by entry, compared with its tiles.
class Rebuild {
 public:
  Rebuild(const ReadLogFile& read, LogAudit& audit) : read_(read), audit_(audit) {}

  Result<void> add(const merkle::Hash& leaf) {
    range_.append(leaf);
    return add(0, leaf);
  }
  /// Compares the right edge.
  Result<void> finish() {
    for (std::size_t level = 0; level < levels_.size(); ++level) {
      if (!levels_[level].empty()) RETURN_IF_ERROR(compare(level));
    }
    return {};
  }
  [[nodiscard]] merkle::Hash root() const { return range_.root(); }

 private:
  Result<void> add(std::size_t level, const merkle::Hash& hash) {
    if (levels_.size() == level) levels_.emplace_back();
    if (counts_.size() == level) counts_.push_back(0);
    levels_[level].push_back(hash);
    if (levels_[level].size() < merkle::kTileWidth) return {};
    RETURN_IF_ERROR(compare(level));
    const merkle::Hash root = merkle::subtree_root(levels_[level]);
    levels_[level].clear();
    ++counts_[level];
    return add(level + 1, root);
  }

  Result<void> compare(std::size_t level) {
    const std::vector<merkle::Hash>& ours = levels_[level];
    const merkle::Tile tile{static_cast<int>(level), counts_[level], ours.size()};
    ASSIGN_OR_RETURN(const std::string bytes, read_tile(read_, tile));
    const auto theirs = merkle::parse_tile(bytes, tile.width);
    if (!theirs) return theirs.error().in(tile.path());
    const auto [mine, wrong] = std::mismatch(ours.begin(), ours.end(), theirs->begin());
    if (mine != ours.end()) {
      const auto place = static_cast<std::uint64_t>(mine - ours.begin());
      return failure(Code::kCorruption, "{}: hash {} is not that of {} {}", tile.path(), place,
                     level == 0 ? "entry" : "the tile below with index",
                     tile.index * merkle::kTileWidth + place);
    }
    ++audit_.tiles;
    return {};
  }

  const ReadLogFile& read_;
  LogAudit& audit_;
  merkle::CompactRange range_;
  std::vector<std::vector<merkle::Hash>> levels_;  ///< Of each level the tile that is not full.
  std::vector<std::uint64_t> counts_;              ///< How many tiles of a level were full.
};

Result<merkle::Checkpoint> read_old(const std::string& note, const provenance::Trust& trust,
                                    const merkle::Checkpoint& newest) {
  auto old = read_checkpoint(note, trust);
  if (!old) return old.error().in("the older checkpoint");
  if (old->origin != newest.origin) {
    return failure(Code::kCorruption, "the older checkpoint is of the log {}, this one of {}",
                   shown(old->origin), shown(newest.origin));
  }
  if (old->size > newest.size) {
    return failure(Code::kCorruption, "the log has {} entries and had {}: it was rolled back",
                   newest.size, old->size);
  }
  return old;
}

}  // namespace

Result<merkle::Checkpoint> read_checkpoint(const std::string& note,
                                           const provenance::Trust& trust) {
  const auto wrong = [](const std::string& why) {
    return failure(Code::kCorruption, "checkpoint: {}", why);
  };
  const auto parsed = merkle::Note::parse(note);
  if (!parsed) return wrong(parsed.error().message);
  auto checkpoint = merkle::Checkpoint::parse(parsed->text);
  if (!checkpoint) return wrong(checkpoint.error().message);
  std::vector<merkle::VerifierKey> keys = trust.log_keys;
  if (trust.policy) {
    for (merkle::VerifierKey& key : trust.policy->keys()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
    }
  }
  const auto verified = merkle::verify_note(*parsed, keys);
  if (!verified && verified.error().code != Code::kUnauthenticated) {
    return wrong(verified.error().message);
  }
  const auto signers = verified ? *verified : std::vector<merkle::VerifiedSignature>();
  const auto is_log_key = [&](const merkle::VerifiedSignature& signature) {
    return signature.key.name == checkpoint->origin &&
           std::find(trust.log_keys.begin(), trust.log_keys.end(), signature.key) !=
               trust.log_keys.end();
  };
  const bool is_signed = std::any_of(signers.begin(), signers.end(), is_log_key) ||
                         (trust.policy && trust.policy->has_log(checkpoint->origin, signers));
  if (!is_signed) {
    return wrong(
        fmt::format("of {}, not signed by a key that you trust", shown(checkpoint->origin)));
  }
  if (trust.policy && !trust.policy->has_quorum(signers)) {
    return wrong("fewer witnesses than the policy asks for have cosigned it");
  }
  return checkpoint;
}

Result<LogAudit> audit_log(const ReadLogFile& read, const LogAuditInputs& inputs) {
  LogAudit audit;
  ASSIGN_OR_RETURN(const std::string note, read(kCheckpointPath));
  ASSIGN_OR_RETURN(audit.checkpoint, read_checkpoint(note, inputs.trust));
  const std::uint64_t size = audit.checkpoint.size;
  std::optional<merkle::Checkpoint> old;
  if (!inputs.old_checkpoint.empty()) {
    ASSIGN_OR_RETURN(old, read_old(inputs.old_checkpoint, inputs.trust, audit.checkpoint));
  }

  Rebuild tree(read, audit);
  // Consistency without a proof, since every leaf is read.
  const auto is_forked = [&] {
    return old && old->size == audit.entries && old->root != tree.root();
  };
  std::string key;
  for (std::uint64_t bundle = 0; audit.entries < size && !is_forked(); ++bundle) {
    const merkle::Tile tile{merkle::kEntriesLevel, bundle,
                            merkle::tile_width(merkle::kEntriesLevel, bundle, size)};
    ASSIGN_OR_RETURN(const std::string bytes, read_tile(read, tile));
    const auto entries = merkle::parse_entry_bundle(bytes, tile.width);
    if (!entries) return entries.error().in(tile.path());
    for (auto leaf = entries->begin(); leaf != entries->end() && !is_forked(); ++leaf) {
      auto entry = provenance::decode_entry(*leaf);
      if (!entry) return entry.error().in(fmt::format("entry {}", audit.entries));
      if (inputs.keys && !provenance::names_key(*inputs.keys, entry->public_key, audit.entries)) {
        return failure(Code::kCorruption,
                       "entry {} is signed with a key that the statement about keys does not name "
                       "there (or that statement is older than the last rotation)",
                       audit.entries);
      }
      if (entry->public_key != key) audit.new_keys.push_back(audit.entries);
      key = std::move(entry->public_key);
      RETURN_IF_ERROR(tree.add(merkle::hash_leaf(*leaf)));
      ++audit.entries;
    }
  }
  if (is_forked()) {
    return failure(Code::kCorruption,
                   "the first {} entries have another root than the older checkpoint says: the log "
                   "was changed or forked",
                   old->size);
  }
  RETURN_IF_ERROR(tree.finish());
  if (tree.root() != audit.checkpoint.root) {
    return failure(Code::kCorruption, "the {} entries lead to another root than the checkpoint's",
                   size);
  }
  if (old) audit.old_size = old->size;
  audit.are_keys_named = inputs.keys.has_value();
  return audit;
}

}  // namespace avow::cli
