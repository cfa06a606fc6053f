//! Routes and rules of an instance, and what the host holds.

use super::super::instance::InstanceId;
use super::super::statics::STATICS;
use super::super::tracking::Known;
use super::super::tracking::uses;
use super::super::{Action, Event};
use super::{Bench, Step, address, config, facts, ms};
use crate::base::Family;
use crate::conf::model::routing::{
    Insertion, Prefix, Route, RouteKind, RouteMetrics, Rule, RuleAction, StaticAddress, Statics,
    TrackGroup,
};
use crate::conf::model::{Config, VrrpInstance};
use crate::ops::{Effect, KernelOp, OpOwner, OpTag, RoutingNews};
use crate::wire::rtnl::Kind;

pub(super) fn route(last: u8) -> Route {
    Route {
        family: Family::V4,
        destination: Prefix {
            address: [198, 51, last, 0].into(),
            len: 24,
        },
        kind: RouteKind::Unicast,
        source: None,
        from: None,
        gateway: Some([192, 0, 2, 7].into()),
        interface: Some("eth0".to_owned()),
        on_link: false,
        table: 254,
        protocol: 18,
        scope: None,
        tos: 0,
        metric: None,
        realms: None,
        preference: None,
        expires: None,
        ttl_propagate: None,
        encap: None,
        metrics: RouteMetrics::default(),
        insertion: Insertion::Prepend,
        hops: Vec::new(),
        tracked: true,
        group: None,
    }
}

fn rule(preference: u32) -> Rule {
    Rule {
        family: Family::V4,
        preference,
        action: RuleAction::Table(100),
        inverted: false,
        from: Some(Prefix {
            address: [198, 51, 100, 0].into(),
            len: 24,
        }),
        to: None,
        tos: 0,
        mark: None,
        mark_mask: None,
        realms: None,
        suppress_prefix_len: None,
        suppress_group: None,
        input: None,
        output: None,
        tunnel: None,
        users: None,
        protocol: 18,
        ip_protocol: None,
        source_ports: None,
        destination_ports: None,
        tracked: true,
        group: None,
    }
}

fn with_routes() -> VrrpInstance {
    let mut config = config();
    config.options.routes = vec![route(100), route(101)];
    config.options.rules = vec![rule(500)];
    config
}

fn only_routing(said: &[String]) -> Vec<&str> {
    let last = |line: &'_ String| -> usize { line.rfind(' ').map_or(0, |at| at + 1) };
    let words = said.iter().map(|line| &line[last(line)..]);
    words
        .filter(|word| word.ends_with("Route") || word.ends_with("Rule"))
        .collect()
}

/// The message of the first route that the instance asks for.
fn first_message(bench: &mut Bench, config: VrrpInstance) -> Vec<u8> {
    let mut out = Vec::new();
    bench.domain.apply(
        bench.now,
        vec![Step::Add(config.into())],
        &Config::default(),
        &mut out,
    );
    while let Some(at) = bench
        .domain
        .next_deadline()
        .filter(|_| bench.domain.view()[0].wanted.is_empty())
    {
        bench.now = at;
        bench.domain.handle_timeout(at, &mut out);
    }
    let message = out.into_iter().rev().find_map(|action| match action {
        Action::World(Effect::Kernel(KernelOp::Routing(op), _)) if op.what == Kind::Route => {
            Some(op.message)
        }
        _ => None,
    });
    message.expect("a route was asked for")
}

// Input: two routes and a rule; start, master, stop. Output: leftovers are asked away, then
// addresses, routes, rules; back in the other order.
#[test]
fn routes_and_rules_follow_the_addresses() {
    let mut bench = Bench::new();
    let said = bench.apply(vec![Step::Add(with_routes())]);
    assert_eq!(only_routing(&said), ["-Rule", "-Route", "-Route"]);
    let said = bench.run(ms(5000));
    let text = said.join("\n");
    assert_eq!(only_routing(&said), ["+Route", "+Route", "+Rule"]);
    assert!(text.find("+192.0.2.101/32") < text.find("+Route"), "{text}");
    assert_eq!(
        bench.tell(Event::Stop),
        ["advert 0", "-Rule", "-Route", "-Route", "-192.0.2.101/32"]
    );
}

