//! Behaviour of trackers: time, ends of children and contents of files in, effects and verdicts
//! out.

use super::{Action, Domain, Event, Kind, Verdict};
use crate::base::{Duration, Instant};
use crate::conf::model::options::{
    ArgumentMatch, Script, TrackFile, TrackProcess, TrackScript, Tracked, Tracking, Weight,
};
use crate::conf::model::{Config, LogStyle, Vrid, VrrpInstance};
use crate::ops::{ChildEnd, ChildSignal, Effect, Process, ProcessNews};

struct Bench {
    now: Instant,
    domain: Domain,
    out: Vec<Action>,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn script() -> TrackScript {
    TrackScript {
        name: "chk".into(),
        script: Script {
            argv: vec!["/bin/chk".into(), "x".into()],
            ..Script::default()
        },
        interval: ms(1000),
        timeout: Some(ms(400)),
        weight: Weight::default(),
        rise: 2,
        fall: 3,
        init_fail: false,
    }
}

fn config(scripts: Vec<TrackScript>) -> Config {
    let mut config = Config::default();
    let tracked = |name: &str| Tracked {
        name: name.into(),
        weight: None,
    };
    let mut instance = VrrpInstance::new("A", Vrid::new(1).unwrap(), "eth0");
    instance.options.tracking = Tracking {
        scripts: vec![tracked("chk")],
        files: vec![tracked("f")],
        processes: vec![tracked("p")],
        ..Tracking::default()
    };
    config.trackers.scripts = scripts;
    config.vrrp_instances.push(instance.into());
    config
}

impl Bench {
    fn new(config: &Config) -> Self {
        let mut bench = Self {
            now: Instant::from_micros(1_000_000),
            domain: Domain::new(LogStyle::Current),
            out: Vec::new(),
        };
        bench.domain.apply(bench.now, config, &mut bench.out);
        bench
    }

    fn said(&mut self) -> Vec<String> {
        self.out
            .drain(..)
            .map(|action| match action {
                Action::Verdict(Kind::Script | Kind::File | Kind::Process, name, verdict) => {
                    match verdict {
                        Verdict::Unknown => format!("{name} unknown"),
                        Verdict::Up => format!("{name} up"),
                        Verdict::Down => format!("{name} down"),
                        Verdict::Value(value) => format!("{name} = {value}"),
                    }
                }
                Action::World(Effect::Spawn(id, command)) => {
                    format!("spawn {} {}", id.number, command.argv.join(" "))
                }
                Action::World(Effect::Kill(id, ChildSignal::Term)) => format!("term {}", id.number),
                Action::World(Effect::Kill(id, ChildSignal::Kill)) => format!("kill {}", id.number),
                Action::World(Effect::Watch(id, path)) => format!("watch {} {path}", id.number),
                Action::World(Effect::Unwatch(id)) => format!("unwatch {}", id.number),
                Action::World(Effect::InitFile { path, value, .. }) => {
                    format!("write {value} to {path}")
                }
                Action::World(Effect::ListProcesses { arguments }) => format!("list {arguments}"),
                Action::World(Effect::WatchProcesses(on)) => format!("watch processes {on}"),
                Action::World(effect) => panic!("{effect:?}"),
            })
            .collect()
    }

    fn end(&mut self, number: u64, end: ChildEnd) -> Vec<String> {
        let event = Event::Child(number, end);
        self.domain.handle(self.now, event, &mut self.out);
        self.said()
    }

    fn run(&mut self, span: Duration) -> Vec<String> {
        let end = self.now + span;
        let start = self.now;
        let mut lines = Vec::new();
        while let Some(at) = self.domain.next_deadline().filter(|&at| at <= end) {
            self.now = at.max(self.now);
            self.domain.handle_timeout(self.now, &mut self.out);
            let since = self.now.saturating_since(start).as_millis();
            lines.extend(
                self.said()
                    .into_iter()
                    .map(|said| format!("{since} {said}")),
            );
        }
        self.now = end;
        lines
    }

