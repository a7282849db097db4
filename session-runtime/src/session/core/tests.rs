//! Every state by every event, in a table.

mod events;
mod walks;

use std::fmt::Write as _;

use super::*;
use crate::store::StoreError;

const IDLE: Duration = Duration::from_secs(100);

fn policy() -> Policy {
    Policy {
        limits: Limits::new(IDLE, None),
        persistent: false,
        on_store_error: OnStoreError::Anonymous,
        on_undecodable: OnUndecodable::Discard,
    }
}

fn id(text: &str) -> SharedId {
    SharedId::new(&SessionId::parse(text).unwrap())
}

fn one(text: &str) -> CarriedId {
    CarriedId::One { id: id(text), by_cookie: true }
}

fn record(data: u32, version: u64) -> Record<u32> {
    Record::new(Arc::new(data), Version(version), IDLE, IDLE, None, Duration::ZERO)
}

fn outage() -> SessionError {
    StoreError::unavailable("down").into()
}

fn begun() -> Begun<u32> {
    Begun { data: Arc::new(1), limits: policy().limits, attributes: None }
}

/// A core that has created the session `a`.
fn new(begun: Begun<u32>) -> Core<u32> {
    let mut core = Core::new(true);
    assert!(matches!(core.read(&CarriedId::None), Ok(Read::Done(_))));
    assert!(matches!(core.begin_create(Create::Edit), Ok(BeginCreate::Insert)));
    core.created(Create::Edit, id("a"), Version(1), begun);
    core.end_exclusive();
    core
}

/// A core that has read what `loaded` says of the id `a`.
fn read(lazy: bool, loaded: Result<Loaded<u32>, SessionError>) -> Core<u32> {
    let (mut core, carried) = (Core::new(lazy), one("a"));
    assert!(matches!(core.read(&carried), Ok(Read::Load(_))));
    assert!(core.loaded(&policy(), &carried, loaded).is_ok());
    core
}

/// Every state that there is, by name.
fn states() -> Vec<(&'static str, Core<u32>)> {
    let found = || Ok(Loaded::Found(record(1, 1)));
    let without = |carried: CarriedId| {
        let mut core = Core::new(true);
        assert!(matches!(core.read(&carried), Ok(Read::Done(_))));
        core
    };
    let several = {
        let (mut core, carried) = (Core::new(true), CarriedId::Ambiguous(Box::new(vec![id("a"), id("b")])));
        assert!(matches!(core.read(&carried), Ok(Read::LoadEach(_))));
        assert!(core.loaded_each(&policy(), &carried, vec![found(), found()]).is_ok());
        core
    };
    let elsewhere = {
        let (mut core, carried) = (Core::new(true), CarriedId::One { id: id("a"), by_cookie: false });
        assert!(core.loaded(&policy(), &carried, found()).is_ok());
        core
    };
    let new = new(begun());
    let ended = |mut core: Core<u32>| {
        let Ok(BeginDestroy::Delete { ids, in_cookie }) = core.begin_destroy(None) else { panic!("it is there") };
        assert_eq!(core.deleted(&ids, in_cookie, Deleted::Some).unwrap(), AfterDelete::Done);
        core
    };
    let left = |mut core: Core<u32>| {
        assert!(matches!(core.depart(&policy(), false), Depart::Go(_)));
        core
    };
    let busy = {
        let mut core = read(true, found());
        let base = Base { id: id("a"), data: Arc::new(1), version: Version(1) };
        assert!(matches!(core.begin_rotate(ChangeKind::Rotate, &base), Ok(BeginRotate::Move)));
        core
    };
    vec![
        ("unread", Core::new(true)),
        ("none came", without(CarriedId::None)),
        ("unknown, lazy", read(true, Ok(Loaded::Missing))),
        ("unknown", read(false, Ok(Loaded::Missing))),
        ("undecodable", read(true, Ok(Loaded::Undecodable(StoreError::data("no"))))),
        ("just rotated", read(false, Ok(Loaded::JustRotated))),
        ("withheld", without(CarriedId::Withheld)),
        ("several", several),
        ("store down", read(false, Err(outage()))),
        ("live", read(false, found())),
        ("live, elsewhere", elsewhere),
        ("new", new),
        ("rotating", busy),
        ("ended", ended(read(true, found()))),
        ("live, left", left(read(true, found()))),
        ("unknown, left", left(read(true, Ok(Loaded::Missing)))),
    ]
}

