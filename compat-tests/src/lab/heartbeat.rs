//! How long this machine stalls: a thread that wants to wake up every few milliseconds.
//!
//! Owns the record of how late it woke up. Never widens a limit by itself: a step asks for the
//! worst stall within its own time and prints it. On a real kernel that is next to nothing; in
//! user-mode Linux one process at a time runs, so that a fork elsewhere delays everything.
//! Driven by [`super::steps`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

const BEAT: Duration = Duration::from_millis(5);

/// A running heartbeat; ends when dropped.
pub(super) struct Heartbeat {
    /// When a late beat came, and by how much.
    late: Arc<Mutex<Vec<(SystemTime, Duration)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    pub(super) fn start() -> Self {
        let late = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (record, end) = (Arc::clone(&late), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let start = Instant::now();
                std::thread::sleep(BEAT);
                let stall = start.elapsed().saturating_sub(BEAT);
                if stall > Duration::from_millis(1) {
                    record
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push((SystemTime::now(), stall));
                }
            }
        });
        Self {
            late,
            stop,
            thread: Some(thread),
        }
    }

    /// The longest stall that touched the time since `from`.
    pub(super) fn worst_since(&self, from: SystemTime) -> Duration {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        late.iter()
            .filter(|(at, _)| *at >= from)
            .map(|(_, stall)| *stall)
            .max()
            .unwrap_or_default()
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("lab: the heartbeat has panicked");
        }
    }
}
