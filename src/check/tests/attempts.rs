//! Attempts of every kind end, whatever their peers, programs, files and sessions do, and when.

use proptest::prelude::*;

use super::*;
use crate::check::domain::STEPS;
use crate::conf::model::{
    BfdProbe, CheckScript, DnsProbe, FileProbe, HttpProbe, HttpUrl, MiscProbe, Probe, ProbeKind,
    SmtpProbe, UdpProbe,
};
use crate::ops::{ChildEnd, Searched};

const TIMEOUT: Duration = Duration::from_secs(3);
/// A program is asked to end, then made to, then given up.
const GRACES: u32 = 2;

/// Every kind, with the longest time that an attempt may take; `None`: it goes on with the check.
fn kinds() -> Vec<(Option<ProbeKind>, Option<Duration>)> {
    let misc = MiscProbe {
        script: CheckScript {
            command: "/bin/check".to_owned(),
            user: None,
            group: None,
        },
        timeout: Some(TIMEOUT),
        dynamic: true,
    };
    let http = HttpProbe {
        urls: vec![HttpUrl::default(), HttpUrl::default()],
        fast_recovery: true,
        ..HttpProbe::default()
    };
    let udp = UdpProbe {
        reply: Some(vec![(b'x', 0xff)]),
        ..UdpProbe::default()
    };
    let file = FileProbe {
        track_file: Some("f".to_owned()),
        weight: Some(0),
        ..FileProbe::default()
    };
    let session = BfdProbe {
        name: Some("b".to_owned()),
    };
    let many = Some(STEPS * TIMEOUT);
    let one = Some(TIMEOUT);
    vec![
        (None, one),
        (Some(ProbeKind::Http(http)), many),
        (Some(ProbeKind::Smtp(SmtpProbe::default())), many),
        (Some(ProbeKind::Dns(DnsProbe::default())), one),
        (Some(ProbeKind::Udp(udp)), one),
        (Some(ProbeKind::Ping), one),
        (
            Some(ProbeKind::Misc(misc)),
            Some(TIMEOUT + GRACES * Duration::from_secs(2)),
        ),
        (Some(ProbeKind::File(file)), None),
        (Some(ProbeKind::Bfd(session)), None),
    ]
}

/// A service with one server, checked in this way alone.
fn checked(kind: Option<ProbeKind>) -> Shared<VirtualServer> {
    let mut service = mysql();
    service.real_servers.truncate(1);
    let server = &mut service.real_servers[0];
    let connect = server.tcp_checks.remove(0);
    match kind {
        None => server.tcp_checks.push(connect),
        Some(kind) => server.probes.push(Probe {
            connect,
            kind,
            tcp_before: 0,
        }),
    }
    service
}

