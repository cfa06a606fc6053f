//! `ha_suspend` and `rs_init_notifies`.

use std::num::NonZeroU32;

use super::*;
use crate::base::IfIndex;
use crate::conf::model::{GroupEntry, Nth};

const ETH0: IfIndex = IfIndex(NonZeroU32::MIN);
const VS: &str = "[182.148.15.239]:tcp:3306";

fn waiting() -> Shared<VirtualServer> {
    let mut config = mysql();
    config.policy.ha_suspend = true;
    config.real_servers.truncate(1);
    config.real_servers[0].tcp_checks[0].retries = 0;
    config
}

fn address(here: bool) -> Event<'static> {
    Event::Address(ETH0, ip("182.148.15.239"), here)
}

// Input: the address of the service comes, a check fails, the address goes, a reload, it comes
// again. Output: checks run only meanwhile; what they have found stays.
#[test]
fn checks_rest_while_the_address_is_elsewhere() {
    let mut bench = Bench::new();
    let log = logged(|| {
        bench.apply(Step::Add(waiting()));
        assert_eq!(bench.domain.next_deadline(), None);
        bench.handle(Event::Address(ETH0, ip("182.148.15.240"), true));
        assert_eq!(bench.domain.next_deadline(), None);
        bench.handle(address(true));
        bench.round(|_| false);
        assert_eq!(bench.alive(), [false]);
        let ended = bench.handle(address(false));
        assert_eq!(ended, []);
        assert_eq!(bench.domain.next_deadline(), None);
        let mut edited = waiting();
        edited.real_servers.push(server("182.148.15.238", 3));
        bench.apply(Step::Update(edited, Change::Live));
        assert_eq!(bench.domain.next_deadline(), None);
        assert_eq!(bench.alive(), [false, true]);
        bench.handle(address(true));
        bench.round(|_| true);
        assert_eq!(bench.alive(), [true, true]);
    });
    let told: Vec<&str> = log
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(_, text)| text)
        .filter(|text| text.contains("healthchecker"))
        .collect();
    let said = |what: &str, server: &str| {
        format!("{what} healthchecker for service [{server}]:tcp:3306 for VS {VS}")
    };
    assert_eq!(
        told,
        [
            said("Deactivating", "182.148.15.233"),
            said("Activating", "182.148.15.233"),
            said("Suspending", "182.148.15.233"),
            said("Deactivating", "182.148.15.238"),
            said("Activating", "182.148.15.233"),
            said("Activating", "182.148.15.238"),
        ]
    );
}

// Input: an address on two interfaces that goes from one; a check under way when it goes from the
// other. Output: nothing, then the connection is closed.
#[test]
fn an_address_has_gone_when_no_interface_has_it() {
    let mut bench = Bench::new();
    bench.apply(Step::Add(waiting()));
    let other = IfIndex(NonZeroU32::MAX);
    bench.handle(Event::Address(other, ip("182.148.15.239"), true));
    bench.handle(address(true));
    bench.handle(address(false));
    let started = bench.tick();
    assert!(matches!(
        started.as_slice(),
        [Action::Probe(_, ProbeCmd::Connect(_))]
    ));
    let ended = bench.handle(Event::Address(other, ip("182.148.15.239"), false));
    assert!(matches!(
        ended.as_slice(),
        [Action::Probe(_, ProbeCmd::Close)]
    ));
}

// Input: a group. Output: keepalived never finds its address, so its checks rest for ever.
#[test]
fn a_group_waits_for_ever() {
    let mut config = waiting();
    config.key = ServiceKey::Group {
        name: "G".to_owned(),
        nth: Nth(0),
        protocol: Some(Protocol::Tcp),
    };
    config.entries = vec![GroupEntry::Addresses {
        first: ip("182.148.15.239"),
        last: ip("182.148.15.239"),
        port: 3306,
    }];
    let mut bench = Bench::new();
    bench.handle(address(true));
    bench.apply(Step::Add(config));
    assert_eq!(bench.domain.next_deadline(), None);
}

// Input: `rs_init_notifies`, and one more server by a reload. Output: each server once, before the
// quorum.
#[test]
fn servers_tell_their_first_state_where_that_is_wished() {
    let mut bench = Bench::new();
    bench.domain.tell_initial_states(true);
    let mut config = mysql();
    config.real_servers.truncate(1);
    bench.apply(Step::Add(config));
    bench.apply(Step::Update(mysql(), Change::Live));
    let told: Vec<String> = bench
        .notices
        .iter()
        .filter_map(|notice| notice.line.as_ref())
        .map(|line| format!("{} {}", line.object, line.state))
        .collect();
    assert_eq!(
        told,
        [
            format!("RS [182.148.15.233]:tcp:3306 {VS} UP"),
            format!("VS {VS} UP"),
            format!("RS [182.148.15.238]:tcp:3306 {VS} UP"),
        ]
    );
}
