//! Tables for the terminal and for Markdown, which are the same.

use std::fmt;

/// Rows of cells; the first row is the head.
#[derive(Clone, Debug, Default)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    pub fn new<C: ToString>(head: impl IntoIterator<Item = C>) -> Self {
        let mut table = Self::default();
        table.row(head);
        table
    }

    pub fn row<C: ToString>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.0.push(cells.into_iter().map(|cell| cell.to_string()).collect());
    }

    fn width(&self, column: usize) -> usize {
        self.0.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, row) in self.0.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let width = self.width(column);
                if column == 0 { write!(f, "| {cell:width$} ")? } else { write!(f, "| {cell:>width$} ")? }
            }
            writeln!(f, "|")?;
            if index == 0 {
                for column in 0..row.len() {
                    let width = self.width(column);
                    if column == 0 { write!(f, "| {:-<width$} ", "")? } else { write!(f, "| {:->1$} ", ":", width)? }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// A number with its thousands apart.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A number with two digits after the point at most.
pub fn trimmed(number: f64) -> String {
    let text = format!("{number:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The head of a table with one column a work.
pub fn work_heads(first: &str) -> impl Iterator<Item = String> {
    let works = workloads::Work::ALL.map(|work| format!("{work} {}", work.meaning()));
    [first.to_owned()].into_iter().chain(works)
}
