//! Cases while they run: two daemons for each, every stage at the same time for all of them.
//!
//! Owns: a network for each daemon with the servers of its case, the stages, and what was seen
//! after each. Never judges a difference: [`super::differs`] does. Driven by `ground`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::backend::{Backend, Mails};
use super::case::Case;
use super::differs::{Differs, Speaker};
use super::kernel::Ipvs;
use crate::bed::{Context, Error, Result};
use crate::text_diff::differing;

/// Least time for each stage: a check a second, one attempt.
const STAGE: Duration = Duration::from_millis(2_500);
/// Most time for it, on a machine that has other work too.
const PATIENCE: Duration = Duration::from_secs(15);
/// For how long a table has to stay as it is.
const QUIET: Duration = Duration::from_millis(800);
/// The checks' report.
const REPORT: &str = "keepalived_check.data";
/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Where mails go.
const POST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 25);

/// What happens, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Failure,
    Recovery,
    Reload,
    Stop,
}

const STAGES: [Stage; 5] = [
    Stage::Start,
    Stage::Failure,
    Stage::Recovery,
    Stage::Reload,
    Stage::Stop,
];

/// What was seen of one daemon in one stage.
#[derive(Debug, Default)]
struct Seen {
    table: Vec<String>,
    log: BTreeSet<String>,
    /// What the FIFO gave, line by line, without NUL bytes.
    fifo: Vec<Vec<u8>>,
    /// How many NUL bytes it gave: ours writes one behind each line, as 2.4.3; 2.2.7 writes none.
    ends: usize,
    /// What scripts wrote.
    told: Vec<String>,
    /// What the checks' part of it tells of itself when a signal asks.
    report: Vec<String>,
    /// Mails that came.
    mails: Vec<String>,
}

/// A case with what was seen of ours and of the real daemon.
pub(super) struct Outcome {
    pub(super) name: String,
    /// How many servers fail at the same time.
    failing: usize,
    stages: Vec<(Stage, Seen, Seen)>,
    troubles: Vec<String>,
}

/// A daemon with its network.
struct Side {
    case: Case,
    folder: PathBuf,
    network: File,
    ipvs: Ipvs,
    backends: Vec<(SocketAddr, Backend)>,
    /// The mail server, for a case with mails.
    post: Option<(Backend, Mails)>,
    daemon: Child,
    ended: bool,
    log: File,
    fifo: Option<File>,
    told: usize,
    table: Vec<String>,
    /// What it told of itself when it was last asked.
    report: Vec<String>,
    /// How long the log was at the last look.
    logged: u64,
    since: Instant,
}

/// Runs cases at the same time.
pub(super) fn wave(
    cases: &[Case],
    (ours, real): (&Path, &Path),
    scratch: &Path,
    (show, reports): (bool, bool),
) -> Result<Vec<Outcome>> {
    let mut pairs = Vec::new();
    for case in cases {
        let folder = scratch.join(&case.name);
        let first = Side::start(case, ours, folder.join("ours"))?;
        pairs.push((first, Side::start(case, real, folder.join("real"))?));
    }
    let mut outcomes: Vec<Outcome> = cases
        .iter()
        .map(|case| Outcome {
            name: case.name.clone(),
            failing: case.failing.len(),
            stages: Vec::new(),
            troubles: Vec::new(),
        })
        .collect();
    for stage in STAGES {
        for (one, other) in &mut pairs {
            one.begin(stage)?;
            other.begin(stage)?;
        }
        settle(stage, &mut pairs)?;
        if reports && stage != Stage::Stop {
            report(&mut pairs)?;
        }
        for ((one, other), outcome) in pairs.iter_mut().zip(&mut outcomes) {
            let seen = (stage, one.seen()?, other.seen()?);
            if show {
                println!(
                    "{} {stage:?}\nours {:#?}\nreal {:#?}",
                    outcome.name, seen.1, seen.2
                );
            }
            for (who, side) in [("ours", &one), ("real", &other)] {
                if side.ended != (stage == Stage::Stop) {
                    let what = if side.ended {
                        "has ended"
                    } else {
                        "does not end"
                    };
                    outcome.troubles.push(format!("{stage:?}: {who} {what}"));
                }
            }
            outcome.stages.push(seen);
        }
    }
    for (one, other) in &mut pairs {
        one.end()?;
        other.end()?;
    }
    Ok(outcomes)
}

