//! The conformance kit passes what keeps the laws, and fails each mistake by the check that is meant for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use session_runtime::store::MemoryStore;
use session_runtime::testing::{Conformance, Outcome, Report, conformance};

use crate::model::Mistake::{self, *};
use crate::model::{AsText, Gone, Places};
use crate::support::yielding::Yielding;

/// What other crates' stores were seen to do, and what one may do by oversight; the check that finds it; what it says.
const MISTAKES: &[(Mistake, &str, &str)] = &[
    (CreateIgnoresTheAbsoluteLimit, "a_new_session_is_found_as_it_was_given", "absolute_in as None"),
    (CreateOverwrites, "create_never_overwrites", "should have answered Exists"),
    (VisitsTakeEachOthersPlace, "a_session_of_either_origin_is_kept", "after create by a Visit"),
    (AgeIsUnknown, "the_age_counts_from_creation", "gave the age as 0ns"),
    (AgeCountsFromTheLastChange, "the_age_counts_from_creation", "after Replace, load gave the age"),
    (AgeCountsFromTheLastRotation, "the_age_counts_from_creation", "after Rotate, load gave the age"),
    (LastWriteWins, "compare_and_swap", "should have answered Conflict"),
    (CompareThenWrite, "parallel_changes_lose_none", "Found(\"60\")"),
    (SaveIsAnUpsert, "a_change_never_creates", "should have answered Missing"),
    (SaveIgnoresThatNothingWasThere, "a_change_never_creates", "should have answered Missing"),
    (VersionIsAHashOfTheData, "versions_grow_with_each_change", "which it had before"),
    (VersionStartsAnewOnRotation, "versions_grow_with_each_change", "which it had before"),
    (TouchChangesTheVersion, "a_touch_leaves_data_and_version", "the version"),
    (TouchCreates, "a_touch_never_creates", "should have answered false"),
    (SaveReturnsFromTheDead, "delete_wins", "after delete, replace answered Replaced"),
    (DeleteAlwaysSaysTrue, "delete_is_idempotent", "should have answered false"),
    (CacheIsFilledDuringADelete, "delete_wins_over_what_is_under_way", "after a delete beside load"),
    (CacheIsFilledDuringASet, "every_handle_sees_a_change_at_once", "after a replace that overtook a load"),
    (CacheIsFilledDuringARotation, "every_handle_sees_a_change_at_once", "after a rotate that overtook a load, at the old key"),
    (CacheOfAnotherProcess, "every_handle_sees_a_change_at_once", "through another handle"),
    (ValidAtTheInstant, "the_idle_limit_ends_at_the_instant", "at the instant of expiry"),
    (TouchRevivesWhatExpired, "the_idle_limit_ends_at_the_instant", "touch answered true"),
    (ExpiredKeyStaysTaken, "the_idle_limit_ends_at_the_instant", "the key is free"),
    (AbsoluteLimitIsLate, "the_absolute_limit_ends_at_the_instant", "at the instant of expiry"),
    (WholeSeconds, "sub_second_limits_are_kept", "soon after create"),
    (ZeroIsEndless, "sub_second_limits_are_kept", "short and not endless"),
    (LimitsOverflow, "huge_limits_saturate", "it panicked: overflow"),
    (TouchDoesNotRenew, "use_renews_the_idle_limit", "after Touch"),
    (LoadRenews, "a_load_renews_nothing", "reading renews nothing"),
    (AbsoluteLimitCountsFromTheLastUse, "the_absolute_limit_holds_through_use", "until the absolute limit"),
    (LimitRevertsOnSave, "limits_stick_to_their_session", "keeps its limits"),
    (RotationKeepsTheOldKey, "a_rotation_moves_the_session", "at the old key"),
    (RotationCreates, "a_rotation_needs_a_session", "rotate of a deleted session"),
    (RotationIgnoresTheVersion, "a_rotation_needs_the_version", "should have answered Conflict"),
    (RotationOverwrites, "a_rotation_never_overwrites", "should have answered Exists"),
    (RotationComparesFirst, "of_parallel_rotations_one_wins", "rotations"),
    (RotationComparesFirst, "a_rotation_is_one_step_beside_others", "at once"),
    (RotationDeletesFirst, "a_rotation_commits_once", "JustRotated at the old key and Missing at the new one"),
    (RotationInsertsFirst, "a_rotation_commits_once", "Found(\"data\") at the old key and Found(\"data\") at the new one"),
    (RotationLeavesNoMark, "a_rotation_leaves_a_mark", "should have answered JustRotated"),
    (DeleteTakesTheMark, "a_rotation_leaves_a_mark", "delete at the key of a mark"),
    (SaveReplacesTheMark, "a_rotation_leaves_a_mark", "replace at the key of a mark"),
    (MarkGoesWithItsSession, "a_mark_outlives_its_session", "at the old key"),
    (MarkStays, "a_mark_goes_after_30_s", "30s after rotate"),
    (MarkIsShort, "a_mark_goes_after_30_s", "before its time is over"),
    (DataEndsAtNul, "special_data_is_kept", "\\0"),
    (DataIsTrimmed, "special_data_is_kept", "both ends"),
    (DataIsCut, "a_mebibyte_of_data_is_kept", "kept to the byte"),
    (KeyIgnoresCase, "ids_are_told_apart", "create under"),
    (KeyIsCut, "ids_are_told_apart", "create under"),
    (OnePlaceForAll, "places_are_apart", "in another place"),
    (KeyIgnoresTheNamespace, "namespaces_are_apart", "in another namespace"),
    (UndecodableIsAnError, "what_cannot_be_read_is_an_answer", "load failed"),
    (UndecodableIsMissing, "what_cannot_be_read_is_an_answer", "answered Missing; it is Undecodable"),
    (UndecodableIsNotDeleted, "what_cannot_be_read_is_an_answer", "should have answered true"),
    (SweepIsHoursAhead, "a_sweep_removes_only_what_expired", "sessions went"),
    (SweepTakesMarks, "a_sweep_removes_only_what_expired", "the mark of a rotation"),
    (CreateRepeats, "a_call_whose_answer_was_lost_is_done_once", "create, repeated"),
    (CreateInTwoSteps, "a_call_that_is_stopped_is_done_or_not", "Found(\"\")"),
    (LockIsLeftBehind, "a_call_that_is_stopped_is_done_or_not", "had not answered after"),
    (SavingSendsAgain, "stopped_changes_are_done_once_or_not_at_all", "each is done once"),
    (OutageIsNoSession, "errors_show_no_id", "an outage is an error"),
    (AttributesAreLostOnAChange, "what_is_beside_the_data_is_kept", "after replace and touch, the attributes"),
    (AttributesAreLostOnRotation, "what_is_beside_the_data_is_kept", "after rotate, the attributes"),
    (LifetimeIsNotTaken, "a_lifetime_sticks", "after replace with a lifetime, the idle limit"),
    (LifetimeCountsFromTheChange, "a_lifetime_sticks", "counts from the creation"),
    (LifetimeRevertsOnRotation, "a_lifetime_sticks", "after that, rotate, the idle limit"),
    (RotationLeavesTheOldEntry, "a_list_is_exact", "list"),
    (RotationKeepsTheOwner, "a_list_is_exact", "after rotate to another owner"),
    (ListIgnoresTheNamespace, "a_list_is_exact", "count"),
    (ExpiredStaysListed, "what_has_expired_is_not_listed", "when it has expired"),
    (ExpiredTakesAPlace, "what_has_expired_is_not_listed", "answered TooMany"),
    (ListRenews, "a_list_tells_of_each_session_and_renews_none", "a list renews none"),
    (ListForgetsTheLastUse, "a_list_tells_of_each_session_and_renews_none", "since the last use"),
    (EndIgnoresTheOwner, "what_was_ended_is_gone", "end of another's session"),
    (EndMissesOneOfAll, "what_was_ended_is_gone", "end of"),
    (DeletedStaysListed, "what_was_ended_is_gone", "after end of one, list"),
    (EndReadsTheListFirst, "ending_wins_over_what_is_under_way", "after end beside a rotate"),
    (LimitIsCountedFirst, "nobody_has_more_than_allowed", "live, after"),
    (LimitIsIgnoredByRotation, "nobody_has_more_than_allowed", "live, after"),
    (TheLeastUsedGoes, "the_one_that_goes_is_the_one_proven_first", "after create with room for two"),
    (ReplaceListedRenews, "a_listed_session_is_replaced_and_not_renewed", "it is not renewed"),
    (ReplaceListedIgnoresTheVersion, "a_listed_session_is_replaced_and_not_renewed", "at another version"),
];