// Input: the kernel tells that one of a master's routes is gone, as it tells of routes; five more
// times. Output: it is back after 10 ms, five times; then the instance is in FAULT.
#[test]
fn a_lost_route_comes_back_until_it_is_a_fight() {
    let mut bench = Bench::new();
    let message = first_message(&mut bench, with_routes());
    for _ in 0..5 {
        bench.tell(Event::Routing(RoutingNews::Gone(Kind::Route, &message)));
        // Told twice, put back once.
        bench.tell(Event::Routing(RoutingNews::Gone(Kind::Route, &message)));
        assert_eq!(only_routing(&bench.run(ms(20))), ["+Route"]);
    }
    bench.tell(Event::Routing(RoutingNews::Gone(Kind::Route, &message)));
    let said = bench.run(ms(20));
    assert_eq!(bench.state(), super::State::Fault, "{said:?}");
}

// Input: a route that nobody tracks; a route of somebody else; lost messages. Output: nothing,
// nothing, everything once more.
#[test]
fn what_is_not_to_be_put_back_is_not() {
    let mut config = with_routes();
    for route in &mut config.options.routes {
        route.tracked = false;
    }
    let mut bench = Bench::new();
    let message = first_message(&mut bench, config);
    bench.tell(Event::Routing(RoutingNews::Gone(Kind::Route, &message)));
    bench.tell(Event::Routing(RoutingNews::Gone(
        Kind::Route,
        &message[..12],
    )));
    assert_eq!(only_routing(&bench.run(ms(20))), [""; 0]);
    let said = bench.tell(Event::Routing(RoutingNews::Uncertain));
    assert_eq!(only_routing(&said), ["+Route", "+Route", "+Rule"]);
}

// Input: a reload that replaces one route of two. Output: that one alone is touched.
#[test]
fn a_reload_touches_what_differs() {
    let mut bench = Bench::master(with_routes());
    let mut edited = with_routes();
    edited.options.routes[1] = route(102);
    let change = crate::conf::model::plan::Change::Live;
    let said = bench.apply(vec![Step::Update(edited, change)]);
    assert_eq!(only_routing(&said), ["-Route", "+Route"]);
}

// Input: the interface of the routes goes down and up again, as one of a master that does not track
// it. Output: the kernel has dropped the routes in silence; they are asked for again.
#[test]
fn routes_that_went_down_with_their_interface_come_back() {
    let mut config = with_routes();
    config.options.ignore_own_interface = true;
    let mut bench = Bench::master(config);
    bench.tell(Event::Interface(facts(false)));
    let said = bench.tell(Event::Interface(facts(true)));
    assert_eq!(only_routing(&said), ["+Route", "+Route"]);
}

fn statics() -> Statics {
    let mut fixed = super::vip("192.0.2.200");
    fixed.interface = Some("eth0".to_owned());
    Statics {
        addresses: vec![StaticAddress {
            address: fixed,
            group: None,
        }],
        routes: vec![route(110)],
        rules: vec![rule(700)],
        groups: Vec::new(),
    }
}

fn apply(bench: &mut Bench, statics: &Statics) -> Vec<String> {
    let mut out = Vec::new();
    bench.domain.apply_statics(bench.now, statics, &mut out);
    bench.out = out;
    bench.said()
}

