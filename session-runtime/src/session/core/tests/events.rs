//! What single events do, at their bounds.

use super::*;

/// Every state by its name.
fn state(name: &str) -> Core<u32> {
    states().into_iter().find(|(state, _)| *state == name).expect("there is such a state").1
}

fn with_handle(handle: u64) -> Record<u32> {
    Record { attributes: Some(Arc::new(attributes(Some(handle), None, None))), ..record(1, 1) }
}

/// A core that has read a session whose id came elsewhere than in the cookie.
fn read_elsewhere(record: Record<u32>) -> Core<u32> {
    let mut core = Core::new(true);
    let carried = CarriedId::One { id: id("a"), by_cookie: false };
    assert!(core.loaded(&policy(), &carried, Ok(Loaded::Found(record))).is_ok());
    core
}

fn persistent() -> Policy {
    Policy { persistent: true, ..policy() }
}

fn sends(core: &mut Core<u32>) -> &'static str {
    match core.depart(&policy(), false) {
        Depart::Busy => "busy",
        Depart::Refresh(_) => "refresh",
        Depart::Undo(_) => "undo",
        Depart::Go(Departing { cookie: SendCookie::None, .. }) => "nothing",
        Depart::Go(Departing { cookie: SendCookie::Set(..), .. }) => "set",
        Depart::Go(Departing { cookie: SendCookie::Remove, .. }) => "remove",
    }
}

#[test]
fn what_failed_answers_everything_from_then_on() {
    for (name, mut core) in states() {
        core.fail(outage());
        let read = core.read(&one("a")).map(drop);
        let answers = [
            read,
            core.begin_change(ChangeKind::Edit).map(drop),
            core.begin_change(ChangeKind::LogIn).map(drop),
            core.begin_destroy(None).map(drop),
            core.begin_destroy(Some(&one("b"))).map(drop),
            core.own().map(drop),
        ];
        for answer in answers {
            assert_eq!(of(answer, |()| "goes on"), "down", "{name}");
        }
    }
}

#[test]
fn a_layer_that_is_made_lazy_creates_with_the_first_change() {
    let mut core = state("unknown");
    core.make_lazy();
    assert!(matches!(core.view(), View::Default));
    assert!(matches!(core.begin_change(ChangeKind::Edit), Ok(BeginChange::Create(Create::Edit))));
}

const READING: &str = "
state           | none        the same    another     eight       nine        withheld
unread          | done        load a      load b      each 8      done        done
none came       | done        load a      load b      each 8      done        done
unknown, lazy   | done        done        load b      each 8      done        done
unknown         | done        done        load b      each 8      done        done
undecodable     | done        done        load b      each 8      done        done
just rotated    | done        done        load b      each 8      done        done
withheld        | done        load a      load b      each 8      done        done
several         | done        done        done        each 8      done        done
store down      | done        done        load b      each 8      done        done
live            | done        done        load b      each 8      done        done
live, elsewhere | done        done        load b      each 8      done        done
new             | done        done        load b      each 8      done        done
rotating        | done        done        load b      each 8      done        done
ended           | done        done        load b      each 8      done        done
live, left      | done        reload a    load b      each 8      done        done
unknown, left   | done        done        load b      each 8      done        done
";

