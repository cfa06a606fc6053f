//! Quorum, sorry server, servers that stay, groups and marks. The log lines are those that
//! keepalived 2.2.7 was seen to write on a kernel with IPVS.

use super::*;
use crate::base::Family;
use crate::conf::model::{GroupEntry, Nth, ServerPolicy, SorryServer};

const ONE: &str = "182.148.15.233:3306";
const TWO: &str = "182.148.15.238:3306";

fn sorry(inhibit: bool) -> SorryServer {
    SorryServer {
        address: ip("182.148.15.9"),
        port: Some(80),
        forwarding: None,
        inhibit,
    }
}

/// The service with a quorum of so much, servers of weight 3, without retries.
fn service(
    quorum: u32,
    hysteresis: u32,
    sorry_server: Option<SorryServer>,
) -> Shared<VirtualServer> {
    let mut service = mysql();
    service.policy.quorum = quorum;
    service.policy.hysteresis = hysteresis;
    service.policy.sorry_server = sorry_server;
    for server in &mut service.real_servers {
        server.tcp_checks[0].retries = 0;
    }
    service
}

fn inhibit(service: &mut VirtualServer) {
    for server in &mut service.real_servers {
        server.policy = Some(Box::new(ServerPolicy {
            inhibit_on_failure: true,
            ..ServerPolicy::default()
        }));
    }
}

/// The weights of the last octets in a table that follows the actions.
#[derive(Default)]
struct Table(Vec<(ServiceName, u8, u32)>);

impl Table {
    fn take(&mut self, actions: &[Action]) {
        let last = |address: SocketAddr| match address.ip() {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => 0,
        };
        for action in actions {
            match action {
                Action::Probe(..)
                | Action::Spawn(..)
                | Action::Kill(..)
                | Action::Mark(..)
                | Action::Notice(_) => {}
                Action::Want(wanted) => {
                    let name = wanted.spec.name;
                    self.0.retain(|(service, ..)| *service != name);
                    let found = wanted.destinations.iter();
                    self.0
                        .extend(found.map(|d| (name, last(d.address), d.weight)));
                }
                Action::Unwant(name) => self.0.retain(|(service, ..)| service != name),
                Action::WantDestination(name, address, wanted) => {
                    let server = last(*address);
                    self.0.retain(|(n, s, _)| (n, *s) != (name, server));
                    self.0
                        .extend(wanted.map(|d| (*name, last(d.address), d.weight)));
                }
            }
        }
        self.0.sort_unstable();
    }

    fn of(&self, name: ServiceName) -> Weights {
        let of = self.0.iter().filter(|(n, ..)| *n == name);
        of.map(|(_, server, weight)| (*server, *weight)).collect()
    }
}

/// Last octets of servers with their weights.
type Weights = Vec<(u8, u32)>;

/// Starts with the service, then lets the servers of each word of `phases` alone answer; gives
/// the table and the log after the start and after each phase.
fn life(config: Shared<VirtualServer>, phases: &[&[&str]]) -> Vec<(Weights, Vec<String>)> {
    let name = service::names(&config, None)[0];
    let mut bench = Bench::new();
    let mut table = Table::default();
    let mut seen = Vec::new();
    let keep = |log: Vec<String>| {
        let told = |line: &String| !line.contains("TCP") && !line.contains("Activating");
        log.into_iter().filter(told).collect::<Vec<String>>()
    };
    let log = logged(|| {
        let actions = bench.apply(Step::Add(config));
        table.take(&actions);
    });
    seen.push((table.of(name), keep(log)));
    for up in phases {
        let up: Vec<SocketAddr> = up.iter().map(|text| text.parse().unwrap()).collect();
        let log = logged(|| {
            for _ in 0..2 {
                let actions = bench.round(|to| up.contains(&to));
                table.take(&actions);
            }
        });
        seen.push((table.of(name), keep(log)));
    }
    seen
}

fn lines(log: &[String]) -> Vec<&str> {
    // What stands before is the level and the ident.
    log.iter()
        .map(|line| {
            line.split_once(": ")
                .map_or(line.as_str(), |(_, text)| text)
        })
        .collect()
}

const VS: &str = "[182.148.15.239]:tcp:3306";