fn of_error(error: &SessionError) -> &'static str {
    match error {
        SessionError::NotExists => "NotExists",
        SessionError::JustRotated => "JustRotated",
        SessionError::CrossSite => "CrossSite",
        SessionError::ResponseStarted => "Started",
        SessionError::StoreUnavailable(_) => "down",
        other => panic!("{other:?}"),
    }
}

fn of<V>(result: Result<V, SessionError>, name: impl FnOnce(V) -> &'static str) -> &'static str {
    result.map_or_else(|error| of_error(&error), name)
}

const TABLE: &str = "
state           | reads   | edit        rotate      log in    | asked    visit    edit     log in    | destroy     | departs
unread          | none    | NotExists   NotExists   NotExists | insert   insert   insert   exists    | nothing     | no cookie
none came       | default | create      NotExists   create    | insert   insert   insert   insert    | nothing     | no cookie
unknown, lazy   | default | create      NotExists   create    | insert   insert   insert   insert    | nothing     | no cookie
unknown         | none    | NotExists   NotExists   create    | insert   insert   insert   insert    | nothing     | no cookie
undecodable     | default | create      NotExists   create    | insert   insert   insert   ends      | a           | no cookie
just rotated    | default | JustRotated JustRotated create    | withhold exists   exists   insert    | JustRotated | no cookie
withheld        | default | CrossSite   CrossSite   create    | withhold exists   exists   insert    | CrossSite   | no cookie
several         | default | NotExists   NotExists   create    | withhold exists   exists   ends      | a b         | no cookie
store down      | default | down        down        down      | withhold exists   exists   down      | down        | no cookie
live            | live    | from        from        from      | insert   exists   exists   exists    | a           | no cookie
live, elsewhere | live    | from        from        from      | insert   exists   exists   exists    | a           | no cookie
new             | live    | from        from        from      | insert   exists   exists   exists    | a           | set
rotating        | live    | from        from        from      | busy     busy     busy     busy      | a           | busy
ended           | none    | NotExists   NotExists   NotExists | insert   exists   exists   exists    | nothing     | remove
live, left      | live    | from        from        from      | Started  Started  Started  Started   | a           | no cookie
unknown, left   | default | create      NotExists   create    | Started  Started  Started  Started   | nothing     | no cookie
";

#[test]
fn every_state_answers_every_event() {
    let mut table = String::from("\n");
    let _ = writeln!(table, "{}", TABLE.lines().nth(1).unwrap());
    for (at, (name, _)) in states().iter().enumerate() {
        let fresh = || states().remove(at).1;
        let reads = match fresh().view() {
            View::Live(_) => "live",
            View::Default => "default",
            View::None => "none",
        };
        let change = |kind| {
            of(fresh().begin_change(kind), |begin| match begin {
                BeginChange::Create(_) => "create",
                BeginChange::From(_) => "from",
            })
        };
        let create = |create| {
            of(fresh().begin_create(create), |begin| match begin {
                BeginCreate::Insert => "insert",
                BeginCreate::After(_) => "ends",
                BeginCreate::Withhold => "withhold",
                BeginCreate::Exists => "exists",
                BeginCreate::Busy => "busy",
            })
        };
        let destroy = match fresh().begin_destroy(None) {
            Ok(BeginDestroy::Done) => "nothing".to_owned(),
            Ok(BeginDestroy::Delete { ids, .. }) => ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" "),
            Err(error) => of_error(&error).to_owned(),
        };
        let departs = match fresh().depart(&policy(), false) {
            Depart::Busy => "busy",
            Depart::Go(Departing { cookie: SendCookie::None, .. }) => "no cookie",
            Depart::Go(Departing { cookie: SendCookie::Set(..), .. }) => "set",
            Depart::Go(Departing { cookie: SendCookie::Remove, .. }) => "remove",
            Depart::Refresh(_) | Depart::Undo(_) => panic!("{name}"),
        };
        let [edit, rotate, log_in] = [ChangeKind::Edit, ChangeKind::Rotate, ChangeKind::LogIn].map(change);
        let [asked, visit, first, first_login] = [Create::Asked, Create::Visit, Create::Edit, Create::LogIn].map(create);
        let _ = writeln!(
            table,
            "{name:15} | {reads:7} | {edit:11} {rotate:11} {log_in:9} | {asked:8} {visit:8} {first:8} {first_login:9} | {destroy:11} | {departs}"
        );
    }
    assert!(table == TABLE, "{table}");
}

