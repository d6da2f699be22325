// SPDX-License-Identifier: Apache-2.0
#include "server/settings_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "json/write.h"
#include "net/thread_pool.h"
#include "provenance/content.h"
#include "provenance/statement.h"
#include "store/memory/memory_store.h"
#include "tlog/sequencer.h"

namespace avow::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kVariable = "AVOW_TEST_SECRET";

/// A store with a log, and the starts of a server over it.
class Settings : public ::testing::Test {
 protected:
  Settings() {
    ::setenv(kVariable, "correct horse", 1);
    auto opened =
        tlog::Sequencer::open(store_,
                              {.origin = "log.example.com",
                               .log = crypto::Ed25519PrivateKey::from_seed(rng_.bytes32()),
                               .old_log = {},
                               .statements = crypto::P256PrivateKey::generate()},
                              clock_, rng_);
    CHECK(opened);
    sequencer_ = std::move(*opened);
    store_.set_hook(*sequencer_);
  }
  ~Settings() override {
    store_.stop();
    pool_.stop();
    ::unsetenv(kVariable);
  }

  /// What a start with these settings adds to the log: "subject change", in order.
  std::vector<std::string> start(const std::string& yaml) {
    const auto config = parse_config(yaml, ".");
    EXPECT_TRUE(config) << config.error().message;
    const auto secrets =
        connectors::SecretStore::load(connectors::complete_config(config->connectors).value());
    EXPECT_TRUE(secrets) << secrets.error().message;
    const auto done = record_settings(store_, *config, *secrets, clock_, rng_);
    EXPECT_TRUE(done) << done.error().message;
    std::vector<std::string> out;
    for (const store::LogEntry& entry : *store_.read_log(1, read_, 100)) {
      ++read_;
      contents_ += entry.statement + entry.contents;
      const auto statement = provenance::decode_statement(entry.statement).value();
      if (statement.subject.empty()) continue;  // the genesis
      EXPECT_TRUE(statement.actor.empty());
      EXPECT_EQ(statement.record.has_value(), statement.change != "removed");
      if (statement.record) {
        const auto contents = provenance::decode_contents(entry.contents).value();
        EXPECT_EQ(provenance::commitment(contents.at(0).value, contents[0].salt), statement.record);
        contents_ += json::write(contents[0].value);
      }
      out.push_back(statement.subject + " " + statement.change);
    }
    return out;
  }

  SystemClock clock_;
  SystemRng rng_;
  net::ThreadPool pool_{"store", 1, clock_};
  const std::unique_ptr<Executor> strand_ = pool_.make_strand();
  store::MemoryStore store_{*strand_, {}};
  std::unique_ptr<tlog::Sequencer> sequencer_;
  std::uint64_t read_ = 0;
  std::string contents_;  ///< All that was witnessed.
};

const std::string kSecret = "secrets: {TOKEN: {env: AVOW_TEST_SECRET, hosts: [crm.example.com]}}\n";

TEST_F(Settings, AreWitnessedAtTheFirstStartAndThenWhenTheyChange) {
  EXPECT_THAT(start("{}"), ElementsAre("settings created"));
  EXPECT_THAT(start("{}"), ElementsAre());
  EXPECT_THAT(start("limits: {steps_in_flight: 7}"), ElementsAre("settings updated"));
  EXPECT_THAT(start("limits: {steps_in_flight: 7}"), ElementsAre());
  EXPECT_THAT(start("outbound: {allow: [10.0.0.0/8]}"), ElementsAre("settings updated"));
  EXPECT_THAT(start("models: {m: {provider: echo}}"), ElementsAre("settings updated"));
  EXPECT_THAT(start("{}"), ElementsAre("settings updated"));
  EXPECT_THAT(start("log_level: debug"), ElementsAre());  // it decides nothing
}

TEST_F(Settings, TellOfASecretThatIsNewChangedOrGone) {
  start("{}");
  EXPECT_THAT(start(kSecret), ElementsAre("secret created"));
  EXPECT_THAT(start(kSecret), ElementsAre());
  ::setenv(kVariable, "battery staple", 1);
  EXPECT_THAT(start(kSecret), ElementsAre("secret updated"));
  EXPECT_THAT(start("secrets: {TOKEN: {env: AVOW_TEST_SECRET, hosts: [a.example.com]}}"),
              ElementsAre("secret updated"));
  EXPECT_THAT(start("{}"), ElementsAre("secret removed"));
}

TEST_F(Settings, NeverHoldAValueThatMayBeSecret) {
  const std::string yaml = kSecret +
                           "outbound: {proxy: \"http://hidden-proxy:3128\"}\n"
                           "models: {m: {provider: openai, api_key: {env: AVOW_TEST_SECRET},"
                           " headers: {X-Account: hidden-account}, query: {q: hidden-query}}}\n";
  EXPECT_THAT(start(yaml), ElementsAre("settings created", "secret created", "secret created"));
  const auto record = store_.find_record(store::RecordKind::kSetting, "settings");
  ASSERT_TRUE(record);
  for (const std::string& text : {record->body, contents_}) {
    EXPECT_THAT(text, Not(HasSubstr("correct horse")));
    EXPECT_THAT(text, Not(HasSubstr("hidden-")));
  }
  // And yet another value of one of them shows.
  std::string other = yaml;
  other.replace(other.find("hidden-account"), 14, "another-account");
  EXPECT_THAT(start(other), ElementsAre("settings updated"));
}

TEST_F(Settings, OfOneTenantsSecretAreThatTenantsToSee) {
  const std::string tenant = "0192f0c1-7a3b-7c4d-8e5f-607182900000";
  start("secrets: {TOKEN: {env: AVOW_TEST_SECRET, hosts: [a.example.com], tenant: " + tenant +
        "}}");
  store::StatementQuery query;
  query.tenant = TenantId{*parse_id(tenant)};
  const auto listed = store_.list_statements(query);
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->size(), 1U);
}

}  // namespace
}  // namespace avow::server