// Input: what the host holds; the address is lost six times; a reload without the rule; a refusal;
// the stop. Output: put back at once five times, then left for a minute; only the rule goes; asked
// again after a second; everything goes.
#[test]
fn what_the_host_holds_is_kept_there() {
    let mut bench = Bench::new();
    let mut config = statics();
    assert_eq!(
        apply(&mut bench, &config),
        ["+192.0.2.200/32", "+Route", "+Rule"]
    );
    let lost = |bench: &mut Bench| {
        bench.tell(Event::Address(address("192.0.2.200", 32, true)));
        bench.tell(Event::Address(address("192.0.2.200", 32, false)))
    };
    for _ in 0..5 {
        assert_eq!(lost(&mut bench), ["+192.0.2.200/32"]);
    }
    assert_eq!(lost(&mut bench), [""; 0]);
    assert_eq!(bench.run(ms(61_000)).len(), 1);
    config.rules.clear();
    assert_eq!(apply(&mut bench, &config), ["-Rule"]);
    let tag = OpTag {
        owner: OpOwner::Vrrp,
        serial: u64::from(STATICS.0) << 32 | 2,
    };
    bench.tell(Event::Refused(tag, 101));
    assert_eq!(only_routing(&bench.run(ms(1000))), ["+Route"]);
    assert_eq!(bench.tell(Event::Stop), ["-Route", "-192.0.2.200/32"]);
    assert!(InstanceId::MIN < STATICS);
}

// Input: addresses, routes and rules on other interfaces, with and without `no_track`; what the
// host holds with and without the instance's group. Output: the interfaces of the tracked ones.
#[test]
fn an_instance_depends_on_the_interfaces_of_what_it_tracks() {
    let mut config = with_routes();
    for (last, tracked) in [(1, true), (2, false)] {
        let mut vip = super::vip(&format!("192.0.2.{last}"));
        vip.interface = Some(format!("vip{last}"));
        vip.options.untracked = !tracked;
        config.options.excluded.push(vip);
        let way = Route {
            interface: Some(format!("way{last}")),
            tracked,
            ..route(last)
        };
        config.options.routes.push(way);
    }
    let mut fixed = statics();
    fixed.groups = vec![TrackGroup {
        name: "TG".to_owned(),
        members: vec![config.name.clone()],
    }];
    for (name, group) in [("fixed1", Some("TG".to_owned())), ("fixed2", None)] {
        fixed.routes.push(Route {
            interface: Some(name.to_owned()),
            group,
            ..route(9)
        });
    }
    let mut bench = Bench::new();
    apply(&mut bench, &fixed);
    let used = uses(&config, None, &Known::default(), &bench.domain.statics);
    let names: Vec<&str> = used.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["vip1", "way1", "fixed1"]);
    assert!(used.iter().all(|one| !one.weighs()));
}

// Input: 100 ms between gratuitous ARPs; three addresses, two frames each; the second burst is
// asked for meanwhile; the instance resigns. Output: one frame each 100 ms, in the order in which
// they were due; nothing after the end.
#[test]
fn announcements_keep_their_pace() {
    let mut whole = Config::default();
    whole.global.vrrp.garp_interval = ms(100);
    let mut config = config();
    config.garp.repeat = 2;
    config.addresses = ["192.0.2.101", "192.0.2.102", "192.0.2.103"]
        .map(super::vip)
        .to_vec();
    let mut bench = Bench::new();
    let mut out = Vec::new();
    bench
        .domain
        .apply(bench.now, vec![Step::Add(config.into())], &whole, &mut out);
    let said = bench.run(ms(4000));
    let frames: Vec<(u64, char)> = said
        .iter()
        .filter(|line| line.contains("garp"))
        .map(|line| {
            let (at, rest) = line.split_once(' ').unwrap();
            (at.parse().unwrap(), rest.chars().last().unwrap())
        })
        .collect();
    let first = frames[0].0;
    let since: Vec<(u64, char)> = frames
        .iter()
        .map(|(at, last)| ((at - first) / 1000, *last))
        .collect();
    assert_eq!(
        since[..4],
        [(0, '1'), (100, '2'), (200, '3'), (300, '1')],
        "{said:?}"
    );
    bench.tell(Event::Stop);
    assert!(!bench.run(ms(1000)).iter().any(|line| line.contains("garp")));
}
