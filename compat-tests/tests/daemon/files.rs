//! Files that operators and their tools rely on: what surrounds a reload, the log in a file, and
//! reports where there is no room, or under more signals than anybody sends.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use compat_tests::bed::{Proc, needs_root, wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::setup::{Bed, CONFIG, FILE, SOON, VIP, binary};

/// Where the daemon writes, in its host's own file system.
const PLACE: &str = "/run/place";

/// A daemon with `TMPDIR` and more options.
fn daemon(bed: &Bed, directory: &str, options: &[&str]) -> Proc {
    let mut command = Command::new(binary());
    command.args(["-n", "-D"]).args(options);
    command.env("TMPDIR", directory).stdin(Stdio::null());
    bed.host.spawn(command).unwrap()
}

fn shell(bed: &Bed, line: &str) -> String {
    bed.host.must(&["sh", "-c", line]).unwrap()
}

/// The gaps between adverts of the master, and the priorities in them.
fn adverts(bed: &Bed, from: SystemTime) -> (Vec<Duration>, Vec<u8>) {
    let frames = bed.wire.since(from).into_iter();
    let adverts: Vec<_> = frames
        .filter_map(|frame| Some((frame.at, frame.packet().advert()?.priority)))
        .collect();
    let gap = |pair: &[(SystemTime, u8)]| pair[1].0.duration_since(pair[0].0).unwrap();
    let gaps = adverts.windows(2).map(gap).collect();
    (
        gaps,
        adverts.iter().map(|(_, priority)| *priority).collect(),
    )
}

/// How late this machine wakes somebody who sleeps, at worst, while something else goes on.
struct Control {
    done: Arc<AtomicBool>,
    watch: std::thread::JoinHandle<Duration>,
}

impl Control {
    fn start() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let watch = std::thread::spawn(move || {
            let (nap, mut worst) = (Duration::from_millis(5), Duration::ZERO);
            while !stop.load(Ordering::Relaxed) {
                let from = Instant::now();
                std::thread::sleep(nap); // What is measured.
                worst = worst.max(from.elapsed().saturating_sub(nap));
            }
            worst
        });
        Self { done, watch }
    }

    fn worst(self) -> Duration {
        self.done.store(true, Ordering::Relaxed);
        self.watch.join().unwrap()
    }
}

/// Adverts come every second: no gap is longer by more than a twentieth of that, and by what the
/// machine was late for anybody. A turn of the loop may wait more than once.
fn assert_pace(gaps: &[Duration], control: Control) {
    let late = control.worst();
    let longest = gaps.iter().max().copied().unwrap_or_default();
    println!("longest gap {longest:?}, the machine was late by {late:?}");
    assert!(
        longest < Duration::from_millis(1050) + late * 5,
        "{late:?} {gaps:?}"
    );
}

