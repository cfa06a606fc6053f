//! What happened, one line for each event and effect.
//!
//! Owns: the hash of all lines (two runs of one seed must agree), the last lines for a failure
//! report, and, on request, all of them. It lives in a thread-local, so that what the node logs
//! lands between its effects, and so that it survives a panic of the node. Never does: decide.
//! Driven by: `world` and, through the `log` facade, the node itself.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Once;

use keepalived_rs::base::Instant;
use keepalived_rs::ops::{AddressSpec, KernelOp};

/// How many lines a failure report shows.
const TAIL: usize = 40;

#[derive(Debug, Default)]
struct Trace {
    now: Instant,
    /// Who acts; log lines of the node are put down to it.
    actor: String,
    hash: u64,
    lines: u64,
    tail: VecDeque<String>,
    keep: Option<Vec<(Instant, String)>>,
}

thread_local! {
    static TRACE: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

/// What is left of a trace when a run is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// FNV-1a over all lines.
    pub hash: u64,
    /// Number of lines.
    pub lines: u64,
    /// The last of them.
    pub tail: Vec<String>,
    /// All of them, if they were kept.
    pub all: Vec<String>,
}

struct Capture;

impl log::Log for Capture {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("Keepalived")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_ascii_lowercase();
            line(format_args!("{level}: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

/// Starts a trace on this thread; `keep` keeps every line, not the last ones alone.
pub fn begin(keep: bool) {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| {
        // Another logger (none in these tests) would only cost us the log lines in the trace.
        if log::set_boxed_logger(Box::new(Capture)).is_ok() {
            log::set_max_level(log::LevelFilter::Debug);
        }
    });
    TRACE.with_borrow_mut(|trace| {
        *trace = Some(Trace {
            hash: 0xcbf2_9ce4_8422_2325,
            keep: keep.then(Vec::new),
            ..Trace::default()
        });
    });
}

/// Sets the time and the actor of the lines that follow.
pub fn at(now: Instant, actor: &str) {
    TRACE.with_borrow_mut(|trace| {
        if let Some(trace) = trace {
            trace.now = now;
            trace.actor.clear();
            trace.actor.push_str(actor);
        }
    });
}

/// Writes a line.
pub fn line(text: fmt::Arguments<'_>) {
    TRACE.with_borrow_mut(|trace| {
        let Some(trace) = trace else { return };
        let line = format!("{:?} {} {text}", trace.now, trace.actor);
        for byte in line.bytes() {
            trace.hash = (trace.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        trace.lines += 1;
        if let Some(all) = &mut trace.keep {
            all.push((trace.now, line.clone()));
        }
        if trace.tail.len() == TAIL {
            trace.tail.pop_front();
        }
        trace.tail.push_back(line);
    });
}

/// When lines that contain each of `parts` were written, since the trace began; needs `keep`.
#[must_use]
pub fn times(parts: &[&str]) -> Vec<Instant> {
    TRACE.with_borrow(|trace| {
        let all = trace.as_ref().and_then(|trace| trace.keep.as_ref());
        all.into_iter()
            .flatten()
            .filter(|(_, line)| parts.iter().all(|part| line.contains(part)))
            .map(|(at, _)| *at)
            .collect()
    })
}

/// How many lines contain each of `parts`; needs `keep`.
#[must_use]
pub fn count(parts: &[&str]) -> usize {
    times(parts).len()
}

/// Ends the trace of this thread.
#[must_use]
pub fn end() -> Summary {
    let trace = TRACE.with_borrow_mut(Option::take).unwrap_or_default();
    Summary {
        hash: trace.hash,
        lines: trace.lines,
        tail: trace.tail.into(),
        all: trace
            .keep
            .unwrap_or_default()
            .into_iter()
            .map(|(_, line)| line)
            .collect(),
    }
}

/// A kernel operation for the trace.
#[must_use]
pub fn operation(op: &KernelOp) -> String {
    let address = |spec: &AddressSpec| {
        format!(
            "{}/{} if{}",
            spec.address,
            spec.prefix_len,
            spec.interface.get()
        )
    };
    match op {
        KernelOp::AddressAdd(spec) => format!("+ {}", address(spec)),
        KernelOp::AddressDel(spec) => format!("- {}", address(spec)),
        KernelOp::Ipvs(op) => format!("{op:?}"),
        KernelOp::LinkAdd(spec) => format!("+ link {}", spec.name),
        KernelOp::LinkDel(spec) => format!("- link {}", spec.name),
        KernelOp::SetVrf(_, vrf) => format!("vrf {vrf:?}"),
        KernelOp::Firewall(op) => format!("{op:?}"),
        KernelOp::Routing(op) => format!("{:?} {:?}", op.change, op.what),
        KernelOp::PromoteSecondaries(_, wanted) => format!("promote secondaries: {wanted}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(second: &str) -> Summary {
        begin(true);
        at(Instant::from_micros(7), "r1");
        line(format_args!("one"));
        line(format_args!("{second}"));
        assert_eq!(count(&["r1", second]), 1);
        assert_eq!(times(&[second]), [Instant::from_micros(7)]);
        end()
    }

    #[test]
    fn equal_lines_give_equal_hashes_and_others_do_not() {
        assert_eq!(run("two"), run("two"));
        assert_ne!(run("two").hash, run("three").hash);
        assert_eq!(run("two").all, ["0.000007s r1 one", "0.000007s r1 two"]);
    }

    #[test]
    fn the_tail_is_bounded() {
        begin(false);
        for i in 0..100 {
            line(format_args!("{i}"));
        }
        let summary = end();
        assert_eq!((summary.lines, summary.tail.len()), (100, TAIL));
        assert!(summary.all.is_empty());
    }
}
