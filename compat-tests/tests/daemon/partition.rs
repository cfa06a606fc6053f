//! Two routers that cannot hear each other for a while.

use std::path::Path;
use std::time::SystemTime;

use compat_tests::bed::{Result, needs_root, wait_until};
use compat_tests::routers::Segment;

use super::setup::{SOON, binary};

fn instance(priority: u8) -> String {
    format!(
        "vrrp_instance V {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority {priority}\n \
         version 3\n advert_int 0.2\n garp_master_delay 1\n virtual_ipaddress {{\n 10.1.0.100\n }}\n}}\n"
    )
}

/// The switch lets the routers talk to each other, or to the rest of the segment only.
fn isolate(segment: &Segment, isolated: &str) -> Result<()> {
    let ports = "for p in $(ls /sys/class/net/lan0/brif); do bridge link set dev $p isolated ";
    let switch = segment.switch();
    switch.shell(&format!("{ports}{isolated}; done"))?;
    Ok(())
}

fn masters(segment: &Segment) -> [bool; 2] {
    let has = |index: usize| segment.routers[index].has("10.1.0.100").unwrap_or(false);
    [has(0), has(1)]
}

/// Input: a better and a lesser router, cut off from each other until both are master; then the cut is
/// mended, three times, so that now the one and now the other is heard first. Output: each time the
/// lesser yields, and what is announced last, after that, is where the better one is.
#[test]
fn after_a_partition_the_winner_announces_last() {
    if !needs_root() {
        return;
    }
    let daemon = Path::new(binary());
    let mut segment = Segment::new([daemon, daemon]).unwrap();
    for (router, priority) in segment.routers.iter_mut().zip([200, 100]) {
        router.configure(&instance(priority)).unwrap();
        router.start().unwrap();
    }
    let only = [true, false];
    wait_until(SOON, "one master", || masters(&segment) == only).unwrap();
    for _ in 0..3 {
        // The lesser one has heard the better one, so that it has somebody to lose.
        let from = SystemTime::now();
        segment.wait_for_master(0, from).unwrap();
        isolate(&segment, "on").unwrap();
        wait_until(SOON, "two masters", || masters(&segment) == [true; 2]).unwrap();
        let mended = SystemTime::now();
        isolate(&segment, "off").unwrap();
        wait_until(SOON, "one master", || masters(&segment) == only).unwrap();
        let winner = || segment.announcements(&segment.routers[0], mended);
        wait_until(SOON, "the winner announces", || !winner().is_empty()).unwrap();
        // The second burst of the loser would have come a second after it became master.
        wait_until(SOON, "once more", || winner().len() >= 10).unwrap();
        let loser = segment.announcements(&segment.routers[1], mended);
        let last = loser.last().map(|(frame, _)| frame.at);
        let winner = winner().last().map(|(frame, _)| frame.at);
        assert!(last < winner, "{last:?} {winner:?}");
    }
}
