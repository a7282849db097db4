//! The scripts that the server runs, each one atomic step.

use std::sync::LazyLock;

use redis::{Cmd, cmd};

/// On this crate's own layout.
pub(super) static OWN: LazyLock<Scripts> = LazyLock::new(|| Scripts::on(include_str!("scripts/own.lua")));

/// On the layout that is shared with the FastAPI system.
pub(super) static FASTAPI: LazyLock<Scripts> = LazyLock::new(|| Scripts::on(include_str!("scripts/fastapi.lua")));

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
        let source = format!("{}{layout}{body}", include_str!("scripts/prelude.lua"));
        let hash = redis::Script::new(&source).get_hash().to_owned();
        Self { source, hash }
    }

    /// A call of the script on these keys.
    pub(super) fn on(&'static self, keys: &[String]) -> Call {
        let mut by_hash = cmd("EVALSHA");
        by_hash.arg(&self.hash).arg(keys.len()).arg(keys);
        Call { script: self, by_hash }
    }
}

/// A script with its keys and arguments.
pub(super) struct Call {
    script: &'static Script,
    by_hash: Cmd,
}

impl Call {
    pub(super) fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.by_hash.arg(argument.as_ref());
        self
    }

    pub(super) fn number(mut self, argument: u64) -> Self {
        self.by_hash.arg(argument);
        self
    }

    /// The command that names the script by its hash.
    pub(super) fn by_hash(&self) -> &Cmd {
        &self.by_hash
    }

    /// The command that carries the script itself, for a server that does not know it yet; it does from then on.
    pub(super) fn by_source(&self) -> Cmd {
        let mut by_source = cmd("EVAL");
        by_source.arg(&self.script.source);
        for argument in self.by_hash.args_iter().skip(2) {
            if let redis::Arg::Simple(bytes) = argument {
                by_source.arg(bytes);
            }
        }
        by_source
    }
}