#[test]
fn a_session_that_is_gone_reads_as_a_visitors_until_the_head_has_left_and_never_after() {
    for (left, gone, change, reads, answer) in [
        (false, Gone::Missing, ChangeKind::Edit, "default", "NotExists"),
        (false, Gone::Missing, ChangeKind::Rotate, "default", "NotExists"),
        (false, Gone::Missing, ChangeKind::LogIn, "default", "goes on"),
        (false, Gone::JustRotated, ChangeKind::Edit, "default", "JustRotated"),
        (false, Gone::JustRotated, ChangeKind::Rotate, "default", "JustRotated"),
        (false, Gone::JustRotated, ChangeKind::LogIn, "default", "goes on"),
        (true, Gone::Missing, ChangeKind::Edit, "none", "NotExists"),
        (true, Gone::JustRotated, ChangeKind::Edit, "none", "NotExists"),
        (true, Gone::JustRotated, ChangeKind::LogIn, "none", "NotExists"),
    ] {
        let live = || {
            let mut core = read(true, Ok(Loaded::Found(record(1, 1))));
            if left {
                assert!(matches!(core.depart(&policy(), false), Depart::Go(_)));
            }
            core
        };
        let mut core = live();
        core.gone(&id("a"), gone);
        let view = if matches!(core.view(), View::Default) { "default" } else { "none" };
        assert_eq!(view, reads, "{gone:?}, left: {left}");
        assert_eq!(of(live().lost(&id("a"), gone, change), |()| "goes on"), answer, "{gone:?} {change:?}, left: {left}");
    }
}

#[test]
fn reading_again_never_falls_back_to_the_default_data() {
    for (left, gone, change) in [
        (false, Gone::Missing, "NotExists"),
        (false, Gone::Discarded, "NotExists"),
        (false, Gone::JustRotated, "JustRotated"),
        (true, Gone::Missing, "NotExists"),
        (true, Gone::JustRotated, "NotExists"),
    ] {
        let mut core = read(true, Ok(Loaded::Found(record(1, 1))));
        if left {
            assert!(matches!(core.depart(&policy(), false), Depart::Go(_)));
        }
        core.ended(&id("a"), gone);
        assert_eq!(of(core.begin_change(ChangeKind::Edit), |_| "goes on"), change, "{gone:?}, left: {left}");
    }
}

#[test]
fn a_stream_that_first_looks_after_the_head_has_left_gets_no_default_data() {
    for loaded in [Loaded::Missing, Loaded::JustRotated] {
        let mut core = Core::<u32>::new(true);
        assert!(core.depart_without_cookie().is_some());
        assert!(core.loaded(&policy(), &one("a"), Ok(loaded)).is_ok());
        assert!(matches!(core.view(), View::None));
    }
    // A visitor without an id has nothing that could have ended.
    let mut core = Core::<u32>::new(true);
    assert!(core.depart_without_cookie().is_some());
    assert!(matches!(core.read(&CarriedId::None), Ok(Read::Done(View::Default))));
}

