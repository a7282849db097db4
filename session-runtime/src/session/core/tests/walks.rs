//! Tasks of one request in random orders, against a small model of a store.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

/// A store: what lies under an id, and the ids that were rotated away.
#[derive(Default)]
struct Model {
    rows: HashMap<String, (u32, u64)>,
    marks: Vec<String>,
    next: u64,
}

impl Model {
    fn load(&self, id: &SharedId) -> Loaded<u32> {
        match self.rows.get(id.as_str()) {
            Some(&(data, version)) => Loaded::Found(record(data, version)),
            None if self.marks.iter().any(|mark| mark == id.as_str()) => Loaded::JustRotated,
            None => Loaded::Missing,
        }
    }

    fn how_gone(&self, id: &SharedId) -> Gone {
        if matches!(self.load(id), Loaded::JustRotated) { Gone::JustRotated } else { Gone::Missing }
    }

    fn version(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The new version, `None` for a conflict, or how it is gone.
    fn replace(&mut self, id: &SharedId, expected: Version, data: u32) -> Result<Option<Version>, Gone> {
        let version = self.version();
        match self.rows.get_mut(id.as_str()) {
            None => Err(self.how_gone(id)),
            Some(row) if row.1 != expected.0 => Ok(None),
            Some(row) => {
                *row = (data, version);
                Ok(Some(Version(version)))
            }
        }
    }

    fn rotate(&mut self, old: &SharedId, new: &SharedId, expected: Version, data: u32) -> Result<Option<Version>, Gone> {
        let replaced = self.replace(old, expected, data);
        if let Ok(Some(_)) = replaced {
            let row = self.rows.remove(old.as_str()).unwrap();
            self.rows.insert(new.as_str().to_owned(), row);
            self.marks.push(old.as_str().to_owned());
        }
        replaced
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Read,
    Add,
    Rotate,
    LogIn,
    LogOut,
}

/// Where a task is: each step is one event of the core, or one answer of the store.
enum At {
    Start,
    Loading,
    Loaded(Loaded<u32>),
    Change,
    Replacing(Base<u32>),
    Replaced(Base<u32>, Result<Option<Version>, Gone>),
    Rotating(Base<u32>),
    RotateUnderWay(Base<u32>, SharedId),
    Rotated(Base<u32>, SharedId, Result<Option<Version>, Gone>),
    Lost(SharedId, Gone),
    Creating,
    CreateUnderWay(SharedId),
    Created(SharedId, Version),
    Deleting,
    DeleteUnderWay(InlineVec<SharedId>, bool),
    Deleted(InlineVec<SharedId>, bool, Deleted),
    Done(Result<(), SessionError>),
}

struct Task {
    op: Op,
    at: At,
}

struct Walk {
    core: Core<u32>,
    store: Model,
    carried: CarriedId,
    ids: u32,
}

impl Walk {
    fn new_id(&mut self) -> SharedId {
        self.ids += 1;
        id(&format!("new{}", self.ids))
    }

    fn kind(op: Op) -> ChangeKind {
        match op {
            Op::Rotate => ChangeKind::Rotate,
            Op::LogIn => ChangeKind::LogIn,
            _ => ChangeKind::Edit,
        }
    }

    fn creation(op: Op) -> Create {
        if op == Op::LogIn { Create::LogIn } else { Create::Edit }
    }

    /// One step of a task, as the driver does it.
    fn step(&mut self, op: Op, at: At) -> At {
        let fail = |error| At::Done(Err(error));
        match at {
            At::Start => match self.core.read(&self.carried) {
                Ok(Read::Done(_)) => At::Change,
                Ok(Read::Load(_)) => At::Loading,
                Ok(Read::LoadEach(_) | Read::Reload(_)) => panic!("the walk has one id, and the head is still there"),
                Err(error) => fail(error),
            },
            At::Loading => At::Loaded(self.store.load(&self.carried.ids()[0])),
            At::Loaded(loaded) => match self.core.loaded(&policy(), &self.carried, Ok(loaded)) {
                Ok(_) => At::Change,
                Err(error) => fail(error),
            },
            At::Change if op == Op::Read => At::Done(Ok(())),
            At::Change if op == Op::LogOut => At::Deleting,
            At::Change => match self.core.begin_change(Self::kind(op)) {
                Ok(BeginChange::Create(_)) => At::Creating,
                Ok(BeginChange::From(base)) if op == Op::Add => At::Replacing(base),
                Ok(BeginChange::From(base)) => At::Rotating(base),
                Err(error) => fail(error),
            },
            At::Replacing(base) => {
                let replaced = self.store.replace(&base.id, base.version, *base.data + 1);
                At::Replaced(base, replaced)
            }
            At::Replaced(base, Ok(Some(version))) => {
                self.core.replaced(&policy(), Instant::now, &base.id, version, Arc::new(*base.data + 1));
                At::Done(Ok(()))
            }
            At::Rotating(base) => match self.core.begin_rotate(Self::kind(op), &base) {
                Ok(BeginRotate::Busy) => At::Rotating(base),
                Ok(BeginRotate::IdChanged) => At::Change,
                Ok(BeginRotate::After(_)) => panic!("the walk has one id"),
                Ok(BeginRotate::Move) => At::RotateUnderWay(base, self.new_id()),
                Err(error) => fail(error),
            },
            At::RotateUnderWay(base, new) => {
                let rotated = self.store.rotate(&base.id, &new, base.version, *base.data);
                At::Rotated(base, new, rotated)
            }
            At::Rotated(base, new, rotated) => self.rotated(base, new, rotated),
            At::Replaced(base, Ok(None)) => self.conflict(base.id),
            At::Replaced(base, Err(gone)) => At::Lost(base.id, gone),
            At::Lost(id, gone) if self.core.is_exclusive() => At::Lost(id, gone),
            At::Lost(id, gone) => match self.core.lost(&id, gone, Self::kind(op)) {
                Ok(()) => At::Change,
                Err(error) => fail(error),
            },
            At::Creating => match self.core.begin_create(Self::creation(op)) {
                Ok(BeginCreate::Busy) => At::Creating,
                Ok(BeginCreate::Exists | BeginCreate::Withhold) => At::Change,
                Ok(BeginCreate::After(_)) => panic!("the walk has one id"),
                Ok(BeginCreate::Insert) => At::CreateUnderWay(self.new_id()),
                Err(error) => fail(error),
            },
            At::CreateUnderWay(new) => {
                let version = self.store.version();
                self.store.rows.insert(new.as_str().to_owned(), (1, version));
                At::Created(new, Version(version))
            }
            At::Created(new, version) => {
                self.core.created(Self::creation(op), new, version, begun());
                self.core.end_exclusive();
                At::Done(Ok(()))
            }
            At::Deleting if self.core.is_exclusive() => At::Deleting,
            At::Deleting => match self.core.begin_destroy(None) {
                Ok(BeginDestroy::Done) => At::Done(Ok(())),
                Ok(BeginDestroy::Delete { ids, in_cookie }) => At::DeleteUnderWay(ids, in_cookie),
                Err(error) => fail(error),
            },
            At::DeleteUnderWay(ids, in_cookie) => {
                let mut deleted = Deleted::None;
                for id in ids.iter() {
                    if self.store.rows.remove(id.as_str()).is_some() {
                        deleted = Deleted::Some;
                    } else if self.store.how_gone(id) == Gone::JustRotated {
                        deleted = Deleted::JustRotated;
                    }
                }
                At::Deleted(ids, in_cookie, deleted)
            }
            At::Deleted(ids, in_cookie, deleted) if self.core.is_exclusive() => At::Deleted(ids, in_cookie, deleted),
            At::Deleted(ids, in_cookie, deleted) => match self.core.deleted(&ids, in_cookie, deleted) {
                Ok(AfterDelete::Done) => At::Done(Ok(())),
                Ok(AfterDelete::Again) => At::Deleting,
                Err(error) => fail(error),
            },
            At::Done(result) => At::Done(result),
        }
    }

    fn rotated(&mut self, base: Base<u32>, new: SharedId, rotated: Result<Option<Version>, Gone>) -> At {
        if let Ok(Some(version)) = rotated {
            self.core.rotated(Instant::now, &base.id, new, version, Arc::clone(&base.data));
        }
        self.core.end_exclusive();
        match rotated {
            Ok(Some(_)) => At::Done(Ok(())),
            Ok(None) => self.conflict(base.id),
            Err(gone) => At::Lost(base.id, gone),
        }
    }

    /// Reads what is there, and tries again with that.
    fn conflict(&mut self, id: SharedId) -> At {
        if let Loaded::Found(record) = self.store.load(&id) {
            self.core.learn(&id, record);
            At::Change
        } else {
            let gone = self.store.how_gone(&id);
            At::Lost(id, gone)
        }
    }
}

/// What other requests do.
fn interfere(store: &mut Model, random: &mut StdRng) -> bool {
    let Some(name) = store.rows.keys().min().cloned() else { return false };
    let version = store.version();
    match random.random_range(0..3) {
        0 => drop(store.rows.remove(&name)),
        1 => {
            let (data, _) = store.rows.remove(&name).unwrap();
            store.rows.insert(format!("other{version}"), (data, version));
            store.marks.push(name);
        }
        _ => {
            store.rows.get_mut(&name).unwrap().1 = version;
            return false;
        }
    }
    true
}

#[test]
fn tasks_of_one_request_leave_the_client_with_what_the_store_holds_in_every_order() {
    const OPS: [Op; 5] = [Op::Read, Op::Add, Op::Rotate, Op::LogIn, Op::LogOut];
    for seed in 0..20_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let starts_with_one = random.random_bool(0.8);
        let mut store = Model { next: 1, ..Model::default() };
        if starts_with_one {
            store.rows.insert("a".to_owned(), (0, 1));
        }
        let carried = if random.random_bool(0.9) { one("a") } else { CarriedId::None };
        let mut walk = Walk { core: Core::new(true), store, carried, ids: 0 };
        let mut tasks: Vec<Task> =
            (0..random.random_range(1..4)).map(|_| Task { op: OPS[random.random_range(0..OPS.len())], at: At::Start }).collect();
        let interferes = random.random_bool(0.3);
        let mut ended_by_others = false;
        for steps in 0.. {
            assert!(steps < 10_000, "seed {seed}: nobody gets on");
            let waiting: Vec<usize> = (0..tasks.len()).filter(|&at| !matches!(tasks[at].at, At::Done(_))).collect();
            if waiting.is_empty() {
                break;
            }
            if interferes && random.random_bool(0.1) {
                ended_by_others |= interfere(&mut walk.store, &mut random);
            }
            let task = &mut tasks[waiting[random.random_range(0..waiting.len())]];
            let at = std::mem::replace(&mut task.at, At::Start);
            task.at = walk.step(task.op, at);
        }
        let told = || {
            tasks
                .iter()
                .map(|Task { op, at }| format!("{op:?} {:?}", if let At::Done(result) = at { result } else { &Ok(()) }))
                .collect::<Vec<_>>()
        };
        assert!(!walk.core.is_exclusive());
        let Depart::Go(departing) = walk.core.depart(&policy(), false) else { panic!("seed {seed}: {:?}", told()) };
        let done = |op: Op| tasks.iter().filter(|task| task.op == op && matches!(task.at, At::Done(Ok(())))).count();
        let has = |id: &SharedId| walk.store.rows.contains_key(id.as_str());
        let kept = walk.carried.one().filter(|id| has(id)).cloned();
        // The id that the client has now.
        let client = match departing.cookie {
            SendCookie::Set(id, _) => {
                assert!(has(&id) || ended_by_others, "seed {seed}: a dead id is sent: {:?}", told());
                Some(id)
            }
            SendCookie::Remove => {
                assert!(done(Op::LogOut) > 0, "seed {seed}: {:?}", told());
                None
            }
            SendCookie::None => kept,
        };
        if !ended_by_others {
            // No session is there that the client does not have, and the other way round.
            let there: Vec<_> = walk.store.rows.keys().filter(|id| *id != "a" || walk.carried.one().is_some()).collect();
            let known: Vec<_> = client.iter().filter(|id| has(id)).map(|id| id.as_str()).collect();
            assert_eq!(there, known, "seed {seed}: {:?}", told());
            if done(Op::LogOut) > 0 && done(Op::Add) + done(Op::LogIn) == 0 {
                assert!(there.is_empty(), "seed {seed}: {:?}", told());
            }
            // No acknowledged change is lost.
            if let (Some(id), 0) = (client, done(Op::LogOut)) {
                let created = !(starts_with_one && walk.carried.one().is_some());
                let (count, _) = walk.store.rows[id.as_str()];
                let logins_that_created =
                    u32::from(created && done(Op::Add) + done(Op::LogIn) > 0 && count as usize > done(Op::Add));
                assert_eq!(count as usize, done(Op::Add) + logins_that_created as usize, "seed {seed}: {:?}", told());
            }
        }
    }
}