fn checks(places: &Places, mistake: Mistake) -> Conformance<'_, String> {
    conformance(async move |place| places.open(place, mistake))
        .shared()
        .slow()
        .failing(Gone(mistake))
        .undecodable(async |place, key| places.put_undecodable(place, key))
}

async fn report(mistake: Mistake) -> Report {
    checks(&Places::default(), mistake).report().await
}

/// The same, where each call takes the two times that `ways` gives.
fn checks_behind(
    places: &Places,
    mistake: Mistake,
    ways: impl Fn() -> Way + Copy + Send + Sync + 'static,
) -> Conformance<'_, String> {
    conformance(async move |place| Yielding::with_ways(places.open(place, mistake), ways))
        .shared()
        .slow()
        .failing(Gone(mistake))
        .undecodable(async |place, key| places.put_undecodable(place, key))
}

/// Before a step, and after it.
type Way = (Duration, Duration);

const fn millis(before: u64, after: u64) -> Way {
    (Duration::from_millis(before), Duration::from_millis(after))
}

/// Stores that take 1, 20 and 200 ms a call, and as long as a request waits for one.
const SLOW: &[Way] = &[
    (Duration::from_micros(500), Duration::from_micros(500)),
    millis(0, 1),
    millis(10, 10),
    millis(0, 20),
    millis(100, 100),
    millis(0, 200),
    millis(1000, 1000),
    millis(0, 2000),
];

