//! Waiting for a condition with a deadline, instead of sleeping and hoping.
//!
//! Owns the polling interval; never decides what the condition is. Driven by tests and the lab.

use std::time::{Duration, Instant};

use super::{Error, Result};

/// Short against everything that is waited for, long against the work of looking.
const POLL: Duration = Duration::from_millis(5);

/// Calls `look` until it is true; gives back how long that took.
///
/// # Errors
/// When `deadline` has passed before; the error names `what`.
pub fn wait_until(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> bool,
) -> Result<Duration> {
    wait_for(deadline, what, || look().then_some(())).map(|((), took)| took)
}

/// Calls `look` until it finds something; gives that back, and how long it took.
///
/// # Errors
/// When `deadline` has passed before; the error names `what`.
pub fn wait_for<T>(
    deadline: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> Result<(T, Duration)> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok((found, start.elapsed()));
        }
        if start.elapsed() >= deadline {
            return Err(Error::new(format!("{what}: not within {deadline:?}")));
        }
        std::thread::sleep(POLL);
    }
}
