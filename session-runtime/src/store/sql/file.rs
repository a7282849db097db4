//! The file of a SQLite store. It may be moved, removed or replaced while it is open; SQLite then goes on with what nobody else finds any more.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Error, SqlStr};

/// How often it is looked whether the file is still the one that was opened.
const LOOK: Duration = Duration::from_secs(1);

/// Where the file of some connections is, and which one they have open.
pub struct File {
    path: PathBuf,
    open: Mutex<Open>,
    /// Makes the table where it is missing, in a file that has come in the place of another.
    pub(super) table: OnceLock<SqlStr>,
}

struct Open {
    is: Option<Identity>,
    looked: Instant,
}

/// The device and the number of a file; nothing where there is no file, or where no system tells.
type Identity = (u64, u64);

impl File {
    pub(super) fn at(path: PathBuf) -> Self {
        let open = Open { is: None, looked: Instant::now() };
        Self { path, open: Mutex::new(open), table: OnceLock::new() }
    }

    /// A connection has opened the file.
    pub(super) fn was_opened(&self) {
        let is = identity(&self.path);
        let mut open = self.open();
        open.is = open.is.or(is);
    }

    /// Why the connections are over, if they are: there is another file now, or none.
    pub(super) fn was_moved(&self, now: Instant) -> Option<Error> {
        let mut open = self.open();
        let was = open.is?;
        if now.saturating_duration_since(open.looked) < LOOK {
            return None;
        }
        open.looked = now;
        if identity(&self.path) == Some(was) {
            return None;
        }
        open.is = None;
        Some(Error::Io(io::Error::new(io::ErrorKind::NotFound, "the file was moved, removed or replaced while it was open")))
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;

    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Elsewhere a file that is open stays where it is.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_another_one_is_noticed_once_a_second_and_said_once() {
        let path = std::env::temp_dir().join(format!("session-runtime-{:016x}", rand::random::<u64>()));
        std::fs::write(&path, "").unwrap();
        let file = File::at(path.clone());
        let after = |looks: u32| Instant::now() + LOOK * looks;
        assert!(file.was_moved(after(1)).is_none(), "nothing was opened yet");
        file.was_opened();
        assert!(file.was_moved(after(2)).is_none(), "it is the same");
        let moved = path.with_extension("moved");
        std::fs::rename(&path, &moved).unwrap();
        assert!(file.was_moved(after(2)).is_none(), "it has just been looked");
        assert!(file.was_moved(after(4)).is_some() && file.was_moved(after(6)).is_none());
        std::fs::write(&path, "").unwrap();
        file.was_opened();
        assert!(file.was_moved(after(8)).is_none());
        std::fs::rename(&moved, &path).unwrap();
        file.was_opened();
        assert!(file.was_moved(after(10)).is_some(), "it is another one, under the same name");
        std::fs::remove_file(&path).unwrap();
    }
}