#[test]
fn what_is_read_for_each_id_that_comes() {
    let several = |count: u8| CarriedId::Ambiguous(Box::new((0..count).map(|at| id(&format!("s{at}"))).collect()));
    let ids = [CarriedId::None, one("a"), one("b"), several(8), several(9), CarriedId::Withheld];
    let mut table = String::from("\n");
    let _ = writeln!(table, "{}", READING.lines().nth(1).unwrap());
    for (name, _) in states() {
        let _ = write!(table, "{name:15} |");
        for carried in &ids {
            let read = match state(name).read(carried) {
                Ok(Read::Done(_)) => "done".to_owned(),
                Ok(Read::Load(id)) => format!("load {}", id.as_str()),
                Ok(Read::LoadEach(ids)) => format!("each {}", ids.len()),
                Ok(Read::Reload(id)) => format!("reload {}", id.as_str()),
                Err(error) => of_error(&error).to_owned(),
            };
            let _ = write!(table, " {read:11}");
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    }
    assert!(table == READING, "{table}");
}

#[test]
fn too_many_ids_and_one_that_is_held_back_are_nobodys_whatever_was_read_before() {
    let nine = CarriedId::Ambiguous(Box::new((0..9).map(|at| id(&format!("s{at}"))).collect()));
    for (carried, answer, ends) in [(nine, "NotExists", 9), (CarriedId::Withheld, "CrossSite", 0)] {
        for (name, mut core) in states() {
            if matches!(name, "none came" | "withheld" | "new") && ends == 0 {
                // Without an id as well, so it is the very same.
                continue;
            }
            assert!(matches!(core.read(&carried), Ok(Read::Done(_))));
            assert_eq!(of(core.begin_change(ChangeKind::Edit), |_| "goes on"), answer, "{name}");
            let destroy = core.begin_destroy(None);
            match destroy {
                Ok(BeginDestroy::Delete { ids, in_cookie }) => {
                    assert_eq!((ids.iter().count(), in_cookie), (ends, true), "{name}");
                }
                other => assert_eq!(of(other, |_| "nothing"), answer, "{name}"),
            }
        }
    }
}

#[test]
fn of_two_tasks_that_read_at_the_same_time_one_renews() {
    let due = || Ok(Loaded::Found(Record { expires_in: Duration::from_secs(50), ..record(1, 1) }));
    let (mut core, carried) = (Core::<u32>::new(true), one("a"));
    let first = core.loaded(&policy(), &carried, due()).unwrap();
    let second = core.loaded(&policy(), &carried, due()).unwrap();
    assert!(matches!((first, second), (AfterLoad::Touch(_), AfterLoad::Done(View::Live(_)))));
    // Half of the limit is left: it waits for the response, which sends the cookie.
    let mut core = Core::<u32>::new(true);
    assert!(matches!(core.loaded(&persistent(), &carried, due()), Ok(AfterLoad::Done(_))));
    let touched = |core: &mut Core<u32>, name: &str| {
        let record = Record { absolute_in: Some(Duration::from_secs(1000)), ..core.known(&id("a")).unwrap() };
        let now = record.at;
        assert!(core.learn(&id("a"), record));
        core.touched(|| now, &id(name));
        core.times(now).unwrap().1
    };
    assert_eq!(touched(&mut core, "b"), Duration::from_secs(50));
    assert_eq!(touched(&mut core, "a"), IDLE);
}

#[test]
fn a_change_moves_the_end_of_a_cookie_that_outlives_the_browser_while_the_head_is_there() {
    let replaced = |mut core: Core<u32>, policy: &Policy| {
        core.replaced(policy, Instant::now, &id("a"), Version(2), Arc::new(2));
        sends(&mut core)
    };
    assert_eq!(replaced(state("live"), &persistent()), "refresh");
    assert_eq!(replaced(state("live"), &policy()), "nothing");
    assert_eq!(replaced(state("live, elsewhere"), &persistent()), "nothing");
    assert_eq!(replaced(state("live, left"), &persistent()), "nothing");
}

#[test]
fn a_visit_whose_session_cannot_be_stored_goes_on_without_it_if_the_layer_says_so() {
    let created = || {
        let mut core = state("unknown");
        assert!(matches!(core.begin_create(Create::Visit), Ok(BeginCreate::Insert)));
        core
    };
    let mut core = created();
    assert!(core.not_created(&policy(), id("new"), outage()).is_ok());
    core.end_exclusive();
    assert!(matches!(core.view(), View::Default));
    assert_eq!(of(core.begin_change(ChangeKind::Edit), |_| "goes on"), "down");
    assert!(core.add(&policy(), &id("new")).is_none(), "nothing is stored under it");
    assert!(matches!(core.depart(&policy(), false), Depart::Go(Departing { used: true, cookie: SendCookie::None, .. })));
    let fails = Policy { on_store_error: OnStoreError::Fail, ..policy() };
    assert_eq!(of(created().not_created(&fails, id("new"), outage()), |()| "goes on"), "down");
}

#[test]
fn a_session_begins_with_the_limits_that_it_was_given() {
    let beside = Some(Arc::new(attributes(Some(1), Some(Duration::ZERO), Some(true))));
    let limits = Limits::new(Duration::from_secs(1000), Some(Duration::from_secs(600)));
    let mut core = new(Begun { limits, attributes: beside.clone(), ..begun() });
    let record = core.known(&id("a")).unwrap();
    assert_eq!((record.idle, record.absolute_in), (Duration::from_secs(1000), Some(Duration::from_secs(600))));
    assert_eq!((record.expires_in, record.attributes), (Duration::from_secs(600), beside));
    assert!(matches!(core.add(&policy(), &id("a")), Some((_, Some(max_age))) if max_age == Duration::from_secs(600)));
}

#[test]
fn a_rotation_moves_what_its_change_started_from() {
    let mut core = state("live");
    let Ok(BeginChange::From(base)) = core.begin_change(ChangeKind::Rotate) else { panic!("it is there") };
    // Another task of the request is faster: the store is to refuse this one.
    core.replaced(&policy(), Instant::now, &id("a"), Version(2), Arc::new(2));
    assert!(matches!(core.begin_rotate(ChangeKind::Rotate, &base), Ok(BeginRotate::Move)));
    let rotation = core.rotation(Instant::now, (ChangeKind::Rotate, OwnerStep::Same, None), &base, &base.data, None).unwrap();
    assert_eq!(rotation.session.version, Version(1));
}

#[test]
fn a_logout_tells_the_client_what_it_has_in_its_cookie() {
    let logout = |core: &mut Core<u32>, carried: Option<&CarriedId>| match core.begin_destroy(carried) {
        Ok(BeginDestroy::Delete { ids, in_cookie: true }) => format!("{} of the cookie", ids.iter().count()),
        Ok(BeginDestroy::Delete { ids, in_cookie: false }) => format!("{} of elsewhere", ids.iter().count()),
        Ok(BeginDestroy::Done) => "nothing".to_owned(),
        Err(error) => of_error(&error).to_owned(),
    };
    for (name, says) in [
        ("live", "1 of the cookie"),
        ("live, elsewhere", "1 of elsewhere"),
        // The client does not know of it yet.
        ("new", "1 of elsewhere"),
        ("several", "2 of the cookie"),
    ] {
        assert_eq!(logout(&mut state(name), None), says, "{name}");
    }
    let several = CarriedId::Ambiguous(Box::new(vec![id("a"), id("b")]));
    let elsewhere = CarriedId::One { id: id("b"), by_cookie: false };
    for (carried, unread, live) in [
        (CarriedId::None, "nothing", "nothing"),
        (CarriedId::Withheld, "CrossSite", "CrossSite"),
        (one("a"), "1 of the cookie", "1 of the cookie"),
        (one("b"), "1 of the cookie", "1 of the cookie"),
        (elsewhere, "1 of elsewhere", "1 of elsewhere"),
        (several, "2 of the cookie", "1 of the cookie"),
    ] {
        assert_eq!(logout(&mut Core::new(true), Some(&carried)), unread, "{carried:?}");
        assert_eq!(logout(&mut state("live"), Some(&carried)), live, "{carried:?}");
    }
}

#[test]
fn what_a_logout_leaves_the_client_with() {
    let only = |name: &str| std::iter::once(id(name)).collect::<InlineVec<SharedId>>();
    for (name, deleted_id, in_cookie, deleted, answer, cookie, then) in [
        ("live", "a", true, Deleted::Some, "done", "remove", "NotExists"),
        ("live", "a", false, Deleted::Some, "done", "nothing", "NotExists"),
        // Another request has ended it before: it is over for this one as well.
        ("live", "a", true, Deleted::None, "done", "remove", "NotExists"),
        ("live", "a", true, Deleted::JustRotated, "JustRotated", "nothing", "JustRotated"),
        ("live, elsewhere", "b", true, Deleted::Some, "done", "remove", "from"),
        ("live, elsewhere", "b", false, Deleted::Some, "done", "nothing", "from"),
        ("live", "b", true, Deleted::Some, "done", "nothing", "from"),
        ("live", "b", false, Deleted::Some, "done", "nothing", "from"),
        ("unknown", "a", true, Deleted::JustRotated, "JustRotated", "nothing", "JustRotated"),
        ("unknown", "a", true, Deleted::None, "done", "remove", "NotExists"),
    ] {
        let mut core = state(name);
        let said = of(core.deleted(&only(deleted_id), in_cookie, deleted), |after| match after {
            AfterDelete::Done => "done",
            AfterDelete::Again => "again",
        });
        let change = of(core.begin_change(ChangeKind::Rotate), |_| "from");
        let case = format!("{name}, {deleted_id}, in the cookie {in_cookie}, {deleted:?}");
        assert_eq!((said, sends(&mut core), change), (answer, cookie, then), "{case}");
    }
    // What has ended is not said once more, if nothing of it was there.
    for (deleted, cookie) in [(Deleted::None, "nothing"), (Deleted::Some, "remove")] {
        let mut core = state("live");
        core.ended(&id("a"), Gone::Missing);
        assert_eq!(core.deleted(&only("a"), true, deleted).unwrap(), AfterDelete::Done);
        assert_eq!(sends(&mut core), cookie, "{deleted:?}");
    }
    // Of several that were not read, the one that exists counts.
    assert_eq!(Deleted::None.and(Deleted::JustRotated).and(Deleted::None), Deleted::JustRotated);
    assert_eq!(Deleted::JustRotated.and(Deleted::Some).and(Deleted::None), Deleted::SomeAndJustRotated);
    for (mut core, answer) in [(Core::new(true), "done"), (state("live"), "JustRotated")] {
        let said = of(core.deleted(&only("a"), true, Deleted::SomeAndJustRotated), |_| "done");
        assert_eq!((said, sends(&mut core)), (answer, if answer == "done" { "remove" } else { "nothing" }));
    }
    // A cookie that was added is taken back.
    let mut core = state("new");
    assert!(!core.added());
    assert_eq!(core.deleted(&only("a"), false, Deleted::Some).unwrap(), AfterDelete::Done);
    assert_eq!(sends(&mut core), "remove");
}

#[test]
fn a_session_that_its_owner_ends_takes_the_cookie_of_those_who_have_it() {
    let handle = SessionHandle::from_u64(1);
    let ended = |mut core: Core<u32>| {
        core.ended_by_owner(handle);
        assert_eq!(of(core.begin_change(ChangeKind::Rotate), |_| "goes on"), "NotExists");
        sends(&mut core)
    };
    assert_eq!(ended(read(true, Ok(Loaded::Found(with_handle(1))))), "remove");
    assert_eq!(ended(read_elsewhere(with_handle(1))), "nothing");
    let new = || new(Begun { attributes: with_handle(1).attributes, ..begun() });
    assert_eq!(ended(new()), "nothing");
    let mut added = new();
    added.added();
    assert_eq!(ended(added), "remove");
    let mut left = read(true, Ok(Loaded::Found(with_handle(1))));
    assert_eq!(sends(&mut left), "nothing");
    assert_eq!(ended(left), "nothing");
}

#[test]
fn a_head_leaves_without_a_cookie_where_none_is_owed_and_nobody_is_waited_for() {
    assert_eq!(state("live").depart_without_cookie(), Some(true));
    assert_eq!(Core::<u32>::new(true).depart_without_cookie(), Some(false));
    for name in ["new", "rotating", "ended"] {
        assert_eq!(state(name).depart_without_cookie(), None, "{name}");
    }
    let mut refused = state("live");
    refused.refuse();
    assert_eq!(refused.depart_without_cookie(), None);
}

#[test]
fn a_logout_of_what_is_gone_takes_the_cookie_that_came() {
    let several = CarriedId::Ambiguous(Box::new(vec![id("a"), id("b")]));
    let elsewhere = CarriedId::One { id: id("a"), by_cookie: false };
    for (carried, left, cookie) in [
        (one("a"), false, "remove"),
        (several, false, "remove"),
        (elsewhere, false, "nothing"),
        (CarriedId::None, false, "nothing"),
        (one("a"), true, "nothing"),
    ] {
        let mut core = Core::<u32>::new(true);
        core.came(|| carried.clone());
        let gone = carried.ids().iter().map(|_| Ok(Loaded::Missing)).collect();
        match core.read(&carried) {
            Ok(Read::Load(_)) => drop(core.loaded(&policy(), &carried, Ok(Loaded::Missing))),
            Ok(Read::LoadEach(_)) => drop(core.loaded_each(&policy(), &carried, gone)),
            _ => {}
        }
        if left {
            assert_eq!(sends(&mut core), "nothing");
        }
        assert!(matches!(core.begin_destroy(None), Ok(BeginDestroy::Done)));
        assert_eq!(sends(&mut core), cookie, "{carried:?}, left {left}");
    }
    // What was read is not what came, which may live.
    let mut core = Core::<u32>::new(true);
    core.came(|| one("a"));
    assert!(core.loaded(&policy(), &one("b"), Ok(Loaded::Missing)).is_ok());
    assert!(matches!(core.begin_destroy(None), Ok(BeginDestroy::Done)));
    assert_eq!(sends(&mut core), "nothing");
    // It may live, by an id that this request does not know.
    let mut core = Core::<u32>::new(true);
    core.came(|| one("a"));
    assert!(core.loaded(&policy(), &one("a"), Ok(Loaded::JustRotated)).is_ok());
    assert_eq!(of(core.begin_destroy(None), |_| "done"), "JustRotated");
    assert_eq!(sends(&mut core), "nothing");
}

#[test]
fn a_cookie_that_moves_with_its_session_is_sent_once_that_was_renewed() {
    let due = Record { expires_in: Duration::from_secs(60), ..record(1, 1) };
    let (mut core, carried) = (Core::<u32>::new(true), one("a"));
    assert!(matches!(core.loaded(&persistent(), &carried, Ok(Loaded::Found(due))), Ok(AfterLoad::Done(_))));
    assert!(matches!(core.depart(&persistent(), false), Depart::Refresh(refreshed) if refreshed == id("a")));
    core.refreshed(Instant::now, &id("b"));
    core.refreshed(Instant::now, &id("a"));
    let Depart::Go(Departing { cookie: SendCookie::Set(sent, max_age), .. }) = core.depart(&persistent(), false) else {
        panic!()
    };
    assert_eq!((sent, max_age), (id("a"), Some(IDLE)));
    // Another request has ended it meanwhile.
    let mut core = state("live");
    core.refreshed(Instant::now, &id("b"));
    assert_eq!(sends(&mut core), "nothing");
}

#[test]
fn an_id_is_added_as_what_its_session_goes_by() {
    let live = || read(true, Ok(Loaded::Found(Record { expires_in: Duration::from_secs(95), ..record(1, 1) })));
    let mut rotated = live();
    rotated.rotated(Instant::now, &id("a"), id("a2"), Version(2), Arc::new(2));
    let left = Duration::from_secs(95);
    for (core, add, sent, max_age) in [
        (live(), "a", "a", left),
        (live(), "x", "x", left),
        (state("unknown"), "x", "x", IDLE),
        (Core::new(true), "x", "x", IDLE),
    ] {
        assert_eq!(core_adds(core, add), Some((sent.to_owned(), Some(max_age))), "{add}");
    }
    for add in ["a", "a2"] {
        let added = rotated.add(&policy(), &id(add)).map(|(id, max_age)| (id.as_str().to_owned(), max_age));
        assert_eq!(added, Some(("a2".to_owned(), None)), "{add}");
    }
    assert!(!rotated.added() && rotated.added(), "it was added before");
}

fn core_adds(mut core: Core<u32>, name: &str) -> Option<(String, Option<Duration>)> {
    core.add(&persistent(), &id(name)).map(|(id, max_age)| (id.as_str().to_owned(), max_age))
}

#[test]
fn what_a_request_can_ask_of_its_session() {
    for (name, is_new, is_late, knows) in [
        ("new", true, false, true),
        ("live", false, false, true),
        ("live, left", false, true, true),
        ("unknown", false, false, false),
        ("unknown, left", false, true, false),
    ] {
        let core = state(name);
        assert_eq!((core.is_new(), core.is_late()), (is_new, is_late), "{name}");
        assert_eq!((core.known(&id("a")).is_some(), core.known(&id("b")).is_some()), (knows, false), "{name}");
    }
    let asks = [Create::Asked, Create::Visit, Create::Edit, Create::LogIn].map(|create| (create.is_visit(), create.origin()));
    let (visit, change) = ((true, Origin::Visit), (false, Origin::Change));
    assert_eq!(asks, [visit, visit, change, change]);
}

#[test]
fn of_a_session_that_the_request_leaves_for_another_only_a_new_id_and_a_removal_stay_owed() {
    let other = CarriedId::One { id: id("b"), by_cookie: false };
    let leaves = |mut core: Core<u32>| {
        assert!(core.loaded(&policy(), &other, Ok(Loaded::Found(record(5, 1)))).is_ok());
        assert!(core.id().is_some_and(|at| *at == id("b")));
        sends(&mut core)
    };
    assert_eq!(leaves(state("new")), "set");
    assert_eq!(leaves(state("ended")), "remove");
    let mut refreshing = state("live");
    refreshing.replaced(&persistent(), Instant::now, &id("a"), Version(2), Arc::new(2));
    assert_eq!(leaves(refreshing), "nothing");
    // The other one may be that of a request without an id.
    let mut rotated = state("live");
    rotated.rotated(Instant::now, &id("a"), id("a2"), Version(2), Arc::new(2));
    assert!(matches!(rotated.read(&CarriedId::None), Ok(Read::Done(View::None))));
    assert_eq!(sends(&mut rotated), "set");
}

#[test]
fn a_change_looks_at_the_clock_where_the_time_that_has_passed_counts() {
    let mut core = state("live");
    core.replaced(&policy(), || panic!("it costs, and says nothing"), &id("a"), Version(2), Arc::new(2));
    // A response that has started may last.
    let mut late = read(true, Ok(Loaded::Found(record(1, 1))));
    assert_eq!(sends(&mut late), "nothing");
    let later = late.known(&id("a")).unwrap().at + Duration::from_secs(30);
    assert_eq!(late.times(later).unwrap().1, Duration::from_secs(70));
    late.replaced(&policy(), || later, &id("a"), Version(2), Arc::new(2));
    assert_eq!(late.times(later), Some((Duration::from_secs(30), IDLE)));
}

#[test]
fn a_touch_of_a_short_session_is_due_after_a_tenth_too() {
    for (idle, left, is_due) in [(50, 44, true), (50, 46, false), (5, 4, true), (1, 1, false), (1, 0, true)] {
        let record = Record { idle: Duration::from_secs(idle), expires_in: Duration::from_secs(left), ..record(1, 1) };
        let step = Core::new(true).loaded(&policy(), &one("a"), Ok(Loaded::Found(record))).unwrap();
        assert_eq!(matches!(step, AfterLoad::Touch(_)), is_due, "{left} of {idle}");
    }
}

#[test]
fn how_a_session_is_found_to_be_gone() {
    let undecodable = || Loaded::<u32>::Undecodable(StoreError::data("no"));
    let fails = Policy { on_undecodable: OnUndecodable::Fail, ..policy() };
    assert_eq!(how_gone::<u32>(&policy(), Loaded::Missing).unwrap(), Gone::Missing);
    assert_eq!(how_gone::<u32>(&policy(), Loaded::JustRotated).unwrap(), Gone::JustRotated);
    assert_eq!(how_gone(&policy(), undecodable()).unwrap(), Gone::Discarded);
    assert!(how_gone(&fails, undecodable()).is_err());
    assert_eq!(how_gone::<u32>(&fails, Loaded::JustRotated).unwrap(), Gone::JustRotated);
}