#[track_caller]
fn assert_all_kept(report: &Report) {
    let is_kept = |outcome: &Outcome| matches!(outcome, Outcome::Kept | Outcome::NotRun(_));
    assert!(report.checks().iter().all(|checked| is_kept(&checked.outcome)), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_store_without_a_mistake_passes() {
    let report = report(Nothing).await;
    report.assert();
    assert!(report.checks().iter().all(|checked| checked.outcome == Outcome::Kept), "{report}");
}

#[tokio::test(start_paused = true)]
async fn each_mistake_is_found_by_the_check_for_it_which_says_what_it_is() {
    each_mistake_is_found(checks).await;
}

#[tokio::test(start_paused = true)]
async fn each_mistake_of_a_slow_store_is_found_too() {
    for way in [millis(10, 10), millis(0, 20)] {
        each_mistake_is_found(|places, mistake| checks_behind(places, mistake, move || way)).await;
    }
}

async fn each_mistake_is_found(checks: impl for<'a> Fn(&'a Places, Mistake) -> Conformance<'a, String>) {
    for (mistake, check, says) in MISTAKES {
        let report = checks(&Places::default(), *mistake).only(check).report().await;
        let found = report.broken().find(|checked| checked.name == *check);
        let Some(Outcome::Broken(what)) = found.map(|checked| &checked.outcome) else {
            panic!("{check} does not find {mistake:?}: {report}");
        };
        assert!(what.contains(says), "{mistake:?}: {what}");
        println!("{mistake:?}: {check}: {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_of_bytes_that_keeps_text_is_found() {
    let places = Places::default();
    let report = conformance(async |place| AsText(places.open(place, Nothing))).shared().report().await;
    let broken: Vec<_> = report.broken().map(|checked| checked.name).collect();
    assert_eq!(broken, ["special_data_is_kept"], "{report}");
}

#[test]
fn each_check_finds_a_mistake() {
    let found: BTreeSet<_> = MISTAKES.iter().map(|(_, check, _)| *check).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let all: BTreeSet<_> = runtime.block_on(report(Nothing)).checks().iter().map(|checked| checked.name).collect();
    assert_eq!(found, all);
}

#[tokio::test(start_paused = true)]
async fn the_memory_store_keeps_the_laws() {
    conformance(async |_| MemoryStore::<String>::new()).slow().await;
    conformance(async |_| MemoryStore::<Vec<u8>>::new()).slow().await;
    conformance(async |_| MemoryStore::<String>::bounded(200)).slow().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_keeps_the_laws_on_the_clock_and_on_threads() {
    conformance(async |_| Yielding::new(MemoryStore::<String>::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_store_keeps_the_laws_on_the_clock_a_millisecond_away() {
    let store = conformance(async |_| Yielding::with_round_trip(MemoryStore::<String>::new(), Duration::from_millis(1)));
    assert_all_kept(&store.report().await);
}

#[tokio::test(start_paused = true)]
async fn the_memory_store_keeps_the_laws_behind_a_network() {
    conformance::<String, _>(async |_| Arc::new(Yielding::new(MemoryStore::<String>::new()))).slow().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_without_a_mistake_passes_however_slow_it_is() {
    for way in SLOW {
        assert_all_kept(&checks_behind(&Places::default(), Nothing, || *way).report().await);
        let memory = conformance(async |_| Yielding::with_ways(MemoryStore::<String>::new(), || *way));
        assert_all_kept(&memory.slow().report().await);
    }
}

fn between(low: u64, high: u64) -> Duration {
    Duration::from_millis(rand::random_range(low..=high))
}

#[tokio::test(start_paused = true)]
async fn a_store_without_a_mistake_passes_whenever_one_of_its_calls_stalls() {
    for (rare, stall) in [(100, 10_000), (20, 10_000), (50, 20_000), (30, 2_000), (10, 400)].repeat(3) {
        let way = move || if rand::random_range(0..rare) == 0 { between(0, stall) } else { between(0, 2) };
        assert_all_kept(&checks_behind(&Places::default(), Nothing, move || (way(), way())).report().await);
    }
}

/// All clocks jump on, as where the machine does something else for a while.
#[tokio::test(start_paused = true)]
async fn a_store_without_a_mistake_passes_on_a_machine_that_stalls() {
    for (low, high) in [(20, 100), (100, 400), (300, 1100)] {
        let stalls = tokio::spawn(async move {
            loop {
                tokio::time::sleep(between(10, 100)).await;
                tokio::time::advance(between(low, high)).await;
            }
        });
        for way in [millis(0, 0), millis(1, 1)] {
            assert_all_kept(&checks_behind(&Places::default(), Nothing, move || way).report().await);
        }
        stalls.abort();
    }
}

/// One that gives up a call after a second.
fn checks_of_impatient(
    places: &Places,
    mistake: Mistake,
    ways: impl Fn() -> Way + Copy + Send + Sync + 'static,
) -> Conformance<'_, String> {
    const BOUND: Duration = Duration::from_secs(1);
    conformance(async move |place| Yielding::with_ways(places.open(place, mistake), ways).giving_up_after(BOUND)).shared()
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_up_waiting_on_a_slow_machine_passes() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    // A check makes fewer than 1000 calls, so that the next attempt has none that stalls.
    let way = || if CALLS.fetch_add(1, Relaxed) % 1000 == 999 { millis(3000, 0) } else { millis(0, 1) };
    assert_all_kept(&checks_of_impatient(&Places::default(), Nothing, way).report().await);
    assert!(CALLS.load(Relaxed) > 2000);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_up_each_time_does_not_pass() {
    let places = Places::default();
    let checks = checks_of_impatient(&places, LockIsLeftBehind, || millis(0, 1)).only("a_call_that_is_stopped_is_done_or_not");
    let report = checks.report().await.to_string();
    assert!(report.contains("failed: the session store cannot be reached or failed: "), "{report}");
    assert!(report.contains(": nothing came for too long"), "{report}");
}

/// Nothing is known of a mark that is over before two calls are answered.
#[tokio::test(start_paused = true)]
async fn a_store_that_takes_longer_than_a_mark_stays_breaks_no_law() {
    let report = checks_behind(&Places::default(), Nothing, || millis(20_000, 20_000)).report().await;
    report.assert();
    let undecided: Vec<_> = report.checks().iter().filter(|checked| matches!(checked.outcome, Outcome::Undecided(_))).collect();
    assert!(undecided.iter().any(|checked| checked.name == "a_rotation_leaves_a_mark"), "{report}");
    assert!(report.to_string().contains("not decided: a_rotation_leaves_a_mark: the store, or this machine, is too slow"));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "delete_is_idempotent: deleting what is gone")]
async fn a_broken_law_is_a_panic() {
    let places = Places::default();
    conformance(async |place| places.open(place, DeleteAlwaysSaysTrue)).shared().await;
}

#[tokio::test(start_paused = true)]
async fn what_did_not_run_is_told_with_its_reason() {
    let skipped = conformance(async |_| MemoryStore::<String>::new()).skip("delete_wins", "it does not here");
    let report = skipped.report().await.to_string();
    for line in ["not run: delete_wins: it does not here", "not run: a_mark_goes_after_30_s: it takes 30 seconds"] {
        assert!(report.contains(line), "{report}");
    }
}

#[tokio::test]
#[should_panic(expected = "there is no check with the name \"delete_win\"")]
async fn a_check_that_is_not_there_cannot_be_skipped() {
    let _ = conformance(async |_| MemoryStore::<String>::new()).skip("delete_win", "a typing error");
}
