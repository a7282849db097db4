//! What goes to the log about errors: the whole chain of causes, and of one cause a line a second, however many requests meet it.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An error and its causes in one line. A cause that the line before it says already is left out.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            cause = error.source();
        }
        Ok(())
    }
}

/// Says at `error` level what happened, unless it was said less than a second ago.
#[cold]
pub(crate) fn error(error: &(dyn Error + 'static), what: &'static str) {
    let text = Chain(error).to_string();
    if let Some(left_out) = LATELY.may_say(what, &text, Instant::now()) {
        tracing::error!(error = text, left_out, "{what}");
    }
}

/// The same at `warn` level.
#[cold]
pub(crate) fn warn(error: &(dyn Error + 'static), what: &'static str) {
    let text = Chain(error).to_string();
    if let Some(left_out) = LATELY.may_say(what, &text, Instant::now()) {
        tracing::warn!(error = text, left_out, "{what}");
    }
}

static LATELY: LazyLock<Lately> = LazyLock::new(Lately::default);

/// What was said lately.
#[derive(Default)]
struct Lately(Mutex<HashMap<(&'static str, String), Said>>);

struct Said {
    at: Instant,
    left_out: u64,
}

impl Lately {
    const PAUSE: Duration = Duration::from_secs(1);
    /// More kinds of lines than this within a second are all said.
    const MOST: usize = 64;

    /// How many such lines were left out since the last one; `None` if this one is to be left out, too.
    fn may_say(&self, what: &'static str, text: &str, now: Instant) -> Option<u64> {
        let mut lately = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(said) = lately.get_mut(&(what, text.to_owned())) {
            if now.saturating_duration_since(said.at) < Self::PAUSE {
                said.left_out += 1;
                return None;
            }
            said.at = now;
            return Some(std::mem::take(&mut said.left_out));
        }
        if lately.len() >= Self::MOST {
            lately.retain(|_, said| now.saturating_duration_since(said.at) < Self::PAUSE);
        }
        if lately.len() < Self::MOST {
            lately.insert((what, text.to_owned()), Said { at: now, left_out: 0 });
        }
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{SessionError, StoreError};

    #[test]
    fn the_chain_has_every_cause_once() {
        let refused = std::io::Error::other("connection refused");
        let error = SessionError::from(StoreError::unavailable(refused));
        assert_eq!(
            Chain(&error).to_string(),
            "the session store cannot be reached or failed: try again later: connection refused"
        );
        assert_eq!(Chain(&SessionError::NotExists).to_string(), SessionError::NotExists.to_string());
    }

    #[test]
    fn one_cause_is_said_once_a_second_and_others_beside_it() {
        let (lately, start) = (Lately::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        for (what, text, at, said) in [
            ("failed", "refused", 0, Some(0)),
            ("failed", "refused", 1, None),
            ("failed", "reset", 2, Some(0)),
            ("touch", "refused", 3, Some(0)),
            ("failed", "refused", 999, None),
            ("failed", "refused", 1000, Some(2)),
            ("failed", "refused", 1999, None),
            ("failed", "refused", 3000, Some(1)),
        ] {
            assert_eq!(lately.may_say(what, text, after(at)), said, "{what} {text} {at}");
        }
    }

    #[test]
    fn it_keeps_no_more_lines_than_it_may() {
        let (lately, now) = (Lately::default(), Instant::now());
        for number in 0..1000 {
            assert_eq!(lately.may_say("failed", &number.to_string(), now), Some(0));
        }
        assert_eq!(lately.0.lock().unwrap().len(), Lately::MOST);
        assert_eq!(lately.may_say("failed", "another", now + Lately::PAUSE), Some(0));
        assert_eq!(lately.0.lock().unwrap().len(), 1);
    }
}
