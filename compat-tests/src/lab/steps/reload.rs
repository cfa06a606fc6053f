//! Reload: a changed weight, and a file that cannot be meant.
//!
//! Owns the steps about SIGHUP, sent directly where it is timed, else through the init script. Driven by [`super::all`].

use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};

use super::super::director::{CONFIG, VIP};
use super::super::mysql::Session;
use super::{BOTH, Context, Error, Lab, PATIENCE, Result, Seen, Step, check, passed, texts};
use crate::bed::{Arp, Frame, wait_for, wait_until};

/// Longest that a reload of a small file may take.
const RELOAD: Duration = Duration::from_secs(1);
/// How long to look whether something happens that must not.
const QUIET: Duration = Duration::from_secs(2);

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "HUP with a changed weight: edited in place, an open connection survives",
        expected: "weight of .238 5 instead of 3, nothing removed, open connections still counted, the client's connection the same, VIP and \
            master undisturbed",
        run: changed_weight,
    },
    Step {
        name: "HUP without a change: nothing changes, nothing is sent",
        expected: "the same table and VIP; no gratuitous ARP, adverts at their usual times only",
        run: no_change,
    },
    Step {
        name: "HUP with a broken file: refused with the line, nothing changes",
        expected: "a log line with the place and that the running configuration stays; table, VIP and processes as before",
        run: broken_file,
    },
];

fn changed_weight(lab: &mut Lab) -> Result<Seen> {
    let master = &lab.town.master;
    let mut session = Session::open(&lab.town.client, &VIP.to_string())?;
    let before = session.row("select connection_id()")?;
    let counted = connections(&master.table()?);
    let file = with_weight(&lab.configs[0], 5)?;
    let start = hang_up(lab, file)?;
    let mut gone = false;
    wait_until(PATIENCE, "weight 5 in the table", || {
        let servers = master.servers();
        gone |= !servers.iter().any(|(host, _)| *host == 238);
        servers == [(233, 3), (238, 5)]
    })?;
    let edited = lab.timing(
        "HUP to the new weight in the kernel",
        start,
        SystemTime::now(),
        RELOAD,
    );
    lab.expect_table(master, &[(233, 3), (238, 5)])?;
    let after = session.row("select connection_id()")?;
    check(before == after, || {
        format!("connection {before} became {after}")
    })?;
    let kept = connections(&master.table()?);
    check(counted > 0 && kept == counted, || {
        format!("{counted} open connections before, {kept} after")
    })?;
    let removed = master
        .log
        .since(start)
        .into_iter()
        .find(|line| line.text.starts_with("Removing service"));
    check(removed.is_none() && !gone, || {
        "a service was removed".to_owned()
    })?;
    undisturbed(lab, start)?;
    Ok(Seen::new(format!(
        "connection {after} went on, {kept} still open by the table"
    ))
    .with(edited))
}

fn no_change(lab: &mut Lab) -> Result<Seen> {
    let master = &lab.town.master;
    // A master announces itself once more 5 s after it became one; that is not what this is about.
    wait_until(PATIENCE, "the last announcement to be over", || {
        announcements(lab, SystemTime::now() - Duration::from_secs(6)) == 0
    })?;
    let table = master.table()?;
    let start = SystemTime::now();
    let said = master.must("reload")?;
    check(said.ends_with("[  OK  ]\n"), || {
        format!("reload printed “{said}”")
    })?;
    undisturbed(lab, start)?;
    check(master.table()? == table, || {
        "the table has changed".to_owned()
    })?;
    let count = announcements(lab, start);
    check(count == 0, || format!("{count} gratuitous ARPs"))?;
    let adverts: Vec<SystemTime> = lab
        .town
        .wire
        .since(start - Duration::from_secs(2))
        .iter()
        .filter(|frame| frame.packet().advert().is_some())
        .map(|frame| frame.at)
        .collect();
    let gaps: Vec<Duration> = adverts
        .windows(2)
        .map(|pair| passed(pair[0], pair[1]))
        .collect();
    let shortest = gaps.iter().min().copied().unwrap_or_default();
    check(shortest > Duration::from_millis(800), || {
        format!("adverts {gaps:?} apart")
    })?;
    Ok(Seen::new(format!(
        "no ARP; {} adverts, at least {:.3} s apart",
        adverts.len(),
        shortest.as_secs_f64()
    )))
}

