//! BFD: ours with the real daemon as the neighbour, with itself, and the real one with itself.
//!
//! Owns the story that every pair plays: sessions of both families come up, an instance that tracks
//! them takes part; the neighbour stands still, the sessions are down within the detection time; it
//! goes on; it is stopped in order. What the first router tells its notify script has to be the
//! same for every pair, and so has its report of the sessions when they are up and when they are
//! down again. Needs root and both binaries (KEEPALIVED_OURS, KEEPALIVED_REAL), else says
//! `skipped:` with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use compat_tests::bed::{Error, Result, needs_root, wait_until};
use compat_tests::routers::{PATIENCE, Router, Segment, both_daemons};
use compat_tests::text_diff::differing;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const NOTES: &str = "/run/notes.log";
const REPORT: &str = "/run/keepalived_bfd.data";
/// Five packets of 100 ms, and what a busy machine adds.
const DETECTION: Duration = Duration::from_millis(500);
const SLACK: Duration = Duration::from_secs(2);

/// Sessions of both families; the second is only a weight.
fn configuration(own: u8, instance: bool) -> String {
    let other = 3 - own;
    let times = "min_rx 100\nmin_tx 100\n";
    let router = "vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 51\npriority 100\n\
                  virtual_ipaddress {\n10.1.0.1/24\n}\ntrack_bfd {\nb4\nb6 weight -10\n}\n\
                  notify /run/note\n}\n";
    format!(
        "global_defs {{\nscript_user root\nenable_script_security\n}}\n\
         bfd_instance b4 {{\nsource_ip 10.1.255.{own}\nneighbor_ip 10.1.255.{other}\n{times}}}\n\
         bfd_instance b6 {{\nsource_ip fd00::{own}\nneighbor_ip fd00::{other}\nhoplimit 255\n{times}}}\n{}",
        if instance { router } else { "" }
    )
}

/// How often the log has this.
fn count(router: &Router, what: &str) -> usize {
    router.log().unwrap_or_default().matches(what).count()
}

/// Waits until the log has this so often; returns when.
fn until(router: &Router, what: &str, times: usize) -> Result<Instant> {
    wait_until(PATIENCE, what, || count(router, what) >= times)
        .map_err(|error| Error::new(format!("{error}\n{}", router.log_tail())))?;
    Ok(Instant::now())
}

/// Signals every process of a router.
fn signal(router: &Router, signal: Signal) {
    for pid in router.host().processes() {
        // It may have ended of itself.
        let _gone = kill(Pid::from_raw(pid), signal);
    }
}

/// What the report says of the sessions. Left out: keepalived's threads and deadlines, for which ours
/// has the times of the next packet and of the end. `*`: what is of the moment.
fn sessions(router: &Router) -> Result<Vec<String>> {
    let host = router.host();
    host.must(&["rm", "-f", REPORT])?;
    let parent = router.parent().ok_or_else(|| Error::new("not started"))?;
    kill(parent, Signal::SIGUSR1).map_err(|error| Error::new(error.to_string()))?;
    let report = || host.read(REPORT).unwrap_or_default();
    let whole = |text: &str| text.ends_with('\n') && text.matches("   last").count() == 2;
    wait_until(PATIENCE, REPORT, || whole(&report()))?;
    let report = report();
    let (_, told) = report
        .split_once("------< BFD Topology >------")
        .ok_or_else(|| Error::new("no sessions in the report"))?;
    let mut out = Vec::new();
    for line in told.lines().filter(|line| !line.is_empty()) {
        let name = line.trim_start();
        let own = ["thread_", "sands_", "send error", "next packet", "expires"];
        if own.iter().any(|own| name.starts_with(own)) {
            continue;
        }
        let of_the_moment = ["fd_out ", "last seen = ", "local discriminator = 0x"];
        let known = of_the_moment.iter().find(|known| name.starts_with(**known));
        out.push(match known {
            Some(known) => format!("{known}*"),
            None if name.starts_with("remote discriminator") && !name.ends_with(" 0x0") => {
                "remote discriminator = *".to_owned()
            }
            None => name.to_owned(),
        });
    }
    Ok(out)
}

/// What the first router has told.
#[derive(Debug, PartialEq, Eq)]
struct Story {
    notes: String,
    up: Vec<String>,
    down: Vec<String>,
}

