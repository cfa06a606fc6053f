//! Trackers and sync groups of a random world, and what happens to them.
//!
//! Owns: which instances go together, what they track, and the moods of programs, files and
//! processes. Never does: judge; `tracking` says what it should come to. Driven by: `random` and
//! `edit`.
//!
//! Groups are alike on all hosts: the same members, and on each host one priority for all of them.
//! Where hosts disagree about who leads, keepalived's groups may leave an address to nobody.

use keepalived_rs::base::{Duration, Instant, Rng, Shared};
use keepalived_rs::conf::model::options::{
    Notify, Script, SyncGroup, TrackFile, TrackProcess, TrackScript, Tracked, Tracking, Weight,
};
use keepalived_rs::conf::model::{Config, VrrpInstance};
use keepalived_rs::ops::{ChildEnd, Process};

use super::outside::Conduct;
use super::random::{pick, small};
use super::world::World;

/// The script that is told of every state, and the FIFO that is told the same.
pub const TELL: &str = "/usr/bin/tell";
/// See [`TELL`].
pub const FIFO: &str = "/run/vrrp";
/// The program that processes are counted of.
const PROCESS: &str = "haproxy";

/// Makes the first routers of a world a sync group, sometimes: on each host all of them or none.
pub(super) fn unite(rng: &mut Rng, routers: &mut [Vec<Option<VrrpInstance>>]) -> Option<SyncGroup> {
    if routers.len() < 2 || rng.below(2) == 0 {
        return None;
    }
    let count = 2 + usize::from(small(rng, 2)).min(routers.len() - 2);
    let (first, others) = routers.get_mut(..count)?.split_first_mut()?;
    let mut members = Vec::new();
    for host in 0..first.len() {
        let leader = first[host].clone();
        for other in others.iter_mut() {
            // Where one is left out all are.
            let (Some(leader), Some(other)) = (&leader, &mut other[host]) else {
                other[host] = None;
                first[host] = None;
                continue;
            };
            other.priority = leader.priority;
            other.initial_state = leader.initial_state;
            other.no_preempt = leader.no_preempt;
            other.preempt_delay = leader.preempt_delay;
        }
        if first[host].is_none() {
            for other in others.iter_mut() {
                other[host] = None;
            }
        }
        if let Some(leader) = &first[host] {
            members = vec![leader.name.clone()];
            let others = others.iter().filter_map(|other| other[host].as_ref());
            members.extend(others.map(|other| other.name.clone()));
        }
    }
    (members.len() > 1).then(|| SyncGroup {
        name: "VG".to_owned(),
        members,
        tracking: Tracking::default(),
        notify: told(),
        weights_apply: true,
    })
}

fn told() -> Notify {
    Notify {
        any: Some(script(TELL)),
        ..Notify::default()
    }
}

fn script(program: &str) -> Script {
    Script {
        argv: vec![program.to_owned()],
        ..Script::default()
    }
}

/// Gives a host its group, trackers, and somebody to tell.
pub(super) fn outfit(rng: &mut Rng, config: &mut Config, group: Option<&SyncGroup>, segments: u8) {
    config.global.fifos.vrrp.path = Some(FIFO.into());
    let grouped = |name: &String| group.is_some_and(|group| group.members.contains(name));
    config.global.scripts.security = true;
    define(rng, config);
    let members: Vec<_> = config.vrrp_instances.iter().collect();
    let members = members.into_iter().filter(|one| grouped(&one.name));
    let owner = members.clone().any(|one| one.priority.is_owner());
    if let Some(group) = group.filter(|group| members.count() == group.members.len()) {
        let mut group = group.clone();
        if !owner && rng.below(2) == 0 {
            group.tracking = tracking(rng, config, segments, true);
            // Every member ignores its own.
            group.tracking.interfaces.clear();
        }
        config.sync_groups = vec![group];
    }
    for at in 0..config.vrrp_instances.len() {
        let mut instance = VrrpInstance::clone(&config.vrrp_instances[at]);
        let mut options = (*instance.options).clone();
        options.notify = told();
        if !instance.priority.is_owner() && rng.below(2) == 0 {
            options.tracking = own_tracking(rng, config, &instance, segments);
        }
        instance.options = Shared::new(options);
        config.vrrp_instances[at] = Shared::new(instance);
    }
}

/// What an instance tracks beside its group.
fn own_tracking(rng: &mut Rng, config: &Config, instance: &VrrpInstance, segments: u8) -> Tracking {
    let group = super::tracking::group_of(config, &instance.name);
    let mut own = tracking(rng, config, segments, group.is_none());
    own.interfaces.retain(|one| one.name != instance.interface);
    if let Some(group) = group {
        let keep = |own: &mut Vec<Tracked>, of_group: &[Tracked]| {
            own.retain(|one| of_group.iter().all(|other| other.name != one.name));
        };
        keep(&mut own.scripts, &group.tracking.scripts);
        keep(&mut own.files, &group.tracking.files);
        keep(&mut own.processes, &group.tracking.processes);
    }
    own
}

fn weight(rng: &mut Rng) -> Weight {
    let value = pick(rng, &[0, 0, 20, -30, 60, -120, 253]);
    Weight {
        value,
        reverse: value != 0 && rng.below(4) == 0,
    }
}

