// SPDX-License-Identifier: Apache-2.0
// docs/formats/receipt.schema.json says the same as decode_receipt(): what one takes the other
// takes. Run from the root of the repository, as CTest does.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "json/pointer.h"
#include "json/schema.h"
#include "json/write.h"
#include "provenance/receipts_for_tests.h"

namespace avow::provenance {
namespace {

class ReceiptSchema : public ::testing::Test, protected SampleReceipts {
 protected:
  void SetUp() override {
    std::ifstream file("docs/formats/receipt.schema.json");
    ASSERT_TRUE(file.is_open()) << "run this from the root of the repository";
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto value = json::parse(text);
    ASSERT_TRUE(value) << value.error().message;
    auto schema = json::Schema::compile(*value);
    ASSERT_TRUE(schema) << schema.error().message;
    schema_ = *std::move(schema);
  }
  std::string fault(const json::Value& value) {
    const auto faults = schema_->validate(value);
    if (!faults) return faults.error().message;
    return faults->empty() ? "" : faults->front().pointer + ": " + faults->front().message;
  }

  std::optional<json::Schema> schema_;
};

TEST_F(ReceiptSchema, TakesEveryKindOfReceipt) {
  const Receipt erased = erased_bundle();
  for (const Receipt& receipt :
       {of_run(), of_step(), revealing(), bundle(), erased, log_.receipt(0)}) {
    const std::string text = encode(receipt);
    EXPECT_EQ(fault(*json::parse(text)), "") << text;
  }
}

TEST_F(ReceiptSchema, RefusesWhatTheReaderRefuses) {
  using Change = std::function<void(json::Value&)>;
  const auto set = [](const char* at, json::Value value) -> Change {
    return [at, value = std::move(value)](json::Value& v) {
      ASSERT_TRUE(json::replace(v, at, value)) << at;
    };
  };
  const auto without = [](const char* member) -> Change {
    return [member](json::Value& v) { v.mutable_object().erase(member); };
  };
  const std::vector<std::pair<Receipt, Change>> all = {
      {of_run(), without("v")},
      {of_run(), without("kind")},
      {of_run(), without("keys")},
      {of_run(), without("checkpoint")},
      {of_run(), set("/v", 2)},
      {of_run(), set("/v", "1")},
      {of_run(), set("/kind", "bundle")},
      {of_run(), set("/id", of_run().id.uuid())},
      {of_run(), set("/statement/index", -1)},
      {of_run(), set("/statement/index", json::Value::number(0.5))},
      {of_run(), set("/statement/path/0", "AAAA")},
      {of_run(), set("/statement/path/0", std::string(43, 'B') + "=")},  // bits left over
      {of_run(), set("/statement/entry", "")},
      {of_run(), [](json::Value& v) { v.set("contents", json::Array()); }},
      {of_run(), [](json::Value& v) { v.set("events", json::Array()); }},
      {of_run(), [](json::Value& v) { v.set("journal", json::Array()); }},
      {of_run(), [](json::Value& v) { v.set("more", 1); }},
      {of_step(), set("/events/0", "event")},
      {of_step(), set("/events/0/path", nullptr)},
      {bundle(), without("journal")},
      {bundle(), set("/journal/0", 1)},
      {bundle(), set("/kind", "receipt")},
      {bundle(), set("/contents/0/salt", "AAAA")},
      {bundle(), set("/contents/0/member", "")},
      {bundle(), set("/contents/0", json::Object{{"seq", 1}, {"member", "input"}})},
      {bundle(),
       set("/contents/0", json::Object{{"seq", 1}, {"member", "input"}, {"withheld", "perhaps"}})},
      {revealing(), set("/contents/0/disclosed/members/0/0", 1)},
      {revealing(), set("/contents/0/disclosed/members/0", json::Array{"a", "b"})},
      {revealing(), set("/contents/0/disclosed/mask", "")},
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    json::Value value = *json::parse(encode(all[i].first));
    all[i].second(value);
    EXPECT_NE(fault(value), "") << i;
    EXPECT_FALSE(decode_receipt(json::write(value))) << i;
  }
}

}  // namespace
}  // namespace avow::provenance
