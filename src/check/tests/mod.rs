//! The domain from configuration to wishes for IPVS.

mod attempts;
mod pool;
mod properties;
mod rest;
mod survival;
mod told;

use std::net::{IpAddr, SocketAddr};

use super::*;
use crate::base::{Duration, Instant, Shared};
use crate::conf::model::plan::{Change, Step};
use crate::conf::model::{
    Forwarding, LogStyle, Persistence, Protocol, RealServer, RealServerKey, Scheduler, ServiceKey,
    TcpCheck, VirtualServer,
};
use crate::ops::{Alert, ForwardMethod, ProbeFailure};
use crate::tests::logged;

const SECOND: Duration = Duration::from_secs(1);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn check(target: &str) -> TcpCheck {
    TcpCheck {
        target: target.parse().unwrap(),
        bind: None,
        bind_interface: None,
        fwmark: 0,
        connect_timeout: 3 * SECOND,
        retries: 3,
        delay_before_retry: 3 * SECOND,
        delay_loop: 6 * SECOND,
        warmup: Duration::ZERO,
        alpha: false,
        log_all_failures: false,
    }
}

fn server(address: &str, weight: u32) -> Shared<RealServer> {
    Shared::new(RealServer {
        key: RealServerKey {
            address: ip(address),
            port: 3306,
        },
        weight,
        forwarding: Forwarding::Dr,
        tcp_checks: vec![check(&SocketAddr::new(ip(address), 3306).to_string())],
        probes: Vec::new(),
        policy: None,
    })
}

/// The virtual server of the document.
fn mysql() -> Shared<VirtualServer> {
    Shared::new(VirtualServer {
        persistence: Some(Persistence {
            timeout: 50 * SECOND,
            granularity: 32,
        }),
        real_servers: vec![server("182.148.15.233", 3), server("182.148.15.238", 3)],
        ..VirtualServer::new(key(3306), Scheduler::Wrr)
    })
}

fn key(port: u16) -> ServiceKey {
    ServiceKey::address(ip("182.148.15.239"), port, Protocol::Tcp)
}

/// Its name in the kernel.
fn mysql_name() -> ServiceName {
    name(3306)
}

fn name(port: u16) -> ServiceName {
    ServiceName::Address {
        address: ip("182.148.15.239"),
        port,
        protocol: 6,
    }
}

/// A domain, the time, and what it asked for last.
struct Bench {
    domain: Domain,
    now: Instant,
    out: Vec<Action>,
    /// What was told outside.
    notices: Vec<Notice>,
}

impl Bench {
    /// What was asked for, without what was told.
    fn take(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        for action in self.out.drain(..) {
            match action {
                Action::Notice(notice) => self.notices.push(notice),
                other => actions.push(other),
            }
        }
        actions
    }

    fn new() -> Self {
        Self::with_style(LogStyle::Current)
    }

