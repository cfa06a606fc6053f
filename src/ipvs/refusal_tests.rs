//! A kernel that refuses what it likes for as long as it likes, and programs that meddle at any time.

use std::collections::BTreeSet;

use super::*;

/// Which operations are refused, and with what.
#[derive(Debug, Clone)]
struct Refusal {
    /// 0: of services, 1: of destinations, 2: adding, 3: editing, 4: deleting, 5: all.
    kind: u8,
    /// Only for this service.
    port: Option<u16>,
    errno: i32,
}

impl Refusal {
    fn meets(&self, op: &IpvsOp) -> bool {
        let (name, about_service, verb) = match op {
            IpvsOp::ServiceAdd(spec) => (spec.name, true, 2),
            IpvsOp::ServiceSet(spec) => (spec.name, true, 3),
            // A service that is not there is gone.
            IpvsOp::ServiceDel(_) if matches!(self.errno, ENOENT | ESRCH) => return false,
            IpvsOp::ServiceDel(name) => (*name, true, 4),
            IpvsOp::DestAdd(name, _) => (*name, false, 2),
            IpvsOp::DestSet(name, _) => (*name, false, 3),
            IpvsOp::DestDel(name, _) => (*name, false, 4),
            IpvsOp::Flush
            | IpvsOp::Timeouts(_)
            | IpvsOp::DaemonStart(..)
            | IpvsOp::DaemonStop(_) => return false,
        };
        let kind = match self.kind {
            0 => about_service,
            1 => !about_service,
            kind => kind == 5 || kind == verb,
        };
        kind && self.port.is_none_or(|port| at(port) == name)
    }
}

fn any_refusal() -> impl Strategy<Value = Refusal> {
    let errno = prop::sample::select(vec![1, ENOENT, ESRCH, ENOMEM, EEXIST, 22, 105]);
    let of = (0_u8..6, proptest::option::of(1_u16..4), errno);
    of.prop_map(|(kind, port, errno)| Refusal { kind, port, errno })
}

/// A kernel that refuses, and how often it was asked.
struct Wilful {
    bench: Bench,
    refusal: Option<Refusal>,
    asked: usize,
    looks: usize,
}

impl Wilful {
    fn tell(&mut self, event: Event<'_>) {
        let mut actions = Vec::new();
        let bench = &mut self.bench;
        bench.domain.handle(bench.now, event, &mut actions);
        self.exec(actions);
    }

    /// As the host does; gives up where that has no end.
    fn exec(&mut self, mut actions: Vec<Action>) {
        for _ in 0..20 {
            let mut caused = Vec::new();
            for Action::World(effect) in std::mem::take(&mut actions) {
                self.carry_out(effect, &mut caused);
            }
            if caused.is_empty() {
                return;
            }
            actions = caused;
        }
        panic!("a loop");
    }

    fn carry_out(&mut self, effect: Effect, caused: &mut Vec<Action>) {
        let bench = &mut self.bench;
        let now = bench.now;
        match effect {
            Effect::Kernel(KernelOp::Ipvs(op), tag) => {
                self.asked += 1;
                let refusal = self.refusal.as_ref().filter(|refusal| refusal.meets(&op));
                let answer = match refusal {
                    Some(refusal) => Err(refusal.errno),
                    None => bench.kernel.carry_out(&op),
                };
                if let Err(errno) = answer {
                    bench.domain.handle(now, Event::Refused(tag, errno), caused);
                }
            }
            Effect::ReadIpvs => {
                self.looks += 1;
                let table: Vec<_> = bench.kernel.services.values().cloned().collect();
                bench.domain.handle(now, Event::Table(Ok(&table)), caused);
            }
            Effect::LookIpvs(names) => {
                let table = bench.kernel.services.values();
                let found = table.filter(|service| names.contains(&service.name));
                let found: Vec<_> = found.cloned().collect();
                bench.domain.handle(now, Event::Look(Ok(&found)), caused);
            }
            Effect::ReadIpvsTimeouts => {
                bench
                    .domain
                    .handle(now, Event::Timeouts(KERNELS_OWN), caused);
            }
            other => panic!("{other:?}"),
        }
    }