/// Gratuitous ARPs for the VIP at the client since `from`.
fn announcements(lab: &Lab, from: SystemTime) -> usize {
    let frames = lab.town.wire.since(from);
    let gratuitous = |frame: &&Frame| frame.packet().arp().is_some_and(Arp::is_gratuitous);
    frames.iter().filter(gratuitous).count()
}

fn broken_file(lab: &mut Lab) -> Result<Seen> {
    let master = &lab.town.master;
    let workers = master.workers()?;
    // The brace that closes virtual_ipaddress is missing, and something else is changed besides.
    let file = with_weight(&lab.configs[0], 7)?;
    let at = file
        .find("virtual_ipaddress")
        .and_then(|from| Some(from + file[from..].find('}')?));
    let at = at.ok_or_else(|| Error::new("the configuration has no virtual_ipaddress"))?;
    let file = [&file[..at], &file[at + 1..]].concat();
    let start = hang_up(lab, file)?;
    let found = wait_for(PATIENCE, "the refusal in the log", || refusal(lab, start));
    let (refused, _) = found.context(|| texts::say(&master.log.since(start)))?;
    let told = lab.timing("HUP to the log line", start, SystemTime::now(), RELOAD);
    undisturbed(lab, start)?;
    check(master.servers() == BOTH, || {
        format!("the table became {:?}", master.servers())
    })?;
    check(master.workers()? == workers, || {
        "other processes run now".to_owned()
    })?;
    Ok(Seen::new(refused).with(told))
}

/// Gives the master another file and sends the signal itself, as a time is counted from it.
fn hang_up(lab: &Lab, file: String) -> Result<SystemTime> {
    let master = &lab.town.master;
    master.host.write(CONFIG, file)?;
    let start = SystemTime::now();
    kill(master.parent()?, Signal::SIGHUP)?;
    Ok(start)
}

/// Where the log says that the file is broken, in the same line that says that it is refused.
fn refusal(lab: &Lab, from: SystemTime) -> Option<String> {
    let names_a_line = |text: &str| {
        let rest = text.split_once("Line ").map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    };
    let log = lab.town.master.log.since(from);
    let refused = log
        .iter()
        .find(|line| line.text.contains("running configuration") && names_a_line(&line.text))?;
    Some(format!("{}: {}", refused.ident, refused.text))
}

/// For a while: the master keeps the VIP, nobody resigns, nobody else announces it.
fn undisturbed(lab: &Lab, from: SystemTime) -> Result<()> {
    let (master, backup) = (&lab.town.master, &lab.town.backup);
    let end = from + QUIET;
    while SystemTime::now() < end {
        check(master.has_vip(), || "LVS_Master lost the VIP".to_owned())?;
        check(!backup.has_vip(), || "LVS_Backup took the VIP".to_owned())?;
        std::thread::sleep(Duration::from_millis(20));
    }
    let frames = lab.town.wire.since(from);
    let resigned = frames.iter().any(|frame| {
        frame
            .packet()
            .advert()
            .is_some_and(|advert| advert.priority == 0)
    });
    check(!resigned, || {
        "an advert with priority 0 was sent".to_owned()
    })
}

/// The configuration with another weight for MySQL2.
fn with_weight(config: &str, weight: u32) -> Result<String> {
    let digit = config.find("real_server").and_then(|_| {
        let server = config.find("182.148.15.238")?;
        let word = server + config[server..].find("weight")?;
        Some(word + config[word..].find('3')?)
    });
    let digit = digit.ok_or_else(|| Error::new("the configuration has no weight 3 for .238"))?;
    Ok(format!(
        "{}{weight}{}",
        &config[..digit],
        &config[digit + 1..]
    ))
}

/// Connections that are open by a table, from `ipvsadm -ln`.
fn connections(table: &str) -> u64 {
    let servers = table
        .lines()
        .filter(|line| line.trim_start().starts_with("-> 182."));
    servers
        .filter_map(|line| line.split_whitespace().nth(4)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input: a file with blanks of either kind. Output: only MySQL2's weight differs.
    #[test]
    fn one_weight_is_changed() {
        let file = "real_server 182.148.15.233 3306 {\n weight\u{a0}3 ##权重\n}\n\
            real_server\u{a0}182.148.15.238 3306 {\n weight\u{a0}3\n}\n";
        let changed = with_weight(file, 5).unwrap();
        assert_eq!(changed, file.replace("weight\u{a0}3\n", "weight\u{a0}5\n"));
    }
}