/// Waits until every pair is alike and at rest, or for as long as there is patience.
fn settle(stage: Stage, pairs: &mut [(Side, Side)]) -> Result<()> {
    let begin = Instant::now();
    loop {
        std::thread::sleep(LOOK);
        let mut at_rest = true;
        for (one, other) in pairs.iter_mut() {
            at_rest &= one.look()? & other.look()? && one.table == other.table;
            at_rest &= stage != Stage::Start || one.has_service();
            at_rest &= stage != Stage::Stop || (one.ended && other.ended);
        }
        let passed = begin.elapsed();
        let enough = stage == Stage::Stop || passed >= STAGE;
        if (at_rest && enough) || passed >= PATIENCE {
            return Ok(());
        }
    }
}

/// Asks every daemon for its report, and waits until all of them are there.
fn report(pairs: &mut [(Side, Side)]) -> Result<()> {
    for side in pairs.iter_mut().flat_map(|(one, other)| [one, other]) {
        side.report.clear();
        fs::remove_file(side.folder.join(REPORT)).ok();
        side.signal(Signal::SIGUSR1)?;
    }
    let begin = Instant::now();
    let mut last = Vec::new();
    // The real one writes in place: they are complete when none grows any more.
    while begin.elapsed() < PATIENCE {
        std::thread::sleep(LOOK);
        let sides = pairs.iter().flat_map(|(one, other)| [one, other]);
        let read = |side: &Side| fs::read_to_string(side.folder.join(REPORT)).unwrap_or_default();
        let texts: Vec<String> = sides.map(read).collect();
        let complete = texts.iter().all(|text| !text.is_empty()) && texts == last;
        last = texts;
        if complete {
            break;
        }
    }
    let sides = pairs.iter_mut().flat_map(|(one, other)| [one, other]);
    for (side, text) in sides.zip(last) {
        let folder = side.folder.display().to_string();
        side.report = text
            .replace(&folder, "@DIR@")
            .lines()
            .map(|line| line.replace("/usr/bin/", "/bin/"))
            .map(|line| without_time(&line))
            .collect();
    }
    Ok(())
}

/// Runs `work` in a network.
fn inside<T: Send>(network: &File, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(network, CloneFlags::CLONE_NEWNET).context(|| "setns".to_owned())?;
            work()
        });
        thread
            .join()
            .map_err(|_| Error::new("a thread has panicked"))?
    })
}

/// A new network, with the interfaces and addresses that every case has.
fn network(case: &Case) -> Result<File> {
    let mut lines = "link set lo up\nlink add eth0 type veth peer name eth1\nlink set eth0 up\n\
                     link set eth1 up\naddr add 192.0.2.1/24 dev eth0\n"
        .to_owned();
    let mut addresses: Vec<_> = case.servers.iter().map(SocketAddr::ip).collect();
    addresses.sort();
    addresses.dedup();
    for address in addresses.iter().filter(|address| !address.is_loopback()) {
        lines += &format!(
            "addr add {address} dev lo{}\n",
            if address.is_ipv6() { " nodad" } else { "" }
        );
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).context(|| "unshare".to_owned())?;
            let mut batch = Command::new("ip")
                .args(["-batch", "-"])
                .stdin(Stdio::piped())
                .spawn()
                .context(|| "ip".to_owned())?;
            if let Some(mut stdin) = batch.stdin.take() {
                std::io::Write::write_all(&mut stdin, lines.as_bytes())?;
            }
            if !batch.wait()?.success() {
                return Err(Error::new(format!("ip refuses\n{lines}")));
            }
            Ok(File::open("/proc/thread-self/ns/net")?)
        });
        thread
            .join()
            .map_err(|_| Error::new("a thread has panicked"))?
    })
}