/// What happens next to whatever is under way.
#[derive(Debug, Clone)]
enum Happens {
    Io(ProbeIo<'static>),
    Ends(ChildEnd),
    Value(Option<i64>),
    Session(bool),
}

fn anything() -> impl Strategy<Value = Happens> {
    let io = prop::sample::select(vec![
        ProbeIo::Connected,
        ProbeIo::Bytes(b""),
        ProbeIo::Bytes(b"H"),
        ProbeIo::Bytes(b"HTTP/1.1 200 OK\r\n\r\n"),
        ProbeIo::Bytes(b"220 hi\r\n"),
        ProbeIo::Bytes(b"250 hi\r\n"),
        ProbeIo::Bytes(b"220-"),
        ProbeIo::Closed,
        ProbeIo::CutOff,
        ProbeIo::Searched(Searched::Absent),
        ProbeIo::Failed(ProbeFailure::Remote(104)),
        ProbeIo::Failed(ProbeFailure::Local(24)),
    ]);
    prop_oneof![
        12 => io.prop_map(Happens::Io),
        1 => any::<u8>().prop_map(|status| Happens::Ends(ChildEnd::Exited(status))),
        1 => Just(Happens::Ends(ChildEnd::Killed(15))),
        1 => prop::sample::select(vec![2, 11, 12, 24]).prop_map(|n| Happens::Ends(ChildEnd::NotStarted(n))),
        1 => any::<Option<i64>>().prop_map(Happens::Value),
        1 => any::<bool>().prop_map(Happens::Session),
    ]
}

/// What is under way, by the last actions, and since when.
struct Under {
    probe: Option<(ProbeId, Instant)>,
    child: Option<(u64, Instant)>,
}

impl Under {
    fn take(&mut self, now: Instant, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Probe(id, ProbeCmd::Connect(_)) => {
                    assert_eq!(self.probe, None, "two at once");
                    self.probe = Some((*id, now));
                }
                Action::Probe(id, ProbeCmd::Close) => {
                    self.probe = self.probe.filter(|(open, _)| open != id);
                }
                Action::Spawn(number, _) => self.child = Some((*number, now)),
                Action::Probe(..)
                | Action::Kill(..)
                | Action::Want(_)
                | Action::Unwant(_)
                | Action::WantDestination(..)
                | Action::Mark(..)
                | Action::Notice(_) => {}
            }
        }
    }

    fn since(&self) -> Option<Instant> {
        self.probe
            .or(self.child.map(|(id, at)| (ProbeId(id), at)))
            .map(|(_, at)| at)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // Input: every kind of check; anything that happens to its attempts, at any time. Output: there
    // is one attempt at a time, and none takes longer than its kind may; a peer that says a byte now
    // and then gains nothing by it; what a program ignores does not matter.
    #[test]
    fn every_attempt_ends_in_time(
        happens in proptest::collection::vec((0_u64..4_000, anything()), 0..60),
    ) {
        for (kind, longest) in kinds() {
            let mut bench = Bench::new();
            let mut under = Under { probe: None, child: None };
            let actions = bench.apply(Step::Add(checked(kind.clone())));
            under.take(bench.now, &actions);
            let watch = |under: &Under, now: Instant| {
                if let (Some(since), Some(longest)) = (under.since(), longest) {
                    let lasts = now.saturating_since(since);
                    assert!(lasts <= longest, "{kind:?} takes {lasts:?}");
                }
            };
            for (pause, what) in &happens {
                let until = bench.now + Duration::from_millis(*pause);
                while let Some(due) = bench.domain.next_deadline().filter(|due| *due <= until) {
                    watch(&under, due);
                    let child = under.child;
                    let actions = bench.tick();
                    let given_up = child.is_some()
                        && bench.domain.view().probes().next().is_none();
                    if given_up {
                        under.child = None;
                    }
                    under.take(bench.now, &actions);
                }
                bench.now = until;
                watch(&under, bench.now);
                let actions = match (what, under.probe, under.child) {
                    (Happens::Io(what), Some((id, _)), _) => {
                        if matches!(what, ProbeIo::Failed(_)) {
                            under.probe = None;
                        }
                        bench.handle(Event::Probe(id, *what))
                    }
                    (Happens::Ends(end), _, Some((id, _))) => {
                        under.child = None;
                        bench.handle(Event::Child(id, *end))
                    }
                    (Happens::Value(value), ..) => bench.handle(Event::File("f", *value)),
                    (Happens::Session(up), ..) => bench.handle(Event::Session("b", *up)),
                    (Happens::Io(_), None, _) | (Happens::Ends(_), _, None) => Vec::new(),
                };
                under.take(bench.now, &actions);
            }
            // What is left ends as well; then nothing is under way, and nothing is wanted.
            let actions = bench.handle(Event::Stop);
            under.take(bench.now, &actions);
            prop_assert_eq!(under.probe, None);
            prop_assert_eq!(bench.domain.next_deadline(), None);
        }
    }
}

// Input: a web server that says a byte every two seconds, within a timeout of three. Output: the
// attempt fails after ten timeouts, and the server goes after its retries.
#[test]
fn a_byte_now_and_then_does_not_keep_a_server_up() {
    let http = HttpProbe {
        urls: vec![HttpUrl::default()],
        ..HttpProbe::default()
    };
    let mut service = checked(Some(ProbeKind::Http(http)));
    service.real_servers[0].probes[0].connect.retries = 0;
    let mut bench = Bench::new();
    bench.apply(Step::Add(service));
    let [Action::Probe(id, _), ..] = bench.tick()[..] else {
        panic!("no attempt");
    };
    let begun = bench.now;
    bench.handle(Event::Probe(id, ProbeIo::Connected));
    while bench.alive() == [true] {
        let lasts = bench.now.saturating_since(begun);
        assert!(lasts <= STEPS * TIMEOUT, "{lasts:?}");
        let next = bench.now + 2 * SECOND;
        if bench.domain.next_deadline().unwrap() <= next {
            bench.tick();
            continue;
        }
        bench.now = next;
        bench.handle(Event::Probe(id, ProbeIo::Bytes(b"x")));
    }
    assert_eq!(bench.now.saturating_since(begun), STEPS * TIMEOUT);
}
