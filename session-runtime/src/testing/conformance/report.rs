//! What the checks found.

use std::fmt;

/// What the checks found of a store. Its `Display` names each law that is broken, and says what the store did and what it should
/// have done.
#[derive(Debug, Clone)]
pub struct Report {
    pub(super) checks: Vec<Checked>,
}

/// What one check found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Checked {
    /// The name of the check.
    pub name: &'static str,
    /// The law that it checks.
    pub law: &'static str,
    /// Whether the store keeps it.
    pub outcome: Outcome,
}

/// Whether a store keeps a law.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It does, as far as the check can see.
    Kept,
    /// It does not: what it did, and what it should have done.
    Broken(String),
    /// The check did not run, and why.
    NotRun(String),
    /// The check ran, and cannot tell, and why: the store, or the machine, is too slow for it.
    Undecided(String),
}

impl Report {
    /// Every check, in the order in which they run.
    #[must_use]
    pub fn checks(&self) -> &[Checked] {
        &self.checks
    }

    /// The checks that found their law broken.
    pub fn broken(&self) -> impl Iterator<Item = &Checked> {
        self.checks.iter().filter(|checked| matches!(checked.outcome, Outcome::Broken(_)))
    }

    /// Panics with the whole report where a law is broken.
    ///
    /// # Panics
    ///
    /// Where a law is broken.
    pub fn assert(&self) {
        assert!(self.broken().next().is_none(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (broken, unknown) = (self.broken().count(), self.checks.iter().filter_map(Checked::unknown));
        let decided = self.checks.len() - unknown.clone().count();
        if broken == 0 {
            writeln!(f, "the store keeps the laws: all {decided} checks that ran passed")?;
        } else {
            writeln!(f, "the store breaks laws: {broken} of {decided} checks failed")?;
        }
        for checked in &self.checks {
            if let Outcome::Broken(what) = &checked.outcome {
                writeln!(f, "\n{}: {}\n    {what}", checked.name, checked.law)?;
            }
        }
        unknown.into_iter().try_for_each(|(what, name, why)| write!(f, "\n{what}: {name}: {why}"))
    }
}

impl Checked {
    /// That nothing is known of the law, and why.
    fn unknown(&self) -> Option<(&str, &str, &str)> {
        match &self.outcome {
            Outcome::NotRun(why) => Some(("not run", self.name, why)),
            Outcome::Undecided(why) => Some(("not decided", self.name, why)),
            Outcome::Kept | Outcome::Broken(_) => None,
        }
    }
}
