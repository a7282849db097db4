//! The scripts that the server runs, each one atomic step.

use std::sync::{Arc, LazyLock};

use redis::Cmd;

use super::row::Next;

/// On this crate's own layout.
pub(super) static OWN: LazyLock<Scripts> = LazyLock::new(|| Scripts::on(include_str!("scripts/own.lua")));

/// On the layout that is shared with the FastAPI system.
pub(super) static FASTAPI: LazyLock<Scripts> = LazyLock::new(|| Scripts::on(include_str!("scripts/fastapi.lua")));

/// Replaces any number of sessions on this crate's own layout.
static CHANGE: LazyLock<Script> = LazyLock::new(|| Script::of(include_str!("scripts/change.lua")));

/// Asks a new connection what it may run.
pub(super) static PROBE: LazyLock<Script> = LazyLock::new(|| Script::of(include_str!("scripts/probe.lua")));

const NO_OWNERS: &str = include_str!("scripts/no_owners.lua");

pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) load: Script,
    pub(super) replace: Script,
    pub(super) touch: Script,
    pub(super) rotate: Script,
    /// The second step of a rotation across nodes.
    pub(super) leave: Script,
    pub(super) delete: Script,
    pub(super) lifetime: Script,
}

/// Those that know the lists of owners, which are on the server of the rows.
pub(super) struct Owners {
    pub(super) create: Script,
    pub(super) rotate: Script,
    pub(super) list: Script,
    pub(super) count: Script,
    pub(super) end: Script,
    pub(super) replace: Script,
}

pub(super) static OWNERS: LazyLock<Owners> = LazyLock::new(|| {
    let owners = concat!(include_str!("scripts/of_owner.lua"), include_str!("scripts/owners.lua"));
    let of_rows = |body| Script::new(&format!("{}{owners}", include_str!("scripts/own.lua")), body);
    let of_lists = |body| Script::new(owners, body);
    Owners {
        create: of_rows(include_str!("scripts/create.lua")),
        rotate: of_rows(include_str!("scripts/rotate.lua")),
        list: of_lists(include_str!("scripts/list.lua")),
        count: of_lists(include_str!("scripts/count.lua")),
        end: of_lists(include_str!("scripts/end.lua")),
        replace: of_lists(include_str!("scripts/replace_listed.lua")),
    }
});

impl Scripts {
    fn on(layout: &str) -> Self {
        let without_owners = format!("{layout}{NO_OWNERS}");
        Self {
            create: Script::new(&without_owners, include_str!("scripts/create.lua")),
            load: Script::new(layout, include_str!("scripts/load.lua")),
            replace: Script::new(layout, include_str!("scripts/replace.lua")),
            touch: Script::new(layout, include_str!("scripts/touch.lua")),
            rotate: Script::new(&without_owners, include_str!("scripts/rotate.lua")),
            leave: Script::new(layout, include_str!("scripts/leave.lua")),
            delete: Script::new(layout, include_str!("scripts/delete.lua")),
            lifetime: Script::new(layout, include_str!("scripts/lifetime.lua")),
        }
    }
}

/// Those of lists and rows on different nodes.
pub(super) struct Across {
    /// Of lists.
    pub(super) enter: Script,
    pub(super) entries: Script,
    pub(super) end: Script,
    pub(super) settle: Script,
    pub(super) drop: Script,
    pub(super) hear: Script,
    /// Of rows.
    pub(super) create: Script,
    pub(super) look: Script,
    pub(super) finish: Script,
    pub(super) replace: Script,
}

pub(super) static ACROSS: LazyLock<Across> = LazyLock::new(|| {
    let of_lists = |body| Script::new(concat!(include_str!("scripts/of_owner.lua"), include_str!("scripts/entries.lua")), body);
    let of_rows = |body| Script::new(concat!(include_str!("scripts/of_owner.lua"), include_str!("scripts/row_of.lua")), body);
    let create =
        concat!("if redis.call('GET', KEYS[1]) == 'ended' then\n    return 'ended'\nend\n", include_str!("scripts/create.lua"));
    Across {
        enter: of_lists(include_str!("scripts/enter.lua")),
        entries: of_lists(include_str!("scripts/entries_all.lua")),
        end: of_lists(include_str!("scripts/end_begin.lua")),
        settle: of_lists(include_str!("scripts/settle.lua")),
        drop: of_lists(include_str!("scripts/drop.lua")),
        hear: of_lists(include_str!("scripts/hear.lua")),
        create: Script::new(&format!("{}{NO_OWNERS}", include_str!("scripts/own.lua")), create),
        look: of_rows(include_str!("scripts/look.lua")),
        finish: of_rows(include_str!("scripts/finish.lua")),
        replace: of_rows(include_str!("scripts/replace_row.lua")),
    }
});

pub(super) struct Script {
    source: String,
    hash: String,
}

impl Script {
    fn new(layout: &str, body: &str) -> Self {
        Self::of(&format!("{}{layout}{body}", include_str!("scripts/prelude.lua")))
    }

    /// Without its comments and indentation: where a server does not know it yet, each of the calls that are under way sends it.
    fn of(source: &str) -> Self {
        let mut lines: Vec<_> = source.lines().map(str::trim_start).collect();
        lines.retain(|line| !line.is_empty() && !line.starts_with("--"));
        let source = lines.join("\n");
        let hash = redis::Script::new(&source).get_hash().to_owned();
        Self { source, hash }
    }

    /// The command that runs it on so many keys, which follow.
    pub(super) fn command(&self, by: By, keys: usize) -> Cmd {
        let (name, script) = match by {
            By::Hash => ("EVALSHA", &self.hash),
            By::Source => ("EVAL", &self.source),
        };
        let mut command = Cmd::with_capacity(ARGUMENTS, script.len() + 256);
        command.arg(name).arg(script).arg(keys);
        command
    }
}

/// How a command names its script.
#[derive(Clone, Copy)]
pub(super) enum By {
    Hash,
    /// By itself, for a server that does not know it yet.
    Source,
}

/// Where the lists of owners are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    /// On the server of the rows.
    Here,
    /// On other nodes of a cluster.
    Elsewhere,
}

impl Lists {
    pub(super) const fn argument(self) -> u64 {
        match self {
            Self::Here => 1,
            Self::Elsewhere => 0,
        }
    }
}

/// What most calls have at most.
const ARGUMENTS: usize = 10;

/// A session that is to be replaced, on this crate's own layout.
#[derive(Clone)]
pub(super) struct Replacement {
    pub(super) key: String,
    pub(super) next: Next,
    pub(super) data: Arc<Vec<u8>>,
}

impl Replacement {
    /// The command that makes changes and answers with an array.
    pub(super) fn command(by: By, changes: &[Self], lists: Lists) -> Cmd {
        let mut command = CHANGE.command(by, changes.len());
        for change in changes {
            command.arg(&change.key);
        }
        for change in changes {
            change.next.add_to(&mut command);
            command.arg(&*change.data);
        }
        command.arg(lists.argument());
        command
    }
}
