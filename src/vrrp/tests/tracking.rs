//! Trackers and sync groups, through the domain; the expected transcripts are those of keepalived
//! 2.2.7 for the same events where it has them.

use std::num::NonZeroU8;

use super::{Bench, Event, Step, config, facts, ms, vip};
use crate::conf::model::options::{
    Notify, Script, SyncGroup, TrackFile, TrackScript, Tracked, Tracking, Weight,
};
use crate::conf::model::{InitialState, Priority, Vrid, VrrpInstance};
use crate::vrrp::{State, TrackerKind, Verdict};

pub(super) fn tracked(name: &str) -> Vec<Tracked> {
    vec![Tracked {
        name: name.into(),
        weight: None,
    }]
}

pub(super) fn script(weight: i16) -> TrackScript {
    TrackScript {
        name: "chk".into(),
        script: Script::default(),
        interval: ms(1000),
        timeout: None,
        weight: Weight {
            value: weight,
            reverse: false,
        },
        rise: 1,
        fall: 1,
        init_fail: false,
    }
}

/// An instance that tracks the script, with scripts of its own.
fn tracking(weight: i16) -> Bench {
    let mut bench = Bench::new();
    bench.config.trackers.scripts.push(script(weight));
    let mut config = config();
    config.options.tracking.scripts = tracked("chk");
    config.options.notify = notify("");
    config.options.notify.priority_changes = Some(true);
    bench.apply(vec![Step::Add(config)]);
    bench
}

fn notify(prefix: &str) -> Notify {
    let script = |name: &str| {
        Some(Script {
            argv: vec![format!("{prefix}{name}")],
            ..Script::default()
        })
    };
    Notify {
        any: script("any"),
        master: script("master"),
        backup: script("backup"),
        fault: script("fault"),
        stop: script("stop"),
        ..Notify::default()
    }
}

impl Bench {
    fn verdict(&mut self, verdict: Verdict) -> Vec<String> {
        self.tell(Event::Tracker(TrackerKind::Script, "chk", verdict));
        std::mem::take(&mut self.told)
    }
}

// Input: a script of weight 0 without a verdict, then up, down, up; the stop. Output: not a word until
// the first verdict; then states as they come, the script for the state before `notify`.
#[test]
fn an_instance_waits_for_the_first_verdict() {
    let mut bench = tracking(0);
    assert_eq!((bench.state(), bench.told.len()), (State::Fault, 0));
    assert_eq!(bench.run(ms(10_000)), Vec::<String>::new());
    let backup = [
        "INSTANCE \"VI_1\" BACKUP 100",
        "backup",
        "any INSTANCE VI_1 BACKUP 100",
    ];
    assert_eq!(bench.verdict(Verdict::Up), backup);
    bench.run(ms(5000));
    assert_eq!(bench.state(), State::Master);
    bench.told.clear();
    let fault = [
        "INSTANCE \"VI_1\" FAULT 100",
        "fault",
        "any INSTANCE VI_1 FAULT 100",
    ];
    assert_eq!(bench.verdict(Verdict::Down), fault);
    assert_eq!(bench.verdict(Verdict::Up), backup);
    bench.tell(Event::Stop);
    let stop = [
        "INSTANCE \"VI_1\" STOP 100",
        "stop",
        "any INSTANCE VI_1 STOP 100",
    ];
    assert_eq!(bench.told, stop);
}

// Input: the first verdict is a failure. Output: now FAULT is told.
#[test]
fn a_first_failure_is_told() {
    let mut bench = tracking(0);
    let told = bench.verdict(Verdict::Down);
    assert_eq!(told[0], "INSTANCE \"VI_1\" FAULT 100");
    assert_eq!(bench.verdict(Verdict::Down), Vec::<String>::new());
}

// Input: weight 10 without a verdict, up, as master down. Output: no wait; the priority follows at once,
// is told in FIFO lines alone and carried by the next advert.
#[test]
fn weights_change_the_priority_at_once() {
    let mut bench = tracking(10);
    assert_eq!(bench.state(), State::Backup);
    bench.told.clear();
    assert_eq!(
        bench.verdict(Verdict::Up),
        ["INSTANCE \"VI_1\" BACKUP_PRIORITY 110"]
    );
    bench.run(ms(5000));
    bench.told.clear();
    assert_eq!(
        bench.verdict(Verdict::Down),
        ["INSTANCE \"VI_1\" MASTER_PRIORITY 100"]
    );
    assert_eq!(bench.run(ms(1000)).len(), 1);
    assert_eq!(bench.priority(), 100);
}

