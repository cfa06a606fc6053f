//! The reports of the real daemon beside ours, line by line, for the same configurations.
//!
//! Both run on hosts of the same kind, get the same signals, and what they write is compared in
//! order, once times, descriptors and the like are out of the way. Each kind of line that differs
//! stands in cases/reports-differ.txt with the reason; one that is not needed any more fails as
//! well. Services need IPVS: where the kernel has none, their part runs in user-mode Linux.
//! Needs `KEEPALIVED_REAL` and root.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use compat_tests::bed::{Host, needs_root, wait_until};
use compat_tests::cases::{Case, MAIN};
use compat_tests::reports::in_user_mode;
use nix::sys::signal::Signal;

const SOON: Duration = Duration::from_secs(20);

fn real() -> Option<String> {
    let path = std::env::var("KEEPALIVED_REAL").ok();
    if path.is_none() {
        println!("skipped: KEEPALIVED_REAL is not set");
    }
    path.filter(|_| needs_root())
}

fn ours() -> PathBuf {
    if let Ok(path) = std::env::var("KEEPALIVED") {
        return path.into();
    }
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().join("keepalived")
}

/// The host that the configurations are about.
fn host() -> Host {
    let host = Host::new("node1").unwrap();
    host.ip_batch(
        "link add eth0 type veth peer name far0\nlink add eth1 type veth peer name far1\n\
         addr add 192.0.2.250/24 dev eth0\naddr add 198.51.100.250/24 dev eth1\n\
         link set eth0 up\nlink set eth1 up\nlink set far0 up\nlink set far1 up\n",
    )
    .unwrap();
    host
}

/// Runs a daemon with VRRP alone and returns its data, statistics and JSON.
fn reports(program: &Path, config: &str) -> Vec<(&'static str, String)> {
    let host = host();
    host.write("/etc/keepalived/keepalived.conf", config)
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command
        .args(["-n", "-l", "-P"])
        .env("TMPDIR", directory.path())
        .stdin(Stdio::null())
        .stderr(fs::File::create(directory.path().join("log")).unwrap());
    let mut daemon = host.spawn(command).unwrap();
    let started = || {
        let pid = host.read("/run/vrrp.pid").unwrap_or_default();
        listens(pid.trim())
    };
    if let Err(error) = wait_until(SOON, "the start", started) {
        let log = fs::read_to_string(directory.path().join("log"));
        panic!("{}: {error}\n{config}\n{}", program.display(), log.unwrap());
    }
    let number = host
        .run(&[program.to_str().unwrap(), "--signum=JSON"])
        .unwrap();
    let number = format!("-{}", number.stdout.trim());
    let found = |name: &str| {
        let text = fs::read_to_string(directory.path().join(name)).unwrap_or_default();
        let umask =
            name.ends_with("data") && !text.contains("< Interfaces >") && !name.contains("parent");
        (!text.is_empty() && !umask).then_some(text)
    };
    let names = [
        "keepalived.data",
        "keepalived_parent.data",
        "keepalived.stats",
        "keepalived.json",
    ];
    // Signals that come before the daemon listens are lost, or end it.
    let all = || {
        daemon.signal(Signal::SIGUSR1).unwrap();
        daemon.signal(Signal::SIGUSR2).unwrap();
        let pid = daemon.pid().to_string();
        host.must(&["kill", &number, &pid]).unwrap();
        names.iter().all(|name| found(name).is_some())
    };
    wait_until(SOON, "reports", all).unwrap();
    let texts = names
        .iter()
        .map(|&name| (name, found(name).unwrap()))
        .collect();
    daemon.signal(Signal::SIGTERM).unwrap();
    drop(daemon.wait(SOON));
    texts
}

/// Whether a process handles USR1, or has it blocked to read it; before, it would end it.
fn listens(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let usr1 = 1u64 << (Signal::SIGUSR1 as u32 - 1);
    ["SigCgt:", "SigBlk:"].iter().any(|name| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & usr1 != 0)
    })
}

/// What depends on the moment, the host or the process, as one letter.
fn normal(line: &str) -> String {
    let line = line.replace("/usr/bin/", "/bin/");
    let trimmed = line.trim_start();
    for (start, rest) in [
        ("Last transition = ", "T"),
        ("Read timeout = ", "T"),
        ("Master down timer = ", "N"),
        ("index = ", "N"),
        ("MAC = ", "M"),
        ("IPv6 address = ", "A"),
        ("fd_in ", "N"),
        ("Sent: ", "N"),
    ] {
        if trimmed.starts_with(start) {
            return format!("{}{start}{rest}", &line[..line.len() - trimmed.len()]);
        }
    }
    line
}

/// JSON with a line for each field.
fn lines(name: &str, text: &str) -> Vec<String> {
    if !name.ends_with("json") {
        return text.lines().map(normal).collect();
    }
    let broken = text
        .replace(",\"", ",\n\"")
        .replace("{\"", "{\n\"")
        .replace("\\/usr\\/bin\\/", "\\/bin\\/");
    let volatile = ["\"last_transition\":", "\"advert_sent\":"];
    broken
        .lines()
        .filter(|line| !volatile.iter().any(|field| line.starts_with(field)))
        .map(str::to_owned)
        .collect()
}

