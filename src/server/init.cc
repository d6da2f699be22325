// SPDX-License-Identifier: Apache-2.0
#include "server/init.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "auth/api_key.h"
#include "auth/tenant.h"
#include "server/deployment_log.h"
#include "store/sqlite/sqlite_store.h"
#include "tlog/key_files.h"
#include "tlog/watermark.h"

namespace avow::server {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStoreFile = "avow.db";

Error system_failure(std::string_view what, const fs::path& path, int number) {
  const Code code = number == ENOSPC ? Code::kResourceExhausted : Code::kUnavailable;
  return failure(code, "{} \"{}\": {}", what, path.string(),
                 std::generic_category().message(number));
}

/// A private folder that goes again with everything in it.
class StagingFolder {
 public:
  static Result<std::unique_ptr<StagingFolder>> make(const std::string& prefix) {
    std::string name = prefix + "XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return system_failure("make", name, errno);  // mode 0700
    return std::unique_ptr<StagingFolder>(new StagingFolder(name));
  }
  ~StagingFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  explicit StagingFolder(fs::path path) : path_(std::move(path)) {}
  const fs::path path_;
};

/// Whether the data directory is there, and empty. Errors: kConflict  it holds something
Result<bool> is_there_empty(const fs::path& directory) {
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  if (!fs::exists(status)) return false;
  if (!fs::is_directory(status)) {
    return failure(Code::kConflict, "\"{}\" is not a folder", directory.string());
  }
  if (fs::exists(directory / kStoreFile, error)) {
    return failure(Code::kConflict, "\"{}\" holds a store already", directory.string());
  }
  const bool is_empty = fs::is_empty(directory, error);
  if (error) return system_failure("read", directory, error.value());
  if (!is_empty) {
    return failure(Code::kConflict, "\"{}\" is not empty; choose another folder",
                   directory.string());
  }
  return true;
}

/// Moves what was made to where it belongs. The store goes last: without it there is no deployment.
Result<void> move_into(const StagingFolder& staging, const fs::path& directory, bool is_there) {
  std::error_code error;
  if (!is_there) {
    if (::rename(staging.path().c_str(), directory.c_str()) != 0) {
      if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
        return failure(Code::kConflict, "\"{}\" was made by somebody else meanwhile",
                       directory.string());
      }
      return system_failure("make", directory, errno);
    }
    return tlog::sync_folder(directory.parent_path());
  }
  fs::permissions(directory, fs::perms::owner_all, error);
  if (error) return system_failure("set the rights of", directory, error.value());
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(staging.path(), error)) {
    if (entry.path().filename() != kStoreFile) names.push_back(entry.path().filename());
  }
  names.emplace_back(kStoreFile);
  for (const fs::path& name : names) {
    if (::rename((staging.path() / name).c_str(), (directory / name).c_str()) == 0) continue;
    const Error failed = system_failure("make", directory / name, errno);
    for (const fs::path& moved : names) fs::remove_all(directory / moved, error);
    return failed;
  }
  return tlog::sync_folder(directory);
}

/// That `record`, as people see it, was made. Its own tenant can list it.
store::QueuedStatement created(TenantId tenant, Id id, std::string subject, json::Value record,
                               Time now, Rng& rng) {
  return admin_changed({.tenant = tenant,
                        .id = id,
                        .subject = std::move(subject),
                        .change = "created",
                        .actor = "init",
                        .record = std::move(record)},
                       now, rng);
}

