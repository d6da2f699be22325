// SPDX-License-Identifier: Apache-2.0
// Proofs as operators and auditors get them: the program, its files and its exit codes, from init
// to a log that lost entries and the one that took its place.
#include <gmock/gmock.h>

#include "base/bytes.h"
#include "merkle/verifier_key.h"
#include "tests/cli/program.h"

namespace avow {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kWorkflow = R"({"name": "score", "steps": [
  {"name": "rate", "type": "transform",
   "config": {"output": {"score": 0.75, "text": "because ${{ input.who }}"}}},
  {"name": "report", "type": "transform", "depends_on": ["rate"],
   "config": {"output": "${{ steps.rate.result.score }}"}}]})";

struct Ended {
  int code = -1;
  std::string out;
  std::string err;
  [[nodiscard]] json::Value json() const {
    auto value = json::parse(out);
    EXPECT_TRUE(value) << out << err;
    return value ? std::move(*value) : json::Value();
  }
};

class Proofs : public Program {
 protected:
  Proofs() : log_key_(keys_.string_or("log_key")) {}

  /// A command of its own process, with the server's address and key in the environment.
  Ended avow(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), AVOW_PROGRAM);
    Process process(arguments, file("command-errors"));
    Ended ended;
    ended.out = process.rest();
    ended.code = process.wait();
    ended.err = read("command-errors");
    return ended;
  }
  Ended verify(const std::string& name, std::vector<std::string> more) {
    more.insert(more.begin(), {"verify", file(name)});
    return avow(more);
  }

  void start() {
    server_ = std::make_unique<Process>(serve(), errors());
    const std::string line = server_->line();
    ASSERT_THAT(line, StartsWith("listening on ")) << error_text();
    url_ = line.substr(13);
    ::setenv("AVOW_URL", url_.c_str(), 1);
    ::setenv("AVOW_API_KEY", keys_.string_or("api_key").c_str(), 1);
  }
  void stop() {
    server_->signal(SIGTERM);
    EXPECT_EQ(server_->wait(), 0) << error_text();
    server_.reset();
  }

  void publish() {
    write("workflow.json", kWorkflow);
    ASSERT_EQ(avow({"workflow", "create", file("workflow.json")}).code, 0);
    ASSERT_EQ(avow({"workflow", "publish", "score"}).code, 0);
  }
  /// Executes the workflow to its end; the run's id.
  std::string execute() {
    write("input.json", R"({"who": "Ada"})");
    const Ended ended =
        avow({"execute", "score", "--input", file("input.json"), "--follow", "--json"});
    EXPECT_EQ(ended.code, 0) << ended.err;
    return ended.json().string_or("orchestration_id");
  }
  void fetch(const std::string& run, const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"receipt", run, "--out", file(name)});
    const Ended ended = avow(more);
    EXPECT_EQ(ended.code, 0) << ended.err;
  }

  [[nodiscard]] std::string file(const std::string& name) const { return (root_ / name).string(); }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream stream(root_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::string log_key_;
  std::string url_;
  std::unique_ptr<Process> server_;
};

TEST_F(Proofs, AReceiptIsValidWithTheLogsKeyAndWithNoOther) {
  start();
  publish();
  const std::string run = execute();
  fetch(run, "receipt.json");
  fetch(run, "bundle.json", {"--bundle"});
  for (const char* format : {"tlog-proof", "sigstore", "cose"}) {
    fetch(run, format, {"--format", format});
  }
  EXPECT_THAT(read("tlog-proof"), StartsWith("c2sp.org/tlog-proof@v1\n"));
  EXPECT_THAT(read("sigstore"), HasSubstr("application/vnd.dev.sigstore.bundle.v0.3+json"));
  EXPECT_EQ(read("cose").substr(0, 1), "\xd2");  // CBOR tag 18: COSE_Sign1
  EXPECT_EQ(avow({"receipt", run, "--step", "none"}).code, 1);
  fetch(run, "step.json", {"--step", "rate", "--reveal", "output.score"});
  stop();  // what follows asks nobody

  for (const char* name : {"receipt.json", "bundle.json", "step.json"}) {
    const Ended valid = verify(name, {"--key", log_key_});
    EXPECT_EQ(valid.code, 0) << name << '\n' << valid.out << valid.err;
    EXPECT_THAT(valid.out, EndsWith("\nVALID\n"));
    EXPECT_EQ(avow({"verify", "--key", log_key_, file(name)}).code, 0);  // in any order
    const Ended alone = verify(name, {});
    EXPECT_EQ(alone.code, 1);
    EXPECT_THAT(alone.out, EndsWith("\nKEY_UNTRUSTED\n"));
    EXPECT_THAT(alone.err, HasSubstr("--key"));
  }
  write("policy", "log " + log_key_ + "\nquorum none\n");
  EXPECT_EQ(verify("receipt.json", {"--policy", file("policy")}).code, 0);
  const json::Value shown = verify("bundle.json", {"--key", log_key_, "--json"}).json();
  EXPECT_TRUE(shown.bool_or("valid", false));
  EXPECT_EQ(shown.string_or("verdict"), "VALID");
  EXPECT_EQ(shown.find("checks")->as_array().size(), 11U);
  EXPECT_EQ(shown.find("statement")->string_or("type"), "run.finished");
  EXPECT_EQ(shown.find("statement")->string_or("id"), run);

  EXPECT_EQ(verify("step.json", {"--key", log_key_, "--payload", "0.75"}).code, 0);
  const Ended other = verify("step.json", {"--key", log_key_, "--payload", "0.76"});
  EXPECT_EQ(other.code, 1);
  EXPECT_THAT(other.out, EndsWith("\nCONTENT_MISMATCH\n"));
  EXPECT_THAT(read("step.json"), Not(HasSubstr("because Ada")));  // only the score was opened
}

