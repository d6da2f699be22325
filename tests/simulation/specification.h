// SPDX-License-Identifier: Apache-2.0
// What the engine promises, as a list. A new promise is a small class (promises.h, log_promises.h),
// its line here, and a bug of its kind in planted_bugs_test.cc that shows that it can fail.
#pragma once
#include "log_promises.h"
#include "promises.h"

namespace avow::engine {

using Specification = std::vector<std::unique_ptr<const Promise>>;

inline const Specification& specification() {
  static const Specification all = [] {
    Specification list;
    list.push_back(std::make_unique<EndsAtMostOnce>());
    list.push_back(std::make_unique<SeqAndTimeNeverGoBack>());
    list.push_back(std::make_unique<EachStepStartsAndEndsAtMostOnce>());
    list.push_back(std::make_unique<StepsWaitForWhatTheyDependOn>());
    list.push_back(std::make_unique<SkipsWhatStandsOnNothing>());
    list.push_back(std::make_unique<CompletesOnlyOverAllowedFailures>());
    list.push_back(std::make_unique<KeepsToMaxSteps>());
    list.push_back(std::make_unique<KeepsToMaxAttempts>());
    list.push_back(std::make_unique<KeepsToItsSlots>());
    list.push_back(std::make_unique<ApprovalsAreDecidedByWhoMay>());
    list.push_back(std::make_unique<NothingBeginsWhilePaused>());
    list.push_back(std::make_unique<AKeyStandsForOneRequest>());
    list.push_back(std::make_unique<AnAttemptIsRepeatedOnlyAfterACrash>());
    list.push_back(std::make_unique<NoCallLeavesWithoutATrace>());
    list.push_back(std::make_unique<AnEffectIsCompletedAtMostOnce>());
    list.push_back(std::make_unique<TheRecordedResultIsTheOneUsed>());
    list.push_back(std::make_unique<ItemsAreDoneOnceAndInTheirPlace>());
    list.push_back(std::make_unique<StepsAreUndoneInReverse>());
    list.push_back(std::make_unique<KeepsToItsBudget>());
    list.push_back(std::make_unique<ChildrenAreTheirParents>());
    list.push_back(std::make_unique<AStepGivesWhatItsChildGave>());
    list.push_back(std::make_unique<NothingAcknowledgedIsLost>());
    list.push_back(std::make_unique<TheRowIsWhatTheJournalSays>());
    list.push_back(std::make_unique<TheEngineHadWhatTheStoreHas>());
    list.push_back(std::make_unique<WhoFollowsIsToldWhatIsDurable>());
    list.push_back(std::make_unique<EveryRunEndsInTime>());
    list.push_back(std::make_unique<NothingIsLeftOver>());
    list.push_back(std::make_unique<AFinishedRunHasOneProof>());
    list.push_back(std::make_unique<StatementsOnlyGrow>());
    list.push_back(std::make_unique<ARunOfASecondIsStated>());
    list.push_back(std::make_unique<DoubtIsStatedBeforeACallLeaves>());
    list.push_back(std::make_unique<EveryTenantHasOneChain>());
    list.push_back(std::make_unique<TheHeadIsTheTree>());
    return list;
  }();
  return all;
}

}  // namespace avow::engine
