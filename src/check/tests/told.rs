//! What reports tell of servers, checks and reloads, as those of keepalived 2.2.7 do.

use super::*;
use crate::check::{ProgramRun, ServerReport};
use crate::conf::model::{
    CheckScript, HttpProbe, HttpUrl, MiscProbe, Probe, ProbeKind, ServerPolicy, SmtpProbe,
    SorryServer, UdpProbe,
};
use crate::ops::ChildEnd;

fn probe(kind: ProbeKind, tcp_before: u16) -> Probe {
    Probe {
        connect: check("182.148.15.233:3306"),
        kind,
        tcp_before,
    }
}

// Input: checks of which some stand before those of TCP. Output: the order of the file.
#[test]
fn checks_have_the_order_of_the_file() {
    let mut server = server("182.148.15.233", 1).into_inner();
    let places = |server: &RealServer| server.places_in_file();
    assert_eq!(places(&server), [0]);
    server.probes.push(probe(ProbeKind::Ping, 0));
    assert_eq!(places(&server), [1, 0]);
    server.tcp_checks.push(check("182.148.15.233:80"));
    server.probes.push(probe(ProbeKind::Ping, 1));
    server.probes.push(probe(ProbeKind::Ping, 2));
    assert_eq!(places(&server), [2, 0, 3, 1, 4]);
    server.tcp_checks.clear();
    assert_eq!(places(&server), [0, 1, 2]);
}

// Input: without quorum a server that is alive, one that is down, one of them inhibited; a reload
// with another weight and another server. Output: which are in IPVS, what was there before, and
// with which weight.
#[test]
fn servers_tell_whether_they_are_in_the_table_and_what_a_reload_found() {
    let mut service = mysql();
    service.policy.quorum = 6;
    service.policy.sorry_server = Some(SorryServer {
        address: ip("182.148.15.9"),
        port: Some(80),
        forwarding: None,
        inhibit: false,
    });
    service.real_servers.push(server("182.148.15.240", 1));
    for server in &mut service.real_servers {
        server.tcp_checks[0].retries = 0;
    }
    service.real_servers[1].policy = Some(Box::new(ServerPolicy {
        inhibit_on_failure: true,
        ..ServerPolicy::default()
    }));
    let mut bench = Bench::new();
    bench.apply(Step::Add(service.clone()));
    while bench.alive()[1..] != [false, false] {
        bench.round(|to| to.ip() == ip("182.148.15.233"));
    }
    let tell = |bench: &Bench, place: usize| bench.domain.view().server(&service.key, place);
    let at_first = ServerReport {
        alive: true,
        weight: 3,
        failing: 0,
        set: false,
        weight_before: None,
    };
    assert_eq!(tell(&bench, 0), Some(at_first));
    assert!(tell(&bench, 1).is_some_and(|found| found.set && !found.alive));
    assert!(tell(&bench, 2).is_some_and(|found| !found.set && found.failing == 1));
    let view = bench.domain.view().service(&service.key).unwrap();
    assert!(view.sorry_set && !view.reloaded && !view.quorum_up);
    // The one that is inhibited, and the sorry server.
    assert_eq!(view.destinations, 2);
    let mut new = service.clone();
    new.real_servers[0].weight = 5;
    new.real_servers.push(server("182.148.15.241", 7));
    bench.apply(Step::Update(new, Change::Live));
    let before = |place| tell(&bench, place).map(|found| (found.weight, found.weight_before));
    assert_eq!(before(0), Some((5, Some(3))));
    assert_eq!(before(3), Some((7, None)));
    let view = bench.domain.view().service(&service.key).unwrap();
    assert!(view.reloaded && view.quorum_up && !view.sorry_set);
}

/// A service with one server and one check, a program.
fn judged_by_a_program(timeout: Option<Duration>) -> Shared<VirtualServer> {
    let mut service = mysql();
    service.real_servers.truncate(1);
    service.real_servers[0].tcp_checks.clear();
    let script = CheckScript {
        command: "/bin/check".to_owned(),
        user: None,
        group: None,
    };
    let misc = MiscProbe {
        script,
        timeout,
        dynamic: false,
    };
    let kind = ProbeKind::Misc(misc);
    service.real_servers[0].probes.push(probe(kind, 0));
    service
}

// Input: a program that has not run, runs, has ended. Output: when it began, and its status.
#[test]
fn programs_tell_when_they_ran_and_how_they_ended() {
    let service = judged_by_a_program(None);
    let mut bench = Bench::new();
    bench.apply(Step::Add(service.clone()));
    let tell = |bench: &Bench| bench.domain.view().check(&service.key, 0, 0).unwrap().run;
    assert_eq!(tell(&bench), None);
    let started = bench.tick();
    let Some(Action::Spawn(number, _)) = started.first() else {
        panic!("{started:?}");
    };
    let run = |status| {
        Some(ProgramRun {
            began: bench.now,
            status,
        })
    };
    let (running, ended) = (run(0), run(3));
    assert_eq!(tell(&bench), running);
    bench.now += SECOND;
    bench.handle(Event::Child(*number, ChildEnd::Exited(3)));
    assert_eq!(tell(&bench), ended);
}

// Input: an HTTP_GET that cannot connect. Output: the resource that has failed.
#[test]
fn the_resource_that_has_failed_is_told() {
    let mut service = mysql();
    service.real_servers.truncate(1);
    service.real_servers[0].tcp_checks.clear();
    let http = HttpProbe {
        urls: vec![HttpUrl::default(), HttpUrl::default()],
        ..HttpProbe::default()
    };
    let kind = ProbeKind::Http(http);
    service.real_servers[0].probes.push(probe(kind, 0));
    let mut bench = Bench::new();
    bench.apply(Step::Add(service.clone()));
    let tell = |bench: &Bench| bench.domain.view().check(&service.key, 0, 0).unwrap();
    assert_eq!(tell(&bench).failed_url, None);
    bench.round(|_| false);
    assert_eq!(tell(&bench).failed_url, Some(0));
}

