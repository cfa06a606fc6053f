//! What a reload leaves alone: each thing that a check or a server knows, while something else about
//! their service changes.

use super::*;
use crate::conf::model::{
    BfdProbe, CheckScript, FileProbe, HttpProbe, HttpUrl, MiscProbe, Probe, ProbeKind,
};
use crate::ops::ChildEnd;

const ONE: &str = "182.148.15.233:3306";

/// The same with another server, another scheduler, and other options of the service.
fn changed(config: &VirtualServer) -> Shared<VirtualServer> {
    let mut new = config.clone();
    new.scheduler = Scheduler::Lc;
    new.policy.hysteresis = 1;
    new.real_servers.push(server("182.148.15.240", 7));
    Shared::new(new)
}

fn reload(bench: &mut Bench, config: &VirtualServer) -> Vec<Action> {
    bench.apply(Step::Update(changed(config), Change::Live))
}

fn with_check(kind: ProbeKind) -> Shared<VirtualServer> {
    let mut config = mysql();
    config.real_servers.truncate(1);
    let first = &mut config.real_servers[0];
    let connect = first.tcp_checks.remove(0);
    first.probes.push(Probe {
        connect,
        kind,
        tcp_before: 0,
    });
    config
}

/// The weight of the first server in the last wish for it, if there was one.
fn weight(actions: &[Action]) -> Option<u32> {
    let one: SocketAddr = ONE.parse().unwrap();
    let of = |action: &Action| match action {
        Action::Want(wanted) => {
            let found = wanted
                .destinations
                .iter()
                .find(|found| found.address == one);
            Some(found.map_or(0, |found| found.weight))
        }
        Action::WantDestination(_, address, wanted) if *address == one => {
            Some(wanted.map_or(0, |wanted| wanted.weight))
        }
        Action::WantDestination(..)
        | Action::Probe(..)
        | Action::Spawn(..)
        | Action::Kill(..)
        | Action::Unwant(_)
        | Action::Mark(..)
        | Action::Notice(_) => None,
    };
    actions.iter().filter_map(of).next_back()
}

// Input: a server with three retries fails twice, a reload changes its service, it goes on failing.
// Output: it goes after two more failures, as without the reload.
#[test]
fn retries_go_on() {
    let one: SocketAddr = ONE.parse().unwrap();
    for with_reload in [false, true] {
        let mut bench = Bench::new();
        bench.apply(Step::Add(mysql()));
        bench.round(|_| true);
        let failures = std::cell::Cell::new(0);
        while bench.alive()[0] {
            bench.round(|to| {
                failures.set(failures.get() + u32::from(to == one));
                to != one
            });
            if with_reload && failures.get() == 2 && bench.alive().len() == 2 {
                reload(&mut bench, &mysql());
            }
        }
        assert_eq!(failures.get(), 4, "with a reload: {with_reload}");
    }
}

// Input: a check under way, its server's service reloaded. Output: neither ended nor begun anew; its
// answer counts; the time of its deadline is the old one.
#[test]
fn attempts_under_way_go_on() {
    let mut bench = Bench::new();
    bench.apply(Step::Add(mysql()));
    let started = bench.tick();
    let Some(Action::Probe(id, ProbeCmd::Connect(_))) = started.first().cloned() else {
        panic!("{started:?}");
    };
    let due = bench.domain.next_deadline();
    bench.now += SECOND;
    let actions = reload(&mut bench, &mysql());
    let touched = |action: &&Action| matches!(action, Action::Probe(..));
    assert_eq!(actions.iter().filter(touched).count(), 0);
    // The new server's first check comes a second after the reload, before that.
    assert!(bench.domain.next_deadline() <= due);
    let refused = ProbeIo::Failed(ProbeFailure::Remote(111));
    bench.handle(Event::Probe(id, refused));
    let down = bench.alive().iter().filter(|alive| !**alive).count();
    assert_eq!(down, 1, "the first attempt of a start decides");
}

