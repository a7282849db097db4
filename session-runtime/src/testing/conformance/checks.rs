//! The checks, each with the law that it checks.

use std::future::Future;
use std::pin::Pin;

use super::bench::{Bench, Verdict};
use super::data::ConformanceData;
use super::{changing, creating, deleting, expiring, failing, keeping, owning, rotating};

/// The checks that take a store which keeps owners.
pub(super) const OF_OWNERS: &[&str] = &[
    "a_list_is_exact",
    "what_has_expired_is_not_listed",
    "a_list_tells_of_each_session_and_renews_none",
    "what_was_ended_is_gone",
    "ending_wins_over_what_is_under_way",
    "nobody_has_more_than_allowed",
    "the_one_that_goes_is_the_one_proven_first",
    "a_listed_session_is_replaced_and_not_renewed",
];

/// A check, which is given a place of its own each time that it runs.
pub(super) struct Check<T> {
    pub(super) name: &'static str,
    pub(super) law: &'static str,
    pub(super) run: fn(Bench<T>) -> Running,
}

type Running = Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// The checks that wait so long that they run only when asked for.
pub(super) const SLOW: &[(&str, &str)] = &[("a_mark_goes_after_30_s", "it takes 30 seconds; `slow()` turns it on")];

macro_rules! checks {
    ($($file:ident: $($name:ident: $law:literal,)*;)*) => {
        pub(super) fn all<T: ConformanceData>() -> Vec<Check<T>> {
            vec![$($(Check { name: stringify!($name), law: $law, run: |bench| Box::pin($file::$name(bench)) }),*),*]
        }
    };
}

checks! {
    creating:
        a_new_session_is_found_as_it_was_given: "what create was given is what load finds",
        create_never_overwrites: "creating inserts where the key is absent",
        a_session_of_either_origin_is_kept: "while there is room, it makes no difference whether a visit or a change created a session",
        the_age_counts_from_creation: "a session's age is the time since it was created, through every change and rotation",;
    changing:
        compare_and_swap: "a change replaces the data only at the version that was read",
        parallel_changes_lose_none: "N parallel changes that each add one add N",
        a_change_never_creates: "a change never brings back what is gone",
        versions_grow_with_each_change: "each change gives the session a version that it never had, greater than those before under its key",
        a_touch_leaves_data_and_version: "touching renews the idle limit and changes nothing else",
        a_touch_never_creates: "touching never brings back what is gone",;
    deleting:
        delete_wins: "nothing that comes after a delete brings the session back",
        delete_is_idempotent: "deleting what is gone is no error, and says that there was nothing",
        delete_wins_over_what_is_under_way: "nothing that was under way during a delete brings the session back",
        every_handle_sees_a_change_at_once: "when a call has answered, every handle sees what it did; no cache is behind",;
    expiring:
        the_idle_limit_ends_at_the_instant: "at the instant of expiry a session is expired, in every operation",
        the_absolute_limit_ends_at_the_instant: "at the instant of expiry a session is expired, in every operation",
        sub_second_limits_are_kept: "a limit below a second is kept, and none is so short that it becomes endless",
        huge_limits_saturate: "a limit that is too long to be kept becomes the longest that can be",
        use_renews_the_idle_limit: "replace, touch and rotate renew the idle limit",
        a_load_renews_nothing: "reading does not renew a session",
        the_absolute_limit_holds_through_use: "nothing moves the absolute limit",
        limits_stick_to_their_session: "the limits stick to their session through every change and rotation",;
    rotating:
        a_rotation_moves_the_session: "before a rotation only the old key works, after it only the new one",
        a_rotation_needs_a_session: "what is gone is not rotated",
        a_rotation_needs_the_version: "a rotation moves the session only at the version that was read",
        a_rotation_never_overwrites: "a rotation inserts where the new key is absent, or changes nothing",
        of_parallel_rotations_one_wins: "of rotations of one session at once exactly one wins",
        a_rotation_is_one_step_beside_others: "nothing comes between what a rotation looks at and what it does",
        a_rotation_commits_once: "a rotation has one commit: wherever it is stopped, exactly one of the keys works",
        a_rotation_leaves_a_mark: "a rotation leaves a mark at the old key, which no operation takes away",
        a_mark_outlives_its_session: "a mark stays its own time, whatever becomes of the session",
        a_mark_goes_after_30_s: "a mark stays 30 seconds, and then the key is free",;
    keeping:
        special_data_is_kept: "data is kept to the byte",
        a_mebibyte_of_data_is_kept: "data of 1 MiB is kept to the byte",
        ids_are_told_apart: "each valid id, of 1 to 256 bytes, is a key of its own",
        places_are_apart: "stores in different places do not see each other's sessions",
        namespaces_are_apart: "an id of one namespace is unknown in another, in the same store",
        what_cannot_be_read_is_an_answer: "data that cannot be read is an answer, and no error, and ending its session does not need to read it",
        a_sweep_removes_only_what_expired: "a sweep removes what expired and nothing else",;
    owning:
        what_is_beside_the_data_is_kept: "what is kept beside the data is what it was given, through every change and rotation",
        a_lifetime_sticks: "a change may give a session other limits, which stick to it",
        a_list_is_exact: "the list of an owner's sessions shows those that are there, and no others",
        what_has_expired_is_not_listed: "the list of an owner's sessions shows those that are there, and no others",
        a_list_tells_of_each_session_and_renews_none: "a list tells what a load tells, and when each was last used, and is no use",
        what_was_ended_is_gone: "after end has answered, no session that was there when it was called is there",
        ending_wins_over_what_is_under_way: "after end has answered, no session that was there when it was called is there",
        nobody_has_more_than_allowed: "an owner never has more sessions than allowed",
        the_one_that_goes_is_the_one_proven_first: "the session that makes room is the one whose user proved who they are the longest ago",
        a_listed_session_is_replaced_and_not_renewed: "a change by an owner's list is compare-and-swap, and no use",;
    failing:
        a_call_whose_answer_was_lost_is_done_once: "a call that is repeated because its answer was lost is done once",
        a_call_that_is_stopped_is_done_or_not: "a call that is stopped on its way is done or not done, and is in nobody's way",
        stopped_changes_are_done_once_or_not_at_all: "a change that is stopped on its way is done once or not at all",
        errors_show_no_id: "an outage is an error within a bounded time, and no error shows a raw id",;
}