// Input: a check by a program that takes most of a period, and one by connections that do. Output:
// the program begins every period, as keepalived 2.2.7's does; the others are a period apart.
#[test]
fn programs_begin_every_period_however_long_they_take() {
    let service = judged_by_a_program(Some(20 * SECOND));
    let mut bench = Bench::new();
    bench.apply(Step::Add(service));
    let mut gaps = Vec::new();
    for took in [5, 0, 9] {
        let started = bench.tick();
        let Some(Action::Spawn(number, _)) = started.first() else {
            panic!("{started:?}");
        };
        let began = bench.now;
        bench.now += took * SECOND;
        bench.handle(Event::Child(*number, ChildEnd::Exited(0)));
        let next = bench.domain.next_deadline().unwrap();
        gaps.push(next.saturating_since(began));
    }
    assert_eq!(gaps, [6 * SECOND, 6 * SECOND, 9 * SECOND]);
}

// Input: no address like that of `bindto` on this host, no interface like that of `bind_if`, and no
// descriptors. Output: the cause, by name.
#[test]
fn what_this_host_lacks_for_a_check_is_named() {
    let said = |errno, change: fn(&mut TcpCheck)| {
        let mut service = mysql();
        service.real_servers.truncate(1);
        change(&mut service.real_servers[0].tcp_checks[0]);
        let mut bench = Bench::new();
        bench.apply(Step::Add(service));
        logged(|| {
            for action in bench.tick() {
                if let Action::Probe(id, ProbeCmd::Connect(_)) = action {
                    let failed = ProbeIo::Failed(ProbeFailure::Local(errno));
                    bench.handle(Event::Probe(id, failed));
                }
            }
        })
        .concat()
    };
    let bound = said(99, |check| check.bind = "192.0.2.77:0".parse().ok());
    assert!(
        bound.contains("no interface of this host has the address 192.0.2.77 of bindto"),
        "{bound}"
    );
    let port = said(99, |check| check.bind = "0.0.0.0:7".parse().ok());
    assert!(port.contains("descriptors, ports or memory"), "{port}");
    let link = said(19, |check| check.bind_interface = Some("eth7".into()));
    assert!(link.contains("there is no interface eth7"), "{link}");
    let full = said(24, |check| check.bind = "192.0.2.77:0".parse().ok());
    assert!(full.contains("descriptors, ports or memory"), "{full}");
}

// Input: without quorum, a reload with another sorry server, then one without. Output: the one is
// said to go, the other to come.
#[test]
fn another_sorry_server_is_said_to_come() {
    let mut service = mysql();
    service.policy.quorum = 6;
    for server in &mut service.real_servers {
        server.tcp_checks[0].retries = 0;
    }
    let sorry = |last| SorryServer {
        address: IpAddr::from([182, 148, 15, last]),
        port: Some(80),
        forwarding: None,
        inhibit: false,
    };
    service.policy.sorry_server = Some(sorry(9));
    let mut bench = Bench::new();
    bench.apply(Step::Add(service.clone()));
    while bench.alive() != [true, false] {
        bench.round(|to| to.ip() == ip("182.148.15.233"));
    }
    service.policy.sorry_server = Some(sorry(8));
    let log = logged(|| {
        bench.apply(Step::Update(service.clone(), Change::Live));
    });
    let has = |start: &str| log.iter().any(|line| line.contains(start));
    assert!(
        has("Removing sorry server [182.148.15.9]:tcp:80"),
        "{log:?}"
    );
    assert!(has("Adding sorry server [182.148.15.8]:tcp:80"), "{log:?}");
    let again = logged(|| {
        service.policy.hysteresis = 1;
        bench.apply(Step::Update(service.clone(), Change::Live));
    });
    assert!(!again.concat().contains("sorry server"), "{again:?}");
}

// Input: checks by UDP and by mail of a server that there is no way to, then one that answers.
// Output: the report tells of it until then; the line about mail names the real server too.
#[test]
fn that_there_is_no_way_to_a_server_is_told() {
    for kind in [
        ProbeKind::Udp(UdpProbe::default()),
        ProbeKind::Smtp(SmtpProbe::default()),
    ] {
        let mut service = mysql();
        service.real_servers.truncate(1);
        service.real_servers[0].tcp_checks.clear();
        let mut probe = probe(kind, 0);
        probe.connect.retries = 0;
        probe.connect.target = "192.0.2.77:25".parse().unwrap();
        service.real_servers[0].probes.push(probe);
        let mut bench = Bench::new();
        bench.apply(Step::Add(service.clone()));
        let tell = |bench: &Bench| bench.domain.view().check(&service.key, 0, 0).unwrap();
        assert!(!tell(&bench).unreachable);
        let try_it = |bench: &mut Bench, what: ProbeIo<'_>| {
            logged(|| {
                for action in bench.tick() {
                    if let Action::Probe(id, ProbeCmd::Connect(_)) = action {
                        bench.handle(Event::Probe(id, what));
                    }
                }
            })
        };
        let said = try_it(&mut bench, ProbeIo::Failed(ProbeFailure::Remote(101))).concat();
        let whom = "server 192.0.2.77 - real server [182.148.15.233]:3306";
        assert!(
            said.contains(whom) || said.contains("UDP connect error 101"),
            "{said}"
        );
        try_it(&mut bench, ProbeIo::Failed(ProbeFailure::Remote(111)));
        assert!(!tell(&bench).unreachable);
    }
}