/// Tenant and keys, in one transaction with the first entries of the log.
Result<Deployment> fill_store(store::Store& store, const auth::Tenant& tenant,
                              const std::string& origin, Time now, Rng& rng) {
  auto everything = auth::ScopeSet::parse({"*:*"}, "");
  CHECK(everything);
  const auth::IssuedKey key = auth::issue_key(
      {.tenant = tenant.id, .name = "first key", .scopes = std::move(*everything)}, now, rng);
  const auth::IssuedKey platform =
      auth::issue_key({.is_platform = true, .name = "platform key"}, now, rng);
  RETURN_IF_ERROR(store.put_meta("origin", origin));
  store::Commit changes;
  changes.records = {auth::to_change(tenant), auth::to_change(key.key),
                     auth::to_change(platform.key)};
  changes.statements.push_back(
      created(tenant.id, tenant.id.value, "tenant", auth::render(tenant), now, rng));
  changes.statements.push_back(
      created(tenant.id, key.key.id.value, "api_key", auth::render(key.key), now, rng));
  changes.statements.push_back(
      created({}, platform.key.id.value, "api_key", auth::render(platform.key), now, rng));
  RETURN_IF_ERROR(commit(store, std::move(changes)));
  return Deployment{.tenant = tenant.id,
                    .api_key = key.text,
                    .platform_key = platform.text,
                    .log_key = {},
                    .origin = origin};
}

Result<Deployment> make_deployment(const fs::path& folder, const InitOptions& options,
                                   const auth::Tenant& tenant, Clock& clock, Rng& rng) {
  const fs::path keys_folder = folder / kKeysFolder;
  if (::mkdir(keys_folder.c_str(), 0700) != 0) return system_failure("make", keys_folder, errno);
  ASSIGN_OR_RETURN(tlog::LogKeys keys, tlog::make_keys(keys_folder.string(), options.origin,
                                                       options.keys_passphrase, rng));
  const std::string log_key = keys.log_keys().front().text();
  ASSIGN_OR_RETURN(const auto store, store::SqliteStore::create({.directory = folder.string()}));
  std::unique_ptr<tlog::Sequencer> sequencer;  // outlives the store's last commit
  const auto fill = [&]() -> Result<Deployment> {
    ASSIGN_OR_RETURN(sequencer, tlog::Sequencer::open(*store, std::move(keys), clock, rng));
    store->set_hook(*sequencer);
    ASSIGN_OR_RETURN(Deployment deployment,
                     fill_store(*store, tenant, options.origin, clock.now(), rng));
    ASSIGN_OR_RETURN(const auto watermark,
                     tlog::Watermark::open((folder / kWatermarkFile).string()));
    RETURN_IF_ERROR(watermark->reset(sequencer->head()->checkpoint));
    deployment.log_key = log_key;
    return deployment;
  };
  auto deployment = fill();
  store->stop();
  return deployment;
}

}  // namespace

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('.', begin), text.size());
    const std::string_view label = text.substr(begin, end - begin);
    const auto is_allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-' ||
        !std::all_of(label.begin(), label.end(), is_allowed)) {
      return false;
    }
    begin = end + 1;
  }
  return true;
}

Result<Deployment> initialise(const InitOptions& options, Clock& clock, Rng& rng) {
  if (!is_host_name(options.origin)) {
    return failure(Code::kInvalidArgument,
                   "the origin must be a bare lower-case host name, such as {}", kDefaultOrigin);
  }
  auto tenant = auth::make_tenant(json::Object{{"name", options.tenant}}, clock.now(), rng);
  if (!tenant) {
    return failure(Code::kInvalidArgument, "the tenant's name {}", tenant.faults.front().message);
  }
  std::error_code error;
  fs::path directory = fs::absolute(options.data_directory, error).lexically_normal();
  if (options.data_directory.empty() || error) {
    return failure(Code::kInvalidArgument, "the data directory must have a name");
  }
  if (!directory.has_filename()) directory = directory.parent_path();  // "D/" is D
  ASSIGN_OR_RETURN(const bool is_there, is_there_empty(directory));
  ASSIGN_OR_RETURN(const auto staging,
                   StagingFolder::make(is_there ? (directory / ".init-").string()
                                                : directory.string() + ".init-"));
  ASSIGN_OR_RETURN(Deployment deployment,
                   make_deployment(staging->path(), options, *tenant, clock, rng));
  RETURN_IF_ERROR(tlog::sync_folder(staging->path()));
  RETURN_IF_ERROR(move_into(*staging, directory, is_there));
  return deployment;
}

}  // namespace avow::server