    fn with_style(style: LogStyle) -> Self {
        Self {
            domain: Domain::new(style, 1),
            now: Instant::from_micros(1_000_000_000),
            out: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn apply(&mut self, step: Step<Shared<VirtualServer>>) -> Vec<Action> {
        self.domain.apply(self.now, vec![step], &mut self.out);
        self.take()
    }

    fn handle(&mut self, event: Event) -> Vec<Action> {
        self.domain.handle(self.now, event, &mut self.out);
        self.domain.check_invariants();
        self.take()
    }

    /// Lets the time go on to the next deadline.
    fn tick(&mut self) -> Vec<Action> {
        self.now = self.domain.next_deadline().unwrap().max(self.now);
        self.domain.handle_timeout(self.now, &mut self.out);
        self.domain.check_invariants();
        self.take()
    }

    /// Lets the time go on until probes start, answers each as `up` says, and returns what else
    /// was asked for.
    fn round(&mut self, up: impl Fn(SocketAddr) -> bool) -> Vec<Action> {
        let mut other = Vec::new();
        for action in self.tick() {
            let Action::Probe(id, ProbeCmd::Connect(spec)) = action else {
                other.push(action);
                continue;
            };
            let what = if up(spec.to) {
                ProbeIo::Connected
            } else {
                ProbeIo::Failed(ProbeFailure::Remote(111))
            };
            other.extend(self.handle(Event::Probe(id, what)));
        }
        other.retain(|action| !matches!(action, Action::Probe(_, ProbeCmd::Close)));
        other
    }

    fn alive(&self) -> Vec<bool> {
        self.domain.view().servers().map(|s| s.alive).collect()
    }
}

fn destination(address: &str, weight: u32) -> DestinationSpec {
    DestinationSpec {
        address: SocketAddr::new(ip(address), 3306),
        weight,
        method: ForwardMethod::DirectRoute,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

// Input: a server that was down for the process before, another that was not. Output: the first is
// out of the table from the start, until a check brings it in.
#[test]
fn what_was_down_before_begins_as_down() {
    let mut bench = Bench::new();
    let service = mysql();
    let down = service.real_servers[0].key;
    bench
        .domain
        .inherit([(service.key.to_string(), down.to_string())]);
    bench.apply(Step::Add(service));
    assert_eq!(bench.alive(), [false, true]);
    while !bench.alive()[0] {
        bench.round(|_| true);
    }
    assert_eq!(bench.alive(), [true, true]);
}

// Input: the document's virtual server. Output: the table of the document at once, checks 1 s
// later.
#[test]
fn servers_count_as_up_at_the_start() {
    let mut bench = Bench::new();
    let actions = bench.apply(Step::Add(mysql()));
    let wanted = WantedService {
        spec: ServiceSpec {
            name: mysql_name(),
            scheduler: "wrr",
            persistence: Some((50 * SECOND, 32)),
            flags: 0,
            engine: None,
        },
        destinations: vec![
            destination("182.148.15.233", 3),
            destination("182.148.15.238", 3),
        ],
    };
    assert_eq!(actions, [Action::Want(wanted)]);
    assert_eq!(bench.domain.next_deadline(), Some(bench.now + SECOND));
}

// Input: MySQL2 stops after the first check and starts again. Output: out of the table after
// three retries 3 s apart, back with the first success.
#[test]
fn a_server_goes_after_its_retries_and_comes_back_with_a_success() {
    let two: SocketAddr = "182.148.15.238:3306".parse().unwrap();
    let mut bench = Bench::new();
    bench.apply(Step::Add(mysql()));
    assert_eq!(bench.round(|_| true), []);
    let stopped = bench.now;
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen = bench.round(|to| to != two);
    }
    let gone = Action::WantDestination(mysql_name(), two, None);
    assert_eq!(seen, [gone]);
    assert_eq!(bench.now.saturating_since(stopped), 15 * SECOND);
    assert_eq!(bench.alive(), [true, false]);
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen = bench.round(|_| true);
    }
    let back = destination("182.148.15.238", 3);
    assert_eq!(
        seen,
        [Action::WantDestination(mysql_name(), two, Some(back))]
    );
    assert_eq!(bench.now.saturating_since(stopped), 21 * SECOND);
}

// Input: dead servers that are there at the start, and the same that come with a reload. Output: the
// former go with their first attempts, the latter after three retries 3 s apart.
#[test]
fn checks_that_come_with_a_reload_have_their_retries_at_once() {
    let both_gone_after = |with_a_reload: bool| {
        let mut bench = Bench::new();
        if with_a_reload {
            bench.domain.apply(bench.now, Vec::new(), &mut bench.out);
        }
        bench.apply(Step::Add(mysql()));
        let mut first = None;
        while bench.alive() != [false, false] {
            bench.round(|_| false);
            first.get_or_insert(bench.now);
        }
        bench.now.saturating_since(first.unwrap())
    };
    assert!(both_gone_after(false) < 9 * SECOND);
    assert!(both_gone_after(true) >= 9 * SECOND);
}

// Input: a plan that was only begun, then another one. Output: both are carried out.
#[test]
fn what_was_begun_is_not_lost_to_what_comes_next() {
    let mut bench = Bench::new();
    let other = Shared::new(VirtualServer {
        key: key(3307),
        ..(*mysql()).clone()
    });
    bench.domain.begin(vec![Step::Add(mysql())]);
    bench.apply(Step::Add(other));
    assert_eq!(bench.alive(), [true; 4]);
}

// Input: no answer. Output: the connection is closed at connect_timeout, and late news is ignored.
#[test]
fn a_connection_that_does_not_come_about_in_time_is_a_failure() {
    let mut bench = Bench::new();
    bench.apply(Step::Add(mysql()));
    let started = bench.tick();
    let [
        Action::Probe(first, ProbeCmd::Connect(_)),
        Action::Probe(..),
    ] = started.as_slice()
    else {
        panic!("{started:?}");
    };
    assert_eq!(bench.domain.next_deadline(), Some(bench.now + 3 * SECOND));
    let ended = bench.tick();
    assert!(ended.contains(&Action::Probe(*first, ProbeCmd::Close)));
    assert_eq!(bench.alive(), [false, false]);
    assert_eq!(bench.handle(Event::Probe(*first, ProbeIo::Connected)), []);
    assert_eq!(bench.alive(), [false, false]);
}

#[test]
fn a_kept_service_hears_nothing_of_a_reload() {
    let mut bench = Bench::new();
    bench.apply(Step::Add(mysql()));
    let due = bench.domain.next_deadline();
    bench.now += Duration::from_millis(300);
    assert_eq!(bench.apply(Step::Keep(mysql())), []);
    assert_eq!(bench.domain.next_deadline(), due);
}

// Input: another weight while the server is down. Output: it stays down, and comes back with the
// new weight.
#[test]
fn a_changed_weight_does_not_bring_a_server_back() {
    let two: SocketAddr = "182.148.15.238:3306".parse().unwrap();
    let mut bench = Bench::new();
    bench.apply(Step::Add(mysql()));
    let down = bench.round(|to| to != two);
    assert_eq!(down, [Action::WantDestination(mysql_name(), two, None)]);
    let mut new = mysql();
    new.real_servers[1].weight = 9;
    let actions = bench.apply(Step::Update(new, Change::Live));
    let [Action::Want(wanted)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(wanted.destinations, [destination("182.148.15.233", 3)]);
    let back = destination("182.148.15.238", 9);
    assert_eq!(
        bench.round(|_| true),
        [Action::WantDestination(mysql_name(), two, Some(back))]
    );
}

#[test]
fn at_a_stop_nothing_is_wanted_and_no_connection_is_left() {
    let mut bench = Bench::new();
    bench.apply(Step::Add(mysql()));
    let started = bench.tick();
    let ids: Vec<ProbeId> = started
        .iter()
        .filter_map(|action| match action {
            Action::Probe(id, _) => Some(*id),
            Action::Spawn(..)
            | Action::Kill(..)
            | Action::Want(_)
            | Action::Unwant(_)
            | Action::WantDestination(..)
            | Action::Mark(..)
            | Action::Notice(_) => None,
        })
        .collect();
    let ended = bench.handle(Event::Stop);
    for id in ids {
        assert!(ended.contains(&Action::Probe(id, ProbeCmd::Close)));
    }
    assert!(ended.contains(&Action::Unwant(mysql_name())));
    assert_eq!(bench.domain.next_deadline(), None);
}

// Input: the end of a domain with one server more than are named one by one. Output: one line that
// counts them, and each service given up once.
#[test]
fn very_many_servers_are_not_named_at_the_end() {
    let mut bench = Bench::new();
    let many = |port: u16, count: usize| {
        Shared::new(VirtualServer {
            key: key(port),
            real_servers: (1..=count)
                .map(|number| server(&format!("10.0.{}.{}", number / 250, number % 250 + 1), 1))
                .collect(),
            ..mysql().into_inner()
        })
    };
    bench.apply(Step::Add(many(1, 900)));
    bench.apply(Step::Add(many(2, 101)));
    let mut given_up = 0;
    let said = logged(|| {
        let actions = bench.handle(Event::Stop);
        let of = |action: &&Action| matches!(action, Action::Unwant(_));
        given_up = actions.iter().filter(of).count();
    });
    assert_eq!(given_up, 2);
    assert!(said[0].ends_with("Shutting down 1001 services of 2 virtual servers"));
    assert_eq!(said.len(), 1);
}

/// The document's events, as seen in the log: the start, MySQL2 stopped and started, the stop.
fn story(style: LogStyle) -> Vec<String> {
    let two: SocketAddr = "182.148.15.238:3306".parse().unwrap();
    logged(|| {
        let mut bench = Bench::with_style(style);
        bench.apply(Step::Add(mysql()));
        bench.round(|_| true);
        while bench.round(|to| to != two).is_empty() {}
        while bench.round(|_| true).is_empty() {}
        bench.handle(Event::Stop);
    })
}

// Output: the lines of keepalived 2.2.7 run against such servers.
#[test]
fn the_log_reads_as_keepalived_2_does() {
    let expected = "\
        Gained quorum 1+0=1 <= 6 for VS [182.148.15.239]:tcp:3306
        Activating healthchecker for service [182.148.15.233]:tcp:3306 for VS [182.148.15.239]:tcp:3306
        Activating healthchecker for service [182.148.15.238]:tcp:3306 for VS [182.148.15.239]:tcp:3306
        TCP connection to [182.148.15.233]:tcp:3306 success.
        TCP connection to [182.148.15.238]:tcp:3306 success.
        TCP_CHECK on service [182.148.15.238]:tcp:3306 failed after 3 retries.
        Removing service [182.148.15.238]:tcp:3306 from VS [182.148.15.239]:tcp:3306
        TCP connection to [182.148.15.238]:tcp:3306 success.
        Adding service [182.148.15.238]:tcp:3306 to VS [182.148.15.239]:tcp:3306
        Shutting down service [182.148.15.233]:tcp:3306 from VS [182.148.15.239]:tcp:3306
        Shutting down service [182.148.15.238]:tcp:3306 from VS [182.148.15.239]:tcp:3306";
    assert_eq!(story(LogStyle::Current), lines(expected));
}

// Output: the document's lines among those of 1.3.5.
#[test]
fn the_log_reads_as_the_document_shows_it() {
    let expected = "\
        Gained quorum 1+0=1 <= 6 for VS [182.148.15.239]:3306
        Activating healthchecker for service [182.148.15.233]:3306
        Activating healthchecker for service [182.148.15.238]:3306
        TCP connection to [182.148.15.233]:3306 success.
        TCP connection to [182.148.15.238]:3306 success.
        TCP connection to [182.148.15.238]:3306 failed.
        TCP connection to [182.148.15.238]:3306 failed.
        TCP connection to [182.148.15.238]:3306 failed.
        TCP connection to [182.148.15.238]:3306 failed.
        Check on service [182.148.15.238]:3306 failed after 3 retry.
        Removing service [182.148.15.238]:3306 from VS [182.148.15.239]:3306
        TCP connection to [182.148.15.238]:3306 success.
        Adding service [182.148.15.238]:3306 to VS [182.148.15.239]:3306
        Removing service [182.148.15.233]:3306 from VS [182.148.15.239]:3306
        Removing service [182.148.15.238]:3306 from VS [182.148.15.239]:3306";
    assert_eq!(story(LogStyle::V1_3), lines(expected));
}

fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| format!("Keepalived_healthcheckers: {}", line.trim()))
        .collect()
}

// Input: `log_all_failures` and a server that does not answer. Output: each attempt in the log.
#[test]
fn all_failures_are_logged_if_asked_for() {
    let mut config = mysql();
    config.real_servers.truncate(1);
    config.real_servers[0].tcp_checks[0].log_all_failures = true;
    config.real_servers[0].tcp_checks[0].retries = 1;
    let mut bench = Bench::new();
    bench.apply(Step::Add(config));
    bench.round(|_| true);
    let seen = logged(|| {
        bench.round(|_| false);
        bench.tick();
        bench.tick();
    });
    assert_eq!(
        seen,
        lines(
            "TCP connection to [182.148.15.233]:tcp:3306 failed.
             TCP connection to [182.148.15.233]:tcp:3306 timeout.
             TCP_CHECK on service [182.148.15.233]:tcp:3306 failed after 1 retries.
             Removing service [182.148.15.233]:tcp:3306 from VS [182.148.15.239]:tcp:3306
             Lost quorum 1-0=1 > 0 for VS [182.148.15.239]:tcp:3306"
        )
    );
}

// Input: `alpha`, and a server that does not answer at first. Output: not wanted until it does.
#[test]
fn with_alpha_a_server_has_to_prove_itself() {
    let mut config = mysql();
    for server in &mut config.real_servers {
        server.tcp_checks[0].alpha = true;
    }
    let one: SocketAddr = "182.148.15.233:3306".parse().unwrap();
    let mut bench = Bench::new();
    let actions = bench.apply(Step::Add(config));
    let [Action::Want(wanted)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(wanted.destinations, []);
    let mut seen = Vec::new();
    let log = logged(|| seen = bench.round(|to| to == one));
    let came = destination("182.148.15.233", 3);
    assert_eq!(
        seen,
        [Action::WantDestination(mysql_name(), one, Some(came))]
    );
    assert_eq!(
        log,
        lines(
            "TCP connection to [182.148.15.233]:tcp:3306 success.
             Adding service [182.148.15.233]:tcp:3306 to VS [182.148.15.239]:tcp:3306
             Gained quorum 1+0=1 <= 3 for VS [182.148.15.239]:tcp:3306
             TCP_CHECK on service [182.148.15.238]:tcp:3306 failed."
        )
    );
}

// Input: two checks of one server, on different ports. Output: it is up only while both are.
#[test]
fn a_server_is_up_when_every_check_is() {
    let mut config = mysql();
    config.real_servers.truncate(1);
    config.real_servers[0]
        .tcp_checks
        .push(check("182.148.15.233:22"));
    for check in &mut config.real_servers[0].tcp_checks {
        check.retries = 0;
    }
    let mut bench = Bench::new();
    bench.apply(Step::Add(config));
    assert_eq!(bench.round(|_| true), []);
    assert_eq!(bench.round(|to| to.port() != 22).len(), 1);
    assert_eq!(bench.alive(), [false]);
    assert_eq!(bench.round(|_| false), []);
    assert_eq!(bench.round(|to| to.port() == 22), []);
    assert_eq!(bench.round(|_| true).len(), 1);
    assert_eq!(bench.alive(), [true]);
}

// Input: this host has no descriptors left. Output: no verdict, one line a minute, soon again.
#[test]
fn a_shortage_of_this_host_ejects_nobody() {
    let mut bench = Bench::new();
    bench.apply(Step::Add(mysql()));
    bench.round(|_| true);
    let log = logged(|| {
        for _ in 0..19 {
            for action in bench.tick() {
                let Action::Probe(id, ProbeCmd::Connect(_)) = action else {
                    continue;
                };
                let short = ProbeIo::Failed(ProbeFailure::Local(24));
                assert_eq!(bench.handle(Event::Probe(id, short)), []);
            }
        }
    });
    assert_eq!(bench.alive(), [true, true]);
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("keep their state"), "{log:?}");
    let next = bench.domain.next_deadline().unwrap();
    assert_eq!(next.saturating_since(bench.now), SECOND / 4);
}

// Input: another scheduler and timeout, one server gone, one new, one with another port to check.
// Output: all of it in one wish; the server whose check changed keeps its verdict, the new one
// counts as up.
#[test]
fn a_reload_keeps_what_is_known() {
    let two: SocketAddr = "182.148.15.238:3306".parse().unwrap();
    let mut bench = Bench::new();
    bench.apply(Step::Add(mysql()));
    bench.round(|to| to != two);
    bench.now += SECOND;
    let mut new = mysql();
    new.scheduler = Scheduler::Rr;
    new.persistence = None;
    new.real_servers[1].tcp_checks[0].target = "182.148.15.238:22".parse().unwrap();
    new.real_servers[0] = server("182.148.15.240", 5);
    let mut actions = Vec::new();
    let log = logged(|| actions = bench.apply(Step::Update(new, Change::Live)));
    let [Action::Want(wanted)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(wanted.spec.scheduler, "rr");
    assert_eq!(wanted.spec.persistence, None);
    assert_eq!(wanted.destinations, [destination("182.148.15.240", 5)]);
    assert_eq!(bench.alive(), [true, false]);
    assert_eq!(
        log,
        lines(
            "service [182.148.15.233]:tcp:3306 no longer exist
             Removing service [182.148.15.233]:tcp:3306 from VS [182.148.15.239]:tcp:3306
             Activating healthchecker for service [182.148.15.240]:tcp:3306 for VS [182.148.15.239]:tcp:3306
             Activating healthchecker for service [182.148.15.238]:tcp:3306 for VS [182.148.15.239]:tcp:3306"
        )
    );
}

// Input: 5,000 checks that are due at once. Output: a few at a time, a millisecond apart, all
// within a tenth of a second.
#[test]
fn checks_that_are_due_at_once_leave_room_for_adverts() {
    let mut config = mysql();
    config.real_servers = (0..5000_u32)
        .map(|n| server(&std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string(), 1))
        .collect();
    let mut bench = Bench::new();
    bench.apply(Step::Add(config));
    let begin = bench.domain.next_deadline().unwrap();
    let mut started = 0;
    while started < 5000 {
        bench.now = bench.domain.next_deadline().unwrap();
        let before = bench.now;
        bench.domain.handle_timeout(bench.now, &mut bench.out);
        let burst = bench.out.drain(..).count();
        assert!(burst <= usize::try_from(STARTS_PER_TURN).unwrap());
        started += burst;
        assert!(bench.domain.next_deadline().unwrap() > before);
    }
    assert!(bench.now.saturating_since(begin) < Duration::from_millis(100));
}

// Input: a second service with a lower address, later in the file. Output: at the stop they go in
// the order of the file, also after a reload has turned it round.
#[test]
fn services_go_in_the_order_of_the_file() {
    let first = mysql();
    let mut second = mysql();
    second.key = ServiceKey::address(ip("10.0.0.1"), 3306, Protocol::Tcp);
    let stop = |plan: Vec<Vec<Step<Shared<VirtualServer>>>>| {
        let mut bench = Bench::new();
        for steps in plan {
            bench.domain.apply(bench.now, steps, &mut bench.out);
        }
        bench.out.clear();
        let mut gone = bench.handle(Event::Stop);
        gone.retain(|action| matches!(action, Action::Unwant(_)));
        gone
    };
    let start = vec![Step::Add(first.clone()), Step::Add(second.clone())];
    let turned = vec![Step::Keep(second.clone()), Step::Keep(first.clone())];
    let want = |config: &VirtualServer| Action::Unwant(service::names(config, None)[0]);
    assert_eq!(stop(vec![start.clone()]), [want(&first), want(&second)]);
    assert_eq!(stop(vec![start, turned]), [want(&second), want(&first)]);
}