/// Input: signals of every kind as fast as they can be sent, to both processes, for four seconds, and
/// in their midst another configuration. Output: the same worker is master all the time, no rival
/// would miss an advert for long enough to take over, the configuration is taken on, and each report
/// is there, whole.
#[test]
fn a_storm_of_signals_loses_nothing() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    shell(&bed, &format!("mkdir {PLACE}"));
    let mut daemon = daemon(&bed, PLACE, &[]);
    bed.wait_address(VIP, true);
    bed.wait_log("Entering MASTER STATE");
    let from = SystemTime::now();
    let control = Control::start();
    let worker = bed.pid("vrrp");
    let number = |name: &str| {
        let told = bed.run(&["--signum", name]).stdout;
        told.trim().parse::<i32>().unwrap()
    };
    let numbers = ["RELOAD", "DATA", "STATS", "STATS_CLEAR", "JSON"].map(number);
    let start = Instant::now();
    let mut sent = 0;
    let mut changed = false;
    while start.elapsed() < Duration::from_secs(4) {
        for (place, pid) in [daemon.pid(), worker].into_iter().enumerate() {
            let signal = numbers[(sent / 2 + place) % numbers.len()];
            send(pid, signal);
            sent += 1;
        }
        if !changed && start.elapsed() > Duration::from_secs(2) {
            changed = true;
            let other = CONFIG.replace("priority 100", "priority 120");
            bed.host.write(FILE, other).unwrap();
            send(daemon.pid(), numbers[0]);
        }
        std::thread::sleep(Duration::from_millis(2)); // The pace of the storm.
    }
    assert!(sent > 100, "{sent}");
    wait_until(SOON, "adverts of the new priority", || {
        adverts(&bed, from).1.last() == Some(&120)
    })
    .unwrap();
    let files = ["keepalived.data", "keepalived.stats", "keepalived.json"];
    shell(&bed, &format!("rm -f {PLACE}/*"));
    for (name, signal) in files.iter().zip([numbers[1], numbers[2], numbers[4]]) {
        let path = format!("{PLACE}/{name}");
        send(daemon.pid(), signal);
        wait_until(SOON, name, || bed.host.read(&path).is_ok()).unwrap();
        assert!(bed.host.read(&path).unwrap().contains("VI_1"));
    }
    let left = shell(&bed, &format!("ls -A {PLACE}"));
    let strange: Vec<&str> = left.lines().filter(|name| name.starts_with('.')).collect();
    assert!(strange.is_empty(), "half-written files stay: {strange:?}");
    let (gaps, priorities) = adverts(&bed, from);
    assert!(!priorities.contains(&0), "{priorities:?}");
    assert_pace(&gaps, control);
    assert_eq!(bed.pid("vrrp"), worker);
    assert!(bed.has(VIP));
    let logged = bed.logged();
    let fell = logged.iter().filter(|line| line.contains("BACKUP STATE"));
    assert!(fell.count() <= 1, "{logged:#?}");
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// Sends a signal by its number, also one that has no name.
fn send(pid: Pid, number: i32) {
    match Signal::try_from(number) {
        Ok(signal) => kill(pid, signal).unwrap(),
        Err(_) => {
            let words = [format!("-{number}"), pid.to_string()];
            let status = Command::new("kill").args(words).status().unwrap();
            assert!(status.success());
        }
    }
}

/// Input: reports and a log file in a file system that is full, then has room again; and in a
/// directory that is not there. Output: a message each, what was there stays, no half of a file, the
/// master goes on, and what is asked for later is written.
#[test]
fn no_room_for_reports_is_told_and_changes_nothing_else() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let full = format!(
        "mkdir {PLACE} && mount -t tmpfs -o size=64k none {PLACE} && \
         printf old >{PLACE}/keepalived.data && cat /dev/zero >{PLACE}/filler 2>/dev/null; true"
    );
    shell(&bed, &full);
    let mut daemon = daemon(&bed, PLACE, &["-g"]);
    bed.wait_address(VIP, true);
    bed.wait_log(
        "keepalived.log cannot be written, lines are lost - errno 28 (No space left on device)",
    );
    let from = SystemTime::now();
    let control = Control::start();
    daemon.signal(Signal::SIGUSR1).unwrap();
    bed.wait_log("'/run/place/keepalived_parent.data' - errno 28 (No space left on device)");
    bed.wait_log("'/run/place/keepalived.data' - errno 28 (No space left on device)");
    daemon.signal(Signal::SIGHUP).unwrap();
    bed.wait_log("configuration unchanged");
    let data = format!("{PLACE}/keepalived.data");
    assert_eq!(bed.host.read(&data).unwrap(), "old");
    let left = shell(&bed, &format!("ls -A {PLACE}"));
    assert!(!left.lines().any(|name| name.starts_with('.')), "{left}");
    shell(&bed, &format!("rm {PLACE}/filler"));
    daemon.signal(Signal::SIGUSR1).unwrap();
    let written = || bed.host.read(&data).is_ok_and(|text| text.contains("VI_1"));
    wait_until(SOON, "the report", written).unwrap();
    assert!(
        shell(&bed, &format!("cat {PLACE}/keepalived_vrrp.log")).contains("Printing VRRP data")
    );
    let (gaps, priorities) = adverts(&bed, from);
    assert!(!priorities.contains(&0), "{priorities:?}");
    assert_pace(&gaps, control);
    assert_eq!(bed.stop(&mut daemon), Some(0));
    shell(&bed, &format!("umount {PLACE}"));

    let nowhere = self::daemon(&bed, "/run/nowhere", &[]);
    bed.wait_address(VIP, true);
    nowhere.signal(Signal::SIGUSR2).unwrap();
    bed.wait_log(
        "Unable to open '/run/nowhere/keepalived.stats' - errno 2 (No such file or directory)",
    );
}