// Input: an owner whose script of weight 10 fails. Output: nothing; weights do not count for owners.
#[test]
fn weights_do_not_count_for_owners() {
    let mut bench = Bench::new();
    bench.config.trackers.scripts.push(script(10));
    let mut owner = config();
    owner.priority = Priority::OWNER;
    owner.initial_state = InitialState::Master;
    owner.options.tracking.scripts = tracked("chk");
    bench.apply(vec![Step::Add(owner)]);
    bench.verdict(Verdict::Down);
    assert_eq!((bench.state(), bench.priority()), (State::Master, 255));
}

// Input: another interface, tracked with weight 0, then missing, then there. Output: FAULT until it
// is up.
#[test]
fn a_tracked_interface_that_is_missing_is_a_fault() {
    let mut bench = Bench::new();
    let mut config = config();
    config.options.tracking.interfaces = tracked("eth1");
    bench.apply(vec![Step::Add(config)]);
    assert_eq!(bench.state(), State::Fault);
    let mut other = facts(true);
    other.index = crate::base::IfIndex::new(3).unwrap();
    other.name = "eth1".into();
    bench.tell(Event::Interface(other.clone()));
    assert_eq!(bench.state(), State::Backup);
    other.up = false;
    bench.tell(Event::Interface(other));
    assert_eq!(bench.state(), State::Fault);
}

// Input: a file: 5, -300, 10. Output: nothing starts before it is read; priority, FAULT with the priority it had,
// and the new one, set without a line of its own.
#[test]
fn a_file_changes_priority_or_makes_a_fault() {
    let mut bench = Bench::new();
    bench.config.trackers.files.push(TrackFile {
        name: "f".into(),
        file: Some("/f".into()),
        ..TrackFile::default()
    });
    let mut config = config();
    config.options.tracking.files = tracked("f");
    config.options.notify.priority_changes = Some(true);
    bench.apply(vec![Step::Add(config)]);
    assert_eq!(bench.state(), State::Init);
    let mut told = Vec::new();
    for value in [5, -300, 10] {
        let verdict = Verdict::Value(value);
        bench.tell(Event::Tracker(TrackerKind::File, "f", verdict));
        told.append(&mut bench.told);
    }
    let expected = [
        "INSTANCE \"VI_1\" BACKUP_PRIORITY 105",
        "INSTANCE \"VI_1\" BACKUP 105",
        "INSTANCE \"VI_1\" FAULT 105",
        "INSTANCE \"VI_1\" BACKUP 110",
    ];
    assert_eq!(told, expected);
}

fn member(name: &str, vrid: u8) -> VrrpInstance {
    VrrpInstance {
        name: name.into(),
        vrid: Vrid(NonZeroU8::new(vrid).unwrap()),
        addresses: vec![vip(&format!("192.0.2.{}", 100 + vrid))],
        ..config()
    }
}

/// Two instances in a group; B tracks the script.
fn group(weight: i16) -> Bench {
    let mut bench = Bench::new();
    bench.config.trackers.scripts.push(script(weight));
    bench.config.sync_groups.push(SyncGroup {
        name: "G".into(),
        members: vec!["A".into(), "B".into()],
        notify: notify("g-"),
        ..SyncGroup::default()
    });
    let mut b = member("B", 2);
    b.priority = Priority(90);
    b.options.tracking = Tracking {
        scripts: tracked("chk"),
        ..Tracking::default()
    };
    bench.apply(vec![Step::Add(member("A", 1)), Step::Add(b)]);
    bench
}

fn states(bench: &Bench) -> Vec<State> {
    let view = bench.domain.view();
    view.iter().map(|instance| instance.state).collect()
}

