// SPDX-License-Identifier: Apache-2.0
// The log, for everybody (CONTRACT.md section 6; C2SP tlog-tiles): checkpoint, tiles, keys.
#include "api/route.h"
#include "crypto/p256.h"

namespace avow::api {
namespace {

constexpr std::string_view kForEver = "public, max-age=31536000, immutable";
/// A partial tile never changes either, but soon nobody asks for it.
constexpr std::string_view kForAWhile = "public, max-age=60";

net::Response public_response(std::string_view type, std::string_view caching, std::string body) {
  return {.status = 200,
          .headers = {{"Content-Type", std::string(type)}, {"Cache-Control", std::string(caching)}},
          .body = std::move(body)};
}

Reply get_checkpoint(Call& call) {
  auto published = call.services.log.published();
  if (!published) return problem_of(published.error());
  return public_response("text/plain; charset=utf-8", "no-cache", std::move(published->note));
}

Reply get_tile(Call& call) {
  const auto tile = merkle::Tile::parse_path("tile/" + call.path.at("path"));
  if (!tile) return problem(404, "that is not the path of a tile");
  auto bytes = call.services.log.tile(*tile);
  if (!bytes) return problem_of(bytes.error());
  return public_response("application/octet-stream",
                         tile->width == merkle::kTileWidth ? kForEver : kForAWhile,
                         std::move(*bytes));
}

/// The statement keys as the newest statement about keys names them; none while the log is empty.
Result<json::Array> statement_keys(store::Store& store) {
  const auto head = store.newest_log_head();
  if (!head && head.error().code == Code::kNotFound) return json::Array();
  if (!head) return head.error();
  ASSIGN_OR_RETURN(const auto entries, store.read_log(head->log, head->keys_index, 1));
  if (entries.empty()) return failure(Code::kCorruption, "the statement about keys is not there");
  ASSIGN_OR_RETURN(const auto statement, provenance::decode_statement(entries[0].statement));
  json::Array out;
  for (const provenance::StatementKey& key : statement.keys) {
    ASSIGN_OR_RETURN(const auto parsed, crypto::P256PublicKey::from_spki_der(key.spki_der));
    json::Object shown{{"from", key.from}};
    if (key.to) shown.set("to", *key.to);
    shown.set("key", to_base64(key.spki_der));
    shown.set("pem", parsed.spki_pem());
    out.emplace_back(std::move(shown));
  }
  return out;
}

Reply get_keys(Call& call) {
  Services& services = call.services;
  auto statements = statement_keys(services.store);
  if (!statements) return problem_of(statements.error());
  const auto all = services.receipt_verifier->log_keys(services.store, services.log);
  if (!all) return problem_of(all.error());
  const std::size_t signing = services.log.keys().log_keys().size();
  json::Array now;
  json::Array before;
  for (const merkle::VerifierKey& key : *all) {
    (now.size() < signing ? now : before).emplace_back(key.text());
  }
  net::Response response =
      json_response(200, json::Object{{"origin", services.log.keys().origin},
                                      {"log_keys", std::move(now)},
                                      {"earlier_log_keys", std::move(before)},
                                      {"statement_keys", std::move(*statements)}});
  response.headers.set("Cache-Control", "no-cache");
  return response;
}

}  // namespace

std::vector<Route> log_routes() {
  return {
      {"GET", "/log/checkpoint", kPublic, get_checkpoint, "getCheckpoint"},
      {"GET", "/log/tile/{path...}", kPublic, get_tile, "getTile"},
      {"GET", "/log/keys", kPublic, get_keys, "getLogKeys"},
  };
}

}  // namespace avow::api