TEST_F(Proofs, VerifySaysWhatIsWrongAndWhereItCouldNotRun) {
  start();
  publish();
  fetch(execute(), "receipt.json");
  stop();
  std::string changed = read("receipt.json");
  const std::size_t at = changed.find("\\\"status\\\":\\\"completed\\\"");
  ASSERT_NE(at, std::string::npos);
  changed.replace(at, 24, "\\\"status\\\":\\\"cancelled\\\"");
  write("changed.json", changed);
  const Ended tampered = verify("changed.json", {"--key", log_key_});
  EXPECT_EQ(tampered.code, 1);
  EXPECT_THAT(tampered.out, EndsWith("\nSTATEMENT_MISMATCH\n"));
  EXPECT_THAT(tampered.out, HasSubstr("FAILED   STATEMENT_MISMATCH: "));

  write("garbage.json", "no receipt");
  const Ended malformed = verify("garbage.json", {"--key", log_key_});
  EXPECT_EQ(malformed.code, 1);
  EXPECT_THAT(malformed.out, EndsWith("MALFORMED\n"));

  EXPECT_EQ(verify("none.json", {"--key", log_key_}).code, 2);
  EXPECT_EQ(verify("receipt.json", {"--key", "avow.local+00000000+AAAA"}).code, 2);
  EXPECT_EQ(verify("receipt.json", {"--policy", file("none")}).code, 2);
  EXPECT_EQ(verify("receipt.json", {"--key", log_key_, "--payload", "{"}).code, 2);
}

TEST_F(Proofs, TheLogIsAuditedOverHttpAndAsAFolderAndHeldToAnOlderCheckpoint) {
  start();
  publish();
  execute();
  write("old", avow({"log", "checkpoint"}).out);
  execute();
  const Ended over_http = avow({"log", "audit", url_, "--key", log_key_, "--old", file("old")});
  EXPECT_EQ(over_http.code, 0) << over_http.out << over_http.err;
  EXPECT_THAT(over_http.out, HasSubstr("the log continues the older checkpoint"));
  const Ended copied = avow({"log", "export", file("copy"), "--json"});
  EXPECT_EQ(copied.code, 0) << copied.err;
  stop();
  const Ended stored = avow({"log", "export", file("stored"), "--data-dir", data(), "--json"});
  EXPECT_EQ(stored.code, 0) << stored.err;
  for (const auto& [folder, exported] : {std::pair("copy", copied), std::pair("stored", stored)}) {
    const Ended audit = avow({"log", "audit", file(folder), "--key", log_key_, "--json"});
    EXPECT_EQ(audit.code, 0) << audit.out << audit.err;
    EXPECT_EQ(audit.json().int_or("size", 0), exported.json().int_or("size", -1));
  }
  std::string tile;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "copy" / "tile" / "0")) {
    if (entry.is_regular_file()) tile = fs::relative(entry.path(), root_).string();
  }
  std::string bytes = read(tile);
  bytes[40] ^= 1;
  write(tile, bytes);
  const Ended changed = avow({"log", "audit", file("copy"), "--key", log_key_});
  EXPECT_EQ(changed.code, 1);
  EXPECT_THAT(changed.out, HasSubstr("hash 1 is not that of entry 1"));
  const std::string root = avow({"log", "trusted-root", "--data-dir", data()}).out;
  const std::string key = merkle::VerifierKey::parse(log_key_).value().key;
  // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410): these twelve bytes and the key.
  EXPECT_THAT(root, HasSubstr(to_base64(*from_hex("302a300506032b6570032100") + key)));
  EXPECT_EQ(avow({"log", "audit", file("copy")}).code, 1);  // nobody is believed
  EXPECT_EQ(avow({"log", "audit", file("none"), "--key", log_key_}).code, 2);
}