fn listen(case: &Case, servers: &[SocketAddr]) -> Result<Vec<(SocketAddr, Backend)>> {
    let backend = |server: &SocketAddr| Ok((*server, Backend::start(case.kind(server), *server)?));
    servers.iter().map(backend).collect()
}

/// Takes addresses away from the loopback interface, or puts them back.
fn addresses(verb: &str, addresses: &[IpAddr]) -> Result<()> {
    for address in addresses {
        let address = format!("{address}/{}", if address.is_ipv6() { 128 } else { 32 });
        let mut command = Command::new("ip");
        command.args(["addr", verb, &address, "dev", "lo"]);
        if !command.status()?.success() {
            return Err(Error::new(format!("ip addr {verb} {address}")));
        }
    }
    Ok(())
}

impl Side {
    fn start(case: &Case, daemon: &Path, folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        let network = network(case)?;
        let words = [
            "-n", "-l", "-G", "-D", "-f", "k.conf", "-p", "k.pid", "-c", "c.pid", "-r", "v.pid",
            "-b", "b.pid",
        ];
        let words = words.map(|word| match word.split_once('.') {
            Some(_) => folder.join(word).display().to_string(),
            None => word.to_owned(),
        });
        configure(&folder, &case.first)?;
        let log = File::create(folder.join("log"))?;
        let (output, errors) = (log.try_clone()?, log.try_clone()?);
        let (ipvs, backends, post, daemon) = inside(&network, || {
            let ipvs = Ipvs::open()?;
            let backends = listen(case, &case.servers)?;
            let post = case.mails.then(|| Backend::post(POST)).transpose()?;
            let daemon = Command::new(daemon)
                .args(words)
                .args(&case.flags)
                .env("TMPDIR", &folder)
                // At its stop the real daemon kills its process group.
                .process_group(0)
                .stdin(Stdio::null())
                .stdout(output)
                .stderr(errors)
                .spawn()
                .context(|| daemon.display().to_string())?;
            Ok((ipvs, backends, post, daemon))
        })?;
        Ok(Self {
            case: case.clone(),
            network,
            ipvs,
            backends,
            post,
            daemon,
            ended: false,
            log: File::open(folder.join("log"))?,
            folder,
            fifo: None,
            told: 0,
            table: Vec::new(),
            report: Vec::new(),
            logged: 0,
            since: Instant::now(),
        })
    }