/// Defines a few trackers.
fn define(rng: &mut Rng, config: &mut Config) {
    let trackers = &mut config.trackers;
    for number in 0..small(rng, 3) {
        trackers.scripts.push(TrackScript {
            name: format!("script{number}"),
            script: script(&format!("/usr/bin/check{number}")),
            interval: Duration::from_millis(pick(rng, &[500, 1_000, 2_000])),
            timeout: pick(rng, &[None, None, Some(Duration::from_secs(1))]),
            weight: weight(rng),
            rise: pick(rng, &[1, 1, 2]),
            fall: pick(rng, &[1, 1, 3]),
            init_fail: rng.below(4) == 0,
        });
    }
    for number in 0..small(rng, 2) {
        trackers.files.push(TrackFile {
            name: format!("file{number}"),
            file: Some(format!("/run/file{number}")),
            weight: pick(rng, &[None, Some(1), Some(-2), Some(0)]).map(|value| Weight {
                value,
                reverse: false,
            }),
            ..TrackFile::default()
        });
    }
    if rng.below(3) == 0 {
        trackers.processes.push(TrackProcess {
            name: "process".to_owned(),
            process: Some(PROCESS.to_owned()),
            weight: weight(rng),
            quorum: pick(rng, &[None, Some(2)]),
            terminate_delay: Duration::from_millis(pick(rng, &[0, 700])),
            fork_delay: Duration::from_millis(pick(rng, &[0, 700])),
            ..TrackProcess::default()
        });
    }
}

/// What somebody tracks of what there is; with weights, or what is a fault alone.
fn tracking(rng: &mut Rng, config: &Config, segments: u8, weighs: bool) -> Tracking {
    let trackers = &config.trackers;
    let mut use_of = |name: &str, file: bool| {
        if rng.below(2) == 0 {
            return None;
        }
        let own = if !weighs {
            Some(Weight::default())
        } else if rng.below(3) == 0 {
            Some(weight(rng)).filter(|weight| !(file && weight.value.abs() > 100))
        } else {
            None
        };
        Some(Tracked {
            name: name.to_owned(),
            weight: own,
        })
    };
    let scripts = trackers.scripts.iter();
    let scripts = scripts.filter_map(|one| use_of(&one.name, false)).collect();
    let files = trackers.files.iter();
    let files = files.filter_map(|one| use_of(&one.name, true)).collect();
    let processes = trackers.processes.iter();
    let processes = processes
        .filter_map(|one| use_of(&one.name, false))
        .collect();
    let interfaces = (0..segments).filter_map(|segment| use_of(&format!("eth{segment}"), false));
    Tracking {
        interfaces: interfaces.collect(),
        scripts,
        files,
        processes,
        bfd: Vec::new(),
    }
}

/// Everything that a host tracks is well at first, mostly.
pub(super) fn begin(world: &mut World, host: usize) {
    world.hosts[host].outside.processes = haproxies(2);
    if world.one_in(4) {
        any_mood(world, host, None);
    }
}

fn haproxies(count: usize) -> Vec<Process> {
    let one = |pid| Process {
        pid,
        name: PROCESS.to_owned(),
        arguments: Vec::new(),
    };
    (1..).map(one).take(count).collect()
}

/// Something that is tracked changes, for good or until then.
pub(super) fn any_mood(world: &mut World, host: usize, until: Option<Instant>) {
    let trackers = world.hosts[host].config.trackers.clone();
    let rng = &mut world.rng;
    let end = pick(
        rng,
        &[
            ChildEnd::Exited(0),
            ChildEnd::Exited(1),
            ChildEnd::Killed(11),
            ChildEnd::NotStarted(2),
        ],
    );
    let takes = pick(rng, &[Some(2), Some(2), Some(300), Some(1_700), None]);
    let conduct = Conduct {
        takes: takes.map(Duration::from_millis),
        end,
        stubborn: rng.below(2) == 0,
    };
    let number = pick(rng, &["0", "3", "-10", "40", "-300", "300", "nonsense"]);
    let count = usize::from(small(rng, 3));
    for script in &trackers.scripts {
        let program = script.script.argv.first().cloned().unwrap_or_default();
        world.set_conduct(host, &program, conduct);
        if let Some(until) = until {
            world.plan(until, move |world| {
                world.set_conduct(host, &program, Conduct::default());
            });
        }
    }
    for file in &trackers.files {
        let path = file.file.clone().unwrap_or_default();
        world.write_file(host, &path, Some(number.as_bytes()));
        if let Some(until) = until {
            world.plan(until, move |world| world.write_file(host, &path, None));
        }
    }
    world.set_processes(host, haproxies(count));
    if let Some(until) = until {
        world.plan(until, move |world| world.set_processes(host, haproxies(2)));
    }
}

/// An administrator changes what is tracked, or what it weighs, or who goes together.
pub(super) fn edit(rng: &mut Rng, config: &mut Config) {
    for script in &mut config.trackers.scripts {
        if rng.below(4) == 0 {
            script.interval = Duration::from_millis(pick(rng, &[500, 1_000, 2_000]));
            script.fall = pick(rng, &[1, 2]);
        }
        if rng.below(6) == 0 {
            script.weight = weight(rng);
        }
    }
    for at in 0..config.vrrp_instances.len() {
        let instance = VrrpInstance::clone(&config.vrrp_instances[at]);
        if instance.priority.is_owner() || rng.below(6) != 0 {
            continue;
        }
        let mut options = (*instance.options).clone();
        options.tracking = own_tracking(rng, config, &instance, 1);
        config.vrrp_instances[at] = Shared::new(VrrpInstance {
            options: Shared::new(options),
            ..instance
        });
    }
}
