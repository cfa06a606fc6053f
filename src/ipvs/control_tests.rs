//! What concerns IPVS as a whole, and what others change in the table.

use super::*;

fn settings(edit: impl FnOnce(&mut Lvs)) -> Lvs {
    let mut lvs = Lvs::default();
    edit(&mut lvs);
    lvs
}

impl Bench {
    pub(super) fn apply(&mut self, lvs: &Lvs, router_id: Option<u8>) {
        let mut actions = Vec::new();
        self.domain.apply(self.now, lvs, router_id, &mut actions);
        self.exec(actions);
    }
}

fn with_daemon(lvs: &mut Lvs) {
    lvs.sync_daemon = Some(model::SyncDaemon {
        interface: "eth1".to_owned(),
        instance: Some("VI_1".to_owned()),
        ..model::SyncDaemon::default()
    });
}

const fn daemon(id: u8) -> SyncDaemon {
    SyncDaemon {
        interface: String::new(),
        id,
        max_length: None,
        port: None,
        ttl: None,
        group: None,
    }
}

// Input: an instance that becomes master, another id at a reload, the stop. Output: at any moment
// the daemon of the right role with the right id, and nothing for a reload without a change.
#[test]
fn the_sync_daemon_follows_its_instance() {
    let named = |id| SyncDaemon {
        interface: "eth1".to_owned(),
        ..daemon(id)
    };
    let mut lvs = settings(with_daemon);
    let mut bench = Bench::default();
    bench.apply(&lvs, Some(51));
    assert!(
        bench.kernel.daemons.is_empty(),
        "the state is not known yet"
    );
    bench.tell(Event::Follow(Some(false)));
    assert_eq!(
        bench.kernel.daemons,
        BTreeMap::from([(SyncRole::Backup, named(51))])
    );
    bench.tell(Event::Follow(Some(true)));
    assert_eq!(
        bench.kernel.daemons,
        BTreeMap::from([(SyncRole::Master, named(51))])
    );
    bench.ops();
    bench.apply(&lvs, Some(51));
    assert_eq!(bench.ops(), []);
    if let Some(daemon) = &mut lvs.sync_daemon {
        daemon.id = Some(8);
    }
    bench.apply(&lvs, Some(51));
    assert_eq!(
        bench.kernel.daemons,
        BTreeMap::from([(SyncRole::Master, named(8))])
    );
    bench.tell(Event::Stop);
    assert!(bench.kernel.daemons.is_empty());
}

// Input: a daemon that an earlier life left, with another id. Output: ours in its place.
#[test]
fn a_sync_daemon_that_runs_already_is_replaced() {
    let mut bench = Bench::default();
    bench.kernel.daemons.insert(SyncRole::Backup, daemon(3));
    bench.apply(&settings(with_daemon), Some(51));
    bench.tell(Event::Follow(Some(false)));
    assert_eq!(bench.kernel.daemons[&SyncRole::Backup].id, 51);
}

#[test]
fn timeouts_are_set_once_and_again_when_they_change() {
    let timeouts = |tcp| {
        settings(|lvs| {
            lvs.timeouts = LvsTimeouts {
                tcp: Some(Duration::from_secs(tcp)),
                ..LvsTimeouts::default()
            };
        })
    };
    let set = |tcp| IpvsOp::Timeouts(Timeouts { tcp, ..KERNELS_OWN });
    let mut bench = Bench::default();
    bench.apply(&timeouts(100), None);
    assert_eq!(bench.ops(), [set(100)]);
    bench.apply(&timeouts(100), None);
    assert_eq!(bench.ops(), []);
    bench.apply(&timeouts(77), None);
    assert_eq!(bench.ops(), [set(77)]);
    bench.apply(&Lvs::default(), None);
    assert_eq!(bench.ops(), [IpvsOp::Timeouts(KERNELS_OWN)]);
    bench.apply(&timeouts(5), None);
    assert_eq!(bench.ops(), [set(5)]);
    bench.tell(Event::Stop);
    assert_eq!(bench.ops(), [IpvsOp::Timeouts(KERNELS_OWN)]);
}

