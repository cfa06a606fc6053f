//! Who may open ping sockets.
//!
//! Owns: the one setting of the kernel that allows it, `net.ipv4.ping_group_range`. Never does: send
//! an echo (`conn` does). Driven by: `conn`, when the kernel refuses such a socket.

use std::fs;

use nix::unistd::getegid;

use crate::base::ident;

/// Holds for IPv6 as well.
const RANGE: &str = "/proc/sys/net/ipv4/ping_group_range";

/// Widens the range so that it holds our group, as keepalived does; whether that was done.
pub(super) fn allow() -> bool {
    let group = getegid().as_raw();
    let Some(wanted) = fs::read_to_string(RANGE)
        .ok()
        .and_then(|range| widened(&range, group))
    else {
        return false;
    };
    match fs::write(RANGE, &wanted) {
        Ok(()) => {
            log::info!(
                target: ident::CHECK,
                "Set {RANGE} to {}, so that PING_CHECK can send its echoes",
                wanted.replace('\t', " ")
            );
            true
        }
        Err(error) => {
            log::warn!(
                target: ident::CHECK,
                "PING_CHECK needs group {group} in {RANGE}, which cannot be written: {error}"
            );
            false
        }
    }
}

/// The range with `group` in it; `None` if it is in there already or the range is unreadable.
fn widened(range: &str, group: u32) -> Option<String> {
    let mut ends = range.split_whitespace().map(str::parse::<u32>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    if (first..=last).contains(&group) {
        return None;
    }
    // "1 0" is nobody.
    let (first, last) = if first > last {
        (group, group)
    } else {
        (first.min(group), last.max(group))
    };
    Some(format!("{first}\t{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: ranges and groups. Output: the least range that holds both.
    #[test]
    fn the_range_is_widened_no_more_than_needed() {
        assert_eq!(widened("1\t0\n", 0), Some("0\t0".to_owned()));
        assert_eq!(widened("100\t200\n", 300), Some("100\t300".to_owned()));
        assert_eq!(widened("100\t200\n", 7), Some("7\t200".to_owned()));
        assert_eq!(widened("0\t2147483647\n", 0), None);
        assert_eq!(widened("none", 0), None);
    }
}