// Input: quorum 3 of servers with weight 3, a sorry server; both servers fail, one comes back.
#[test]
fn a_sorry_server_stands_in_while_there_is_no_quorum() {
    let seen = life(service(3, 0, Some(sorry(false))), &[&[ONE], &[], &[ONE]]);
    let tables: Vec<_> = seen.iter().map(|(table, _)| table.clone()).collect();
    assert_eq!(
        tables,
        [
            vec![(233, 3), (238, 3)],
            vec![(233, 3)],
            vec![(9, 1)],
            vec![(233, 3)]
        ]
    );
    assert_eq!(
        lines(&seen[2].1),
        [
            format!("Removing service [182.148.15.233]:tcp:3306 from VS {VS}"),
            format!("Lost quorum 3-0=3 > 0 for VS {VS}"),
            format!("Adding sorry server [182.148.15.9]:tcp:80 to VS {VS}"),
            format!("Removing alive servers from the pool for VS {VS}"),
        ]
    );
    assert_eq!(
        lines(&seen[3].1),
        [
            format!("Adding service [182.148.15.233]:tcp:3306 to VS {VS}"),
            format!("Gained quorum 3+0=3 <= 3 for VS {VS}"),
            format!("Removing sorry server [182.148.15.9]:tcp:80 from VS {VS}"),
            format!("Adding alive servers to the pool for VS {VS}"),
        ]
    );
}

// Input: quorum 5: one server of weight 3 is too little, so it leaves the pool although it is
// alive. Servers and sorry server are inhibited: they stay with weight 0.
#[test]
fn what_is_inhibited_stays_with_weight_0() {
    let mut config = service(5, 0, Some(sorry(true)));
    inhibit(&mut config);
    let seen = life(config, &[&[ONE], &[ONE, TWO]]);
    let tables: Vec<_> = seen.iter().map(|(table, _)| table.clone()).collect();
    assert_eq!(
        tables,
        [
            vec![(9, 0), (233, 3), (238, 3)],
            vec![(9, 1), (233, 0), (238, 0)],
            vec![(9, 0), (233, 3), (238, 3)]
        ]
    );
    assert_eq!(
        lines(&seen[1].1),
        [
            format!("Disabling service [182.148.15.238]:tcp:3306 of VS {VS}"),
            format!("Lost quorum 5-0=5 > 3 for VS {VS}"),
            format!("Enabling sorry server [182.148.15.9]:tcp:80 to VS {VS}"),
            format!("Removing alive servers from the pool for VS {VS}"),
        ]
    );
}

// Input: quorum 4, hysteresis 2: lost below 2, gained again from 6 on; at the start 6 are there.
// Without a sorry server nothing is taken out.
#[test]
fn hysteresis_keeps_what_is_and_what_is_not() {
    let seen = life(service(4, 2, None), &[&[ONE], &[], &[TWO], &[ONE, TWO]]);
    let quorum = |log: &[String]| {
        let told = lines(log)
            .into_iter()
            .filter(|line| line.contains("quorum"));
        told.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        quorum(&seen[0].1),
        [format!("Gained quorum 4+2=6 <= 6 for VS {VS}")]
    );
    assert_eq!(quorum(&seen[1].1), Vec::<String>::new());
    assert_eq!(
        quorum(&seen[2].1),
        [format!("Lost quorum 4-2=2 > 0 for VS {VS}")]
    );
    assert_eq!(quorum(&seen[3].1), Vec::<String>::new());
    assert_eq!(seen[3].0, [(238, 3)], "alive is alive without a quorum");
    assert_eq!(
        quorum(&seen[4].1),
        [format!("Gained quorum 4+2=6 <= 6 for VS {VS}")]
    );
}

// Input: servers that start as failed. Output: the sorry server from the first moment on.
#[test]
fn a_start_without_quorum_is_said_if_there_is_a_sorry_server() {
    let mut config = service(2, 1, Some(sorry(false)));
    for server in &mut config.real_servers {
        server.tcp_checks[0].alpha = true;
    }
    let seen = life(config, &[]);
    assert_eq!(seen[0].0, [(9, 1)]);
    assert_eq!(
        lines(&seen[0].1),
        [
            format!("Starting with quorum down 2-1=3 > 0 for VS {VS}"),
            format!("Adding sorry server [182.148.15.9]:tcp:80 to VS {VS}"),
            format!("Removing alive servers from the pool for VS {VS}"),
        ]
    );
}

fn group(entries: Vec<GroupEntry>) -> Shared<VirtualServer> {
    Shared::new(VirtualServer {
        key: ServiceKey::Group {
            name: "g".to_owned(),
            nth: Nth(0),
            protocol: Some(Protocol::Tcp),
        },
        entries,
        ..mysql().into_inner()
    })
}

fn addresses(first: &str, last: &str) -> GroupEntry {
    GroupEntry::Addresses {
        first: ip(first),
        last: ip(last),
        port: 80,
    }
}

