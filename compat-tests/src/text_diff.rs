//! Which lines two texts do not have in common.
//!
//! Owns: that comparison, in order. Never does: judge it. Driven by the tests of reports.

use crate::tables::differs::Speaker;

/// The lines that only one of the two has, by their longest common subsequence.
#[must_use]
pub fn differing<'a>(ours: &'a [String], real: &'a [String]) -> Vec<(Speaker, &'a str)> {
    let width = real.len() + 1;
    // How many lines are in common from a place on, row by row.
    let mut common = vec![0u32; (ours.len() + 1) * width];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, one) in ours.iter().enumerate().rev() {
        for (j, other) in real.iter().enumerate().rev() {
            let best = if one == other {
                at(&common, i + 1, j + 1) + 1
            } else {
                at(&common, i + 1, j).max(at(&common, i, j + 1))
            };
            if let Some(place) = common.get_mut(i * width + j) {
                *place = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found = Vec::new();
    loop {
        match (ours.get(i), real.get(j)) {
            (None, None) => return found,
            (Some(one), Some(other)) if one == other => (i, j) = (i + 1, j + 1),
            (Some(one), other)
                if other.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) =>
            {
                found.push((Speaker::Ours, one.as_str()));
                i += 1;
            }
            (_, Some(other)) => {
                found.push((Speaker::Real, other.as_str()));
                j += 1;
            }
            (Some(_), None) => return found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: two texts with a line changed, one added, one gone. Output: these lines alone.
    #[test]
    fn only_what_differs_is_told() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (ours, real) = (lines("a b x c e"), lines("a b y c d e f"));
        let expected = [
            (Speaker::Ours, "x"),
            (Speaker::Real, "y"),
            (Speaker::Real, "d"),
            (Speaker::Real, "f"),
        ];
        assert_eq!(differing(&ours, &real), expected);
        assert_eq!(differing(&real, &real), []);
    }
}