// Input: a dead server and a quorum that is lost; a reload. Output: still out, and nothing is told of
// the quorum a second time.
#[test]
fn what_is_dead_stays_dead_and_the_quorum_is_told_once() {
    let mut config = mysql();
    config.policy.quorum = 6;
    let two: SocketAddr = "182.148.15.238:3306".parse().unwrap();
    let mut bench = Bench::new();
    bench.apply(Step::Add(config.clone()));
    let before = logged(|| drop(bench.round(|to| to != two)));
    assert!(before.iter().any(|line| line.contains("Lost quorum")));
    let mut new = config.clone().into_inner();
    new.scheduler = Scheduler::Lc;
    bench.notices.clear();
    let mut actions = Vec::new();
    let step = Step::Update(Shared::new(new), Change::Live);
    let after = logged(|| actions = bench.apply(step));
    assert_eq!(bench.alive(), [true, false]);
    assert_eq!(after, Vec::<String>::new());
    assert!(bench.notices.is_empty(), "{:?}", bench.notices);
    let [Action::Want(wanted)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(wanted.destinations.len(), 1);
}

// Input: a program that has set a weight, a tracked file that has added to it, a session that is down;
// a reload that changes the weight of nobody. Output: the weights and the verdict are as before it.
#[test]
fn weights_and_verdicts_of_programs_files_and_sessions_stay() {
    let script = CheckScript {
        command: "/bin/check".to_owned(),
        user: None,
        group: None,
    };
    let misc = with_check(ProbeKind::Misc(MiscProbe {
        script,
        timeout: Some(3 * SECOND),
        dynamic: true,
    }));
    let mut bench = Bench::new();
    bench.apply(Step::Add(misc.clone()));
    let started = bench.tick();
    let Some(Action::Spawn(number, _)) = started.first() else {
        panic!("{started:?}");
    };
    let set = bench.handle(Event::Child(*number, ChildEnd::Exited(12)));
    assert_eq!(weight(&set), Some(10));
    assert_eq!(weight(&reload(&mut bench, &misc)), Some(10));

    let file = with_check(ProbeKind::File(FileProbe {
        track_file: Some("f".to_owned()),
        weight: Some(2),
        ..FileProbe::default()
    }));
    let mut bench = Bench::new();
    bench.apply(Step::Add(file.clone()));
    bench.tick();
    let set = bench.handle(Event::File("f", Some(20)));
    assert_eq!(weight(&set), Some(43));
    assert_eq!(weight(&reload(&mut bench, &file)), Some(43));

    let session = with_check(ProbeKind::Bfd(BfdProbe {
        name: Some("b".to_owned()),
    }));
    let mut bench = Bench::new();
    bench.apply(Step::Add(session.clone()));
    bench.tick();
    bench.handle(Event::Session("b", false));
    assert_eq!(bench.alive(), [false]);
    assert_eq!(weight(&reload(&mut bench, &session)), Some(0));
    assert_eq!(bench.alive(), [false, true]);
    bench.handle(Event::Session("b", true));
    assert_eq!(bench.alive(), [true, true]);
}

// Input: an `HTTP_GET` of three pages whose second is due; a reload. Output: the second is asked for
// next.
#[test]
fn a_round_through_pages_goes_on() {
    let page = |path: &str| HttpUrl {
        path: Some(path.to_owned()),
        ..HttpUrl::default()
    };
    let http = with_check(ProbeKind::Http(HttpProbe {
        urls: vec![page("/one"), page("/two"), page("/three")],
        ..HttpProbe::default()
    }));
    let asked = |bench: &mut Bench, to: SocketAddr| loop {
        let id = bench.tick().into_iter().find_map(|action| match action {
            Action::Probe(id, ProbeCmd::Connect(spec)) if spec.to == to => Some(id),
            _ => None,
        });
        let Some(id) = id else { continue };
        let sent = bench.handle(Event::Probe(id, ProbeIo::Connected));
        let Some(Action::Probe(_, ProbeCmd::Write(request))) = sent.first() else {
            panic!("{sent:?}");
        };
        let text = String::from_utf8(request.clone()).unwrap();
        bench.handle(Event::Probe(id, ProbeIo::Bytes(b"HTTP/1.0 200 OK\r\n\r\n")));
        bench.handle(Event::Probe(id, ProbeIo::Closed));
        break text.split(' ').nth(1).unwrap().to_owned();
    };
    let one: SocketAddr = ONE.parse().unwrap();
    let mut bench = Bench::new();
    bench.apply(Step::Add(http.clone()));
    assert_eq!(asked(&mut bench, one), "/one");
    reload(&mut bench, &http);
    assert_eq!(asked(&mut bench, one), "/two");
    assert_eq!(asked(&mut bench, one), "/three");
}
