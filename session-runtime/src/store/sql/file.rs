//! The file of a SQLite store. It may be moved, removed or replaced while it is open; SQLite then goes on with what nobody else finds any more.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Error, SqlStr};

/// How often it is looked whether the file is still the one that was opened.
const LOOK: Duration = Duration::from_secs(1);

/// The file that some connections of a store have open.
pub struct File {
    at: Arc<At>,
    /// How often it was another one when these connections were last asked about.
    seen: AtomicU64,
    /// Makes the table where it is missing, in a file that has come in the place of another.
    pub(super) table: OnceLock<SqlStr>,
}

/// Where the file is. All connections of a store look at it together, so that none reads what others have left.
pub(super) struct At {
    path: PathBuf,
    look: Mutex<Look>,
}

struct Look {
    open: Option<Identity>,
    looked: Instant,
    /// How often it was another one.
    changes: u64,
}

/// The device and the number of a file; nothing where there is no file, or where no system tells.
type Identity = (u64, u64);

impl File {
    pub(super) const fn new(at: Arc<At>) -> Self {
        Self { at, seen: AtomicU64::new(0), table: OnceLock::new() }
    }

    /// A connection has opened the file.
    pub(super) fn was_opened(&self) {
        let is = identity(&self.at.path);
        let mut look = self.at.look();
        look.open = look.open.or(is);
    }

    /// Why these connections are over, if they are: there is another file now, or none.
    pub(super) fn was_moved(&self, now: Instant) -> Option<Error> {
        let mut look = self.at.look();
        if look.open.is_some() && now.saturating_duration_since(look.looked) >= LOOK {
            look.looked = now;
            if identity(&self.at.path) != look.open {
                (look.open, look.changes) = (None, look.changes + 1);
            }
        }
        if self.seen.swap(look.changes, Ordering::Relaxed) == look.changes {
            return None;
        }
        Some(Error::Io(io::Error::new(io::ErrorKind::NotFound, "the file was moved, removed or replaced while it was open")))
    }
}

impl At {
    pub(super) fn path(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, look: Mutex::new(Look { open: None, looked: Instant::now(), changes: 0 }) })
    }

    fn look(&self) -> MutexGuard<'_, Look> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_file_that_is_another_one_is_noticed_once_a_second_and_said_once_to_each() {
        let path = std::env::temp_dir().join(format!("session-runtime-{:016x}", rand::random::<u64>()));
        std::fs::write(&path, "").unwrap();
        let at = At::path(path.clone());
        let (file, other) = (File::new(Arc::clone(&at)), File::new(at));
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
        assert!(other.was_moved(after(4)).is_some(), "its connections are over as soon as the first ones are");
        assert!(file.was_moved(after(8)).is_none() && other.was_moved(after(8)).is_none());
        std::fs::rename(&moved, &path).unwrap();
        file.was_opened();
        assert!(file.was_moved(after(10)).is_some(), "it is another one, under the same name");
        assert!(other.was_moved(after(10)).is_some());
        std::fs::remove_file(&path).unwrap();
    }
}
