// SPDX-License-Identifier: Apache-2.0
#include "cli/log_source.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "server/deployment_log.h"
#include "store/sqlite/sqlite_store.h"
#include "tlog/tile_reader.h"
#include "tlog/watermark.h"

namespace avow::cli {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(30);
/// A bundle of 256 of the longest entries.
constexpr std::size_t kFileBytesMax = std::size_t{17} << 20;

class WebLog : public LogSource {
 public:
  /// The log is at the first of `bases` that has a checkpoint; there is at least one.
  WebLog(std::vector<std::string> bases, const std::string& ca_file)
      : bases_(std::move(bases)),
        client_({.policy = anywhere(), .extra_ca_file = ca_file}, clock_) {}
  ~WebLog() override { client_.stop(); }

  Result<std::string> read(const std::string& path) override {
    auto file = read_below(bases_.front(), path);
    while (!file && file.error().code == Code::kNotFound && path == kCheckpointPath &&
           bases_.size() > 1) {
      bases_.erase(bases_.begin());
      file = read_below(bases_.front(), path);
    }
    if (path == kCheckpointPath && file) bases_.resize(1);
    return file;
  }

 private:
  Result<std::string> read_below(const std::string& base, const std::string& path) {
    net::ClientRequest request{.url = fmt::format("{}/{}", base, path),
                               .response_bytes_max = kFileBytesMax,
                               .follow_redirects = true};
    auto response = net::send_blocking(client_, std::move(request), kTimeout);
    if (!response) return response.error().in(base);
    if (response->status == 404) return failure(Code::kNotFound, "{} has no {}", base, path);
    if (response->status != 200) {
      return failure(Code::kUnavailable, "{}/{}: {} {}", base, path, response->status,
                     net::reason_phrase(response->status));
    }
    return std::move(response->body);
  }

  std::vector<std::string> bases_;
  SystemClock clock_;
  net::CurlClient client_;
};

class FolderLog : public LogSource {
 public:
  explicit FolderLog(std::string folder) : folder_(std::move(folder)) {}

  Result<std::string> read(const std::string& path) override {
    const std::filesystem::path file = folder_ / path;
    std::error_code error;
    if (!std::filesystem::exists(file, error)) {
      return failure(Code::kNotFound, "there is no {}", file.string());
    }
    std::ifstream stream(file, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    if (!stream) return failure(Code::kUnavailable, "cannot read {}", file.string());
    return bytes;
  }

 private:
  const std::filesystem::path folder_;
};

class StoredLog : public LogSource {
 public:
  StoredLog(std::unique_ptr<store::SqliteStore> store, store::LogHead head)
      : store_(std::move(store)), head_(std::move(head)), tiles_(*store_, head_.log, nullptr) {}
  ~StoredLog() override { store_->stop(); }

  Result<std::string> read(const std::string& path) override {
    if (path == kCheckpointPath) return head_.checkpoint;
    ASSIGN_OR_RETURN(const merkle::Tile tile, merkle::Tile::parse_path(path));
    return tiles_.tile(tile, head_.size);
  }

 private:
  const std::unique_ptr<store::SqliteStore> store_;
  const store::LogHead head_;
  tlog::TileReader tiles_;
};

/// The newest log's head, when it may leave.
Result<store::LogHead> let_out_head(store::Store& store, const std::string& watermark_path) {
  ASSIGN_OR_RETURN(store::LogHead row, store.newest_log_head());
  ASSIGN_OR_RETURN(tlog::Head restored, tlog::restore_head(store, row));
  const auto head = std::make_shared<const tlog::Head>(std::move(restored));
  ASSIGN_OR_RETURN(const auto watermark, tlog::Watermark::open(watermark_path));
  // What raise() would take: it reads no entry, so any larger log of that name.
  ASSIGN_OR_RETURN(const auto fault,
                   tlog::mismatch(store, head->checkpoint.origin, head, watermark->value()));
  if (fault) {
    return failure(Code::kUnavailable,
                   "nothing leaves: {}; put the newest store back, or see `avow log recover`",
                   *fault);
  }
  RETURN_IF_ERROR(watermark->raise(head->checkpoint));
  return row;
}

/// No path behind the host.
bool is_bare(const std::string& url) { return url.find('/', url.find("://") + 3) == url.npos; }

}  // namespace

net::AddressPolicy anywhere() {
  net::AddressPolicy policy;
  for (const char* block : {"0.0.0.0/0", "::/0"}) policy.allow.push_back(*net::Cidr::parse(block));
  return policy;
}

std::string without_trailing_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::unique_ptr<LogSource> open_log_source(const std::string& url_or_folder,
                                           const std::string& ca_file) {
  const bool is_url = url_or_folder.starts_with("http://") || url_or_folder.starts_with("https://");
  if (!is_url) return std::make_unique<FolderLog>(url_or_folder);
  const std::string base = without_trailing_slash(url_or_folder);
  std::vector<std::string> bases{base};
  if (is_bare(base)) bases.insert(bases.begin(), base + "/log");
  return std::make_unique<WebLog>(std::move(bases), ca_file);
}

Result<std::unique_ptr<LogSource>> open_stored_log(const std::string& data_directory) {
  ASSIGN_OR_RETURN(auto store, store::SqliteStore::open({.directory = data_directory}));
  auto head = let_out_head(*store, server::watermark_path(data_directory));
  if (!head) {
    store->stop();
    return head.error();
  }
  return std::unique_ptr<LogSource>(new StoredLog(std::move(store), std::move(*head)));
}

}  // namespace avow::cli