TEST_F(Proofs, AnAuditOfATenantFindsAllOfItsRunsProved) {
  start();
  publish();
  for (int i = 0; i < 3; ++i) execute();
  const Ended audit = avow({"audit", "tenant", "--log-key", log_key_, "--json"});
  EXPECT_EQ(audit.code, 0) << audit.out << audit.err;
  EXPECT_TRUE(audit.json().bool_or("complete", false));
  EXPECT_EQ(audit.json().find("runs")->as_array().size(), 3U);
  const Ended unbelieved = avow({"audit", "tenant"});
  EXPECT_EQ(unbelieved.code, 1);
  EXPECT_THAT(unbelieved.out, HasSubstr("KEY_UNTRUSTED"));
  const Ended told = avow({"audit", "tenant", "--log-key", log_key_});
  EXPECT_THAT(told.out, HasSubstr("The log cannot show what never reached it"));
  stop();
}

TEST_F(Proofs, OldReceiptsStayValidUnderTheOldKeyWhenTheKeysAreRotated) {
  start();
  publish();
  fetch(execute(), "before.json");
  stop();
  const Ended rotated = avow({"log", "rotate-key", "--data-dir", data(), "--json"});
  ASSERT_EQ(rotated.code, 0) << rotated.err;
  const auto keys = rotated.json().find("log_keys")->as_array();
  ASSERT_EQ(keys.size(), 2U);
  const std::string new_key = keys[0].as_string();
  EXPECT_EQ(keys[1].as_string(), log_key_);
  EXPECT_EQ(avow({"log", "rotate-key", "--data-dir", data()}).code, 1);  // an overlap is under way
  start();
  fetch(execute(), "between.json");
  stop();
  ASSERT_EQ(avow({"log", "rotate-key", "--data-dir", data(), "--end-overlap"}).code, 0);
  ASSERT_EQ(avow({"log", "rotate-key", "--data-dir", data(), "--statement-key"}).code, 0);
  start();
  fetch(execute(), "after.json");
  const Ended audit = avow({"log", "audit", url_, "--key", new_key, "--json"});
  EXPECT_EQ(audit.code, 0) << audit.out << audit.err;
  EXPECT_EQ(audit.json().find("key_changes")->as_array().size(), 2U);
  EXPECT_EQ(avow({"log", "audit", url_, "--key", new_key, "--receipt", file("after.json")}).code,
            0);
  stop();

  const auto verdict = [&](const char* name, const std::string& key) {
    return verify(name, {"--key", key, "--json"}).json().string_or("verdict");
  };
  EXPECT_EQ(verdict("before.json", log_key_), "VALID");
  EXPECT_EQ(verdict("between.json", log_key_), "VALID");
  EXPECT_EQ(verdict("between.json", new_key), "VALID");
  EXPECT_EQ(verdict("after.json", new_key), "VALID");
  EXPECT_EQ(verdict("after.json", log_key_), "KEY_UNTRUSTED");
  EXPECT_EQ(verdict("before.json", new_key), "KEY_UNTRUSTED");
}

TEST_F(Proofs, AStoreThatIsAnOldCopyIsReadOnlyUntilAnotherLogBegins) {
  start();
  publish();
  const std::string run = execute();
  fetch(run, "old-log.json");
  stop();
  fs::copy(root_ / "data" / "avow.db", root_ / "backup.db");
  start();
  execute();
  EXPECT_EQ(avow({"log", "checkpoint"}).code, 0);  // it has been seen
  stop();
  fs::copy(root_ / "backup.db", root_ / "data" / "avow.db", fs::copy_options::overwrite_existing);
  fs::remove(root_ / "data" / "avow.db-wal");
  fs::remove(root_ / "data" / "avow.db-shm");

  start();
  const Ended refused = avow({"execute", "score", "--json"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.json().string_or("code"), "UNAVAILABLE");
  EXPECT_EQ(avow({"run", "show", run}).code, 0);
  // Nothing of a log leaves that may not be the one that was seen.
  const Ended receipt = avow({"receipt", run, "--out", file("sealed.json")});
  EXPECT_EQ(receipt.code, 1);
  EXPECT_THAT(receipt.err, HasSubstr("avow log recover"));
  const Ended checkpoint = avow({"log", "checkpoint"});
  EXPECT_EQ(checkpoint.code, 1);
  EXPECT_THAT(checkpoint.err, HasSubstr("avow log recover"));
  stop();
  EXPECT_THAT(error_text(), HasSubstr("the log cannot be believed"));

  const std::vector<std::string> recover = {"log", "recover", "--data-dir", data(), "--origin"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), recover.begin(), recover.end());
    return avow(more);
  };
  EXPECT_EQ(with({"two.avow.local"}).code, 2);  // not without --yes
  EXPECT_EQ(with({"avow.local", "--yes"}).code, 2);
  const Ended recovered = with({"two.avow.local", "--yes", "--json"});
  ASSERT_EQ(recovered.code, 0) << recovered.err;
  const std::string new_key = recovered.json().find("log_keys")->as_array().at(0).as_string();
  EXPECT_THAT(new_key, StartsWith("two.avow.local+"));
  start();
  fetch(execute(), "new-log.json");
  fetch(run, "again.json");
  stop();
  EXPECT_EQ(verify("new-log.json", {"--key", new_key}).code, 0);
  EXPECT_EQ(verify("old-log.json", {"--key", log_key_}).code, 0);
  EXPECT_EQ(verify("again.json", {"--key", log_key_}).code, 0);
}

