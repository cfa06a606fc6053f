//! Behaviour of notifications: notices and answers in, effects out.

use super::{Action, Domain, Event};
use crate::base::{Duration, Instant};
use crate::conf::model::options::Script;
use crate::conf::model::{Fifo, Fifos, Global};
use crate::ops::{
    Asker, ChildEnd, ChildSignal, Command, Effect, FifoCmd, FifoFailure, FifoId, FifoIo, Lasting,
    Line, Notice, Speaker,
};

const NOW: Instant = Instant::ZERO;

fn fifo(path: &str) -> Fifo {
    Fifo {
        path: Some(path.into()),
        ..Fifo::default()
    }
}

fn script(argv: &[&str]) -> Script {
    Script {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        ..Script::default()
    }
}

fn settings() -> Global {
    let vrrp = Fifo {
        script: Some(script(&["/bin/reader", "-v"])),
        ..fifo("/run/vrrp")
    };
    Global {
        fifos: Fifos {
            all: fifo("/run/common"),
            vrrp,
            lvs: fifo("/run/lvs"),
            ..Fifos::default()
        },
        ..Global::default()
    }
}

fn show(actions: Vec<Action>) -> Vec<String> {
    let mut shown = Vec::new();
    for action in actions {
        match action {
            Action::Done => shown.push("done".to_owned()),
            Action::World(Effect::Spawn(id, command)) => {
                assert_eq!(id.asker, Asker::Notify);
                shown.push(format!("spawn {} {}", id.number, command.argv.join(" ")));
            }
            Action::World(Effect::Kill(id, ChildSignal::Term)) => {
                shown.push(format!("end {}", id.number));
            }
            Action::World(Effect::Fifo(id, FifoCmd::Open { path, .. })) => {
                shown.push(format!("open {} {path}", id.0));
            }
            Action::World(Effect::Fifo(id, FifoCmd::Close)) => {
                shown.push(format!("close {}", id.0));
            }
            Action::World(Effect::Fifo(id, FifoCmd::Write(lines))) => {
                let lines = lines.concat();
                shown.push(format!(
                    "write {} {:?}",
                    id.0,
                    String::from_utf8_lossy(&lines)
                ));
            }
            Action::World(effect) => panic!("{effect:?}"),
        }
    }
    shown
}

fn apply(domain: &mut Domain, settings: &Global) -> Vec<String> {
    let mut out = Vec::new();
    domain.apply(settings, &mut out);
    show(out)
}

fn handle(domain: &mut Domain, event: Event) -> Vec<String> {
    let mut out = Vec::new();
    domain.handle(NOW, event, &mut out);
    show(out)
}

fn running() -> Domain {
    let mut domain = Domain::default();
    apply(&mut domain, &settings());
    for id in 0..3 {
        handle(&mut domain, Event::Fifo(FifoId(id), FifoIo::Open));
    }
    domain
}

fn notice(from: Speaker, scripts: &[&[&str]]) -> Event {
    let scripts = scripts.iter().map(|argv| Command {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        ..Command::default()
    });
    Event::Notice(Notice {
        scripts: scripts.collect(),
        line: Some(Line {
            object: "X \"y\"".into(),
            state: "UP".into(),
            lasting: Lasting::State,
        }),
        ..Notice::new(from)
    })
}

// Input: three FIFOs, one with a script; the same settings again; one changed; none. Output: opened, the
// script started once it is open with the path as its last argument; nothing; only that one anew, its
// script ended; all closed.
#[test]
fn only_a_fifo_that_changed_is_opened_anew() {
    let mut domain = Domain::default();
    let mut settings = settings();
    assert_eq!(
        apply(&mut domain, &settings),
        ["open 0 /run/common", "open 1 /run/vrrp", "open 2 /run/lvs"]
    );
    assert_eq!(
        handle(&mut domain, Event::Fifo(FifoId(1), FifoIo::Open)),
        ["spawn 0 /bin/reader -v /run/vrrp"]
    );
    assert_eq!(apply(&mut domain, &settings), Vec::<String>::new());
    settings.fifos.vrrp = fifo("/run/other");
    assert_eq!(
        apply(&mut domain, &settings),
        ["end 0", "close 1", "open 3 /run/other"]
    );
    assert_eq!(
        apply(&mut domain, &Global::default()),
        ["close 0", "close 3", "close 2"]
    );
}

