// SPDX-License-Identifier: Apache-2.0
// avow log audit | export | checkpoint | trusted-root | rotate-key | recover
#include <ostream>

#include "cli/log_export.h"
#include "cli/log_source.h"
#include "cli/session.h"
#include "cli/trust.h"
#include "json/write.h"
#include "provenance/exports.h"
#include "server/deployment_log.h"
#include "server/init.h"
#include "store/sqlite/sqlite_store.h"
#include "tlog/key_files.h"
#include "tlog/rotation.h"
#include "tlog/watermark.h"

namespace avow::cli {
namespace {

struct AuditCommand {
  std::string source;
  TrustOptions trust;
  std::string old_file;
  std::string receipt_file;
  std::string ca_file;
  bool is_json = false;
};

/// Where a log is, for commands that take either.
struct Place {
  std::string data_directory;
  Connection connection;
};

struct ExportCommand {
  Place place;
  std::string folder;
};

struct CheckpointCommand {
  Connection connection;
};

struct TrustedRootCommand {
  Place place;
};

struct RotateCommand {
  std::string data_directory;
  bool rotates_statement_key = false;
  bool ends_overlap = false;
  bool is_json = false;
};

struct RecoverCommand {
  std::string data_directory;
  std::string origin;
  bool is_healthy_too = false;
  bool is_sure = false;
  bool is_json = false;
};

int fail(Terminal& terminal, const Error& error) {
  terminal.err << "avow: log: " << shown(error.message, 1024) << '\n';
  return error.code == Code::kInvalidArgument ? kUsage : kRefused;
}

// ------------------------------------------------------------------------------------ read a log

void print(Terminal& terminal, const LogAudit& audit) {
  const auto line = [&](std::string_view text) { terminal.out << "passed   " << text << '\n'; };
  line(fmt::format("the checkpoint of {} at {} entries is signed by a key that you trust",
                   shown(audit.checkpoint.origin), audit.checkpoint.size));
  line(fmt::format("{} entries can be read and hash to the tiles of level 0", audit.entries));
  line(fmt::format("{} tiles of all levels belong together", audit.tiles));
  line("the entries lead to the checkpoint's root");
  if (audit.are_keys_named) line("each entry is signed with a key that may sign there");
  if (audit.old_size) {
    line(fmt::format("the log continues the older checkpoint at {} entries", *audit.old_size));
  }
  std::string places;
  for (const std::uint64_t index : audit.new_keys) places += fmt::format(" {}", index);
  terminal.out << "statement keys change at entry" << places << '\n';
}

json::Value as_json(const LogAudit& audit) {
  json::Array new_keys;
  for (const std::uint64_t index : audit.new_keys) new_keys.emplace_back(index);
  json::Object out{{"consistent", true},
                   {"origin", audit.checkpoint.origin},
                   {"size", audit.checkpoint.size},
                   {"root", to_base64(view_of(audit.checkpoint.root))},
                   {"tiles", audit.tiles},
                   {"keys_are_named", audit.are_keys_named},
                   {"key_changes", std::move(new_keys)}};
  if (audit.old_size) out.set("old_size", *audit.old_size);
  return out;
}

/// The statement about keys in a receipt that is good. Nothing, which the user is told, if it is
/// not.
std::optional<provenance::Statement> keys_of_receipt(Terminal& terminal, const std::string& file,
                                                     const provenance::Trust& trust) {
  const auto text = read_input(terminal, file);
  if (!text) return {};
  const auto verified = provenance::verify(*text, trust, text->size());
  const auto receipt = provenance::decode_receipt(*text, text->size());
  if (receipt && (verified.verdict == provenance::Verdict::kValid ||
                  verified.verdict == provenance::Verdict::kIncomplete)) {
    if (auto keys = provenance::decode_statement(receipt->keys.statement)) return std::move(*keys);
  }
  terminal.err << fmt::format("avow: the receipt {} is not to be believed: {}\n", shown(file, 256),
                              provenance::verdict_name(verified.verdict));
  return {};
}

/// Nothing, which the user is told, if a file cannot be read.
std::optional<LogAuditInputs> inputs_of(Terminal& terminal, const AuditCommand& command) {
  auto trust = read_trust(terminal, command.trust);
  if (!trust) return {};
  LogAuditInputs inputs{.trust = std::move(*trust)};
  if (!command.old_file.empty()) {
    auto text = read_input(terminal, command.old_file);
    if (!text) return {};
    inputs.old_checkpoint = std::move(*text);
  }
  if (!command.receipt_file.empty()) {
    inputs.keys = keys_of_receipt(terminal, command.receipt_file, inputs.trust);
    if (!inputs.keys) return {};
  }
  return inputs;
}

int audit(Terminal& terminal, const AuditCommand& command) {
  const auto inputs = inputs_of(terminal, command);
  if (!inputs) return kUsage;
  const auto source = open_log_source(command.source, command.ca_file);
  const auto done = audit_log(source->reader(), *inputs);
  if (done) {
    if (command.is_json) {
      terminal.out << json::write(as_json(*done)) << '\n';
    } else {
      print(terminal, *done);
    }
    return kOk;
  }
  // Inconsistent is an answer, anything else is none.
  if (done.error().code != Code::kCorruption) {
    terminal.err << "avow: log audit: " << shown(done.error().message, 1024) << '\n';
    return kUsage;
  }
  if (command.is_json) {
    terminal.out << json::write(
                        json::Object{{"consistent", false}, {"detail", done.error().message}})
                 << '\n';
  } else {
    terminal.out << "FAILED   " << shown(done.error().message, 1024) << '\n';
  }
  return kRefused;
}

Result<std::unique_ptr<LogSource>> open_place(const Place& place) {
  if (!place.data_directory.empty()) return open_stored_log(place.data_directory);
  const std::string url = without_trailing_slash(place.connection.url) + "/log";
  return open_log_source(url, place.connection.ca_file);
}

int export_files(Terminal& terminal, const ExportCommand& command) {
  const auto source = open_place(command.place);
  if (!source) return fail(terminal, source.error());
  const auto done = export_log((*source)->reader(), command.folder);
  if (!done) return fail(terminal, done.error());
  if (command.place.connection.is_json) {
    terminal.out << json::write(json::Object{{"origin", done->checkpoint.origin},
                                             {"size", done->checkpoint.size},
                                             {"written", done->written},
                                             {"kept", done->kept}})
                 << '\n';
  } else {
    terminal.out << fmt::format("{}: {} with {} entries; {} files written, {} kept\n",
                                command.folder, shown(done->checkpoint.origin),
                                done->checkpoint.size, done->written, done->kept);
  }
  return kOk;
}

int checkpoint(Terminal& terminal, const CheckpointCommand& command) {
  Session session(terminal, command.connection);
  const auto answer = session.fetch("GET", "/log/checkpoint");
  if (!answer) return session.exit_code();
  if (session.is_json()) {
    terminal.out << json::write(json::Object{{"checkpoint", answer->body}}) << '\n';
  } else {
    terminal.out << answer->body;
  }
  return kOk;
}

/// The log's public keys, and since when there is a log.
struct PublicKeys {
  std::vector<merkle::VerifierKey> keys;
  Time since;
};

Result<provenance::Statement> statement_at(store::Store& store, std::uint32_t log,
                                           std::uint64_t index) {
  ASSIGN_OR_RETURN(const auto entries, store.read_log(log, index, 1));
  if (entries.empty()) return failure(Code::kCorruption, "entry {} is missing", index);
  return provenance::decode_statement(entries[0].statement);
}

Result<PublicKeys> stored_keys(store::Store& store) {
  ASSIGN_OR_RETURN(const store::LogHead head, store.newest_log_head());
  ASSIGN_OR_RETURN(const auto genesis, statement_at(store, head.log, 0));
  ASSIGN_OR_RETURN(auto newest, statement_at(store, head.log, head.keys_index));
  return PublicKeys{std::move(newest.log_keys), genesis.created_at};
}

Result<PublicKeys> keys_in(const std::string& data_directory) {
  ASSIGN_OR_RETURN(const auto store, store::SqliteStore::open({.directory = data_directory}));
  auto keys = stored_keys(*store);
  store->stop();
  return keys;
}

/// What a server says of its keys. Nothing, which the user is told, if that cannot be read.
std::optional<PublicKeys> keys_of(Session& session) {
  const auto answer = session.call("GET", "/log/keys");
  if (!answer) return {};
  PublicKeys out{{}, Time{}};
  for (const char* name : {"log_keys", "earlier_log_keys"}) {
    const json::Value* list = answer->body.find(name);
    if (list == nullptr || !list->is_array()) continue;
    for (const json::Value& text : list->as_array()) {
      auto key = merkle::VerifierKey::parse(text.is_string() ? text.as_string() : "");
      // An older log, from before a recovery, has another name; a root is about one log.
      if (key && key->name == answer->body.string_or("origin")) out.keys.push_back(std::move(*key));
    }
  }
  if (!out.keys.empty()) return out;
  session.fail(kRefused, "the server names no key of its log");
  return {};
}

int trusted_root(Terminal& terminal, const TrustedRootCommand& command) {
  std::optional<PublicKeys> keys;
  if (command.place.data_directory.empty()) {
    Session session(terminal, command.place.connection);
    keys = keys_of(session);
    if (!keys) return session.exit_code();
  } else {
    auto stored = keys_in(command.place.data_directory);
    if (!stored) return fail(terminal, stored.error());
    keys = std::move(*stored);
  }
  terminal.out << provenance::trusted_root(keys->keys, keys->since) << '\n';
  return kOk;
}

// -------------------------------------------------------------------------------- change its keys

void print_keys(Terminal& terminal, const tlog::LogKeys& keys, bool is_json) {
  json::Array texts;
  for (const merkle::VerifierKey& key : keys.log_keys()) texts.emplace_back(key.text());
  if (is_json) {
    terminal.out << json::write(json::Object{{"origin", keys.origin}, {"log_keys", texts}}) << '\n';
    return;
  }
  for (const json::Value& text : texts) terminal.out << "log key  " << text.as_string() << '\n';
}

Result<tlog::LogKeys> rotate(store::Store& store, const RotateCommand& command) {
  SystemClock clock;
  SystemRng rng;
  const Secret passphrase = tlog::keys_passphrase();
  ASSIGN_OR_RETURN(tlog::LogKeys keys,
                   server::open_keys(store, command.data_directory, passphrase));
  const std::string folder = server::keys_folder(command.data_directory);
  if (command.ends_overlap) {
    RETURN_IF_ERROR(tlog::end_overlap(folder));
    keys.old_log.reset();
    return keys;
  }
  ASSIGN_OR_RETURN(const auto watermark,
                   tlog::Watermark::open(server::watermark_path(command.data_directory)));
  if (!watermark->value()) {
    return failure(Code::kConflict,
                   "log.watermark is missing: nobody knows how far the log was seen; see `avow log "
                   "recover`");
  }
  const tlog::Rotation what{.log_key = !command.rotates_statement_key,
                            .statement_key = command.rotates_statement_key,
                            .last_seen = watermark->value()};
  return tlog::rotate_keys(store, folder, std::move(keys), passphrase, what, "operator", clock,
                           rng);
}

int rotate_key(Terminal& terminal, const RotateCommand& command) {
  const auto store = store::SqliteStore::open({.directory = command.data_directory});
  if (!store) return fail(terminal, store.error());
  const auto keys = rotate(**store, command);
  (*store)->stop();
  if (!keys) return fail(terminal, keys.error());
  print_keys(terminal, *keys, command.is_json);
  if (!command.is_json && keys->old_log) {
    terminal.out << "\nCheckpoints carry both signatures now. Give the first key to those who "
                    "verify, then end that:\n"
                 << "  avow log rotate-key --data-dir " << command.data_directory
                 << " --end-overlap\n";
  }
  return kOk;
}

Result<tlog::LogKeys> recover(Terminal& terminal, store::Store& store,
                              const RecoverCommand& command) {
  SystemClock clock;
  SystemRng rng;
  const std::string path = server::watermark_path(command.data_directory);
  auto watermark = tlog::Watermark::open(path);
  const bool is_damaged = !watermark && watermark.error().code == Code::kCorruption;
  if (!watermark && !is_damaged) return watermark.error();
  tlog::Recovery what{.origin = command.origin, .is_healthy_too = command.is_healthy_too};
  if (is_damaged) {
    terminal.err << fmt::format(
        "avow: log: {}: nobody knows how far the log was seen, so the stored head is stated. The "
        "file is kept as {}.damaged\n",
        shown(watermark.error().message, 1024), server::kWatermarkFile);
    what.is_healthy_too = true;  // a server refuses it
  } else {
    what.last_seen = (*watermark)->value();
  }
  ASSIGN_OR_RETURN(tlog::LogKeys keys,
                   tlog::recover_log(store, server::keys_folder(command.data_directory), what,
                                     tlog::keys_passphrase(), clock, rng));
  if (is_damaged) {
    RETURN_IF_ERROR(tlog::rename_file(path, path + ".damaged"));
    watermark = tlog::Watermark::open(path);
    if (!watermark) return watermark.error();
  }
  RETURN_IF_ERROR((*watermark)->reset({command.origin, 0, merkle::empty_root()}));
  return keys;
}

int recover_log(Terminal& terminal, const RecoverCommand& command) {
  if (!server::is_host_name(command.origin)) {
    return fail(terminal,
                failure(Code::kInvalidArgument, "the origin must be a bare lower-case host name"));
  }
  if (!command.is_sure) {
    terminal.err << "This ends the log for ever and begins another one, named " << command.origin
                 << ", with new keys\nthat everybody who verifies must get. Its first entry names "
                    "the head that was lost.\nTo do it, give --yes.\n";
    return kUsage;
  }
  const auto store = store::SqliteStore::open({.directory = command.data_directory});
  if (!store) return fail(terminal, store.error());
  const auto keys = recover(terminal, **store, command);
  (*store)->stop();
  if (!keys) return fail(terminal, keys.error());
  print_keys(terminal, *keys, command.is_json);
  return kOk;
}

// --------------------------------------------------------------------------------- the command
// line

void add_data_directory(CLI::App& command, std::string& directory) {
  command.add_option("--data-dir", directory, "The data directory; its server must not run")
      ->required();
}

void add_place(CLI::App& command, Place& place) {
  command.add_option("--data-dir", place.data_directory,
                     "A data directory instead of a server; its server must not run");
  add_connection(command, place.connection);
}

void add_readers(CLI::App& group, Selection& selection) {
  auto audited = std::make_shared<AuditCommand>();
  auto* command = group.add_subcommand("audit", "Re-read a whole log and check it");
  command
      ->add_option("URL|DIR", audited->source,
                   "The log's base URL (of an Avow server: its own, or .../log), or an exported "
                   "folder")
      ->required();
  add_trust(*command, audited->trust, "--key");
  command->add_option("--old", audited->old_file,
                      "A checkpoint that was kept from before: the log must continue it");
  command->add_option("--receipt", audited->receipt_file,
                      "A receipt made since the last rotation: says which keys may sign entries");
  command->add_option("--ca-file", audited->ca_file, "Certificate authority of a server with TLS")
      ->envname("AVOW_CA_FILE");
  command->add_flag("--json", audited->is_json, "Print one JSON object and nothing else");
  command->footer(
      "Checks entries against tiles, tiles against each other, and all against the checkpoint. "
      "Entries\nhold digests and signatures of statements, which are not public; `avow audit "
      "tenant` reads those.\n\n"
      "Exit codes: 0 consistent; 1 not, with the first place; 2 it could not be read.\n\n"
      "Examples:\n"
      "  avow log audit https://avow.acme.example --key \"$LOG_KEY\"\n"
      "  avow log audit ./log-copy --policy auditors.policy --old last-month.checkpoint\n"
      "  avow log audit ./log-copy --key \"$LOG_KEY\" --receipt receipt.json");
  on_selected(*command, selection, audited, audit);

  auto exported = std::make_shared<ExportCommand>();
  command = group.add_subcommand("export", "Copy the log into static files");
  command->add_option("DIR", exported->folder, "Where to; made if it is missing")->required();
  add_place(*command, exported->place);
  command->footer(
      "Any web server can serve the folder (C2SP tlog-tiles). Called again, it copies what is "
      "new.\n\n"
      "Examples:\n"
      "  avow log export ./log-copy --url https://avow.acme.example\n"
      "  avow log export ./log-copy --data-dir data");
  on_selected(*command, selection, exported, export_files);

  auto fetched = std::make_shared<CheckpointCommand>();
  command = group.add_subcommand("checkpoint", "Print the log's newest signed checkpoint");
  add_connection(*command, fetched->connection);
  command->footer(
      "Keep one outside: with `avow log audit --old` it shows whether the log was changed "
      "since.\n\n"
      "Example:\n  avow log checkpoint > $(date +%F).checkpoint");
  on_selected(*command, selection, fetched, checkpoint);

  auto rooted = std::make_shared<TrustedRootCommand>();
  command = group.add_subcommand("trusted-root", "Print a Sigstore trusted root for this log");
  add_place(*command, rooted->place);
  command->footer(
      "For `cosign verify-blob --trusted-root` and Sigstore's libraries (docs/interop.md). Taken "
      "from a\nserver, it is as trustworthy as that server: compare the keys with those you "
      "have.\n\n"
      "Example:\n  avow log trusted-root --data-dir data > trusted_root.json");
  on_selected(*command, selection, rooted, trusted_root);
}

}  // namespace

void add_log(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("log", "Check and copy the transparency log, change its keys");
  group->require_subcommand(1);
  add_readers(*group, selection);

  auto rotated = std::make_shared<RotateCommand>();
  auto* command = group->add_subcommand("rotate-key", "Give the log new keys; receipts stay valid");
  add_data_directory(*command, rotated->data_directory);
  auto* statement = command->add_flag("--statement-key", rotated->rotates_statement_key,
                                      "The key that signs statements, not the log's own");
  command
      ->add_flag("--end-overlap", rotated->ends_overlap,
                 "Sign no more with the log key before; after those who verify have the new one")
      ->excludes(statement);
  command->add_flag("--json", rotated->is_json, "Print one JSON object and nothing else");
  command->footer(
      "While the server does not run. Reads and writes keys/ with the passphrase in "
      "AVOW_KEYS_PASSPHRASE.\n\n"
      "Examples:\n"
      "  avow log rotate-key --data-dir data\n"
      "  avow log rotate-key --data-dir data --end-overlap\n"
      "  avow log rotate-key --data-dir data --statement-key");
  on_selected(*command, selection, rotated, rotate_key);

  auto recovered = std::make_shared<RecoverCommand>();
  command = group->add_subcommand("recover", "Begin a new log after the old one lost entries");
  add_data_directory(*command, recovered->data_directory);
  command->add_option("--origin", recovered->origin, "The new log's name, another host name")
      ->required();
  command->add_flag("--even-if-healthy", recovered->is_healthy_too,
                    "Also if the log could go on: a witness has seen more, or its key was stolen");
  command->add_flag("--yes", recovered->is_sure, "Do it");
  command->add_flag("--json", recovered->is_json, "Print one JSON object and nothing else");
  command->footer(
      "For a server that says that its log cannot be believed, as after an old backup was put "
      "back.\nExport the old log first, if it can be: a server gives out the newest alone.\n"
      "Receipts of the old log stay valid under its own keys, which are kept in keys/.\n"
      "The keys that are there are read with the passphrase in AVOW_KEYS_PASSPHRASE; new ones\n"
      "are encrypted with it.\n\n"
      "Example:\n  avow log recover --data-dir data --origin log2.acme.example --yes");
  on_selected(*command, selection, recovered, recover_log);
}

}  // namespace avow::cli
