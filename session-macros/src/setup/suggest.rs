//! "Did you mean": the known name that is nearest to one that is not known.

/// The candidate that `name` is a misspelling or a part of.
pub(super) fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    misspelled(name, candidates).or_else(|| shortened(name, candidates)).or_else(|| begun(name, candidates))
}

/// `sam` for `same_site`, which is still typed.
fn begun<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates.iter().copied().find(|candidate| name.len() > 2 && candidate.to_lowercase().starts_with(&name))
}

fn misspelled<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let farthest = (name.len() / 3).max(1);
    let distances = candidates.iter().map(|&candidate| {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        (distance(&name, &letters), candidate)
    });
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= farthest).then_some(candidate)
}

/// `expire` for `session_expire`: the words of `name` stand in the candidate, one after the other.
fn shortened<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let part = format!("_{}_", name.to_lowercase());
    candidates.iter().copied().find(|candidate| name.len() > 1 && format!("_{candidate}_").contains(&part))
}

/// How many letters are missing, too many, wrong, or swapped with their neighbour (optimal string alignment).
fn distance(from: &[char], to: &[char]) -> usize {
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    let mut last = None;
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut left = None;
        for (j, b) in to.iter().enumerate() {
            let replaced = at(&above, j).saturating_add(usize::from(a != b));
            let one_more = at(&above, j + 1).min(at(&row, j)).saturating_add(1);
            let swapped = if left == Some(a) && last == Some(b) { at(&before, j - 1).saturating_add(1) } else { usize::MAX };
            row.push(replaced.min(one_more).min(swapped));
            left = Some(b);
        }
        before = std::mem::replace(&mut above, row);
        last = Some(a);
    }
    at(&above, to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] =
        &["session_expire", "absolute_expire", "store", "secure", "cookie_name", "generate_session_id_callback"];

    #[test]
    fn a_misspelled_name_finds_the_one_that_was_meant() {
        for (name, meant) in
            [("sesion_expire", "session_expire"), ("secrue", "secure"), ("Store", "store"), ("cookiename", "cookie_name")]
        {
            assert_eq!(nearest(name, NAMES), Some(meant), "{name}");
        }
    }

    #[test]
    fn a_shortened_name_finds_the_whole_one() {
        for (name, meant) in
            [("expire", "session_expire"), ("name", "cookie_name"), ("generate_session_id", "generate_session_id_callback")]
        {
            assert_eq!(nearest(name, NAMES), Some(meant), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_begun_finds_the_whole_one() {
        for (name, meant) in [("cook", "cookie_name"), ("absol", "absolute_expire"), ("gener", "generate_session_id_callback")] {
            assert_eq!(nearest(name, NAMES), Some(meant), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_far_from_all_finds_none() {
        for name in ["", "x", "redis_url", "ümlaut"] {
            assert_eq!(nearest(name, NAMES), None, "{name}");
        }
    }
}