/// The lines that only one of the two has, `-` for the real one's, by their longest common
/// subsequence.
fn diff(real: &[String], ours: &[String]) -> Vec<String> {
    let (n, m) = (real.len(), ours.len());
    let mut common = vec![vec![0u32; m + 1]; n + 1];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            common[i][j] = if real[i] == ours[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < n || j < m {
        if i < n && j < m && real[i] == ours[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == m || (i < n && common[i + 1][j] >= common[i][j + 1]) {
            out.push(format!("- {}", real[i].trim()));
            i += 1;
        } else {
            out.push(format!("+ {}", ours[j].trim()));
            j += 1;
        }
    }
    out
}

/// cases/reports-differ.txt: lines that begin with a pattern may differ, for the reason after
/// the bar.
fn excuses() -> Vec<String> {
    let path = format!("{}/cases/reports-differ.txt", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (pattern, reason) = line.split_once(" | ").expect("a reason");
            assert!(!reason.is_empty());
            pattern.to_owned()
        })
        .collect()
}

/// Complains of differences that nothing excuses, and returns the excuses that were needed.
fn judge(found: Vec<(String, Vec<String>)>, excuses: &[String]) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (place, lines) in found {
        for line in lines {
            match excuses
                .iter()
                .find(|excuse| line.starts_with(excuse.as_str()))
            {
                Some(excuse) => drop(used.insert(excuse.clone())),
                None => wrong.push(format!("{place}: {line}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    used
}

fn config_of(case: &Case) -> String {
    // Blanks of web pages are letters to the real one.
    fs::read_to_string(case.directory.join(MAIN))
        .unwrap()
        .replace('\u{a0}', " ")
}

/// Cases with VRRP, that both daemons run.
fn vrrp_cases() -> Vec<Case> {
    ["reports", "config", "lab"]
        .iter()
        .flat_map(|group| Case::all(group))
        .filter(|case| {
            case.directory.join(MAIN).is_file() && config_of(case).contains("vrrp_instance")
        })
        .collect()
}

/// Cases with services; a few, because each takes its time in user-mode Linux.
fn service_cases() -> Vec<Case> {
    const NAMES: [&str; 3] = ["services", "defaults", "director-master"];
    let all = ["reports", "config", "lab"]
        .iter()
        .flat_map(|group| Case::all(group));
    all.filter(|case| NAMES.contains(&case.name.as_str()))
        .collect()
}

#[test]
fn the_reports_of_vrrp_are_the_real_ones() {
    let Some(real) = real() else {
        return;
    };
    let mut found = Vec::new();
    for case in vrrp_cases() {
        let config = config_of(&case);
        let theirs = reports(Path::new(&real), &config);
        let ours = reports(&ours(), &config);
        for ((name, theirs), (_, ours)) in theirs.iter().zip(&ours) {
            let place = format!("{}/{name}", case.name);
            found.push((place, diff(&lines(name, theirs), &lines(name, ours))));
        }
    }
    assert!(found.len() >= 12 * 4 / 3, "{} reports", found.len());
    judge(found, &excuses());
}

/// Runs both daemons with the checks alone over each case, and keeps what they write.
const SCRIPT: &str = r#"
for case in "$@"; do for who in real ours; do
    program=$REAL; [ $who = ours ] && program=$OURS
    dir=$OUT/$(basename "$case").$who; mkdir -p "$dir/tmp"
    TMPDIR=$dir/tmp "$program" -n -C -f "$case/keepalived.conf" >"$dir/log" 2>&1 </dev/null &
    pid=$!
    for i in $(seq 60); do
        sleep 1
        [ -s /run/checkers.pid ] && [ $i -gt 3 ] && kill -USR1 $pid 2>/dev/null
        [[ -s $dir/tmp/keepalived_check.data && $(<"$dir/tmp/keepalived_check.data") == *"< Health checkers"* ]] && break
    done
    kill $pid; wait $pid; rm -f /run/*.pid
done; done
"#;

#[test]
fn the_reports_of_services_are_the_real_ones() {
    let Some(real) = real() else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let cases = service_cases();
    let mut words = vec![
        "env".to_owned(),
        format!("REAL={real}"),
        format!("OURS={}", ours().display()),
        format!("OUT={}", scratch.path().display()),
        "bash".to_owned(),
        scratch.path().join("script").display().to_string(),
    ];
    fs::write(scratch.path().join("script"), SCRIPT).unwrap();
    for case in &cases {
        let copy = scratch.path().join(&case.name);
        fs::create_dir(&copy).unwrap();
        fs::write(copy.join(MAIN), config_of(case)).unwrap();
        words.push(copy.display().to_string());
    }
    in_user_mode(scratch.path(), &words).unwrap();
    let read = |case: &Case, who: &str| {
        let name = format!("{}.{who}/tmp/keepalived_check.data", case.name);
        let path = scratch.path().join(&name);
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        lines("data", &text)
    };
    let found = cases.iter().map(|case| {
        let lines = diff(&read(case, "real"), &read(case, "ours"));
        (case.name.clone(), lines)
    });
    judge(found.collect(), &excuses());
}