    fn begin(&mut self, stage: Stage) -> Result<()> {
        let failing = self.case.failing.clone();
        match stage {
            Stage::Start => {}
            Stage::Failure => {
                self.backends
                    .retain(|(server, _)| !failing.contains(server));
                inside(&self.network, || addresses("del", &self.case.away))?;
            }
            Stage::Recovery => {
                let again = inside(&self.network, || {
                    addresses("add", &self.case.away)?;
                    listen(&self.case, &failing)
                })?;
                self.backends.extend(again);
            }
            Stage::Reload => {
                configure(&self.folder, &self.case.second)?;
                self.signal(Signal::SIGHUP)?;
            }
            Stage::Stop => self.signal(Signal::SIGTERM)?,
        }
        self.since = Instant::now();
        Ok(())
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.daemon.id()).map_err(|error| Error::new(error.to_string()))?;
        if self.daemon.try_wait()?.is_none() {
            kill(Pid::from_raw(pid), signal)?;
        }
        Ok(())
    }

    /// Looks at the table; whether it has been as it is for long enough.
    fn look(&mut self) -> Result<bool> {
        self.ended = self.daemon.try_wait()?.is_some();
        if self.fifo.is_none() {
            let options = nix::libc::O_NONBLOCK;
            let path = self.folder.join("fifo");
            self.fifo = File::options()
                .read(true)
                .custom_flags(options)
                .open(path)
                .ok();
        }
        let (table, logged) = (self.ipvs.lines()?, self.log.metadata()?.len());
        if table != self.table || logged != self.logged {
            (self.table, self.logged) = (table, logged);
            self.since = Instant::now();
        }
        Ok(self.since.elapsed() >= QUIET)
    }

    /// Whether a service is there.
    fn has_service(&self) -> bool {
        self.table.iter().any(|line| line.starts_with("service"))
    }

    /// What is new since this was last asked.
    fn seen(&mut self) -> Result<Seen> {
        let mut log = String::new();
        let at = self.log.stream_position()?;
        self.log.read_to_string(&mut log)?;
        // A line that is being written belongs to the next stage.
        let whole = log.rfind('\n').map_or(0, |end| end + 1);
        self.log
            .seek(SeekFrom::Start(at + u64::try_from(whole).unwrap_or(0)))?;
        let folder = self.folder.display().to_string();
        let lines = log.get(..whole).unwrap_or_default().lines();
        let mut bytes = Vec::new();
        if let Some(fifo) = &mut self.fifo {
            // It ends with "would block", or with the end of the file when nobody writes.
            fifo.read_to_end(&mut bytes).ok();
        }
        let ends = bytes.iter().filter(|byte| **byte == 0).count();
        bytes.retain(|byte| *byte != 0);
        let mut fifo: Vec<Vec<u8>> = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        fifo.sort();
        let told = fs::read_to_string(self.folder.join("told")).unwrap_or_default();
        let mut new: Vec<String> = told.lines().skip(self.told).map(str::to_owned).collect();
        self.told += new.len();
        new.sort();
        Ok(Seen {
            table: self.table.clone(),
            log: lines
                .map(text_of)
                // The rest of a long line.
                .filter(|text| !text.starts_with(' ') && !text.starts_with("Printing "))
                .map(|text| text.replace(&folder, "@DIR@"))
                .collect(),
            fifo,
            ends,
            told: new,
            report: std::mem::take(&mut self.report),
            mails: self.mails(),
        })
    }

    /// Mails that have come since this was last asked, in the order of their texts.
    fn mails(&mut self) -> Vec<String> {
        let kept = self.post.as_ref().and_then(|(_, mails)| mails.lock().ok());
        let mut mails = kept.map_or_else(Vec::new, |mut kept| std::mem::take(&mut *kept));
        mails.sort();
        mails
    }

    fn end(&mut self) -> Result<()> {
        if self.daemon.try_wait()?.is_none() {
            self.signal(Signal::SIGKILL)?;
            self.daemon.wait()?;
        }
        Ok(())
    }
}

fn configure(folder: &Path, text: &str) -> Result<()> {
    let text = text.replace("@DIR@", &folder.display().to_string());
    Ok(fs::write(folder.join("k.conf"), text)?)
}

/// A line of the log without its time: `Fri Nov 27 23:48:07 2026: text`.
fn text_of(line: &str) -> &str {
    match line.get(..24).zip(line.get(24..)) {
        Some((_, rest)) => rest.strip_prefix(": ").unwrap_or(line),
        None => line,
    }
}

/// A line of a report without when that was, unless it was never.
fn without_time(line: &str) -> String {
    match line.strip_prefix("   Last ran = ") {
        Some(when) if !when.starts_with("0.") => "   Last ran = N".to_owned(),
        Some(_) | None => line.to_owned(),
    }
}

/// The lines of `one` that the other has not.
fn only(one: &[String], other: &[String]) -> Vec<String> {
    let new = one.iter().filter(|line| !other.contains(line));
    new.cloned().collect()
}

/// The lines of both reports that differ, but for those that may.
fn told_apart(case: &str, ours: &Seen, real: &Seen, differs: &mut Differs) -> Vec<String> {
    let found = differing(&ours.report, &real.report).into_iter();
    let found = found.filter(|(who, line)| !differs.allows(*who, case, &format!("report {line}")));
    found
        .map(|(who, line)| match who {
            Speaker::Ours => format!("  ours {line}"),
            Speaker::Real => format!("  real {line}"),
        })
        .collect()
}

