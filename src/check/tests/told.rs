//! What reports tell of servers, checks and reloads, as those of keepalived 2.2.7 do.

use super::*;
use crate::check::{ProgramRun, ServerReport};
use crate::conf::model::{
    CheckScript, HttpProbe, HttpUrl, MiscProbe, Probe, ProbeKind, ServerPolicy, SorryServer,
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

// Input: a program that has not run, runs, has ended. Output: when it began, and its status.
#[test]
fn programs_tell_when_they_ran_and_how_they_ended() {
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
        timeout: None,
        dynamic: false,
    };
    let kind = ProbeKind::Misc(misc);
    service.real_servers[0].probes.push(probe(kind, 0));
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
