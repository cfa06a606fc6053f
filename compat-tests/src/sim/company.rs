//! Trackers and sync groups of a random world, and what happens to them.
//!
//! Owns: which instances go together, what they track, and the moods of programs, files and
//! processes. Never does: judge; `tracking` says what it should come to. Driven by: `random` and
//! `edit`.
//!
//! Groups are alike on all hosts, or each host has its own, of which an administrator may make others
//! at any time. Where hosts disagree about who leads, an address may be left to nobody, as by
//! keepalived; `agreement` says where that is.

use keepalived_rs::base::{Duration, Instant, Rng, Shared};
use keepalived_rs::conf::model::options::{
    Notify, Script, SyncGroup, TrackFile, TrackProcess, TrackScript, Tracked, Tracking, Weight,
};
use keepalived_rs::conf::model::{Config, Priority, VrrpInstance};
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

/// Makes instances of each host sync groups, sometimes: the first routers of the world on all hosts
/// alike, or on each host what it likes. Returns the groups of each host.
pub(super) fn unite(
    rng: &mut Rng,
    routers: &mut [Vec<Option<VrrpInstance>>],
) -> Vec<Vec<SyncGroup>> {
    let hosts = routers.first().map_or(0, Vec::len);
    if routers.len() < 2 || rng.below(2) == 0 {
        return vec![Vec::new(); hosts];
    }
    if rng.below(3) == 0 {
        return (0..hosts)
            .map(|host| own_groups(rng, routers, host))
            .collect();
    }
    let count = 2 + usize::from(small(rng, 2)).min(routers.len() - 2);
    let together = |host| {
        let members: Vec<&mut Option<VrrpInstance>> = routers
            .iter_mut()
            .take(count)
            .map(|router| &mut router[host])
            .collect();
        // Where one is left out all are.
        if members.iter().any(|member| member.is_none()) {
            for member in members {
                *member = None;
            }
            return Vec::new();
        }
        let mut members: Vec<&mut VrrpInstance> = members.into_iter().flatten().collect();
        let names = members.iter().map(|one| one.name.clone()).collect();
        align(&mut members);
        vec![group("VG", names)]
    };
    (0..hosts).map(together).collect()
}

/// Gives all members what the first one has of what decides who is master.
fn align(members: &mut [&mut VrrpInstance]) {
    let Some((leader, others)) = members.split_first_mut() else {
        return;
    };
    for other in others {
        other.priority = leader.priority;
        other.initial_state = leader.initial_state;
        other.no_preempt = leader.no_preempt;
        other.preempt_delay = leader.preempt_delay;
    }
}

/// One or two groups of whatever instances a host has; mostly it ranks all members of one alike.
fn own_groups(
    rng: &mut Rng,
    routers: &mut [Vec<Option<VrrpInstance>>],
    host: usize,
) -> Vec<SyncGroup> {
    let mut free: Vec<&mut VrrpInstance> = routers
        .iter_mut()
        .filter_map(|router| router[host].as_mut())
        .collect();
    let mut groups = Vec::new();
    while free.len() > 1 && rng.below(4) != 0 {
        let count = 2 + usize::from(small(rng, 3)).min(free.len() - 2);
        let mut members = Vec::new();
        for _ in 0..count {
            let at = rng.below(u64::try_from(free.len()).unwrap_or(1));
            members.push(free.swap_remove(usize::try_from(at).unwrap_or(0)));
        }
        for member in &mut members {
            if member.priority.is_owner() {
                member.priority = Priority(254);
            }
        }
        if rng.below(4) != 0 {
            align(&mut members);
        }
        let names = members.iter().map(|one| one.name.clone()).collect();
        groups.push(group(pick(rng, &["VG", "VG_A"]), names));
        if let [first, .., last] = &mut groups[..]
            && first.name == last.name
        {
            last.name.push_str("_2");
        }
    }
    groups
}

pub(super) fn group(name: &str, members: Vec<String>) -> SyncGroup {
    SyncGroup {
        name: name.to_owned(),
        members,
        tracking: Tracking::default(),
        notify: told(),
        weights_apply: true,
    }
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

/// Gives a host its groups, trackers, and somebody to tell.
pub(super) fn outfit(rng: &mut Rng, config: &mut Config, groups: &[SyncGroup], segments: u8) {
    config.global.fifos.vrrp.path = Some(FIFO.into());
    config.global.scripts.security = true;
    define(rng, config);
    for group in groups {
        let mut group = group.clone();
        let mut members = config.vrrp_instances.iter();
        let owner = members.any(|one| one.priority.is_owner() && group.members.contains(&one.name));
        if !owner && rng.below(2) == 0 {
            group.tracking = tracking(rng, config, segments, true);
            // Every member ignores its own.
            group.tracking.interfaces.clear();
        }
        config.sync_groups.push(group);
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

/// Somebody joins a group, leaves it, or goes to another one; a group comes, goes, or has another name.
fn regroup(rng: &mut Rng, config: &mut Config) {
    let names: Vec<String> = config
        .vrrp_instances
        .iter()
        .filter(|one| !one.priority.is_owner())
        .map(|one| one.name.clone())
        .collect();
    let groups = &mut config.sync_groups;
    match rng.below(5) {
        0 => {
            groups.pop();
        }
        1 => {
            if let Some(group) = groups.first_mut() {
                group.name = pick(rng, &["VG", "VG_B"]).to_owned();
            }
        }
        _ => {
            let count = u64::try_from(names.len()).unwrap_or(0);
            if count < 2 {
                return;
            }
            let at = usize::try_from(rng.below(count)).unwrap_or(0);
            let was = groups
                .iter()
                .position(|one| one.members.contains(&names[at]));
            if let Some(was) = was {
                groups[was].members.retain(|one| *one != names[at]);
                if rng.below(2) == 0 {
                    groups.retain(|group| group.members.len() > 1);
                    return;
                }
            }
            match groups
                .iter_mut()
                .enumerate()
                .find(|(other, _)| Some(*other) != was)
            {
                Some((_, group)) => group.members.push(names[at].clone()),
                None => {
                    let other = names[(at + 1) % names.len()].clone();
                    if was.is_none() {
                        groups.push(group("VG_C", vec![names[at].clone(), other]));
                    }
                }
            }
        }
    }
    groups.retain(|group| group.members.len() > 1);
    let mut seen = std::collections::BTreeSet::new();
    groups.retain(|group| seen.insert(group.name.clone()));
}

/// An administrator changes what is tracked, or what it weighs, or who goes together.
pub(super) fn edit(rng: &mut Rng, config: &mut Config) {
    if rng.below(3) != 0 {
        regroup(rng, config);
    }
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
