//! What the run found: sections of text and tables, plots, and the goals with whether they are reached.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::table::Table;

#[derive(Default)]
pub struct Report {
    sections: Vec<(String, String)>,
    goals: Vec<Goal>,
    plots: Vec<(String, String)>,
}

struct Goal {
    what: String,
    must: String,
    measured: String,
    by_how_much: f64,
}

/// Which side of a goal is good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Must {
    AtMost,
    AtLeast,
}

impl Report {
    /// Prints a section at once, and keeps it.
    pub fn section(&mut self, title: &str, text: &str) {
        println!("\n## {title}\n\n{}\n", text.trim());
        self.sections.push((title.to_owned(), text.trim().to_owned()));
    }

    /// Compares a figure with what it must reach.
    pub fn goal(&mut self, what: impl Into<String>, must: Must, limit: f64, measured: f64, text: impl Fn(f64) -> String) {
        let (word, by_how_much) = match must {
            Must::AtMost => ("at most", measured / limit - 1.0),
            Must::AtLeast => ("at least", 1.0 - measured / limit),
        };
        self.goals.push(Goal {
            what: what.into(),
            must: format!("{word} {}", text(limit)),
            measured: text(measured),
            by_how_much,
        });
    }

    /// Keeps a plot under the name of its file, and gives the line that shows it.
    pub fn plot(&mut self, file: &str, alternative: &str, svg: String) -> String {
        self.plots.push((file.to_owned(), svg));
        format!("![{alternative}](plots/{file})\n")
    }

    fn goals(&self) -> String {
        let mut table = Table::new(["what", "must reach", "measured", "reached"]);
        for goal in &self.goals {
            let reached = if goal.by_how_much <= 0.0 {
                "yes".to_owned()
            } else {
                format!("no, by {:.0} %", (goal.by_how_much * 100.0).max(1.0))
            };
            table.row([&goal.what, &goal.must, &goal.measured, &reached]);
        }
        table.to_string()
    }

    pub fn print_goals(&self) {
        if !self.goals.is_empty() {
            println!("\n## What it must reach\n\n{}", self.goals());
        }
    }

    /// Writes `RESULTS.md` and the plots.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, head: &str) -> std::io::Result<()> {
        let mut text = format!("# Results\n\n{head}\n");
        if !self.goals.is_empty() {
            let _ = write!(text, "\n## What it must reach\n\n{}", self.goals());
        }
        for (title, section) in &self.sections {
            let _ = write!(text, "\n## {title}\n\n{section}\n");
        }
        fs::write(folder.join("RESULTS.md"), text)?;
        let plots = folder.join("plots");
        fs::create_dir_all(&plots)?;
        self.plots.iter().try_for_each(|(file, svg)| fs::write(plots.join(file), svg))
    }
}