    /// Lets timers fire until this time.
    fn until(&mut self, end: Instant) {
        for _ in 0..100_000 {
            let Some(due) = self.bench.domain.next_deadline().filter(|due| *due <= end) else {
                self.bench.now = end;
                return;
            };
            let now = due.max(self.bench.now);
            self.bench.now = now;
            let mut actions = Vec::new();
            self.bench.domain.handle_timeout(now, &mut actions);
            self.exec(actions);
        }
        panic!("a timer that does not get on");
    }
}

/// All that is asked of the kernel for these wishes, once.
fn all_of(wishes: &[Wish]) -> usize {
    wishes.iter().map(|(_, servers)| 1 + servers.len()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    // Input: a kernel that refuses some operations for ten minutes, while checks and reloads go on
    // wanting other things; then it takes them. Output: no loop; it is asked a bounded number of
    // times; each service is named a bounded number of times; and in the end the table is as wanted.
    #[test]
    fn what_is_refused_is_tried_patiently_and_comes_in_the_end(
        refusal in any_refusal(),
        first in any_wishes(),
        second in any_wishes(),
    ) {
        let mut wilful = Wilful {
            bench: Bench::default(),
            refusal: Some(refusal),
            asked: 0,
            looks: 0,
        };
        wilful.bench.apply(&Lvs::default(), None);
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let mut log = logged(|| {
            for (spec, servers) in &first {
                wilful.tell(Event::Want(spec.clone(), servers.clone()));
            }
            wilful.until(wilful.bench.now + minutes(5));
        });
        let gone = first.iter().filter(|(spec, _)| second.iter().all(|(new, _)| new.name != spec.name));
        log.extend(logged(|| {
            for (spec, _) in gone {
                wilful.tell(Event::Unwant(spec.name));
            }
            for (spec, servers) in &second {
                wilful.tell(Event::Want(spec.clone(), servers.clone()));
            }
            wilful.until(wilful.bench.now + minutes(5));
        }));
        // Every half minute once more, and once more to be sure; plus what the wishes ask for.
        let all = all_of(&first) + all_of(&second);
        let tries = 10 * 60 / usize::try_from(RETRY_AFTER.as_secs()).unwrap() + 4;
        prop_assert!(wilful.asked <= 2 * all * tries, "{} of {all}", wilful.asked);
        prop_assert!(wilful.looks <= 4 * (tries + all), "{} readings", wilful.looks);
        let names: BTreeSet<_> = first.iter().chain(&second).map(|(spec, _)| spec.name).collect();
        prop_assert!(log.len() <= 6 * names.len() + 2, "{log:#?}");

        wilful.refusal = None;
        wilful.until(wilful.bench.now + RETRY_AFTER + Duration::from_secs(5));
        prop_assert_eq!(sorted(wilful.bench.kernel.services.clone()), table_of(&second));
    }

    // Input: another program replaces our services, over and over, at any time. Output: the table is
    // as wanted 5 s after each time, and the log stays short.
    #[test]
    fn whoever_meddles_at_any_time_is_repaired_within_five_seconds(
        wanted in any_wishes(),
        others in proptest::collection::vec((any_wishes(), 0_u64..9_000), 1..8),
    ) {
        let mut wilful = Wilful {
            bench: Bench::default(),
            refusal: None,
            asked: 0,
            looks: 0,
        };
        wilful.bench.apply(&Lvs::default(), None);
        for (spec, servers) in &wanted {
            wilful.tell(Event::Want(spec.clone(), servers.clone()));
        }
        let log = logged(|| {
            for (table, pause) in &others {
                wilful.until(wilful.bench.now + Duration::from_millis(*pause));
                let ours = |name: &ServiceName| wanted.iter().any(|(spec, _)| spec.name == *name);
                wilful.bench.kernel.services = table_of(table);
                wilful.bench.kernel.services.retain(|name, _| ours(name));
                wilful.until(wilful.bench.now + Duration::from_secs(5));
                let found = sorted(wilful.bench.kernel.services.clone());
                assert_eq!(found, table_of(&wanted));
            }
        });
        prop_assert!(log.len() <= 3 * wanted.len(), "{log:#?}");
    }
}