// Input: a member waits for its script, which succeeds, fails, succeeds. Output: the group waits, then is
// in one state; the lower one completes the election; members tell before the group.
#[test]
fn members_go_together() {
    let mut bench = group(0);
    assert_eq!(
        (states(&bench), bench.told.len()),
        (vec![State::Fault; 2], 0)
    );
    let told = bench.verdict(Verdict::Up);
    let expected = [
        "INSTANCE \"B\" BACKUP 90",
        "INSTANCE \"A\" BACKUP 100",
        "GROUP \"G\" BACKUP 0",
        "g-backup",
        "g-any GROUP G BACKUP 0",
    ];
    assert_eq!(told, expected);
    bench.run(ms(3620));
    assert_eq!(states(&bench), vec![State::Backup; 2]);
    bench.run(ms(1000));
    assert_eq!(states(&bench), vec![State::Master; 2]);
    let lines: Vec<&str> = bench.told.iter().map(String::as_str).collect();
    assert_eq!(
        lines[..3],
        [
            "INSTANCE \"B\" MASTER 90",
            "INSTANCE \"A\" MASTER 100",
            "GROUP \"G\" MASTER 0"
        ]
    );
    bench.told.clear();
    let told = bench.verdict(Verdict::Down);
    assert_eq!(
        told[..3],
        [
            "INSTANCE \"B\" FAULT 90",
            "INSTANCE \"A\" FAULT 100",
            "GROUP \"G\" FAULT 0"
        ]
    );
    bench.verdict(Verdict::Up);
    assert_eq!(states(&bench), vec![State::Backup; 2]);
    bench.tell(Event::Stop);
    let lines: Vec<&str> = bench.told.iter().map(String::as_str).collect();
    assert_eq!(
        lines[..3],
        [
            "INSTANCE \"A\" STOP 100",
            "INSTANCE \"B\" STOP 90",
            "GROUP \"G\" STOP 0"
        ]
    );
}

// Input: a member's own weight; the interface down at the start. Output: it does not count; all are told
// FAULT, then the group.
#[test]
fn weights_of_members_do_not_count() {
    let mut bench = group(20);
    bench.verdict(Verdict::Up);
    let view = bench.domain.view();
    assert_eq!(view[1].priority, Priority(90));
}

// Input: weights of members of a group without sync_group_tracking_weight: a script of 20 that is down, a file that
// makes -20, then -300. Output: no fault and no priority for the first two; the last is a fault.
#[test]
fn weights_that_do_not_count_are_no_faults() {
    let mut bench = group(20);
    bench.verdict(Verdict::Down);
    assert_eq!(states(&bench), vec![State::Backup; 2]);
    let mut bench = Bench::new();
    bench.config.trackers.files.push(TrackFile {
        name: "f".into(),
        file: Some("/f".into()),
        ..TrackFile::default()
    });
    let mut a = member("A", 1);
    a.options.tracking.files = tracked("f");
    bench.config.sync_groups.push(SyncGroup {
        name: "G".into(),
        members: vec!["A".into(), "B".into()],
        ..SyncGroup::default()
    });
    bench.apply(vec![Step::Add(a), Step::Add(member("B", 2))]);
    let mut priorities = Vec::new();
    for value in [0, -20, -300] {
        let verdict = Verdict::Value(value);
        bench.tell(Event::Tracker(TrackerKind::File, "f", verdict));
        priorities.push((bench.domain.view()[0].priority.0, states(&bench)[0]));
    }
    let expected = [
        (100, State::Backup),
        (100, State::Backup),
        (100, State::Fault),
    ];
    assert_eq!(priorities, expected);
}

// Input: a reload that takes the failed member away. Output: the other takes part, nobody moves twice.
#[test]
fn a_group_without_its_failed_member_recovers() {
    let mut bench = group(0);
    bench.verdict(Verdict::Down);
    assert_eq!(states(&bench), vec![State::Fault; 2]);
    bench.config.sync_groups[0].members.pop();
    let b = {
        let mut b = member("B", 2);
        b.priority = Priority(90);
        b.options.tracking.scripts = tracked("chk");
        b
    };
    bench.apply(vec![Step::Remove(b), Step::Keep(member("A", 1))]);
    assert_eq!(states(&bench), vec![State::Backup]);
}

/// The lines of `bench` after a reload that makes a group `G` of these members.
fn regrouped(bench: &mut Bench, members: &[&str], all: &[VrrpInstance]) -> Vec<String> {
    bench.config.sync_groups = vec![SyncGroup {
        name: "G".into(),
        members: members.iter().map(|&name| name.to_owned()).collect(),
        ..SyncGroup::default()
    }];
    bench.told.clear();
    bench.apply(all.iter().cloned().map(Step::Keep).collect());
    std::mem::take(&mut bench.told)
}

