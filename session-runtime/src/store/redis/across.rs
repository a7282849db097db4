//! Owners in a cluster, where the list of an owner's sessions and the sessions are on different nodes.
//!
//! 1. A session enters the list before its row is written, and leaves it after its row is deleted. So of the rows that are there none is missing in the list. What
//!    is in the list and has no row yet, or none any more, does not show; after [`BOUND`] it is taken out, and its key is barred, so that it cannot come any more.
//! 2. A rotation enters its new row with the old one's name, until it is done: the new one counts when the old one is left by this rotation.
//! 3. Ending marks the entries first, all in one step: a rotation from one that is marked begins no more. Then it deletes the rows, the older ones first, and bars the keys
//!    of those that are not written yet. Then the entries go.
//! 4. How many an owner has is decided in the step that enters. What must go for a new one is marked in it, and ended before the new row is written.
//!
//! 5. Whoever deletes a session, or has moved it, marks what else was to come from its key as ended: only one can leave a key.
//!
//! All of it goes on in a task of its own ([`steps`](super::steps)), so a caller that gives up leaves nothing half done. But each step may be the last one of a process that dies, and an
//! answer may be lost: whoever looks at the list next does what was left. Once the marks at an old key are gone, after 30 s, it cannot be told whether a rotation left it or something
//! else took the session away. So where a session is deleted while a process moves it that dies before it hears of that, the row at the new key shows until its idle limit, although
//! nobody knows its id. The same where it is ended and nobody looks at the list of the new owner for 30 s.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::try_join_all;
use redis::{Cmd, Value};

use super::layout::Layout;
use super::link::Link;
use super::row::{Next, attributes, listed_row, text_of, unexpected};
use super::scripts::{ACROSS, Across as AcrossScripts, By, Script};
use crate::store::{Belonging, Listed, SessionHandle, StoreError, WhenFull, Which};

/// How long a session may be in a list without a row, in milliseconds by the list's node.
const BOUND: u64 = 10_000;

/// How long after it has entered the list a row is still written.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The lists of owners, as a store reaches them.
#[derive(Clone, Copy)]
pub(super) struct Across<'a> {
    pub(super) link: &'a Link,
    pub(super) layout: &'a Layout,
}

/// An owner: its hash in hex, and the key of its list.
pub(super) struct Whose {
    hash: String,
    list: String,
}

/// What is to enter a list.
pub(super) struct Entering<'a> {
    /// The end of the key of its row.
    pub(super) name: &'a str,
    /// What stands beside its data.
    pub(super) beside: &'a str,
    pub(super) age: u64,
    pub(super) tag: &'a str,
    pub(super) from: &'a str,
    pub(super) idle: u64,
    pub(super) belonging: &'a Belonging,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered {
    /// It is there, and its row may be written.
    Done,
    TooMany,
    /// What moves is ended.
    Missing,
    /// There is one of this name.
    Taken,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    handle: String,
    entered: u64,
    tag: String,
    is_ending: bool,
    from: Option<String>,
}

/// What a row is, of which a list speaks.
enum Row {
    /// The session, and the time of its node.
    There(Vec<u8>, u64),
    Other,
    Mark(Vec<u8>),
    /// There was one, which was ended.
    Gone,
    Nothing,
    /// There was one, which is ended by this.
    Ended,
}

impl Row {
    fn of(answer: Value) -> Result<Self, StoreError> {
        match answer {
            Value::Int(1) => Ok(Self::Ended),
            Value::Int(_) => Ok(Self::Other),
            Value::BulkString(text) if text.is_empty() || text == b"ended" => Ok(Self::Nothing),
            Value::BulkString(text) if text == b"gone" => Ok(Self::Gone),
            Value::BulkString(text) => Ok(Self::Mark(text)),
            Value::Array(parts) => match <[Value; 2]>::try_from(parts) {
                Ok([Value::BulkString(text), Value::Int(now)]) => Ok(Self::There(text, now.unsigned_abs())),
                _ => Err(unexpected(&Value::Nil)),
            },
            other => Err(unexpected(&other)),
        }
    }

    /// Whether the rotation with this tag has left what was there, as far as can be told.
    fn was_left_by(&self, tag: &str) -> bool {
        match self {
            Self::Mark(mark) => mark.ends_with(tag.as_bytes()),
            Self::Nothing => true,
            Self::There(..) | Self::Other | Self::Gone | Self::Ended => false,
        }
    }
}

