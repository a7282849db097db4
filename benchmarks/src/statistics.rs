//! What is said of many rounds: their median, and the quartiles as the spread.

/// The median of a figure and its quartiles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values.get(values.len() * part / 4).copied().unwrap_or_default();
        Self { low: at(1), median: at(2), high: at(3) }
    }

    /// `median (low to high)`.
    pub fn text(self, digits: usize) -> String {
        format!("{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.low, self.high)
    }
}

/// One figure each of two series, round by round.
pub fn paired(one: &[f64], other: &[f64], combine: impl Fn(f64, f64) -> f64) -> Spread {
    Spread::of(one.iter().zip(other).map(|(one, other)| combine(*one, *other)))
}

/// A generator of numbers that need not be good, but always the same.
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_quartiles_around_the_median() {
        let spread = Spread::of((0..100).map(f64::from));
        assert_eq!(spread.text(0), "50 (25 to 75)");
    }
}