/// Plays the story.
fn play(first: &Path, second: &Path) -> Result<Story> {
    let mut segment = Segment::dual_stack([first, second])?;
    let [one, two] = &mut segment.routers;
    one.host()
        .write("/run/note", format!("#!/bin/sh\necho \"$*\" >>{NOTES}\n"))?;
    one.host().must(&["chmod", "755", "/run/note"])?;
    one.configure(&configuration(1, true))?;
    two.configure(&configuration(2, false))?;
    one.start()?;
    until(one, "entering FAULT state", 1)?;
    two.start()?;
    for (router, name) in [(&*one, "b4"), (&*one, "b6"), (&*two, "b4"), (&*two, "b6")] {
        until(router, &format!("({name}) Entering Up state"), 1)?;
    }
    until(one, "Tracked BFD instance b6 is UP", 1)?;
    until(one, "(VI_1) Entering MASTER STATE", 1)?;
    // The pace is agreed on (a poll, its answer) some packets after that.
    let mut up = Vec::new();
    wait_until(PATIENCE, "the pace of both sessions", || {
        up = sessions(one).unwrap_or_default();
        let both = |what: &str| up.iter().filter(|line| *line == what).count() == 2;
        both("remote tx intv = 100000 us")
            && both("local tx intv = 100000 us")
            && both("!poll, !final")
    })
    .map_err(|error| Error::new(format!("{error}\n{up:#?}")))?;
    let stopped = Instant::now();
    signal(two, Signal::SIGSTOP);
    let down = until(one, "Tracked BFD instance b4 is DOWN", 1)?;
    if down - stopped > DETECTION + SLACK {
        return Err(Error::new(format!("down after {:?}", down - stopped)));
    }
    until(one, "Tracked BFD instance b6 is DOWN", 1)?;
    let text = "Entering Down state (Local diagnostic - Control Detection Time Expired, \
                Remote diagnostic - No Diagnostic)";
    until(one, text, 2)?;
    until(one, "(VI_1) Entering FAULT STATE", 1)?;
    let down = sessions(one)?;
    signal(two, Signal::SIGCONT);
    until(one, "Tracked BFD instance b4 is UP", 2)?;
    until(one, "Tracked BFD instance b6 is UP", 2)?;
    until(one, "(VI_1) Entering MASTER STATE", 2)?;
    two.stop()?;
    until(one, "Tracked BFD instance b4 is DOWN", 2)?;
    until(one, "(VI_1) Entering FAULT STATE", 2)?;
    // The script of that state is another process than that of the stop.
    wait_until(PATIENCE, "the note of the last FAULT", || {
        let notes = one.host().read(NOTES).unwrap_or_default();
        notes.matches(" FAULT ").count() == 3
    })?;
    one.stop()?;
    let notes = one.host().read(NOTES)?;
    // The priority at a transition depends on which of the two sessions was first.
    let states = notes.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().take(3).collect();
        format!("{}\n", words.join(" "))
    });
    Ok(Story {
        notes: states.collect(),
        up,
        down,
    })
}

/// Input: each pair of daemons. Output: the same story in the notify script and in the reports.
#[test]
fn sessions_are_the_same_with_either_daemon() {
    if !needs_root() {
        return;
    }
    let Some([ours, real]) = both_daemons() else {
        return;
    };
    let pairs = [
        ("real and real", &real, &real),
        ("ours and real", &ours, &real),
        ("real and ours", &real, &ours),
        ("ours and ours", &ours, &ours),
    ];
    let stories = std::thread::scope(|scope| {
        let threads = pairs.map(|(name, first, second)| {
            scope.spawn(move || {
                let story = play(first, second).or_else(|_| play(first, second));
                (name, story)
            })
        });
        threads.map(|thread| thread.join().unwrap())
    });
    let told: Vec<(&str, Story)> = stories
        .into_iter()
        .map(|(name, story)| {
            (
                name,
                story.unwrap_or_else(|error| panic!("{name}: {error}")),
            )
        })
        .collect();
    let expected = "INSTANCE VI_1 FAULT\nINSTANCE VI_1 BACKUP\nINSTANCE VI_1 MASTER\n\
                    INSTANCE VI_1 FAULT\nINSTANCE VI_1 BACKUP\nINSTANCE VI_1 MASTER\n\
                    INSTANCE VI_1 FAULT\nINSTANCE VI_1 STOP\n";
    for (name, story) in &told {
        assert_eq!(story.notes, expected, "{name}");
    }
    let (_, model) = &told[0];
    for (name, story) in &told[1..] {
        for (stage, model, found) in [
            ("up", &model.up, &story.up),
            ("down", &model.down, &story.down),
        ] {
            let lines = differing(found, model);
            assert!(lines.is_empty(), "{name}, {stage}: {lines:#?}");
        }
    }
}