/// Input: `config_save_dir` that does not exist; a reload without a change, one with, a link where
/// the next file goes. Output: each configuration with the state before and after, the names and
/// modes of the real one's; the link is replaced, not followed.
#[test]
fn configurations_are_kept_with_the_state_around_them() {
    if !needs_root() {
        return;
    }
    let config = format!("global_defs {{\n config_save_dir {PLACE}/kept\n}}\n{CONFIG}");
    let bed = Bed::new(&config);
    shell(
        &bed,
        &format!("mkdir {PLACE} && printf old >{PLACE}/precious"),
    );
    let mut daemon = daemon(&bed, PLACE, &[]);
    bed.wait_address(VIP, true);
    let (parent, worker) = (daemon.pid(), bed.pid("vrrp"));
    let kept = |name: String| format!("{PLACE}/kept/{name}");
    let state = |number: u32, when: &str| kept(format!("keepalived_vrrp.{worker}.{number}.{when}"));
    let copy = |number: u32| kept(format!("keepalived.conf.{parent}.{number}"));
    let there = |path: String| {
        let (text, _) = wait_for(SOON, &path, || bed.host.read(&path).ok()).unwrap();
        text
    };
    assert!(there(copy(0)).contains("priority 100"));
    daemon.signal(Signal::SIGHUP).unwrap();
    assert!(there(state(1, "pre")).contains("Priority = 100"));
    assert!(there(state(1, "post")).contains("Priority = 100"));
    assert_eq!(there(copy(1)), there(copy(0)));
    let links = format!(
        "ln -s {PLACE}/precious {} && ln -s {PLACE}/precious {}",
        copy(2),
        state(2, "pre")
    );
    shell(&bed, &links);
    bed.host
        .write(FILE, config.replace("priority 100", "priority 120"))
        .unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    assert!(there(state(2, "post")).contains("Priority = 120"));
    assert!(there(state(2, "pre")).contains("Priority = 100"));
    assert!(there(copy(2)).contains("priority 120"));
    assert_eq!(bed.host.read(format!("{PLACE}/precious")).unwrap(), "old");
    let modes = shell(
        &bed,
        &format!("cd {PLACE}/kept && stat -c '%a %F' * . | sort -u"),
    );
    assert_eq!(modes, "600 regular file\n700 directory\n");
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// Input: `reload_time_file` with a time, without it again, with another one; `reload_file` and a
/// configuration that takes a while to read. Output: the lines of the real one, one reload at its
/// time; the file with the time goes, and the other one is there during the reload alone.
#[test]
fn a_reload_comes_at_its_time_and_shows_itself() {
    if !needs_root() {
        return;
    }
    let config = format!(
        "global_defs {{\n reload_time_file {PLACE}/time\n reload_file {PLACE}/reload\n}}\n\
         include long.conf\n{CONFIG}"
    );
    let bed = Bed::new(&config);
    shell(&bed, &format!("mkdir {PLACE}"));
    let long = "! Nothing is here\n".repeat(30_000);
    bed.host
        .write("/etc/keepalived/long.conf", long.as_str())
        .unwrap();
    let mut daemon = daemon(&bed, PLACE, &[]);
    bed.wait_address(VIP, true);
    shell(&bed, &format!("date -d '+1 hour' +%H:%M:%S >{PLACE}/time"));
    bed.wait_log("Scheduling reload for ");
    shell(&bed, &format!("rm {PLACE}/time"));
    bed.wait_log("Cancelling reload scheduled for ");
    let changed = format!(
        "{}{long}",
        "vrrp_instance VI_2 {\n interface eth0\n virtual_router_id 52\n virtual_ipaddress { 192.0.2.102 }\n}\n"
    );
    bed.host
        .write("/etc/keepalived/long.conf", changed)
        .unwrap();
    shell(
        &bed,
        &format!("date -d '+2 seconds' +%H:%M:%S >{PLACE}/time"),
    );
    let (marker, time) = (format!("{PLACE}/reload"), format!("{PLACE}/time"));
    assert!(bed.host.read(&marker).is_err());
    // The test looks more often than a host's thread can be asked to.
    let root = format!("/proc/{}/root{marker}", daemon.pid());
    let shown = || std::fs::metadata(&root).is_ok();
    wait_until(SOON, "the reload to show itself", shown).unwrap();
    bed.wait_log("(VI_2) Entering BACKUP STATE (init)");
    wait_until(SOON, "the end of the reload", || !shown()).unwrap();
    assert!(bed.host.read(&time).is_err(), "the time is used up");
    let logged = bed.logged();
    let reloads = logged
        .iter()
        .filter(|line| line.ends_with("Keepalived_vrrp: Reloading"));
    assert_eq!(reloads.count(), 1, "{logged:#?}");
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

/// Input: a log file that is moved away, as logrotate does, and a relative `TMPDIR`. Output: the
/// next line makes the file anew, without a signal; files are in /tmp.
#[test]
fn a_log_file_is_rotated_without_a_signal() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    // A /tmp of its own, in which this very binary is still found.
    let folder = Path::new(binary()).parent().unwrap().display();
    let kept = format!("mkdir /run/kept && mount --bind {folder} /run/kept");
    let back = format!("mkdir -p {folder} && mount --bind /run/kept {folder}");
    let tmpfs = "mount -t tmpfs none /tmp";
    shell(&bed, &format!("{kept} && {tmpfs} && {back}"));
    let mut daemon = daemon(&bed, "relative", &["-g", "-G"]);
    bed.wait_address(VIP, true);
    let (log, old) = ("/tmp/keepalived_vrrp.log", "/tmp/keepalived_vrrp.log.1");
    let master = || {
        bed.host
            .read(log)
            .is_ok_and(|text| text.contains("Entering MASTER STATE"))
    };
    wait_until(SOON, "the log", master).unwrap();
    shell(&bed, &format!("mv {log} {old}"));
    daemon.signal(Signal::SIGUSR2).unwrap();
    let anew = || {
        bed.host
            .read(log)
            .is_ok_and(|text| text.contains("Printing VRRP stats"))
    };
    wait_until(SOON, "the new log", anew).unwrap();
    assert!(!bed.host.read(old).unwrap().contains("Printing"));
    let stats = || bed.host.read("/tmp/keepalived.stats").is_ok();
    wait_until(SOON, "the statistics", stats).unwrap();
    assert_eq!(bed.stop(&mut daemon), Some(0));
    assert!(bed.logged().is_empty(), "{:?}", bed.logged());
}

/// Input: the signals of the Prometheus exporters, which look for the file 10 ms later. Output: it
/// is there by then, mostly, where the machine lets the exporter itself look in time.
#[test]
fn reports_are_there_when_exporters_look() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    shell(&bed, &format!("mkdir {PLACE}"));
    let mut daemon = daemon(&bed, PLACE, &[]);
    bed.wait_address(VIP, true);
    let path = format!("/proc/{}/root{PLACE}/keepalived.stats", daemon.pid());
    let (mut fair, mut in_time) = (0, 0);
    for _ in 0..25 {
        daemon.signal(Signal::SIGUSR2).unwrap();
        let asked = Instant::now();
        std::thread::sleep(Duration::from_millis(10)); // The exporters' own wait.
        let punctual = asked.elapsed() < Duration::from_millis(12);
        let there = std::fs::remove_file(&path).is_ok();
        fair += usize::from(punctual);
        in_time += usize::from(punctual && there);
        wait_until(SOON, "no report under way", || {
            shell(&bed, &format!("ls -A {PLACE}")).trim().is_empty()
                || std::fs::remove_file(&path).is_ok()
        })
        .unwrap();
    }
    println!("in time: {in_time} of {fair} where the machine was");
    // Too few to tell is a machine that is too busy for any exporter.
    assert!(fair < 5 || in_time * 2 > fair, "{in_time} of {fair}");
    assert_eq!(bed.stop(&mut daemon), Some(0));
}