// Input: a foreign service, `lvs_flush`. Output: it is gone at the start; a reload flushes nothing.
#[test]
fn a_flush_comes_once_before_everything_else() {
    let mut bench = Bench::default();
    let foreign = ServiceSpec {
        name: at(99),
        ..spec("rr")
    };
    bench.kernel.put(&foreign, Vec::new()).unwrap();
    let lvs = settings(|lvs| {
        lvs.flush = true;
        lvs.flush_on_stop = FlushOnStop::All;
    });
    bench.apply(&lvs, None);
    bench.tell(want("wrr", &[server(233, 3)]));
    assert_eq!(bench.kernel.services.len(), 1);
    assert_eq!(bench.ops()[0], IpvsOp::Flush);
    bench.apply(&lvs, None);
    assert_eq!(bench.ops(), []);
    bench.tell(Event::Stop);
    assert_eq!(bench.ops(), [IpvsOp::Flush]);
}

// Input: another program removes a server, edits one, adds one and deletes a service; then the
// same again within a minute. Output: all is as wanted within 5 s, said once for each service.
#[test]
fn what_others_change_is_repaired_and_said_once() {
    let mut bench = Bench::default();
    bench.apply(&Lvs::default(), None);
    bench.tell(want("wrr", &[server(233, 3), server(238, 3)]));
    let other = ServiceSpec {
        name: at(80),
        ..spec("rr")
    };
    bench.tell(Event::Want(other.clone(), vec![server(233, 1)]));
    let wanted = bench.kernel.clone();
    let meddle = |bench: &mut Bench| {
        bench.kernel.services.remove(&other.name);
        let ours = bench.kernel.services.get_mut(&KEY).unwrap();
        ours.destinations.remove(0);
        ours.destinations[0].weight = 77;
        ours.destinations.push(server(9, 9));
        bench
            .kernel
            .put(
                &ServiceSpec {
                    name: at(99),
                    ..spec("rr")
                },
                Vec::new(),
            )
            .unwrap();
    };
    bench.ops();
    let log = logged(|| {
        meddle(&mut bench);
        bench.wait(Duration::from_secs(4));
    });
    let mut expected = sorted(wanted.services);
    let foreign = bench.kernel.services.get(&at(99)).unwrap().clone();
    expected.insert(at(99), foreign);
    assert_eq!(
        sorted(bench.kernel.services.clone()),
        expected,
        "the foreign one stays"
    );
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(
        log.iter().all(|line| line.contains("setting it anew")),
        "{log:?}"
    );
    let again = logged(|| {
        meddle(&mut bench);
        bench.wait(Duration::from_secs(4));
    });
    assert_eq!(sorted(bench.kernel.services.clone()), expected);
    assert_eq!(again, Vec::<String>::new());
    // Without the repair it stays.
    bench.apply(&settings(|lvs| lvs.no_repair = true), None);
    meddle(&mut bench);
    assert_eq!(bench.domain.next_deadline(), None);
}

// Input: 1,000 services. Output: each is looked at within 4 s, no more than 64 at a time.
#[test]
fn a_sweep_is_spread_over_its_period() {
    let mut bench = Bench::default();
    bench.apply(&Lvs::default(), None);
    for port in 1..=1_000 {
        let spec = ServiceSpec {
            name: at(port),
            ..spec("rr")
        };
        bench.tell(Event::Want(spec, Vec::new()));
    }
    let begin = bench.domain.next_deadline().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut looks = 0;
    while bench.domain.next_deadline().unwrap() < begin + PERIOD {
        bench.now = bench.domain.next_deadline().unwrap();
        let mut actions = Vec::new();
        bench.domain.handle_timeout(bench.now, &mut actions);
        for action in &actions {
            let Action::World(Effect::LookIpvs(names)) = action else {
                panic!("{action:?}")
            };
            assert!(names.len() <= 64);
            seen.extend(names.iter().copied());
            looks += 1;
        }
        bench.exec(actions);
    }
    assert_eq!((seen.len(), looks), (1_000, 16));
}
