// SPDX-License-Identifier: Apache-2.0
// Attacks on what a run leaves: events, contents, and the files about it.
#include "json/pointer.h"
#include "json/write.h"
#include "tests/proofs/attacks.h"

namespace avow::proofs {
namespace {

/// An attack on a bundle of the run.
template <class Change>
auto in_bundle(Change change) {
  return [change](const World& world, Shown& shown) {
    shown.receipt = bundle_of(world);
    change(shown.receipt);
  };
}
template <class Change>
auto in_step(Change change) {
  return [change](const World& world, Shown& shown) {
    shown.receipt = step_of(world);
    change(shown.receipt);
  };
}

/// The run with its last event told otherwise, and the statement that would belong to it.
struct Retold {
  explicit Retold(const World& world) : run(world.run) {
    run.events[2] = edited_event(run.events[2]);
    statement = edited_statement(world.log, kRun,
                                 [&](Statement& s) { s.root = merkle::oracle::root(run.events); });
  }
  TestRun run;
  std::string statement;
};

std::vector<Attack> on_events() {
  return {
      {"Events",
       "edit",
       "-",
       "a bundle with one event changed",
       in_bundle([](Receipt& r) { (*r.journal)[2] = edited_event((*r.journal)[2]); }),
       Verdict::kRunProofInvalid,
       {kVerifier}},
      {"Events",
       "edit, re-chain",
       "-",
       "the same, and the statement's root made to fit",
       [](const World& world, Shown& shown) {
         const Retold retold(world);
         shown.receipt = bundle_of(world.log, retold.run, kRun);
         shown.receipt.statement.statement = retold.statement;
       },
       Verdict::kStatementMismatch,
       {kVerifier}},
      {"Events",
       "edit, re-chain, re-sign",
       "the statement key",
       "the same, with an entry that the real key signs",
       [](const World& world, Shown& shown) {
         const Retold retold(world);
         shown.receipt = bundle_of(world.log, retold.run, kRun);
         shown.receipt.statement.statement = retold.statement;
         shown.receipt.statement.entry =
             encode(make_entry(retold.statement, world.log.statement_key));
       },
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Events",
       "edit, re-chain, re-sign with the real log key",
       "all keys, the store",
       "the same, in a log made again from that entry on",
       [](const World& world, Shown& shown) {
         const Retold retold(world);
         put(shown.log, kRun, retold.statement);
         rechain(shown.log);
         hand_out(shown, world.run.tenant);
         shown.receipt = bundle_of(shown.log, retold.run, kRun);
       },
       Verdict::kValid,
       {kAuditor, kWitnesses}},
      {"Events",
       "delete",
       "-",
       "a bundle without its third event",
       in_bundle([](Receipt& r) {
         r.journal->erase(r.journal->begin() + 2);
         r.contents.erase(r.contents.begin() + 4);
       }),
       Verdict::kEventMismatch,
       {kVerifier}},
      {"Events",
       "truncate",
       "-",
       "a bundle without its last event",
       in_bundle([](Receipt& r) {
         r.journal->pop_back();
         r.contents.pop_back();
       }),
       Verdict::kRunProofInvalid,
       {kVerifier}},
      {"Events",
       "swap",
       "-",
       "a bundle with two events in each other's place",
       in_bundle([](Receipt& r) { std::swap((*r.journal)[1], (*r.journal)[2]); }),
       Verdict::kEventMismatch,
       {kVerifier}},
      {"Events",
       "insert",
       "-",
       "a bundle with one event more at its end",
       in_bundle([](Receipt& r) {
         Event event = *decode(r.journal->back());
         ++event.seq;
         event.data = json::Object();
         r.journal->push_back(encode(event));
       }),
       Verdict::kRunProofInvalid,
       {kVerifier}},
      {"Events",
       "replay",
       "-",
       "a step's receipt with the same step of another run",
       [](const World& world, Shown& shown) {
         shown.receipt = step_of(world);
         shown.receipt.events = {world.other.proven(2), world.other.proven(3)};
       },
       Verdict::kEventMismatch,
       {kVerifier}},
      {"Events",
       "replay",
       "-",
       "a step's end with a proof that belongs to another event",
       in_step([](Receipt& r) { std::swap(r.events[0].path, r.events[1].path); }),
       Verdict::kRunProofInvalid,
       {kVerifier}},
  };
}

std::vector<Attack> on_contents() {
  return {
      {"Contents",
       "edit",
       "-",
       "another value with the salt of the real one",
       in_bundle(
           [](Receipt& r) { std::get<OpenedContent>(r.contents[0].shown).value = "why not?"; }),
       Verdict::kContentMismatch,
       {kVerifier}},
      {"Contents",
       "edit",
       "-",
       "another value for a member that is disclosed",
       in_step([](Receipt& r) {
         std::get<Disclosure>(r.contents[0].shown).members[0].value = json::Value::number(0.99);
       }),
       Verdict::kContentMismatch,
       {kVerifier}},
      {"Contents",
       "insert",
       "-",
       "a second value for a member that is disclosed",
       in_step([](Receipt& r) {
         auto& members = std::get<Disclosure>(r.contents[0].shown).members;
         members.push_back(members.front());
       }),
       Verdict::kContentMismatch,
       {kVerifier}},
      {"Contents",
       "truncate",
       "-",
       "a disclosure that hides that there are more members",
       in_step([](Receipt& r) { std::get<Disclosure>(r.contents[0].shown).digests.pop_back(); }),
       Verdict::kContentMismatch,
       {kVerifier}},
      {"Contents",
       "swap",
       "-",
       "the input shown as the output",
       in_bundle([](Receipt& r) { std::swap(r.contents[3].shown, r.contents[4].shown); }),
       Verdict::kContentMismatch,
       {kVerifier}},
      {"Contents",
       "insert",
       "-",
       "a content that no event commits to",
       in_bundle(
           [](Receipt& r) { r.contents.push_back({{5, "reason"}, OpenedContent{{}, "none"}}); }),
       Verdict::kContentMismatch,
       {kVerifier}},
      {"Contents",
       "delete",
       "-",
       "a bundle that is silent about one content",
       in_bundle([](Receipt& r) { r.contents.erase(r.contents.begin() + 3); }),
       Verdict::kIncomplete,
       {kVerifier}},
      {"Contents",
       "replay",
       "-",
       "a receipt for a payload that it does not show",
       [](const World& world, Shown& shown) {
         shown.receipt = step_of(world);
         shown.trust.payload = {json::Value::number(0.99), "output.score"};
       },
       Verdict::kContentMismatch,
       {kVerifier}},
      {"Contents",
       "erased content passed off as shown",
       "-",
       "an invented value where the real one was erased",
       [](const World& world, Shown& shown) {
         shown.receipt = erased_bundle_of(world);
         shown.receipt.contents.back().shown = OpenedContent{filled(1), "invented"};
       },
       Verdict::kContentMismatch,
       {kVerifier}},
      {"Contents",
       "shown content passed off as erased",
       "-",
       "\"erased\", and no statement that erased it",
       in_bundle([](Receipt& r) { r.contents[0].shown = Withheld::kErased; }),
       Verdict::kContentMismatch,
       {kVerifier}},
      {"Contents",
       "wrong tenant",
       "-",
       "\"erased\", under the statement of another tenant",
       [](const World& world, Shown& shown) {
         shown.receipt = bundle_of(world);
         shown.receipt.contents[0].shown = Withheld::kErased;
         shown.receipt.erasures = {world.log.logged(kOtherErasure)};
       },
       Verdict::kStatementMismatch,
       {kVerifier}},
  };
}

std::vector<Attack> on_receipts() {
  return {
      {"Receipts",
       "edit",
       "-",
       "a file that is cut off",
       [](const World& world, Shown& shown) {
         shown.receipt = step_of(world);
         shown.text = encode(shown.receipt).substr(0, 2000);
       },
       Verdict::kMalformed,
       {kVerifier}},
      {"Receipts",
       "insert",
       "-",
       "a file with a member of its own, or one twice",
       [](const World& world, Shown& shown) {
         shown.receipt = step_of(world);
         shown.text = R"({"v":1,)" + encode(shown.receipt).substr(1);
       },
       Verdict::kMalformed,
       {kVerifier}},
      {"Receipts",
       "replay for another run",
       "-",
       "a run's receipt under the id of another run",
       in_bundle([](Receipt& r) { r.id = test_id(71); }),
       Verdict::kStatementMismatch,
       {kVerifier}},
      {"Receipts",
       "replay for another step",
       "-",
       "a step's receipt under the id of another step",
       in_step([](Receipt& r) { r.id = receipt_id(statement_of(r.id), 4); }),
       Verdict::kEventMismatch,
       {kVerifier}},
      {"Receipts",
       "swap",
       "-",
       "the statement and entry of another run in it",
       [](const World& world, Shown& shown) {
         shown.receipt = step_of(world);
         shown.receipt.id = receipt_id(world.other.id.value, 3);
         shown.receipt.statement = world.log.logged(kOtherRun);
       },
       Verdict::kEventMismatch,
       {kVerifier}},
      {"Receipts",
       "delete",
       "-",
       "a step's receipt without the start of the step",
       in_step([](Receipt& r) { r.events.erase(r.events.begin()); }),
       Verdict::kIncomplete,
       {kVerifier}},
      {"Receipts",
       "wrong tenant",
       "-",
       "the statement under another tenant's id",
       [](const World& world, Shown& shown) {
         shown.receipt = step_of(world);
         shown.receipt.statement.statement = edited_statement(
             world.log, kRun, [&](Statement& s) { s.tenant = world.other_tenant; });
       },
       Verdict::kStatementMismatch,
       {kVerifier}},
      {"Receipts",
       "re-sign",
       "a log of the same name",
       "a receipt of a log that the attacker made",
       [](const World& world, Shown& shown) {
         TestLog forged;
         forged.log_key = crypto::Ed25519PrivateKey::from_seed(filled(66));
         Statement genesis = forged.about_keys(StatementType::kLogGenesis);
         genesis.keys = {{0, {}, forged.statement_key.public_key().spki_der()}};
         sign_keys(genesis, {&forged.log_key, 1});
         put(forged, kGenesis, encode(genesis));
         forged.add(encode(world.run.statement()));
         shown.receipt = bundle_of(forged, world.run, 1);
       },
       Verdict::kKeyUntrusted,
       {kVerifier}},
  };
}

std::vector<Attack> on_bundles() {
  return {
      {"Bundles",
       "truncate",
       "-",
       "the bundle of a run that goes on, as if it were all",
       [](const World& world, Shown& shown) {
         TestRun begun = world.run;
         begun.events.resize(3);
         begun.contents.resize(5);
         shown.receipt = bundle_of(world.log, begun, kRunOpen);
       },
       Verdict::kIncomplete,
       {kVerifier}},
      {"Bundles",
       "delete",
       "-",
       "a bundle without its journal",
       [](const World& world, Shown& shown) {
         shown.receipt = bundle_of(world);
         json::Value value = *json::parse(encode(shown.receipt));
         value.mutable_object().erase("journal");
         shown.text = json::write(value);
       },
       Verdict::kMalformed,
       {kVerifier}},
      {"Bundles",
       "swap",
       "-",
       "the journal of another run",
       [](const World& world, Shown& shown) {
         shown.receipt = bundle_of(world);
         shown.receipt.journal = world.other.events;
       },
       Verdict::kEventMismatch,
       {kVerifier}},
      {"Bundles",
       "roll back",
       "-",
       "the whole journal under the statement of the run's beginning",
       [](const World& world, Shown& shown) {
         shown.receipt = bundle_of(world.log, world.run, kRunOpen);
       },
       Verdict::kRunProofInvalid,
       {kVerifier}},
  };
}

}  // namespace

std::vector<Attack> attacks_on_runs() {
  std::vector<Attack> all;
  for (const auto& some : {on_events(), on_contents(), on_receipts(), on_bundles()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace avow::proofs