TEST_F(Proofs, KeysAreReadWithTheirPassphraseAndNotWithout) {
  const std::string folder = (root_ / "secret").string();
  ::setenv("AVOW_KEYS_PASSPHRASE", "correct horse", 1);
  EXPECT_EQ(avow({"init", "--data-dir", folder}).code, 0);
  EXPECT_THAT(read("secret/keys/log.ed25519.pem"), HasSubstr("ENCRYPTED PRIVATE KEY"));
  {
    Process server({AVOW_PROGRAM, "serve", "--data-dir", folder, "--listen", "127.0.0.1:0"},
                   errors());
    EXPECT_THAT(server.line(), StartsWith("listening on ")) << error_text();
    server.signal(SIGTERM);
    EXPECT_EQ(server.wait(), 0);
  }
  ::setenv("AVOW_KEYS_PASSPHRASE", "wrong", 1);
  Process server({AVOW_PROGRAM, "serve", "--data-dir", folder, "--listen", "127.0.0.1:0"},
                 errors());
  EXPECT_EQ(server.rest(), "");
  EXPECT_NE(server.wait(), 0);
  EXPECT_THAT(error_text(), HasSubstr("passphrase"));
  const std::string key = read("secret/keys/log.ed25519.pem");
  const auto recover = [&] {
    return avow({"log", "recover", "--data-dir", folder, "--origin", "two.avow.local",
                 "--even-if-healthy", "--yes"});
  };
  EXPECT_EQ(recover().code, 2);
  ::unsetenv("AVOW_KEYS_PASSPHRASE");
  EXPECT_EQ(recover().code, 2);
  EXPECT_EQ(read("secret/keys/log.ed25519.pem"), key);
  ::setenv("AVOW_KEYS_PASSPHRASE", "correct horse", 1);
  EXPECT_EQ(recover().code, 0);
  EXPECT_THAT(read("secret/keys/log.ed25519.pem"), HasSubstr("ENCRYPTED PRIVATE KEY"));
  EXPECT_EQ(read("secret/keys/log-1/log.ed25519.pem"), key);
  // Keys in clear are taken, with a word about it.
  start();
  stop();
  EXPECT_THAT(error_text(), HasSubstr("in clear, although AVOW_KEYS_PASSPHRASE is set"));
  ::unsetenv("AVOW_KEYS_PASSPHRASE");
}

TEST_F(Proofs, ALogIsEndedOnlyIfAServerRefusesItOrItIsMeant) {
  start();
  publish();
  execute();
  EXPECT_EQ(avow({"log", "checkpoint"}).code, 0);
  stop();
  const auto recover = [&](std::vector<std::string> more) {
    const std::vector<std::string> command = {"log",  "recover", "--data-dir",
                                              data(), "--yes",   "--origin"};
    more.insert(more.begin(), command.begin(), command.end());
    return avow(more);
  };
  const Ended healthy = recover({"two.avow.local"});
  EXPECT_EQ(healthy.code, 1);
  EXPECT_THAT(healthy.err, HasSubstr("--even-if-healthy"));
  write("data/log.watermark", "no checkpoint");
  start();
  const Ended refused = avow({"log", "checkpoint"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("avow log recover"));
  stop();
  const Ended recovered = recover({"two.avow.local"});
  EXPECT_EQ(recovered.code, 0) << recovered.err;
  EXPECT_THAT(recovered.err, HasSubstr("holds no checkpoint"));
  EXPECT_EQ(read("data/log.watermark.damaged"), "no checkpoint");
  start();
  execute();
  EXPECT_EQ(avow({"log", "checkpoint"}).code, 0);
  stop();
  EXPECT_EQ(recover({"three.avow.local"}).code, 1);
  EXPECT_EQ(recover({"three.avow.local", "--even-if-healthy"}).code, 0);
}

}  // namespace
}  // namespace avow