// Input: a group of two addresses and a mark, servers behind DR. Output: one service for each,
// whose servers have the port of the entry; a failing server leaves all of them; a reload of the
// group adds and removes no others.
#[test]
fn a_group_is_a_service_for_each_of_its_entries() {
    let mark = |mark| GroupEntry::Fwmark { mark, family: None };
    let before = vec![addresses("10.0.0.1", "10.0.0.2"), mark(9)];
    let after = vec![
        addresses("10.0.0.1", "10.0.0.2"),
        addresses("10.0.0.7", "10.0.0.7"),
        mark(3),
    ];
    let mut bench = Bench::new();
    let started = bench.apply(Step::Add(group(before)));
    let named: Vec<String> = started
        .iter()
        .map(|action| match action {
            Action::Want(wanted) => {
                let servers = wanted.destinations.iter().map(|d| d.address.port());
                format!("{} {:?}", wanted.spec.name, servers.collect::<Vec<_>>())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        named,
        [
            "[10.0.0.1]:tcp:80 [80, 80]",
            "[10.0.0.2]:tcp:80 [80, 80]",
            "FWM 9 [0, 0]"
        ]
    );
    let failed = bench.round(|to| to != TWO.parse().unwrap());
    assert_eq!(failed.len(), 3, "{failed:?}");
    let mut changed = Vec::new();
    let log = logged(|| changed = bench.apply(Step::Update(group(after), Change::Live)));
    assert_eq!(
        lines(&log),
        [
            "VS [9] in group g no longer exists",
            "VS [[10.0.0.7]:tcp:80] added into group g",
            "VS [FWM 3] added into group g",
        ]
    );
    let mark = ServiceName::Mark {
        mark: 9,
        family: Family::V4,
    };
    assert_eq!(changed[0], Action::Unwant(mark));
    let wants = changed
        .iter()
        .filter(|action| matches!(action, Action::Want(_)));
    assert_eq!((wants.count(), changed.len()), (4, 5));
}

// Input: two services for one mark, the first is removed. Output: the second has it then, and the
// log has said why it did not before.
#[test]
fn of_two_services_with_one_name_the_first_has_it_until_it_goes() {
    let first = group(vec![GroupEntry::Fwmark {
        mark: 7,
        family: None,
    }]);
    let second = Shared::new(VirtualServer {
        key: ServiceKey::Fwmark {
            mark: 7,
            family: Family::V4,
        },
        ..mysql().into_inner()
    });
    let mut bench = Bench::new();
    let mut out = Vec::new();
    let log = logged(|| {
        let plan = vec![Step::Add(first.clone()), Step::Add(second.clone())];
        bench.domain.apply(bench.now, plan, &mut out);
    });
    out.retain(|action| !matches!(action, Action::Notice(_)));
    assert_eq!(out.len(), 1);
    let told = lines(&log)
        .into_iter()
        .filter(|line| line.contains("leaves"));
    assert_eq!(told.count(), 1, "{log:?}");
    out.clear();
    let plan = vec![Step::Remove(first), Step::Keep(second)];
    bench.domain.apply(bench.now, plan, &mut out);
    out.retain(|action| !matches!(action, Action::Probe(..) | Action::Notice(_)));
    let [Action::Unwant(gone), Action::Want(wanted)] = out.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!(*gone, wanted.spec.name);
}

// Input: a weight that a check sets while the server is alive. Output: it is edited in place and
// counts for the quorum.
#[test]
fn a_weight_at_run_time_counts() {
    let mut bench = Bench::new();
    bench.apply(Step::Add(service(4, 0, None)));
    let service = bench.domain.services.get_mut(0).unwrap();
    let mut out = Vec::new();
    let log = logged(|| service.reweigh(LogStyle::Current, (1, 0), &mut out));
    assert_eq!(
        lines(&log),
        [
            format!(
                "Changing weight from 3 to 0 for active service [182.148.15.238]:tcp:3306 of VS {VS}"
            ),
            format!("Lost quorum 4-0=4 > 3 for VS {VS}"),
        ]
    );
    out.retain(|action| !matches!(action, Action::Notice(_)));
    let two: SocketAddr = TWO.parse().unwrap();
    let wanted = destination("182.148.15.238", 0);
    assert_eq!(
        out,
        [Action::WantDestination(mysql_name(), two, Some(wanted))]
    );
}

/// The lines for FIFOs and the scripts of all notices, in order.
fn told(notices: &[Notice]) -> Vec<String> {
    let mut told = Vec::new();
    for notice in notices {
        let line = notice.line.iter();
        told.extend(line.map(|line| format!("{} {}", line.object, line.state)));
        told.extend(notice.scripts.iter().map(|script| script.argv.join(" ")));
    }
    told
}

// Input: scripts of servers and of the quorum, `omega`; both servers fail, one comes back, the
// stop. Output: what keepalived 2.2.7 was seen to write and to run.
#[test]
fn scripts_and_lines_tell_of_servers_and_quorums() {
    let script = |command: &str| {
        Some(crate::conf::model::CheckScript {
            command: command.to_owned(),
            user: None,
            group: None,
        })
    };
    let mut config = service(1, 0, None);
    config.policy.quorum_up = script("/s.sh  qup");
    config.policy.quorum_down = script("/s.sh qdown");
    config.policy.omega = true;
    for (number, server) in (1..).zip(&mut config.real_servers) {
        server.policy = Some(Box::new(ServerPolicy {
            notify_up: script(&format!("/s.sh up {number}")),
            notify_down: script(&format!("/s.sh down {number}")),
            ..ServerPolicy::default()
        }));
    }
    let mut bench = Bench::new();
    bench.apply(Step::Add(config));
    for up in [vec![ONE], vec![], vec![ONE]] {
        let up: Vec<SocketAddr> = up.iter().map(|text| text.parse().unwrap()).collect();
        for _ in 0..2 {
            bench.round(|to| up.contains(&to));
        }
    }
    bench.handle(Event::Stop);
    let (one, two) = (
        "RS [182.148.15.233]:tcp:3306",
        "RS [182.148.15.238]:tcp:3306",
    );
    assert_eq!(
        told(&bench.notices),
        [
            format!("VS {VS} UP"),
            "/s.sh qup".to_owned(),
            format!("{two} {VS} DOWN"),
            "/s.sh down 2".to_owned(),
            format!("{one} {VS} DOWN"),
            "/s.sh down 1".to_owned(),
            format!("VS {VS} DOWN"),
            "/s.sh qdown".to_owned(),
            format!("{one} {VS} UP"),
            "/s.sh up 1".to_owned(),
            format!("VS {VS} UP"),
            "/s.sh qup".to_owned(),
            "/s.sh down 1".to_owned(),
            "/s.sh qdown".to_owned(),
        ]
    );
}

/// The subjects and texts of all mails, in order.
fn mailed(notices: &[Notice]) -> Vec<String> {
    let alerts = notices.iter().filter_map(|notice| notice.alert.as_ref());
    let show = |alert: &Alert| format!("{} - {}: {}", alert.about, alert.state, alert.body);
    alerts.map(show).collect()
}

// Input: both servers fail, one comes back; then a reload takes that away. Output: the mails that keepalived
// 2.2.7 was seen to send, its odd sum at a lost quorum included.
#[test]
fn mails_tell_of_checks_and_quorums() {
    let mut bench = Bench::new();
    let config = service(1, 0, None);
    bench.apply(Step::Add(config.clone()));
    for up in [vec![ONE], vec![], vec![ONE]] {
        let up: Vec<SocketAddr> = up.iter().map(|text| text.parse().unwrap()).collect();
        for _ in 0..2 {
            bench.round(|to| up.contains(&to));
        }
    }
    let mut less = config.clone();
    less.real_servers.remove(0);
    let change = crate::conf::model::plan::diff(&[config], &[less]);
    bench.apply(change.into_iter().next().unwrap());
    let one = format!("Realserver [182.148.15.233]:tcp:3306 of virtual server {VS}");
    let two = format!("Realserver [182.148.15.238]:tcp:3306 of virtual server {VS}");
    let whole: u32 = service(1, 0, None)
        .real_servers
        .iter()
        .map(|s| s.weight)
        .sum();
    let first = service(1, 0, None).real_servers[0].weight;
    assert_eq!(
        mailed(&bench.notices),
        [
            format!("Virtualserver {VS} - UP: => Starting with quorum up 1+0=1 <= {whole} <="),
            format!("{two} - DOWN: => TCP CHECK failed on service <="),
            format!("Virtualserver {VS} - DOWN: => Lost quorum 1+0=1 <= 0 <="),
            format!("{one} - DOWN: => TCP CHECK failed on service <="),
            format!("Virtualserver {VS} - UP: => Gained quorum 1+0=1 <= {first} <="),
            format!("{one} - UP: => TCP CHECK succeed on service <="),
            format!("{one} - DOWN: => Removing <="),
            format!("Virtualserver {VS} - DOWN: => Lost quorum 1+0=1 <= 0 <="),
        ]
    );
}
