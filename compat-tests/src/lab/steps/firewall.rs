//! The document's firewall rules, what happens without them, and the end.
//!
//! Owns the steps that put rules into the directors' kernels, and takes them out again. Driven by
//! [`super::all`].

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::super::table;
use super::{Error, Lab, PATIENCE, Result, Seen, Step, check, texts};
use crate::bed::{Host, wait_until};

/// Longer than any master-down time: two masters would show by then.
const LONG_ENOUGH: Duration = Duration::from_secs(5);

/// The document's three rules among the ones that stand in every CentOS 6 machine's file. Two
/// differences: INVALID is accepted too, since with direct routing a director sees only one
/// direction of a connection, so that conntrack takes a client's FIN for invalid; and `-p 112`
/// stands for `-p vrrp`, which needs a name list that a small machine may lack.
const DOCUMENT: &str = "*filter\n\
    :INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -m state --state ESTABLISHED,RELATED,INVALID -j ACCEPT\n\
    -A INPUT -p icmp -j ACCEPT\n\
    -A INPUT -i lo -j ACCEPT\n\
    -A INPUT -s 182.148.15.0/24 -d 224.0.0.18 -j ACCEPT\n\
    -A INPUT -s 182.148.15.0/24 -p 112 -j ACCEPT\n\
    -A INPUT -m state --state NEW -m tcp -p tcp --dport 3306 -j ACCEPT\n\
    -A INPUT -j DROP\n\
    COMMIT\n";

const BLOCKED: &str = "*filter\n\
    :INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
    -A INPUT -p 112 -j DROP\n\
    COMMIT\n";

const OPEN: &str =
    "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "iptables rules of the document: still one master",
        expected: "VIP on LVS_Master alone for longer than the master-down time, adverts from it alone, queries work",
        run: rules,
    },
    Step {
        name: "protocol 112 blocked: the log says that no peer has ever been heard",
        expected: "both directors are master, and LVS_Backup's log says that it has never heard a peer",
        run: blocked,
    },
    Step {
        name: "both directors stop: nothing is left",
        expected: "no VIP, no service, no process, no pid file on either",
        run: end,
    },
];

fn rules(lab: &mut Lab) -> Result<Seen> {
    with_rules(lab, DOCUMENT, |lab| {
        let start = SystemTime::now();
        while SystemTime::now() < start + LONG_ENOUGH {
            check(lab.town.master.has_vip(), || {
                "LVS_Master lost the VIP".to_owned()
            })?;
            check(!lab.town.backup.has_vip(), || {
                "LVS_Backup took the VIP".to_owned()
            })?;
            std::thread::sleep(Duration::from_millis(50));
        }
        let rows = lab
            .town
            .query("select count(*) from huanqiu.haha where id < 24")?;
        check(rows.parse::<usize>().is_ok_and(|rows| rows >= 4), || {
            format!("a query said “{rows}”")
        })?;
        let frames = lab.town.wire.since(start);
        let adverts: Vec<[u8; 6]> = frames
            .iter()
            .map(crate::bed::Frame::packet)
            .filter(|packet| packet.advert().is_some())
            .map(|packet| packet.source_mac)
            .collect();
        check(
            adverts.iter().all(|mac| *mac == lab.town.master.mac),
            || "LVS_Backup sent an advert".to_owned(),
        )?;
        Ok(Seen::new(format!(
            "{} adverts, all from LVS_Master; a query through the VIP works",
            adverts.len()
        )))
    })
}

fn blocked(lab: &mut Lab) -> Result<Seen> {
    with_rules(lab, BLOCKED, |lab| {
        let start = SystemTime::now();
        for director in lab.town.directors() {
            director.must("restart")?;
        }
        wait_until(PATIENCE, "two masters", || {
            lab.town
                .directors()
                .iter()
                .all(|director| director.has_vip())
        })?;
        let heard = || {
            lab.town
                .backup
                .log
                .since(start)
                .into_iter()
                .find(|line| texts::is_deaf(&line.text))
        };
        if wait_until(LONG_ENOUGH, "the log line", || heard().is_some()).is_err() {
            return Err(Error::new(texts::say(&lab.town.backup.log.since(start))));
        }
        let line = heard()
            .map(|line| format!("{}: {}", line.ident, line.text))
            .unwrap_or_default();
        Ok(Seen::new(format!("two masters; {line}")))
    })
}

fn end(lab: &mut Lab) -> Result<Seen> {
    for director in lab.town.directors() {
        director.must("stop")?;
        let name = director.host.name();
        check(!director.has_vip(), || {
            format!("{name} still holds the VIP")
        })?;
        let left = director.table()?;
        check(table::printed(&left) == table::HEADER, || {
            format!("{name}:\n{left}")
        })?;
        wait_until(PATIENCE, "the daemon's processes to end", || {
            director.host.processes().is_empty()
        })?;
        let status = director.service("status")?;
        check(status.code == 3, || {
            format!("{name}: status {} {}", status.code, status.stdout)
        })?;
    }
    Ok(Seen::new(
        "no VIP, no service, no process; status says “keepalived is stopped”",
    ))
}

/// Runs a step with these rules on both directors, and takes them away whatever it gives.
fn with_rules(lab: &Lab, rules: &str, step: impl FnOnce(&Lab) -> Result<Seen>) -> Result<Seen> {
    for director in lab.town.directors() {
        load(&director.host, rules)?;
    }
    let result = step(lab);
    for director in lab.town.directors() {
        load(&director.host, OPEN)?;
    }
    result
}

fn load(host: &Host, rules: &str) -> Result<()> {
    // User-mode Linux has only the old kernel interface of iptables.
    let legacy = Path::new("/usr/sbin/iptables-legacy-restore");
    let program = if legacy.exists() {
        "/usr/sbin/iptables-legacy-restore"
    } else {
        "iptables-restore"
    };
    host.run_with_input(&[program], rules)?
        .stdout_if_ok(program)
        .map(drop)
}
