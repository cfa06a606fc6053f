//! The little statistics that the benchmarks need.
//!
//! Owns median, spread and growth exponent; never touches a clock. Driven by the measuring modules.

/// The middle of some figures, `None` without any.
#[must_use]
pub fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(middle - 1)?, upper))
}

/// The exponent `k` of `cost ~ size^k` by least squares over (size, cost) on logarithmic axes:
/// 1 is linear, 2 quadratic. `None` with fewer than two positive points.
#[must_use]
pub fn growth_exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points
        .iter()
        .filter(|(size, cost)| *size > 0.0 && *cost > 0.0)
        .map(|(size, cost)| (size.ln(), cost.ln()))
        .collect();
    if logs.len() < 2 {
        return None;
    }
    let count: f64 = logs.iter().map(|_| 1.0).sum();
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::{growth_exponent, median};

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    /// Input: costs that grow with the square of the size. Output: exponent 2.
    #[test]
    fn the_exponent_tells_quadratic_growth() {
        let points = [(10.0, 300.0), (100.0, 30_000.0), (1_000.0, 3_000_000.0)];
        let exponent = growth_exponent(&points).unwrap_or_default();
        assert!((exponent - 2.0).abs() < 1e-9, "{exponent}");
    }
}
