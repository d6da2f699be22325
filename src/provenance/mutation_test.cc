// SPDX-License-Identifier: Apache-2.0
// Ten thousand ways to damage a valid receipt. The oracle does not ask the verifier: it reads the
// damaged file and lists what it claims. A file that is VALID may claim only what some file of the
// pool, honestly made, claims too; less is no lie.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "json/pointer.h"
#include "json/write.h"
#include "provenance/receipts_for_tests.h"

namespace avow::provenance {
namespace {

/// What a file says that is worth a lie; proofs, keys and "you may not see it" are not.
std::set<std::string> claims_of(const Receipt& receipt) {
  const std::string about = receipt.statement.statement;
  std::set<std::string> claims = {
      fmt::format("{} is {} at {}", receipt.id.ulid(), about, receipt.statement.index),
      receipt.checkpoint.substr(0, receipt.checkpoint.find("\n\n"))};
  if (receipt.is_bundle()) claims.insert("complete: " + about);
  std::map<std::uint32_t, std::string> events;
  const auto add = [&](const std::string& bytes) {
    const auto event = decode(bytes);
    if (event) events[event->seq] = bytes;
    claims.insert(fmt::format("{} of {}", bytes, about));
  };
  for (const ProvenEvent& proven : receipt.events) add(proven.event);
  if (receipt.journal) std::for_each(receipt.journal->begin(), receipt.journal->end(), add);
  for (const ContentAccount& account : receipt.contents) {
    const std::string place = fmt::format("{} of {}", account.ref.member, events[account.ref.seq]);
    if (const auto* opened = std::get_if<OpenedContent>(&account.shown)) {
      claims.insert(place + " is " + json::write_canonical(opened->value));
    } else if (const auto* disclosure = std::get_if<Disclosure>(&account.shown)) {
      for (const OpenedMember& member : disclosure->members) {
        claims.insert(
            fmt::format("{} has {} = {}", place, member.key, json::write_canonical(member.value)));
      }
    } else if (std::get<Withheld>(account.shown) == Withheld::kErased) {
      claims.insert(place + " is erased");
    }
  }
  return claims;
}

/// One to three edits of the text, each of one place: a character changed, put in, taken out, or a
/// piece of the text put elsewhere.
std::string damaged_text(std::string text, SeededRng& rng) {
  static constexpr std::string_view kCharacters =
      "0123456789abcdefABCDEF+/=\"\\,:{}[] \nruzet-.nul";
  const std::uint64_t edits = 1 + rng.below(3);
  for (std::uint64_t i = 0; i < edits && !text.empty(); ++i) {
    const std::size_t at = rng.below(text.size());
    const char character = kCharacters[rng.below(kCharacters.size())];
    switch (rng.below(6)) {
      case 0:
        text[at] = static_cast<char>(text[at] ^ (1 << rng.below(8)));
        break;
      case 1:
        text.insert(at, 1, character);
        break;
      case 2:
        text.erase(at, 1 + rng.below(4));
        break;
      case 3:
        text.insert(rng.below(text.size()), text.substr(at, rng.below(64)));
        break;
      case 4:
        text[at] = static_cast<char>(rng.below(256));
        break;
      default:
        text[at] = character;
    }
  }
  return text;
}

// ----------------------------------------------------------- damage to what the text stands for

void list_places(const json::Value& value, const std::string& at, std::vector<std::string>& out) {
  out.push_back(at);
  if (value.is_object()) {
    for (const auto& [key, member] : value.as_object())
      list_places(member, json::join(at, key), out);
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.as_array().size(); ++i) {
      list_places(value.as_array()[i], json::join(at, i), out);
    }
  }
}

std::string some_place(const json::Value& value, SeededRng& rng) {
  std::vector<std::string> places;
  list_places(value, "", places);
  return places[rng.below(places.size())];
}

json::Value damaged(json::Value value, const json::Value& other, SeededRng& rng);

std::string flip_a_bit(std::string bytes, SeededRng& rng) {
  char& byte = bytes[rng.below(bytes.size())];
  byte = static_cast<char>(byte ^ (1 << rng.below(8)));
  return bytes;
}

/// A string is base64, hex, a JSON text within the JSON, or text: damaged as what it is, so that
/// the damage gets past the first reader.
json::Value damaged_string(const std::string& text, SeededRng& rng) {
  if (text.empty()) return "x";
  if (text.front() == '{') {
    const auto inner = json::parse(text);
    if (inner) return json::write_canonical(damaged(*inner, *inner, rng));
  }
  if (const auto bytes = from_hex(text); bytes && text.size() == 64) {
    return to_hex(flip_a_bit(*bytes, rng));
  }
  if (const auto bytes = from_base64(text); bytes && !bytes->empty()) {
    return to_base64(flip_a_bit(*bytes, rng));
  }
  return damaged_text(text, rng);
}

json::Value damaged_list(json::Array list, SeededRng& rng) {
  if (list.empty()) return json::Array{"x"};
  const std::size_t at = rng.below(list.size());
  switch (rng.below(4)) {
    case 0:
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      list.insert(list.begin() + static_cast<std::ptrdiff_t>(at), list[rng.below(list.size())]);
      break;
    case 2:
      std::swap(list[at], list[rng.below(list.size())]);
      break;
    default:
      list.resize(at);
  }
  return list;
}

json::Value damaged_object(json::Object object, SeededRng& rng) {
  if (object.empty()) return json::Object{{"x", 1}};
  const auto member =
      *std::next(object.begin(), static_cast<std::ptrdiff_t>(rng.below(object.size())));
  object.erase(member.key);
  if (rng.below(2) == 0) object.set(damaged_text(member.key + " ", rng), member.value);
  return object;
}

/// `value` with one place of it changed, or put there what `other` has at that place.
json::Value damaged(json::Value value, const json::Value& other, SeededRng& rng) {
  const std::string place = some_place(value, rng);
  const json::Value* here = json::at(value, place);
  const json::Value* there = json::at(other, place);
  json::Value now = json::Value();
  if (there != nullptr && *there != *here && rng.below(2) == 0) {
    now = *there;
  } else if (here->is_string()) {
    now = damaged_string(here->as_string(), rng);
  } else if (here->is_number()) {
    const double n = here->as_double();
    const double numbers[] = {n + 1, n - 1, 0, n * 2, n + 0.5, 4294967296.0, 1e300};
    now = json::Value::number(numbers[rng.below(std::size(numbers))]);
  } else if (here->is_array()) {
    now = damaged_list(here->as_array(), rng);
  } else if (here->is_object()) {
    now = damaged_object(here->as_object(), rng);
  }
  if (place.empty()) return now;
  EXPECT_TRUE(json::replace(value, place, std::move(now)));
  return value;
}

class Mutations : public ::testing::Test, protected SampleReceipts {
 protected:
  Mutations() {
    const TestRun other(71);
    const auto at = log_.add(encode(other.statement()));
    const Receipt erased = erased_bundle();  // it adds to the log, as the line above
    Receipt of_other_step = log_.receipt(at, 3);
    of_other_step.events = {other.proven(2), other.proven(3)};
    Receipt other_bundle = log_.receipt(at);
    other_bundle.journal = other.events;
    other_bundle.contents = other.opened();
    for (const Receipt& receipt : {of_run(), of_step(), revealing(), bundle(), erased,
                                   log_.receipt(at), of_other_step, other_bundle}) {
      pool_.push_back(encode(receipt));
      claims_.merge(claims_of(receipt));
    }
    trust_ = log_.policy(3);
  }