// Input: A, B and C (which tracks the script) without a group; reloads that put masters together, a backup to masters, a
// member in FAULT to masters, and take it out again. Output: what keepalived 2.2.7 and 2.3.4 tell for it: nothing; the
// group before those that step back; the members before the group; as the second.
#[test]
fn a_reload_puts_instances_together() {
    let mut bench = Bench::new();
    bench.config.trackers.scripts.push(script(0));
    let a = VrrpInstance {
        name: "A".into(),
        ..config()
    };
    let mut c = member("C", 3);
    c.options.tracking.scripts = tracked("chk");
    let all = [a, member("B", 2), c];
    bench.apply(all.iter().cloned().map(Step::Add).collect());
    bench.verdict(Verdict::Up);
    bench.run(ms(5000));
    assert_eq!(states(&bench), vec![State::Master; 3]);
    assert_eq!(
        regrouped(&mut bench, &["A", "B"], &all),
        Vec::<String>::new()
    );
    assert_eq!(regrouped(&mut bench, &[], &all), Vec::<String>::new());

    bench.hear("192.0.2.9", 200);
    let together = regrouped(&mut bench, &["A", "B"], &all);
    assert_eq!(
        together,
        ["GROUP \"G\" BACKUP 0", "INSTANCE \"B\" BACKUP 100"]
    );

    bench.run(ms(9000));
    bench.verdict(Verdict::Down);
    assert_eq!(states(&bench), [State::Master, State::Master, State::Fault]);
    let together = regrouped(&mut bench, &["A", "B", "C"], &all);
    let fault = [
        "INSTANCE \"A\" FAULT 100",
        "INSTANCE \"B\" FAULT 100",
        "GROUP \"G\" FAULT 0",
    ];
    assert_eq!(together, fault);
    let apart = regrouped(&mut bench, &["A", "B"], &all);
    let backup = [
        "GROUP \"G\" BACKUP 0",
        "INSTANCE \"A\" BACKUP 100",
        "INSTANCE \"B\" BACKUP 100",
    ];
    assert_eq!(apart, backup);
}

// Input: two masters of a group, one alone; the first hears a lesser one. Output: the first and the other
// member announce their addresses, as with keepalived 2.2.7 and 2.3.4; the third says nothing.
#[test]
fn members_insist_together() {
    let mut bench = Bench::new();
    let first = VrrpInstance {
        name: "A".into(),
        ..config()
    };
    let all = [first, member("B", 2), member("C", 3)];
    bench.config.sync_groups = vec![SyncGroup {
        name: "G".into(),
        members: vec!["A".into(), "B".into()],
        ..SyncGroup::default()
    }];
    bench.apply(all.iter().cloned().map(Step::Add).collect());
    bench.run(ms(9000));
    assert_eq!(states(&bench), vec![State::Master; 3]);
    let said = bench.hear("192.0.2.9", 50);
    let expected = ["advert 100", "garp 192.0.2.101", "garp 192.0.2.102"];
    assert_eq!(said, expected);
}

// Input: a master gets a script that it did not have, without a verdict, then up; a reload without a
// change; one that asks for states. Output: it stays master and tells nothing; its line alone, no script.
#[test]
fn a_reload_disturbs_no_master() {
    let mut bench = Bench::new();
    let mut plain = config();
    plain.options.notify = notify("");
    bench.apply(vec![Step::Add(plain.clone())]);
    bench.run(ms(5000));
    bench.told.clear();
    bench.config.trackers.scripts.push(script(0));
    let mut with = plain;
    with.options.tracking.scripts = tracked("chk");
    let change = crate::conf::model::plan::Change::Live;
    let said = bench.apply(vec![Step::Update(with.clone(), change)]);
    assert_eq!((said, bench.state()), (Vec::new(), State::Master));
    assert_eq!(bench.verdict(Verdict::Up), Vec::<String>::new());
    bench.apply(vec![Step::Keep(with.clone())]);
    assert_eq!((bench.state(), bench.told.len()), (State::Master, 0));
    bench.config.global.fifos.states_on_reload = true;
    bench.apply(vec![Step::Keep(with)]);
    assert_eq!(bench.told, ["INSTANCE \"VI_1\" MASTER 100"]);
}

// Input: instances that a reload removes, with and without `notify_deleted`. Output: DELETED, FAULT.
#[test]
fn a_removed_instance_says_so() {
    for (says, expected) in [(true, "DELETED"), (false, "FAULT")] {
        let mut bench = Bench::new();
        let mut gone = config();
        gone.options.notify.says_deleted = says;
        bench.apply(vec![Step::Add(gone.clone())]);
        bench.told.clear();
        bench.apply(vec![Step::Remove(gone)]);
        assert_eq!(bench.told, [format!("INSTANCE \"VI_1\" {expected} 100")]);
    }
}