// Input: a notice of VRRP with two scripts, one of checks. Output: each to the common FIFO and its own, the
// latter with a NUL; scripts in order.
#[test]
fn lines_go_where_they_belong() {
    let mut domain = running();
    assert_eq!(
        handle(&mut domain, notice(Speaker::Vrrp, &[&["/a"], &["/b", "c"]])),
        [
            "write 0 \"X \\\"y\\\" UP\\n\"",
            "write 1 \"X \\\"y\\\" UP\\n\"",
            "spawn 1 /a",
            "spawn 2 /b c",
        ]
    );
    for id in 0..2 {
        handle(&mut domain, Event::Fifo(FifoId(id), FifoIo::Wrote(1)));
    }
    assert_eq!(
        handle(&mut domain, notice(Speaker::Check, &[])),
        [
            "write 0 \"X \\\"y\\\" UP\\n\\0\"",
            "write 2 \"X \\\"y\\\" UP\\n\\0\""
        ]
    );
}

// Input: a FIFO that cannot be opened; a line. Output: the others get it.
#[test]
fn a_broken_fifo_is_left_alone() {
    let mut domain = Domain::default();
    apply(&mut domain, &settings());
    handle(&mut domain, Event::Fifo(FifoId(0), FifoIo::Open));
    let foreign = FifoIo::Failed(FifoFailure::Foreign);
    handle(&mut domain, Event::Fifo(FifoId(1), foreign));
    assert_eq!(
        handle(&mut domain, notice(Speaker::Vrrp, &[])),
        ["write 0 \"X \\\"y\\\" UP\\n\""]
    );
}

// Input: a stop with a script; it ends, or does not. Output: the end is waited for, a second at most.
#[test]
fn the_last_scripts_are_waited_for() {
    for ends in [true, false] {
        let mut domain = running();
        handle(&mut domain, notice(Speaker::Vrrp, &[&["/before"]]));
        handle(&mut domain, Event::Stopping);
        handle(&mut domain, notice(Speaker::Vrrp, &[&["/stop"]]));
        // The first line is still under way: the second one goes before the end.
        let expected = [
            "write 0 \"X \\\"y\\\" UP\\n\"",
            "close 0",
            "write 1 \"X \\\"y\\\" UP\\n\"",
            "end 0",
            "close 1",
            "close 2",
        ];
        assert_eq!(handle(&mut domain, Event::Stop), expected);
        let until = NOW + Duration::from_secs(1);
        assert_eq!(domain.next_deadline(), Some(until));
        if ends {
            let end = ChildEnd::Exited(0);
            assert_eq!(handle(&mut domain, Event::Child(2, end)), ["done"]);
        } else {
            let mut out = Vec::new();
            domain.handle_timeout(until, &mut out);
            assert_eq!(show(out), ["done"]);
        }
        assert_eq!(domain.next_deadline(), None);
    }
    let mut domain = Domain::default();
    handle(&mut domain, Event::Stopping);
    assert_eq!(handle(&mut domain, Event::Stop), ["done"]);
}

// Input: a script that cannot be started, at a stop. Output: it is not waited for.
#[test]
fn a_script_that_does_not_start_ends_the_wait() {
    let mut domain = Domain::default();
    handle(&mut domain, Event::Stopping);
    handle(&mut domain, notice(Speaker::Vrrp, &[&["/stop"]]));
    assert_eq!(handle(&mut domain, Event::Stop), Vec::<String>::new());
    let end = ChildEnd::NotStarted(2);
    assert_eq!(handle(&mut domain, Event::Child(0, end)), ["done"]);
}