  /// Judges one damaged file; whether it got past the first reader.
  bool judge(const std::string& original, const std::string& file) {
    const auto decoded = decode_receipt(file);
    const Verdict verdict = verify(file, trust_).verdict;
    if (decoded && encode(*decoded) == original) {
      EXPECT_EQ(verdict, Verdict::kValid) << "the same, spelled otherwise: " << file;
      return false;
    }
    if (verdict != Verdict::kValid) return decoded.has_value();
    const auto claims = claims_of(*decoded);
    EXPECT_TRUE(std::includes(claims_.begin(), claims_.end(), claims.begin(), claims.end()))
        << "VALID, and a lie: " << file;
    ++still_true_;
    return true;
  }

  std::vector<std::string> pool_;
  std::set<std::string> claims_;
  Trust trust_;
  int still_true_ = 0;
};

TEST_F(Mutations, BeginWithFilesThatAreValid) {
  for (const std::string& file : pool_) EXPECT_EQ(verify(file, trust_).verdict, Verdict::kValid);
}

TEST_F(Mutations, OfTheTextNeverMakeAValidLie) {
  constexpr std::uint64_t kSeed = 20261121;
  SCOPED_TRACE(kSeed);
  SeededRng rng(kSeed);
  for (int i = 0; i < 5000 && !HasFailure(); ++i) {
    const std::string& file = pool_[rng.below(pool_.size())];
    judge(file, damaged_text(file, rng));
  }
}

TEST_F(Mutations, OfItsPartsNeverMakeAValidLie) {
  constexpr std::uint64_t kSeed = 20261122;
  SCOPED_TRACE(kSeed);
  SeededRng rng(kSeed);
  std::vector<json::Value> values;
  values.reserve(pool_.size());
  for (const std::string& file : pool_) values.push_back(*json::parse(file));
  int read = 0;
  for (int i = 0; i < 7000 && !HasFailure(); ++i) {
    const std::size_t at = rng.below(pool_.size());
    const json::Value& other = values[rng.below(values.size())];
    json::Value value = values[at];
    const std::uint64_t edits = 1 + rng.below(3);
    for (std::uint64_t edit = 0; edit < edits; ++edit)
      value = damaged(std::move(value), other, rng);
    if (judge(pool_[at], json::write(value))) ++read;
  }
  EXPECT_GT(read, 2000);       // else they never got past the first reader
  EXPECT_GT(still_true_, 20);  // such as a receipt that shows less: the oracle was asked
  RecordProperty("read", read);
  RecordProperty("still_true", still_true_);
}

}  // namespace
}  // namespace avow::provenance
