// SPDX-License-Identifier: Apache-2.0
#include "server/deployment_log.h"

#include <filesystem>
#include <future>

#include "provenance/content.h"
#include "tlog/rotation.h"

namespace avow::server {

std::string keys_folder(const std::string& data_directory) {
  return (std::filesystem::path(data_directory) / kKeysFolder).string();
}

std::string watermark_path(const std::string& data_directory) {
  return (std::filesystem::path(data_directory) / kWatermarkFile).string();
}

Result<tlog::LogKeys> open_keys(store::Store& store, const std::string& data_directory,
                                const Secret& passphrase) {
  const std::string folder = keys_folder(data_directory);
  RETURN_IF_ERROR(tlog::finish_rotation(store, folder, passphrase));
  ASSIGN_OR_RETURN(const std::string origin, tlog::newest_origin(store));
  auto keys = tlog::load_keys(folder, origin, passphrase);
  // A store without its keys is no store that is not there.
  if (!keys && keys.error().code == Code::kNotFound) {
    return failure(Code::kUnavailable, "{}; put back the keys that were made with this store",
                   keys.error().message);
  }
  return keys;
}

Result<std::unique_ptr<tlog::Sequencer>> open_log(store::Store& store,
                                                  const std::string& data_directory, Clock& clock,
                                                  Rng& rng, tlog::SequencerOptions options) {
  ASSIGN_OR_RETURN(tlog::LogKeys keys, open_keys(store, data_directory, tlog::keys_passphrase()));
  return tlog::Sequencer::open(store, std::move(keys), clock, rng, options);
}

store::QueuedStatement admin_changed(AdminChange change, Time now, Rng& rng) {
  provenance::Statement statement;
  statement.type = provenance::StatementType::kAdminChanged;
  statement.tenant = change.tenant;
  statement.id = change.id;
  statement.created_at = now;
  statement.nonce = rng.bytes32();
  statement.subject = std::move(change.subject);
  statement.change = std::move(change.change);
  statement.actor = std::move(change.actor);
  std::vector<provenance::Content> contents;
  if (change.record) {
    contents.push_back({{0, "record"}, rng.bytes32(), std::move(*change.record)});
    statement.record = provenance::commitment(contents[0].value, contents[0].salt);
  }
  return tlog::queued(statement, contents);
}

Result<void> commit(store::Store& store, store::Commit changes) {
  std::promise<Result<void>> written;
  store.commit(std::move(changes),
               [&written](Result<void> done) { written.set_value(std::move(done)); });
  return written.get_future().get();
}

}  // namespace avow::server