impl Outcome {
    /// What is wrong with it, as lines; nothing if all is well.
    pub(super) fn wrong(&self, differs: &mut Differs) -> Vec<String> {
        let mut wrong = self.troubles.clone();
        for (stage, ours, real) in &self.stages {
            let mut say = |what: &str, ours: &dyn std::fmt::Debug, real: &dyn std::fmt::Debug| {
                wrong.push(format!(
                    "{stage:?}: {what}\n          ours {ours:?}\n          real {real:?}"
                ));
            };
            let mut left = only(&ours.table, &real.table);
            let mut right = only(&real.table, &ours.table);
            let in_order = !left.is_empty() || !right.is_empty() || ours.table == real.table;
            left.retain(|line| !differs.allows(Speaker::Ours, &self.name, line));
            right.retain(|line| !differs.allows(Speaker::Real, &self.name, line));
            if !left.is_empty() || !right.is_empty() {
                say("the table", &left, &right);
            }
            // Of servers that come back together either may be first.
            if !in_order && self.failing < 2 {
                say("the order of the table", &ours.table, &real.table);
            }
            let report = told_apart(&self.name, ours, real, differs);
            if !report.is_empty() {
                wrong.push(format!("{stage:?}: {REPORT}"));
                wrong.extend(report);
            }
            let mut say = |what: &str, ours: &dyn std::fmt::Debug, real: &dyn std::fmt::Debug| {
                wrong.push(format!(
                    "{stage:?}: {what}\n          ours {ours:?}\n          real {real:?}"
                ));
            };
            if ours.fifo != real.fifo {
                let text = |seen: &Seen| -> Vec<String> {
                    seen.fifo
                        .iter()
                        .map(|line| String::from_utf8_lossy(line).into_owned())
                        .collect()
                };
                say("the FIFO", &text(ours), &text(real));
            }
            if ours.ends != ours.fifo.len() {
                say(
                    "NUL bytes behind the lines of the FIFO",
                    &ours.ends,
                    &ours.fifo.len(),
                );
            }
            // At its stop the real daemon ends scripts that still run.
            let told = match stage {
                Stage::Stop => only(&real.told, &ours.told).is_empty(),
                Stage::Start | Stage::Failure | Stage::Recovery | Stage::Reload => {
                    ours.told == real.told
                }
            };
            if !told {
                say("scripts", &ours.told, &real.told);
            }
            let mut mails = (ours.mails.clone(), real.mails.clone());
            mails
                .0
                .retain(|mail| !differs.allows(Speaker::Ours, &self.name, mail));
            mails
                .1
                .retain(|mail| !differs.allows(Speaker::Real, &self.name, mail));
            // At its stop the real daemon does not wait for its mails.
            let mailed = match stage {
                Stage::Stop => only(&mails.1, &mails.0).is_empty(),
                Stage::Start | Stage::Failure | Stage::Recovery | Stage::Reload => {
                    mails.0 == mails.1
                }
            };
            if !mailed {
                say("mails", &mails.0, &mails.1);
            }
            for (who, one, other) in [(Speaker::Ours, ours, real), (Speaker::Real, real, ours)] {
                for line in one.log.difference(&other.log) {
                    if !differs.allows(who, &self.name, line) {
                        wrong.push(format!("{stage:?}: only {who:?} says: {line}"));
                    }
                }
            }
        }
        // A case in which nothing happens shows nothing.
        let tables: BTreeSet<&Vec<String>> =
            self.stages.iter().map(|(_, _, real)| &real.table).collect();
        if tables.len() < 2 {
            wrong.push("the table of the real daemon never changes".to_owned());
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: lines with and without a time.
    #[test]
    fn the_time_of_a_line_is_left_out() {
        assert_eq!(text_of("Fri Nov 27 23:48:07 2026: Stopping"), "Stopping");
        assert_eq!(
            text_of("panicked at somewhere in the daemon"),
            "panicked at somewhere in the daemon"
        );
    }
}