/// What a logout would delete, and whether the client is told.
fn logout(core: &mut Core<u32>) -> (Vec<String>, bool) {
    match core.begin_destroy(None) {
        Ok(BeginDestroy::Delete { ids, in_cookie }) => (ids.iter().map(|id| id.as_str().to_owned()).collect(), in_cookie),
        Ok(BeginDestroy::Done) => (Vec::new(), false),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_session_whose_data_is_discarded_is_ended_by_a_login_and_a_logout_after_a_new_one_was_created_too() {
    for create in [Create::Visit, Create::Edit] {
        let mut core = read(create == Create::Edit, Ok(Loaded::Undecodable(StoreError::data("no"))));
        assert!(matches!(core.begin_create(create), Ok(BeginCreate::Insert)));
        core.created(create, id("b"), Version(1), begun());
        core.end_exclusive();
        assert_eq!(logout(&mut core), (vec!["b".to_owned(), "a".to_owned()], true));
        let base = Base { id: id("b"), data: Arc::new(1), version: Version(1) };
        let begin = core.begin_rotate(ChangeKind::LogIn, &base);
        assert!(matches!(begin, Ok(BeginRotate::After(others)) if others.iter().eq([&id("a")])));
        core.ended_named();
        assert!(matches!(core.begin_rotate(ChangeKind::LogIn, &base), Ok(BeginRotate::Move)));
        core.rotated(Instant::now, &id("b"), id("c"), Version(2), Arc::new(2));
        core.end_exclusive();
        assert_eq!(logout(&mut core).0, ["c"]);
    }
    // It became so while the request was under way.
    for gone in [
        |core: &mut Core<u32>| core.ended(&id("a"), Gone::Discarded),
        |core: &mut Core<u32>| {
            core.gone(&id("a"), Gone::Discarded);
        },
    ] {
        let mut core = read(true, Ok(Loaded::Found(record(1, 1))));
        gone(&mut core);
        assert_eq!(logout(&mut core), (vec!["a".to_owned()], true));
    }
}

/// Another request has its cookie under way, which a removal would take away, though the session lives.
#[test]
fn a_login_that_is_taken_back_leaves_the_cookie_alone_that_another_request_has_just_replaced() {
    for (loaded, is_told) in [(Loaded::Missing, true), (Loaded::JustRotated, false)] {
        let mut core = read(true, Ok(loaded));
        core.came(|| one("a"));
        assert!(matches!(core.begin_create(Create::LogIn), Ok(BeginCreate::Insert)));
        core.created(Create::LogIn, id("b"), Version(1), begun());
        core.end_exclusive();
        assert_eq!(logout(&mut core), (vec!["b".to_owned()], is_told));
    }
}

#[test]
fn another_session_that_is_ended_or_read_takes_nothing_from_the_one_that_the_request_goes_on_with() {
    let live = || {
        let mut core = read(true, Ok(Loaded::Found(record(1, 1))));
        core.rotated(Instant::now, &id("a"), id("a2"), Version(2), Arc::new(2));
        core
    };
    let other = CarriedId::One { id: id("b"), by_cookie: false };
    for (deleted, answer) in
        [(Deleted::Some, Some(AfterDelete::Done)), (Deleted::None, Some(AfterDelete::Done)), (Deleted::JustRotated, None)]
    {
        let mut core = live();
        let Ok(BeginDestroy::Delete { ids, in_cookie }) = core.begin_destroy(Some(&other)) else { panic!("it is named") };
        assert_eq!(core.deleted(&ids, in_cookie, deleted).ok(), answer);
        assert!(core.id().is_some_and(|at| *at == id("a2")));
        assert!(
            matches!(core.depart(&policy(), false), Depart::Go(Departing { cookie: SendCookie::Set(set, _), .. }) if set == id("a2"))
        );
    }
    let mut core = live();
    assert!(core.loaded(&policy(), &other, Ok(Loaded::Found(record(5, 1)))).is_ok());
    assert!(core.id().is_some_and(|at| *at == id("b")));
    assert!(
        matches!(core.depart(&policy(), false), Depart::Go(Departing { cookie: SendCookie::Set(set, _), .. }) if set == id("a2"))
    );
    // A rotation that comes in after the request has left the session makes its id no other name of the next one.
    let mut core = read(true, Ok(Loaded::Found(record(1, 1))));
    assert!(core.loaded(&policy(), &other, Ok(Loaded::Found(record(5, 1)))).is_ok());
    core.rotated(Instant::now, &id("a"), id("a2"), Version(2), Arc::new(2));
    assert!(matches!(core.read(&one("a")), Ok(Read::Load(_))));
}

#[test]
fn an_id_that_leads_nowhere_is_not_sent_again() {
    for loaded in [Loaded::Missing, Loaded::JustRotated] {
        let mut core = read(false, Ok(loaded));
        assert!(core.add(&policy(), &id("a")).is_none());
        assert!(core.add(&policy(), &id("elsewhere")).is_some());
    }
    let mut core = read(false, Ok(Loaded::JustRotated));
    core.withhold(id("b"));
    core.withhold(id("c"));
    assert!(core.add(&policy(), &id("b")).is_none() && core.add(&policy(), &id("c")).is_none());
}

#[test]
fn what_a_request_has_written_is_not_forgotten_for_something_older() {
    let mut core = read(true, Ok(Loaded::Found(record(1, 1))));
    core.replaced(&policy(), Instant::now, &id("a"), Version(3), Arc::new(3));
    assert!(!core.learn(&id("a"), record(2, 2)));
    assert!(!core.changed(Instant::now, &id("a"), Version(2), Arc::new(2)));
    assert!(matches!(core.view(), View::Live(data) if *data == 3));
    assert!(core.learn(&id("a"), record(4, 4)));
    assert!(matches!(core.view(), View::Live(data) if *data == 4));
}

#[test]
fn of_several_ids_the_one_that_exists_counts() {
    let found = || Ok(Loaded::Found(record(1, 1)));
    let carried = CarriedId::Ambiguous(Box::new(vec![id("a"), id("b"), id("c")]));
    let undecodable = || Ok(Loaded::Undecodable(StoreError::data("no")));
    let cases = [
        ([Ok(Loaded::Missing), found(), Ok(Loaded::Missing)], "live", "b"),
        ([Ok(Loaded::JustRotated), Ok(Loaded::Missing), found()], "live", "c"),
        ([found(), found(), Ok(Loaded::Missing)], "default", "a b"),
        ([found(), undecodable(), Ok(Loaded::Missing)], "default", "a b"),
        ([Ok(Loaded::Missing), undecodable(), Ok(Loaded::Missing)], "default", "b"),
        ([Ok(Loaded::Missing), Ok(Loaded::JustRotated), Ok(Loaded::Missing)], "default", "JustRotated"),
        ([found(), Err(outage()), Ok(Loaded::Missing)], "default", "down"),
        ([Err(outage()), Ok(Loaded::JustRotated), Ok(Loaded::Missing)], "default", "down"),
        ([Err(outage()), Ok(Loaded::JustRotated), found()], "default", "down"),
        ([Ok(Loaded::Missing), Ok(Loaded::Missing), Ok(Loaded::Missing)], "default", ""),
    ];
    for (loaded, reads, ends) in cases {
        let mut core = Core::new(true);
        assert!(core.loaded_each(&policy(), &carried, loaded.into()).is_ok());
        let view = if matches!(core.view(), View::Live(_)) { "live" } else { "default" };
        let ended = match core.begin_destroy(None) {
            Ok(BeginDestroy::Delete { ids, .. }) => ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" "),
            Ok(BeginDestroy::Done) => String::new(),
            Err(error) => of_error(&error).to_owned(),
        };
        assert_eq!((view, &*ended), (reads, ends));
    }
    let fails = Policy { on_store_error: OnStoreError::Fail, on_undecodable: OnUndecodable::Fail, ..policy() };
    for bad in [Err(outage()), undecodable()] {
        assert!(Core::new(true).loaded_each(&fails, &carried, vec![Ok(Loaded::Missing), bad, found()]).is_err());
    }
}

#[test]
fn a_touch_is_due_after_a_tenth_of_the_idle_limit_if_it_helps() {
    let left = |left: u64, absolute: Option<u64>| Record {
        expires_in: Duration::from_secs(left),
        absolute_in: absolute.map(Duration::from_secs),
        ..record(1, 1)
    };
    for (record, is_due) in [
        (left(100, None), false),
        (left(91, None), false),
        (left(90, None), true),
        (left(1, None), true),
        (left(50, None), true),
        (left(50, Some(50)), false),
        (left(41, Some(50)), false),
        (left(40, Some(50)), true),
        (left(90, Some(500)), true),
    ] {
        let (mut core, carried) = (Core::new(true), one("a"));
        let step = core.loaded(&policy(), &carried, Ok(Loaded::Found(record.clone()))).unwrap();
        assert_eq!(matches!(step, AfterLoad::Touch(_)), is_due, "{:?} {:?}", record.expires_in, record.absolute_in);
        // With a cookie that has to move, it waits for the response, unless the session may be over by then.
        let mut core = Core::new(true);
        let is_urgent = record.expires_in < Duration::from_secs(25);
        let step = core.loaded(&Policy { persistent: true, ..policy() }, &carried, Ok(Loaded::Found(record))).unwrap();
        assert_eq!(matches!(step, AfterLoad::Touch(_)), is_urgent);
        assert_eq!(matches!(core.depart(&policy(), false), Depart::Refresh(_)), is_due);
    }
}

#[test]
fn the_absolute_limit_runs_on_while_a_request_takes_its_time() {
    let start = Instant::now();
    let record =
        Record { absolute_in: Some(Duration::from_secs(50)), expires_in: Duration::from_secs(50), at: start, ..record(1, 1) };
    let mut core = read(true, Ok(Loaded::Found(record)));
    let later = start + Duration::from_secs(20);
    assert_eq!(core.times(later), Some((Duration::from_secs(20), Duration::from_secs(30))));
    core.replaced(&policy(), || later, &id("a"), Version(2), Arc::new(2));
    assert_eq!(core.times(later), Some((Duration::from_secs(20), Duration::from_secs(30))));
    let base = Base { id: id("a"), data: Arc::new(2), version: Version(2) };
    assert!(matches!(core.begin_rotate(ChangeKind::Rotate, &base), Ok(BeginRotate::Move)));
    let how = (ChangeKind::Rotate, OwnerStep::Same, None);
    let mut moved = core.rotation(Instant::now, how, &base, &base.data, None).unwrap();
    moved.session.let_pass(later + Duration::from_secs(5));
    assert_eq!((moved.session.absolute_in, moved.session.age), (Some(Duration::from_secs(25)), Duration::from_secs(25)));
}

const LIVED: Duration = Duration::from_secs(7);

fn attributes(handle: Option<u64>, proven: Option<Duration>, persistent: Option<bool>) -> Attributes {
    Attributes { handle: handle.map(SessionHandle::from_u64), proven, persistent }
}

#[test]
fn a_rotation_keeps_what_is_beside_the_data_and_a_login_stamps_it() {
    let (one_second, none) = (Duration::from_secs(1), attributes(None, None, None));
    let (owned, guest) = (attributes(Some(1), Some(one_second), None), attributes(None, None, Some(true)));
    let (edit, rotate, log_in, confirm) = (ChangeKind::Edit, ChangeKind::Rotate, ChangeKind::LogIn, ChangeKind::Confirm);
    for (before, kind, step, after) in [
        (none, rotate, OwnerStep::Same, none),
        (none, log_in, OwnerStep::Same, none),
        (none, confirm, OwnerStep::Same, attributes(None, Some(LIVED), None)),
        (none, edit, OwnerStep::New, attributes(Some(2), Some(LIVED), None)),
        (none, log_in, OwnerStep::New, attributes(Some(2), Some(LIVED), None)),
        (guest, rotate, OwnerStep::Same, guest),
        (guest, edit, OwnerStep::New, attributes(Some(2), Some(LIVED), Some(true))),
        (none, edit, OwnerStep::Listed, attributes(Some(2), None, None)),
        (none, rotate, OwnerStep::Listed, attributes(Some(2), None, None)),
        (none, log_in, OwnerStep::Listed, attributes(Some(2), Some(LIVED), None)),
        (none, confirm, OwnerStep::Listed, attributes(Some(2), Some(LIVED), None)),
        (guest, edit, OwnerStep::Listed, attributes(Some(2), None, Some(true))),
        (owned, rotate, OwnerStep::Same, owned),
        (owned, confirm, OwnerStep::Same, attributes(Some(1), Some(LIVED), None)),
        (owned, log_in, OwnerStep::Same, attributes(Some(1), Some(LIVED), None)),
        (owned, edit, OwnerStep::New, attributes(Some(2), Some(LIVED), None)),
        (owned, edit, OwnerStep::Nobody, none),
    ] {
        let mut record = record(1, 1);
        record.attributes = (before != none).then(|| Arc::new(before));
        let start = record.at;
        let mut core = read(true, Ok(Loaded::Found(record)));
        let base = Base { id: id("a"), data: Arc::new(2), version: Version(1) };
        assert!(matches!(core.begin_rotate(kind, &base), Ok(BeginRotate::Move)));
        let how = (kind, step, Some(SessionHandle::from_u64(2)));
        let rotation = core.rotation(|| start + LIVED, how, &base, &base.data, None).unwrap();
        let stored = rotation.session.attributes.as_deref().copied().unwrap_or_default();
        assert_eq!(stored, after, "{before:?}, {kind:?}, {step:?}");
        core.rotated(|| start + LIVED, &id("a"), id("b"), Version(2), Arc::new(2));
        core.end_exclusive();
        assert_eq!(core.attributes(), after, "{before:?}, {kind:?}, {step:?}");
        let proven_for = after.proven.map(|proven| LIVED.saturating_sub(proven));
        assert_eq!(core.proven_for(start + LIVED), proven_for);
    }
}

#[test]
fn what_a_rotation_that_failed_was_to_make_of_a_session_is_forgotten() {
    let mut core = read(true, Ok(Loaded::Found(record(1, 1))));
    let base = Base { id: id("a"), data: Arc::new(2), version: Version(1) };
    for (step, after) in [(OwnerStep::New, Some(SessionHandle::from_u64(2))), (OwnerStep::Same, None)] {
        assert!(matches!(core.begin_rotate(ChangeKind::LogIn, &base), Ok(BeginRotate::Move)));
        let how = (ChangeKind::LogIn, step, Some(SessionHandle::from_u64(2)));
        let rotation = core.rotation(Instant::now, how, &base, &base.data, None).unwrap();
        assert_eq!(rotation.session.attributes.and_then(|attributes| attributes.handle), after);
        // Another request was faster.
        core.end_exclusive();
    }
    assert!(matches!(core.begin_rotate(ChangeKind::LogIn, &base), Ok(BeginRotate::Move)));
    let how = (ChangeKind::LogIn, OwnerStep::Same, None);
    drop(core.rotation(Instant::now, how, &base, &base.data, None));
    core.rotated(Instant::now, &id("a"), id("b"), Version(2), Arc::new(2));
    assert_eq!(core.attributes(), Attributes::new());
}

#[test]
fn a_change_of_owner_needs_the_cookie_and_the_head() {
    let base = Base { id: id("a"), data: Arc::new(1), version: Version(1) };
    let elsewhere = || {
        let mut core = Core::new(true);
        let carried = CarriedId::One { id: id("a"), by_cookie: false };
        assert!(core.loaded(&policy(), &carried, Ok(Loaded::Found(record(1, 1)))).is_ok());
        core
    };
    assert!(matches!(elsewhere().begin_rotate(ChangeKind::Edit, &base), Err(SessionError::OwnerChange)));
    assert!(matches!(elsewhere().begin_rotate(ChangeKind::LogIn, &base), Ok(BeginRotate::Move)));
    let mut core = read(true, Ok(Loaded::Found(record(1, 1))));
    assert!(matches!(core.depart(&policy(), false), Depart::Go(_)));
    assert!(matches!(core.begin_rotate(ChangeKind::Edit, &base), Err(SessionError::ResponseStarted)));
}

#[test]
fn a_session_with_a_lifetime_of_its_own_has_a_cookie_that_says_the_same() {
    let limits = Limits::new(Duration::from_secs(1000), Some(Duration::from_secs(600)));
    for (layer, own, max_age) in [
        (false, Some(true), Some(Duration::from_secs(593))),
        (false, None, None),
        (true, None, Some(Duration::from_secs(593))),
        (true, Some(false), None),
    ] {
        let policy = Policy { persistent: layer, ..policy() };
        let record = record(1, 1);
        let start = record.at;
        let mut core = read(true, Ok(Loaded::Found(record)));
        let base = Base { id: id("a"), data: Arc::new(1), version: Version(1) };
        let Ok(BeginLimit::Set(beside)) = core.begin_limit(&policy, &base, own) else { panic!("the layer {layer}, {own:?}") };
        assert_eq!(beside.as_deref().copied().unwrap_or_default(), attributes(None, None, own));
        // It owes the client a cookie, so the response and other such steps wait.
        assert!(matches!(core.depart(&policy, false), Depart::Busy));
        assert!(matches!(core.begin_limit(&policy, &base, own), Ok(BeginLimit::Busy)));
        assert!(matches!(core.begin_rotate(ChangeKind::Rotate, &base), Ok(BeginRotate::Busy)));
        // Another task has read it by now, and knows more of it.
        let newer = Record {
            attributes: beside.clone(),
            ..Record::new(Arc::new(3), Version(3), limits.idle, limits.idle, Some(Duration::from_secs(593)), LIVED)
        };
        let newer = (layer == own.is_none()).then_some(Record { expires_in: Duration::from_secs(593), ..newer });
        let is_newer = newer.is_some_and(|newer| core.learn(&id("a"), newer));
        core.limited(&policy, || start + LIVED, &id("a"), Version(2), Arc::new(1), (limits, beside));
        core.end_exclusive();
        assert!(matches!(core.view(), View::Live(data) if *data == if is_newer { 3 } else { 1 }));
        let Depart::Go(Departing { cookie, .. }) = core.depart(&policy, false) else { panic!() };
        if layer || own.is_some() {
            let SendCookie::Set(_, sent) = cookie else { panic!("the layer {layer}, the session {own:?}") };
            assert_eq!(sent, max_age, "the layer {layer}, the session {own:?}");
        } else {
            // It ends with the browser, as before (law 9).
            assert!(matches!(cookie, SendCookie::None));
        }
        // The head has left: what changes nothing of the cookie may still be said.
        let same = core.begin_limit(&policy, &base, Some(false));
        assert_eq!(same.is_ok(), max_age.is_none());
        core.end_exclusive();
        assert!(matches!(core.begin_limit(&policy, &base, Some(true)), Err(SessionError::ResponseStarted)));
    }
    let mut core = read(true, Ok(Loaded::Found(record(1, 1))));
    let other = Base { id: id("b"), data: Arc::new(1), version: Version(1) };
    assert!(matches!(core.begin_limit(&policy(), &other, Some(true)), Ok(BeginLimit::IdChanged)));
}

/// What lies beside the data of a session that was stored before the layer knew owners, and of one that is listed.
fn owned_states() -> impl Iterator<Item = (&'static str, bool, Core<u32>)> {
    let listed = |is_listed: bool| {
        let mut record = record(1, 1);
        record.attributes = Some(Arc::new(attributes(is_listed.then_some(1), None, None)));
        move || Ok(Loaded::Found(record.clone()))
    };
    [false, true].into_iter().flat_map(move |is_listed| {
        let found = listed(is_listed);
        let (mut elsewhere, mut left) = (Core::new(true), read(true, found()));
        let carried = CarriedId::One { id: id("a"), by_cookie: false };
        assert!(elsewhere.loaded(&policy(), &carried, found()).is_ok());
        assert!(matches!(left.depart(&policy(), false), Depart::Go(_)));
        [("live", is_listed, read(true, found())), ("elsewhere", is_listed, elsewhere), ("left", is_listed, left)]
    })
}

#[test]
fn whom_a_change_leaves_a_session_to() {
    use ChangeKind::{Confirm, Edit, LogIn, Rotate};
    for (state, is_listed, core) in owned_states() {
        for kind in [Edit, Rotate, LogIn, Confirm] {
            for (belongs, is_same) in [(false, false), (false, true), (true, false), (true, true)] {
                let expected = match (belongs, is_same, is_listed) {
                    (false, _, false) | (true, true, true) => OwnerStep::Same,
                    (false, _, true) => OwnerStep::Nobody,
                    (true, false, _) => OwnerStep::New,
                    // By a cookie that can still be sent it moves into the list, and otherwise with its next new id.
                    (true, true, false) if kind == Edit && state != "live" => OwnerStep::Same,
                    (true, true, false) => OwnerStep::Listed,
                };
                let step = core.owner_step(kind, belongs, is_same);
                assert_eq!(step, expected, "{state}, listed {is_listed}, {kind:?}, belongs {belongs}, the same {is_same}");
            }
        }
    }
}

#[test]
fn who_asks_for_his_sessions() {
    let seen: Vec<_> = states()
        .into_iter()
        .map(|(state, core)| (state, of(core.own(), |own| if own.is_some() { "his" } else { "nobody's" })))
        .collect();
    let expected = [
        ("unread", "NotExists"),
        ("none came", "nobody's"),
        ("unknown, lazy", "nobody's"),
        ("unknown", "nobody's"),
        ("undecodable", "NotExists"),
        ("just rotated", "JustRotated"),
        ("withheld", "CrossSite"),
        ("several", "NotExists"),
        ("store down", "down"),
        ("live", "his"),
        ("live, elsewhere", "his"),
        ("new", "his"),
        ("rotating", "his"),
        ("ended", "NotExists"),
        ("live, left", "his"),
        ("unknown, left", "nobody's"),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_session_that_its_owner_ends_takes_the_cookie_with_it() {
    let mut record = record(1, 1);
    record.attributes = Some(Arc::new(attributes(Some(1), None, None)));
    let mut core = read(true, Ok(Loaded::Found(record)));
    core.ended_by_owner(SessionHandle::from_u64(2));
    assert!(core.id().is_some());
    core.ended_by_owner(SessionHandle::from_u64(1));
    assert!(matches!(core.begin_change(ChangeKind::Edit), Err(SessionError::NotExists)));
    assert!(matches!(core.depart(&policy(), false), Depart::Go(Departing { cookie: SendCookie::Remove, .. })));
}

#[test]
fn a_request_that_an_inner_layer_refuses_leaves_nothing_behind() {
    let mut core = Core::<u32>::new(false);
    assert!(matches!(core.read(&CarriedId::None), Ok(Read::Done(View::None))));
    assert!(matches!(core.begin_create(Create::Visit), Ok(BeginCreate::Insert)));
    core.created(Create::Visit, id("a"), Version(1), begun());
    core.end_exclusive();
    core.refuse();
    assert!(core.add(&policy(), &id("a")).is_none());
    assert!(matches!(core.depart(&policy(), false), Depart::Undo(undone) if undone == id("a")));
    assert!(matches!(core.depart(&policy(), false), Depart::Go(Departing { cookie: SendCookie::None, .. })));
    // One that was there before stays.
    let mut core = read(false, Ok(Loaded::Found(record(1, 1))));
    core.refuse();
    assert!(matches!(core.depart(&policy(), false), Depart::Go(Departing { cookie: SendCookie::None, .. })));
}