impl Across<'_> {
    pub(super) fn whose(&self, hash: String) -> Whose {
        let list = self.layout.list_key_of(&hash);
        Whose { hash, list }
    }

    fn command(by: By, script: fn(&'static AcrossScripts) -> &'static Script, key: &str) -> Cmd {
        let mut command = script(&ACROSS).command(by, 1);
        command.arg(key).arg(0);
        command
    }

    async fn ask_row(
        &self,
        script: fn(&'static AcrossScripts) -> &'static Script,
        whose: &Whose,
        name: &str,
        handle: &str,
    ) -> Result<Row, StoreError> {
        let key = self.layout.row_key(name);
        let call = |by| {
            let mut command = Self::command(by, script, &key);
            command.arg(&whose.hash).arg(handle);
            command
        };
        Row::of(self.link.repeatable(call).await?)
    }

    async fn look(&self, whose: &Whose, name: &str, handle: &str) -> Result<Row, StoreError> {
        self.ask_row(|scripts| &scripts.look, whose, name, handle).await
    }

    async fn finish(&self, whose: &Whose, entry: &Entry) -> Result<Row, StoreError> {
        self.ask_row(|scripts| &scripts.finish, whose, &entry.name, &entry.handle).await
    }

    /// Takes out what has no row.
    pub(super) async fn drop<'n>(&self, whose: &Whose, names: impl IntoIterator<Item = &'n str>) -> Result<(), StoreError> {
        let names: Vec<_> = names.into_iter().collect();
        if names.is_empty() {
            return Ok(());
        }
        let call = |by| {
            let mut command = Self::command(by, |scripts| &scripts.drop, &whose.list);
            command.arg(&names);
            command
        };
        self.link.repeatable(call).await.map(drop)
    }

    /// A rotation is done.
    pub(super) async fn settle(&self, whose: &Whose, name: &str, from: &str, is_sure: bool) -> Result<(), StoreError> {
        let call = |by| {
            let mut command = Self::command(by, |scripts| &scripts.settle, &whose.list);
            command.arg(name).arg(from).arg(u8::from(is_sure));
            command
        };
        self.link.repeatable(call).await.map(drop)
    }

    /// What was under this name is deleted, or has gone to another list: no rotation from it can be done any more.
    pub(super) async fn leave(&self, whose: &Whose, name: &str) -> Result<(), StoreError> {
        self.settle(whose, "", name, true).await
    }

    /// A session lives on: what stands beside its data and its creation, as a script told.
    pub(super) async fn hear(&self, name: &str, told: &[u8]) -> Result<(), StoreError> {
        let told = String::from_utf8_lossy(told);
        let number = |from: usize, to: usize| told.get(from..to).and_then(|digits| digits.parse::<u64>().ok());
        let (Some(beside), Some(created), Some(idle)) = (told.get(..97), number(97, 113), number(113, 129)) else {
            return Ok(());
        };
        let proven = beside[..16].parse::<u64>().unwrap_or(0);
        let whose = self.whose(beside[32..96].to_owned());
        let call = |by| {
            let mut command = Self::command(by, |scripts| &scripts.hear, &whose.list);
            command.arg(name).arg(&beside[16..32]).arg(created.saturating_add(proven)).arg(idle.saturating_mul(5));
            command
        };
        self.link.repeatable(call).await.map(drop)
    }

    /// A session enters a list, and what must go for it has gone.
    pub(super) async fn enter(&self, whose: &Whose, new: &Entering<'_>) -> Result<Entered, StoreError> {
        let limit = new.belonging.limit;
        let (proven, handle) = (new.beside[..16].parse::<u64>().unwrap_or(0), &new.beside[16..32]);
        let mut was_looked_at = false;
        loop {
            let call = |by| {
                let mut command = Self::command(by, |scripts| &scripts.enter, &whose.list);
                command.arg(new.name).arg(handle).arg(new.age).arg(proven).arg(new.tag).arg(new.from);
                command.arg(new.idle.saturating_mul(6)).arg(limit.map_or(0, |limit| limit.sessions.get()));
                command.arg(u8::from(limit.is_some_and(|limit| limit.when_full == WhenFull::Refuse)));
                command.arg(u8::from(was_looked_at));
                command
            };
            let Value::Array(parts) = self.link.once(call).await? else { return Err(unexpected(&Value::Nil)) };
            let mut parts = parts.into_iter();
            let said = text_of(parts.next().unwrap_or(Value::Nil))?;
            match said.as_slice() {
                b"taken" => return Ok(Entered::Taken),
                b"missing" => return Ok(Entered::Missing),
                b"toomany" => return Ok(Entered::TooMany),
                b"full" => {
                    self.survey(whose).await?;
                    was_looked_at = true;
                }
                _ => {
                    self.finish_all(whose, entries(parts)?).await?;
                    return Ok(Entered::Done);
                }
            }
        }
    }

    /// The sessions of an owner that are there, by what they are called; on the way, what others left undone is done.
    async fn survey(&self, whose: &Whose) -> Result<HashMap<String, Row>, StoreError> {
        let answer = self.link.repeatable(|by| Self::command(by, |scripts| &scripts.entries, &whose.list)).await?;
        let Value::Array(parts) = answer else { return Err(unexpected(&answer)) };
        let mut parts = parts.into_iter();
        let Some(Value::Int(now)) = parts.next() else { return Err(unexpected(&Value::Nil)) };
        let (ending, live): (Vec<_>, Vec<_>) = entries(parts)?.into_iter().partition(|entry| entry.is_ending);
        let is_old = |entry: &Entry| entry.entered.saturating_add(BOUND) < now.unsigned_abs();
        self.finish_all(whose, ending).await?;
        let left: HashSet<_> = live.iter().filter_map(|entry| Some((entry.from.as_deref()?, entry.handle.as_str()))).collect();
        let first = live.iter().filter(|entry| !left.contains(&(entry.name.as_str(), entry.handle.as_str())));
        let rows =
            try_join_all(first.map(async |entry| Ok::<_, StoreError>((entry, self.resolve(whose, entry, is_old(entry)).await?))));
        let mut shown = HashMap::new();
        for (entry, row) in rows.await? {
            if let Some(row) = row {
                shown.insert(entry.handle.clone(), row);
            }
        }
        Ok(shown)
    }

    /// The session of an entry, or that from where a rotation is about to bring it.
    async fn resolve(&self, whose: &Whose, entry: &Entry, is_old: bool) -> Result<Option<Row>, StoreError> {
        let mut before = None;
        if let Some(from) = &entry.from {
            let row = self.look(whose, from, &entry.handle).await?;
            if !row.was_left_by(&entry.tag) {
                if is_old {
                    self.finish(whose, entry).await?;
                    self.drop(whose, [entry.name.as_str()]).await?;
                }
                return Ok(matches!(row, Row::There(..)).then_some(row));
            }
            // Without its mark it may have been another rotation that left it.
            before = Some((from, matches!(row, Row::Mark(_))));
        }
        let row = self.look(whose, &entry.name, &entry.handle).await?;
        let is_there = matches!(row, Row::There(..));
        if is_old {
            match before {
                _ if !is_there => {
                    self.finish(whose, entry).await?;
                    self.drop(whose, [entry.name.as_str()]).await?;
                }
                Some((from, is_sure)) => self.settle(whose, &entry.name, from, is_sure).await?,
                None => {}
            }
        }
        Ok(is_there.then_some(row))
    }

    /// Ends sessions whose entries are marked. What they were called that were there.
    async fn finish_all(&self, whose: &Whose, mut ending: Vec<Entry>) -> Result<HashSet<String>, StoreError> {
        ending.sort_by_key(|entry| entry.entered);
        let (moving, standing): (Vec<_>, Vec<_>) = ending.iter().partition(|entry| entry.from.is_some());
        let mut ended = HashSet::new();
        let mut rows = HashMap::new();
        let finished = standing.iter().map(async |entry| Ok::<_, StoreError>((entry, self.finish(whose, entry).await?)));
        for (entry, row) in try_join_all(finished).await? {
            if matches!(row, Row::Ended) {
                ended.insert(entry.handle.clone());
            }
            rows.insert(entry.name.as_str(), row);
        }
        for entry in moving {
            let from = entry.from.as_deref().unwrap_or_default();
            let has_come = match rows.get(from) {
                Some(row) => row.was_left_by(&entry.tag),
                None => self.look(whose, from, &entry.handle).await?.was_left_by(&entry.tag),
            };
            let row = self.finish(whose, entry).await?;
            if has_come && matches!(row, Row::Ended) {
                ended.insert(entry.handle.clone());
            }
            rows.insert(&entry.name, row);
        }
        self.drop(whose, ending.iter().map(|entry| entry.name.as_str())).await?;
        Ok(ended)
    }

    pub(super) async fn list(&self, whose: &Whose) -> Result<Vec<Listed<Vec<u8>>>, StoreError> {
        let mut listed = Vec::new();
        for (handle, row) in self.survey(whose).await? {
            if let Row::There(text, now) = row {
                listed.extend(listed_row(handle.as_bytes(), Value::BulkString(text), now)?);
            }
        }
        Ok(listed)
    }

    pub(super) async fn end(&self, whose: &Whose, which: Which) -> Result<u64, StoreError> {
        let (name, one) = match which {
            Which::One(handle) => ("one", handle.to_string()),
            Which::Others(handle) => ("others", handle.to_string()),
            Which::All => ("all", String::new()),
        };
        let call = |by| {
            let mut command = Self::command(by, |scripts| &scripts.end, &whose.list);
            command.arg(name).arg(&one);
            command
        };
        let Value::Array(parts) = self.link.repeatable(call).await? else { return Err(unexpected(&Value::Nil)) };
        let ended = self.finish_all(whose, entries(parts.into_iter().skip(1))?).await?;
        Ok(ended.iter().filter(|handle| handle.parse().is_ok_and(|handle| which.has(handle))).count() as u64)
    }

    /// The answer of the script that replaces a row.
    pub(super) async fn replace(
        &self,
        whose: &Whose,
        handle: SessionHandle,
        next: &Next,
        data: &[u8],
    ) -> Result<Value, StoreError> {
        let handle = handle.to_string();
        let answer = self.link.repeatable(|by| Self::command(by, |scripts| &scripts.entries, &whose.list)).await?;
        let Value::Array(parts) = answer else { return Err(unexpected(&answer)) };
        let mut candidates = entries(parts.into_iter().skip(1))?;
        candidates.retain(|entry| entry.handle == handle && !entry.is_ending);
        // A rotation moves it from an earlier one to a later one.
        candidates.sort_by_key(|entry| entry.entered);
        for entry in candidates {
            // Nobody knows the row of a rotation that was given up, or is not done yet.
            if let Some(from) = &entry.from
                && !self.look(whose, from, &entry.handle).await?.was_left_by(&entry.tag)
            {
                continue;
            }
            let key = self.layout.row_key(&entry.name);
            let call = |by| {
                let mut command = Self::command(by, |scripts| &scripts.replace, &key);
                command.arg(&whose.hash).arg(&handle);
                next.add_to(&mut command);
                command.arg(data);
                command
            };
            let answer = self.link.once(call).await?;
            if answer != Value::BulkString(b"missing".to_vec()) {
                return Ok(answer);
            }
        }
        Ok(Value::SimpleString("missing".to_owned()))
    }
}

/// The owner's hash in what stands beside the data, if it has one.
pub(super) fn owner_in(beside: &[u8]) -> Option<String> {
    attributes(beside).ok()?;
    String::from_utf8(beside.get(32..96)?.to_vec()).ok()
}

fn entries(parts: impl Iterator<Item = Value>) -> Result<Vec<Entry>, StoreError> {
    let texts: Vec<_> = parts.map(text_of).collect::<Result<_, _>>()?;
    let mut entries = Vec::with_capacity(texts.len() / 2);
    for pair in texts.chunks_exact(2) {
        let [name, text] = [0, 1].map(|at| String::from_utf8_lossy(&pair[at]).into_owned());
        let field = |from: usize, to: usize| text.get(from..to).map(str::to_owned);
        let (Some(handle), Some(entered), Some(tag), Some(letter)) = (field(0, 16), field(32, 48), field(48, 58), field(58, 59))
        else {
            continue;
        };
        let from = text.get(59..).filter(|from| !from.is_empty()).map(str::to_owned);
        entries.push(Entry { name, handle, entered: entered.parse().unwrap_or(0), tag, is_ending: letter == "e", from });
    }
    Ok(entries)
}
