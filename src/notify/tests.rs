//! Behaviour of notifications: notices and answers in, effects out.

use super::{Action, Domain, Event};
use crate::base::{Duration, Instant};
use crate::conf::model::options::Script;
use crate::conf::model::{Fifo, Fifos, Global};
use crate::ops::{
    Alert, AlertKind, Asker, ChildEnd, ChildSignal, Command, Effect, FifoCmd, FifoFailure, FifoId,
    FifoIo, Lasting, Line, Notice, ProbeCmd, ProbeIo, Speaker,
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
            Action::World(Effect::Probe(id, command)) => {
                let what = match command {
                    ProbeCmd::Connect(spec) => format!("connect {}", spec.to),
                    ProbeCmd::Dial(dial) => format!("dial {}:{}", dial.server, dial.port),
                    ProbeCmd::Write(bytes) => {
                        format!("write {:?}", String::from_utf8_lossy(&bytes))
                    }
                    ProbeCmd::WriteFact(fact) => format!("write {fact:?}"),
                    ProbeCmd::Search(_) => panic!("mails look for nothing"),
                    ProbeCmd::Close => "close".to_owned(),
                };
                shown.push(format!("mail {} {what}", id.mail().unwrap()));
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

/// Settings with a mail server.
fn mailing(server: &str) -> Global {
    let mail = crate::conf::model::Mail {
        to: vec!["a@example.org".into()],
        server: Some(server.into()),
        connect_timeout: Duration::from_secs(5),
        ..crate::conf::model::Mail::default()
    };
    Global {
        mail,
        router_id: Some("R1".into()),
        ..Global::default()
    }
}

fn alert(domain: &mut Domain, from: Speaker, alert: Alert) -> Vec<String> {
    let notice = Notice {
        alert: Some(alert),
        ..Notice::new(from)
    };
    handle(domain, Event::Notice(notice))
}

/// An alert about a check, or about a quorum.
fn about(kind: AlertKind, asked: Option<bool>) -> Alert {
    Alert {
        about: "Realserver A of virtual server B".into(),
        state: "DOWN".into(),
        body: "=> TCP CHECK failed on service <=".into(),
        asked,
        kind,
    }
}

fn mail(domain: &mut Domain, at: Duration, number: u64, what: ProbeIo<'_>) -> Vec<String> {
    let mut out = Vec::new();
    domain.mail(NOW + at, number, what, &mut out);
    show(out)
}

// Input: alerts with and without a setting of their own, under settings for all. Output: those that
// keepalived 2.2.7 was seen to mail: without any setting, servers and not services or instances.
#[test]
fn an_alert_is_mailed_if_it_is_wanted() {
    let server = AlertKind::Server { turned: true };
    let check = AlertKind::Server { turned: false };
    let mails = |change: fn(&mut crate::conf::model::Mail), from, one: Alert| {
        let mut domain = Domain::default();
        let mut settings = mailing("192.0.2.25");
        change(&mut settings.mail);
        apply(&mut domain, &settings);
        !alert(&mut domain, from, one).is_empty()
    };
    let (vrrp, lvs) = (Speaker::Vrrp, Speaker::Check);
    let master = |asked| Alert::of_instance("VI_1", "MASTER", asked);
    let fault = || Alert::of_group("G", "FAULT", Some(true));
    assert!(mails(|_| {}, lvs, about(server, None)));
    assert!(!mails(|_| {}, lvs, about(server, Some(false))));
    assert!(!mails(|_| {}, lvs, about(AlertKind::Service, None)));
    assert!(mails(|_| {}, lvs, about(AlertKind::Service, Some(true))));
    assert!(!mails(|_| {}, vrrp, master(None)));
    assert!(mails(|_| {}, vrrp, master(Some(true))));
    assert!(mails(|mail| mail.alert = Some(true), vrrp, master(None)));
    assert!(!mails(
        |mail| mail.alert = Some(true),
        vrrp,
        master(Some(false))
    ));
    assert!(mails(
        |mail| mail.alert_vrrp = Some(true),
        vrrp,
        master(None)
    ));
    let of_checks = |mail: &mut crate::conf::model::Mail| {
        (mail.alert, mail.alert_checker) = (Some(true), Some(false));
    };
    assert!(!mails(of_checks, lvs, about(server, None)));
    assert!(mails(
        |mail| mail.no_checkers = true,
        lvs,
        about(server, None)
    ));
    assert!(!mails(
        |mail| mail.no_checkers = true,
        lvs,
        about(check, None)
    ));
    assert!(mails(|_| {}, vrrp, fault()));
    assert!(!mails(|mail| mail.no_faults = true, vrrp, fault()));
    assert!(!mails(|mail| mail.server = None, vrrp, master(Some(true))));
    assert!(!mails(|mail| mail.to.clear(), vrrp, master(Some(true))));
}

// Input: an instance that enters a state twice. Output: one mail; another for another state.
#[test]
fn a_state_is_mailed_once() {
    let mut domain = Domain::default();
    apply(&mut domain, &mailing("192.0.2.25"));
    let mut enter = |state| {
        let entered = Alert::of_instance("VI_1", state, Some(true));
        alert(&mut domain, Speaker::Vrrp, entered).len()
    };
    assert_eq!(
        [
            enter("MASTER"),
            enter("MASTER"),
            enter("BACKUP"),
            enter("MASTER")
        ],
        [1, 0, 1, 1]
    );
}

// Input: a mail server by name that never answers, more mails than may wait, the stop. Output: the name
// is looked up, so many connections at once and no more, each given up after its time; the stop
// waits a second and no longer.
#[test]
fn a_dead_mail_server_costs_a_bounded_lot() {
    let mut domain = Domain::default();
    apply(&mut domain, &mailing("mail.example.org"));
    let mut started = Vec::new();
    for number in 0..1000 {
        let of = Alert::of_instance(&format!("VI_{number}"), "MASTER", Some(true));
        started.extend(alert(&mut domain, Speaker::Vrrp, of));
    }
    let dials: Vec<String> = (0..8)
        .map(|number| format!("mail {number} dial mail.example.org:25"))
        .collect();
    assert_eq!(started, dials);
    assert_eq!(domain.next_deadline(), Some(NOW + Duration::from_secs(5)));
    let mut out = Vec::new();
    domain.handle_timeout(NOW + Duration::from_secs(5), &mut out);
    let shown = show(out);
    assert_eq!(
        shown.iter().filter(|what| what.contains("close")).count(),
        8
    );
    assert_eq!(shown.iter().filter(|what| what.contains("dial")).count(), 8);
    handle(&mut domain, Event::Stopping);
    assert_eq!(handle(&mut domain, Event::Stop), Vec::<String>::new());
    let mut out = Vec::new();
    domain.handle_timeout(NOW + Duration::from_secs(1), &mut out);
    assert!(out.contains(&Action::Done));
}

// Input: a server by address that takes a mail, and the stop meanwhile. Output: the mail is sent
// before the daemon ends, and the connection is closed.
#[test]
fn the_last_mail_is_sent_before_the_end() {
    let mut domain = Domain::default();
    apply(&mut domain, &mailing("192.0.2.25"));
    let stop = Alert::of_instance("VI_1", "STOP", Some(true));
    assert_eq!(
        alert(&mut domain, Speaker::Vrrp, stop),
        ["mail 0 connect 192.0.2.25:25"]
    );
    handle(&mut domain, Event::Stopping);
    assert_eq!(handle(&mut domain, Event::Stop), Vec::<String>::new());
    let soon = Duration::from_millis(10);
    assert_eq!(
        mail(&mut domain, soon, 0, ProbeIo::Connected),
        Vec::<String>::new()
    );
    let replies = b"220 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n250 f\r\n";
    let said = mail(&mut domain, soon, 0, ProbeIo::Bytes(replies));
    assert_eq!(said.last().unwrap(), "mail 0 write \"QUIT\\r\\n\"");
    assert!(said.contains(&"mail 0 write Date".to_owned()));
    assert_eq!(
        mail(&mut domain, soon, 0, ProbeIo::Closed),
        ["mail 0 close", "done"]
    );
}
