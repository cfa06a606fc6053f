//! Simulation: many routers, every fault, one seed; and directed scenarios.
//!
//! Owns: which seeds run, and scenarios whose outcome is known to the microsecond. Never does:
//! need anything of the machine. `SIM_SEED=n` runs one seed (`SIM_TRACE=1` prints its trace),
//! `SIM_SEEDS=n` that many.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use compat_tests::sim::random;

/// Seeds of the ordinary run.
const SEEDS: u64 = 128;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs `seeds`; returns the failures, and how often the invariants were looked at.
fn run(seeds: impl Iterator<Item = u64>) -> (Vec<random::Failure>, u64) {
    let (mut failures, mut checks) = (Vec::new(), 0);
    for seed in seeds {
        match random::run(seed) {
            Ok(report) => checks += report.calm_checks,
            Err(failure) => failures.push(failure),
        }
    }
    (failures, checks)
}

#[test]
fn seeds_keep_every_invariant() {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("SIM_SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.clone().count();
    let (failures, checks) = run(seeds);
    println!(
        "{count} seeds, {} failures, {checks} checks in calm",
        failures.len()
    );
    for failure in &failures {
        println!("{}", failure.headline());
    }
    for failure in failures.iter().take(2) {
        println!("\n{failure}");
    }
    assert!(failures.is_empty(), "{} of {count} seeds", failures.len());
    // Invariants that are never looked at hold.
    assert!(checks > 50 * u64::try_from(count).unwrap());
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [1, 2, 3] {
        let first = random::run(seed);
        let second = random::run(seed);
        match (first, second) {
            (Ok(first), Ok(second)) => assert_eq!(first, second),
            (first, second) => assert_eq!(
                first.unwrap_err().to_string(),
                second.unwrap_err().to_string()
            ),
        }
    }
}