    /// One run of the script that ends at once.
    fn once(&mut self, number: u64, end: ChildEnd) -> Vec<String> {
        let mut said = self.end(number, end);
        said.extend(self.run(ms(1000)));
        said
    }
}

const OK: ChildEnd = ChildEnd::Exited(0);
const BAD: ChildEnd = ChildEnd::Exited(1);

// Input: rise 2, fall 3; success; two failures, success, three failures; success, failure, two
// successes. Output: up at once, down after three in a row, up after two in a row.
#[test]
fn results_in_a_row_decide_after_the_first() {
    let mut bench = Bench::new(&config(vec![script()]));
    assert_eq!(bench.said(), ["chk unknown", "spawn 1 /bin/chk x"]);
    let mut told = Vec::new();
    for (number, end) in (1..).zip([OK, BAD, BAD, OK, BAD, BAD, BAD, OK, BAD, OK, OK]) {
        let said = bench.once(number, end);
        let verdict = said.iter().find(|said| said.starts_with("chk"));
        told.push(verdict.map_or("-", |said| &said[4..]).to_owned());
    }
    let expected = ["up", "-", "-", "-", "-", "-", "down", "-", "-", "-", "up"];
    assert_eq!(told, expected);
}

// Input: the first result is a failure, a signal, no start. Output: down at once, whatever `fall` says.
#[test]
fn the_first_failure_decides() {
    for end in [BAD, ChildEnd::Killed(9), ChildEnd::NotStarted(11)] {
        let mut bench = Bench::new(&config(vec![script()]));
        bench.said();
        assert_eq!(bench.end(1, end), ["chk down"]);
    }
}

// Input: a script that does not end. Output: TERM after its timeout, KILL two seconds later, no other
// run meanwhile; then one failure; the next run when the one after is due.
#[test]
fn a_script_that_hangs_is_ended_and_counts_once() {
    let once = TrackScript {
        fall: 1,
        ..script()
    };
    let mut bench = Bench::new(&config(vec![once]));
    bench.said();
    assert_eq!(bench.once(1, OK), ["chk up", "1000 spawn 2 /bin/chk x"]);
    assert_eq!(bench.run(ms(3000)), ["400 term 2", "2400 kill 2"]);
    assert_eq!(bench.end(2, ChildEnd::Killed(9)), ["chk down"]);
    assert_eq!(bench.run(ms(1000)), ["1000 spawn 3 /bin/chk x"]);
}

// Input: one that the kernel does not let go. Output: failed two seconds after KILL, never run twice;
// its late end changes nothing.
#[test]
fn a_script_stuck_in_the_kernel_counts_as_failed() {
    let once = TrackScript {
        fall: 1,
        ..script()
    };
    let mut bench = Bench::new(&config(vec![once]));
    bench.said();
    bench.once(1, OK);
    let expected = ["400 term 2", "2400 kill 2", "4400 chk down"];
    assert_eq!(bench.run(ms(9500)), expected);
    assert_eq!(bench.end(2, OK), Vec::<String>::new());
    assert_eq!(bench.run(ms(500)), ["500 spawn 3 /bin/chk x"]);
}

// Input: reloads: the same; another interval; another command; without the script. Output: nothing;
// the state stays; it starts anew while its last word holds; its process is ended.
#[test]
fn a_reload_keeps_what_is_the_same() {
    let mut bench = Bench::new(&config(vec![script()]));
    bench.said();
    bench.end(1, OK);
    let apply = |bench: &mut Bench, scripts| {
        let config = config(scripts);
        bench.domain.apply(bench.now, &config, &mut bench.out);
        bench.said()
    };
    assert_eq!(apply(&mut bench, vec![script()]), Vec::<String>::new());
    let slower = TrackScript {
        interval: ms(5000),
        ..script()
    };
    assert_eq!(apply(&mut bench, vec![slower]), Vec::<String>::new());
    let other = TrackScript {
        script: Script {
            argv: vec!["/bin/other".into()],
            ..Script::default()
        },
        ..script()
    };
    assert_eq!(apply(&mut bench, vec![other]), ["spawn 2 /bin/other"]);
    assert_eq!(apply(&mut bench, Vec::new()), ["kill 2"]);
    assert_eq!(bench.end(2, ChildEnd::Killed(9)), Vec::<String>::new());
}

// K#366. Input: reloads while a script runs, without a change and with another interval; it ends in
// time. Output: nobody ends it or counts it as timed out, and it runs again when it is due.
#[test]
fn a_reload_under_a_running_script_times_nothing_out() {
    let mut bench = Bench::new(&config(vec![script()]));
    bench.said();
    assert_eq!(bench.once(1, OK), ["chk up", "1000 spawn 2 /bin/chk x"]);
    for interval in [1000, 1500] {
        assert_eq!(bench.run(ms(150)), Vec::<String>::new());
        let changed = TrackScript {
            interval: ms(interval),
            ..script()
        };
        let config = config(vec![changed]);
        bench.domain.apply(bench.now, &config, &mut bench.out);
        assert_eq!(bench.said(), Vec::<String>::new());
    }
    assert_eq!(bench.end(2, OK), Vec::<String>::new());
    assert_eq!(bench.run(ms(700)), ["700 spawn 3 /bin/chk x"]);
    // Its own time limit is still there.
    assert_eq!(bench.run(ms(400)), ["400 term 3"]);
}

// Input: contents of a file. Output: its number; 0 for nothing, none and what is no number; each told once.
#[test]
fn files_hold_numbers() {
    let mut with_file = config(Vec::new());
    with_file.trackers.files.push(TrackFile {
        name: "f".into(),
        file: Some("/run/f".into()),
        initial: Some(5),
        ..TrackFile::default()
    });
    let mut bench = Bench::new(&with_file);
    let expected = ["write 5 to /run/f", "watch 1 /run/f", "f unknown"];
    assert_eq!(bench.said(), expected);
    let cases: [(Option<&[u8]>, &[&str]); 8] = [
        (Some(b"5\n"), &["f = 5"]),
        (Some(b"5"), &[]),
        (Some(b" -12 apples"), &["f = -12"]),
        (Some(b"apples"), &["f = 0"]),
        (None, &[]),
        (Some(b"+7"), &["f = 7"]),
        (Some(b""), &["f = 0"]),
        (Some(b"99999999999999999999"), &[]),
    ];
    for (content, expected) in cases {
        let event = Event::File(1, content);
        bench.domain.handle(bench.now, event, &mut bench.out);
        assert_eq!(bench.said(), expected, "{content:?}");
    }
    bench.domain.handle(bench.now, Event::Stop, &mut bench.out);
    assert_eq!(bench.said(), ["unwatch 1"]);
}

fn numbered(pid: u32, name: &str) -> Process {
    Process {
        pid,
        ..process(name, &[])
    }
}

fn process(name: &str, arguments: &[&str]) -> Process {
    Process {
        pid: 1,
        name: name.into(),
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
    }
}

// Input: a process that must run once or twice, with delays; 0, 1, 3, 2 of them. Output: the quorum
// is lost and gained after the delay only.
#[test]
fn processes_are_counted() {
    let mut wanted = config(Vec::new());
    wanted.trackers.processes.push(TrackProcess {
        name: "p".into(),
        process: Some("/usr/sbin/haproxy".into()),
        quorum_max: Some(2),
        fork_delay: ms(700),
        ..TrackProcess::default()
    });
    let mut bench = Bench::new(&wanted);
    assert_eq!(
        bench.said(),
        ["p unknown", "watch processes true", "list false"]
    );
    let look = |bench: &mut Bench, count: usize| {
        let all: Vec<Process> = (1..)
            .map(|pid| numbered(pid, "haproxy"))
            .take(count)
            .collect();
        let event = Event::Processes(&all);
        bench.domain.handle(bench.now, event, &mut bench.out);
        bench.said()
    };
    assert_eq!(look(&mut bench, 0), ["p down"]);
    assert_eq!(look(&mut bench, 1), Vec::<String>::new());
    let said = bench.run(ms(700));
    assert_eq!(said.last().map(String::as_str), Some("700 p up"));
    assert_eq!(look(&mut bench, 3), ["p down"]);
    assert_eq!(look(&mut bench, 2), Vec::<String>::new());
    assert_eq!(look(&mut bench, 3), Vec::<String>::new());
    assert!(!bench.run(ms(2000)).iter().any(|said| said.contains("p ")));
}

// Input: arguments, compared in the three ways. Output: what keepalived.conf(5) says.
#[test]
fn arguments_are_compared_as_asked() {
    let running = [process("x", &["/bin/x", "-a", "first", "second"])];
    let cases = [
        (None, vec!["-a", "first", "second"], "p up"),
        (None, vec!["-a", "first"], "p down"),
        (Some(ArgumentMatch::Partial), vec!["-a", "first"], "p up"),
        (Some(ArgumentMatch::Partial), vec!["-a", "fir"], "p down"),
        (Some(ArgumentMatch::Initial), vec!["-a", "fir"], "p up"),
        (Some(ArgumentMatch::Initial), vec!["-b", "fir"], "p down"),
    ];
    for (how, arguments, expected) in cases {
        let mut wanted = config(Vec::new());
        wanted.trackers.processes.push(TrackProcess {
            name: "p".into(),
            process: Some("x".into()),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            arguments_match: how,
            ..TrackProcess::default()
        });
        let mut bench = Bench::new(&wanted);
        assert_eq!(
            bench.said(),
            ["p unknown", "watch processes true", "list true"]
        );
        let event = Event::Processes(&running);
        bench.domain.handle(bench.now, event, &mut bench.out);
        assert_eq!(bench.said(), [expected], "{how:?} {arguments:?}");
    }
}

// Input: two of a process are wanted; the kernel tells of processes; one forks, one becomes
// another program, one ends, one takes the name, news is lost, and the kernel tells no more. Output:
// each change counts at once, and the processes are looked through only when that is needed.
#[test]
fn news_of_processes_counts_at_once() {
    let mut wanted = config(Vec::new());
    wanted.trackers.processes.push(TrackProcess {
        name: "p".into(),
        process: Some("haproxy".into()),
        quorum: Some(2),
        ..TrackProcess::default()
    });
    let mut bench = Bench::new(&wanted);
    bench.said();
    let tell = |bench: &mut Bench, news: ProcessNews| {
        let event = Event::ProcessNews(&news);
        bench.domain.handle(bench.now, event, &mut bench.out);
        bench.said()
    };
    let forked = |parent, child| ProcessNews::Forked { parent, child };
    let nothing = Vec::<String>::new();
    // Before the first look nothing is known of 7.
    assert_eq!(tell(&mut bench, forked(7, 8)), nothing);
    assert_eq!(tell(&mut bench, ProcessNews::Watched), nothing);
    assert_eq!(bench.run(ms(0)), ["0 list false"]);
    let found = [numbered(7, "haproxy"), numbered(9, "cat")];
    let event = Event::Processes(&found);
    bench.domain.handle(bench.now, event, &mut bench.out);
    assert_eq!(bench.said(), ["p down"]);
    assert_eq!(bench.run(ms(60_000)), nothing);
    assert_eq!(tell(&mut bench, forked(9, 10)), nothing);
    assert_eq!(tell(&mut bench, forked(7, 8)), ["p up"]);
    let became = |pid, name| ProcessNews::Became(numbered(pid, name));
    assert_eq!(tell(&mut bench, became(8, "cat")), ["p down"]);
    assert_eq!(tell(&mut bench, became(9, "haproxy")), ["p up"]);
    assert_eq!(tell(&mut bench, became(9, "haproxy")), nothing);
    assert_eq!(tell(&mut bench, ProcessNews::Ended(10)), nothing);
    assert_eq!(tell(&mut bench, ProcessNews::Ended(7)), ["p down"]);
    assert_eq!(tell(&mut bench, ProcessNews::Lost), nothing);
    assert_eq!(bench.run(ms(2000)), ["0 list false"]);
    assert_eq!(tell(&mut bench, ProcessNews::Unwatched), nothing);
    assert_eq!(bench.run(ms(900)), ["0 list false", "500 list false"]);
    wanted.trackers.processes.clear();
    bench.domain.apply(bench.now, &wanted, &mut bench.out);
    assert_eq!(bench.said(), ["watch processes false"]);
    assert_eq!(tell(&mut bench, forked(9, 11)), nothing);
}
