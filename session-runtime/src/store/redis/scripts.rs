//! The scripts that the server runs, each one atomic step.

use std::sync::{Arc, LazyLock};

use redis::Cmd;

use super::row::Next;

/// On this crate's own layout.
pub(super) static OWN: LazyLock<Scripts> = LazyLock::new(|| Scripts::on(include_str!("scripts/own.lua")));

/// On the layout that is shared with the FastAPI system.
pub(super) static FASTAPI: LazyLock<Scripts> = LazyLock::new(|| Scripts::on(include_str!("scripts/fastapi.lua")));

/// Replaces any number of sessions on this crate's own layout.
static CHANGE: LazyLock<Script> = LazyLock::new(|| Script::of(include_str!("scripts/change.lua").to_owned()));

/// Asks a new connection what it may run.
pub(super) static PROBE: LazyLock<Script> = LazyLock::new(|| Script::of(include_str!("scripts/probe.lua").to_owned()));

pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) load: Script,
    pub(super) replace: Script,
    pub(super) touch: Script,
    pub(super) rotate: Script,
    /// The second step of a rotation across nodes.
    pub(super) leave: Script,
    pub(super) delete: Script,
}

impl Scripts {
    fn on(layout: &str) -> Self {
        Self {
            create: Script::new(layout, include_str!("scripts/create.lua")),
            load: Script::new(layout, include_str!("scripts/load.lua")),
            replace: Script::new(layout, include_str!("scripts/replace.lua")),
            touch: Script::new(layout, include_str!("scripts/touch.lua")),
            rotate: Script::new(layout, include_str!("scripts/rotate.lua")),
            leave: Script::new(layout, include_str!("scripts/leave.lua")),
            delete: Script::new(layout, include_str!("scripts/delete.lua")),
        }
    }
}

pub(super) struct Script {
    source: String,
    hash: String,
}

impl Script {
    fn new(layout: &str, body: &str) -> Self {
        Self::of(format!("{}{layout}{body}", include_str!("scripts/prelude.lua")))
    }

    fn of(source: String) -> Self {
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

/// What most calls have at most.
const ARGUMENTS: usize = 8;

/// A session that is to be replaced, on this crate's own layout.
#[derive(Clone)]
pub(super) struct Replacement {
    pub(super) key: String,
    pub(super) next: Next,
    pub(super) data: Arc<Vec<u8>>,
}

impl Replacement {
    /// The command that makes changes and answers with an array.
    pub(super) fn command(by: By, changes: &[Self]) -> Cmd {
        let mut command = CHANGE.command(by, changes.len());
        for change in changes {
            command.arg(&change.key);
        }
        for change in changes {
            change.next.add_to(&mut command);
            command.arg(&*change.data);
        }
        command
    }
}
