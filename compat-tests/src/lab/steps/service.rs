//! Queries through the VIP, and a MySQL server that goes and comes.
//!
//! Owns the steps about clients and real servers. Driven by [`super::all`].

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::super::director::VIP;
use super::super::mysql::query;
use super::super::town::{CLIENTS, MYSQL_MACS};
use super::{BOTH, Lab, PATIENCE, Result, Seen, Step, check, texts};
use crate::bed::wait_until;

/// The document's rows.
const ROWS: &str = "1\twangshibo\n2\tguohuihui\n22\thuihui\n23\tbobo";
/// Until a dead server is noticed: a whole delay_loop, then three retries, each after
/// delay_before_retry; a refused connection itself takes no time.
const LOST: Duration = Duration::from_millis((6 + 3 * 3) * 1000 + 500);
/// Until a live server is noticed: a whole delay_loop, or what is left of a retry.
const FOUND: Duration = Duration::from_millis(6 * 1000 + 500);
const SERVERS: [&str; 2] = ["182.148.15.233", "182.148.15.238"];

pub(super) const STEPS: &[Step] = &[
    Step {
        name: "query through the VIP, answered by a MySQL directly",
        expected: "the document's four rows; frames to the VIP go to LVS_Master, replies come from a MySQL's own \
            hardware address",
        run: direct_reply,
    },
    Step {
        name: "persistence: one client stays on one server, two clients may differ",
        expected: "four connections of each client on the same server each",
        run: persistence,
    },
    Step {
        name: "row written through the VIP is on both servers",
        expected: "the row on MySQL1 and on MySQL2, by replication",
        run: replicated,
    },
    Step {
        name: "MySQL2 stopped: removed from both tables, log lines as the document's",
        expected: "TCP connection to [182.148.15.238]:3306 failed., then its removal; .233 alone is left",
        run: server_lost,
    },
    Step {
        name: "MySQL2 started: added again, log lines as the document's",
        expected: "TCP connection to [182.148.15.238]:3306 success., then its addition; both tables complete",
        run: server_found,
    },
];

fn direct_reply(lab: &mut Lab) -> Result<Seen> {
    let start = SystemTime::now();
    let rows = lab.town.query("select * from huanqiu.haha")?;
    let timing = lab.timing("query", start, SystemTime::now(), Duration::from_secs(3));
    check(rows == ROWS, || format!("rows “{rows}”"))?;
    let (mut requests, mut replies) = (0, 0);
    for frame in lab.town.wire.since(start) {
        let packet = frame.packet();
        let Some(segment) = packet.tcp() else {
            continue;
        };
        if segment.target.ip() == IpAddr::V4(VIP) {
            requests += 1;
            let master = packet.target_mac == lab.town.master.mac;
            check(master, || {
                format!("a request went to {:02x?}", packet.target_mac)
            })?;
        } else if segment.source.ip() == IpAddr::V4(VIP) {
            replies += 1;
            let direct = MYSQL_MACS.contains(&packet.source_mac);
            check(direct, || {
                format!("a reply came from {:02x?}", packet.source_mac)
            })?;
        }
    }
    check(requests > 0 && replies > 0, || {
        format!("{requests} requests, {replies} replies")
    })?;
    Ok(Seen::new(format!(
        "four rows; {requests} frames to LVS_Master, {replies} straight from a MySQL"
    ))
    .with(timing))
}

fn persistence(lab: &mut Lab) -> Result<Seen> {
    let mut seen = Vec::new();
    for client in CLIENTS {
        let names: Vec<String> = (0..4)
            .map(|_| lab.town.query_from(client, "select @@hostname"))
            .collect::<Result<_>>()?;
        check(names.iter().all(|name| *name == names[0]), || {
            format!("{client} got {names:?}")
        })?;
        seen.push(format!("{client}: {} four times", names[0]));
    }
    Ok(Seen::new(seen.join("; ")))
}

fn replicated(lab: &mut Lab) -> Result<Seen> {
    lab.town
        .query("insert into huanqiu.haha (name) values ('through the VIP')")?;
    let start = SystemTime::now();
    lab.added += 1;
    let count = lab.added.to_string();
    let ask = "select count(*) from huanqiu.haha where name = 'through the VIP'";
    for server in SERVERS {
        let arrived = || query(&lab.town.client, server, ask).is_ok_and(|answer| answer == count);
        wait_until(PATIENCE, &format!("the row on {server}"), arrived)?;
    }
    let timing = lab.timing(
        "written to seen on both",
        start,
        SystemTime::now(),
        Duration::from_secs(5),
    );
    let ids = query(
        &lab.town.client,
        SERVERS[0],
        "select max(id) from huanqiu.haha",
    )?;
    Ok(Seen::new(format!("on both, with id {ids}")).with(timing))
}

fn server_lost(lab: &mut Lab) -> Result<Seen> {
    let start = SystemTime::now();
    lab.town.servers[1].begin_stop()?;
    let removed = lab.tables_become(&[(233, 3)])?;
    let mut seen = String::new();
    for director in lab.town.directors() {
        lab.expect_table(director, &[(233, 3)])?;
        seen = texts::heard(&director.log, start, &texts::server_lost(lab.town.flavour))?;
    }
    let timing = lab.timing("MySQL stopped to removed from both", start, removed, LOST);
    lab.town.servers[1].finish_stop()?;
    let rows = lab.town.query("select count(*) from huanqiu.haha")?;
    check(rows.parse::<usize>().is_ok_and(|rows| rows >= 4), || {
        format!("a query then said “{rows}”")
    })?;
    Ok(Seen::new(format!("{seen}a query through the VIP still works")).with(timing))
}

fn server_found(lab: &mut Lab) -> Result<Seen> {
    // By itself this step starts from order, with both servers up.
    if lab.town.master.servers() == BOTH {
        lab.town.servers[1].begin_stop()?;
        lab.town.servers[1].finish_stop()?;
        lab.tables_become(&[(233, 3)])?;
    }
    let log_start = SystemTime::now();
    lab.town.servers[1].start(&lab.town.mysql[1])?;
    lab.town.servers[1].wait_for_port(&lab.town.mysql[1])?;
    let start = SystemTime::now();
    let added = lab.tables_become(&BOTH)?;
    let mut seen = String::new();
    for director in lab.town.directors() {
        lab.expect_table(director, &BOTH)?;
        seen = texts::heard(
            &director.log,
            log_start,
            &texts::server_found(lab.town.flavour),
        )?;
    }
    Ok(Seen::new(seen).with(lab.timing("port open to added on both", start, added, FOUND)))
}
