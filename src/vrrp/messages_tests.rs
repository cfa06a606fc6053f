//! Texts and levels of the lines, in both styles.

use super::*;
use std::net::Ipv4Addr;

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn text(style: LogStyle, line: Line<'_>) -> String {
    let name = "VI_1";
    Text { style, name, line }.to_string()
}

fn entering(state: State, init: bool) -> Line<'static> {
    Line::Entering { state, init }
}

fn assert_texts(style: LogStyle, rows: &[(Line<'_>, &str)]) {
    for &(line, expected) in rows {
        assert_eq!(text(style, line), expected);
    }
}

// Output: lines of a log of keepalived 2.2.7, with -D -D, where that release has them.
#[test]
fn current_lines_about_states_are_keepalived_2s() {
    let interface = "eth0";
    let address = IpAddr::from([192, 0, 2, 101]);
    assert_texts(
        LogStyle::Current,
        &[
            (
                entering(State::Backup, true),
                "(VI_1) Entering BACKUP STATE (init)",
            ),
            (
                entering(State::Master, false),
                "(VI_1) Entering MASTER STATE",
            ),
            (entering(State::Fault, false), "(VI_1) Entering FAULT STATE"),
            (
                Line::Fault(FaultReason::NoAddress(Family::V4), interface),
                "(VI_1) entering FAULT state (no IPv4 address for interface)",
            ),
            (
                Line::Fault(FaultReason::InterfaceDown, interface),
                "(VI_1) entering FAULT state (interface eth0 down)",
            ),
            (Line::Timeout, "(VI_1) Receive advertisement timeout"),
            (Line::SentZero, "(VI_1) sent 0 priority"),
            (
                Line::SettingVips { excluded: false },
                "(VI_1) setting VIPs.",
            ),
            (
                Line::RemovingVips { excluded: false },
                "(VI_1) removing VIPs.",
            ),
            (
                Line::RemovingVips { excluded: true },
                "(VI_1) removing E-VIPs.",
            ),
            (
                Line::AnnouncingOn { interface, address },
                "(VI_1) Sending/queueing gratuitous ARPs on eth0 for 192.0.2.101",
            ),
            (
                Line::Announced { interface, address },
                "Sending gratuitous ARP on eth0 for 192.0.2.101",
            ),
            (
                Line::TooManyAddresses {
                    given: 1000,
                    room: 255,
                },
                "(VI_1) Number of VIPs (1000) exceeds maximum/space available in packet (max 255 addresses) - excess moved to eVIPs",
            ),
        ],
    );
}

#[test]
fn current_lines_about_adverts_are_keepalived_2s() {
    let priority = Priority(50);
    let higher = Priority(150);
    let ours = Priority(100);
    let from = FROM;
    assert_texts(
        LogStyle::Current,
        &[
            (
                Line::BackupGotZero,
                "(VI_1) Backup received priority 0 advertisement",
            ),
            (
                Line::MasterGotZero,
                "(VI_1) Master received priority 0 message",
            ),
            (
                Line::LowerDiscarded { priority, from },
                "(VI_1) received lower priority (50) advert from 192.0.2.2 - discarding",
            ),
            (
                Line::StartPreemptDelay(Duration::from_secs(3)),
                "(VI_1) start preempt delay (3.000000)",
            ),
            (Line::StopPreemptDelay, "(VI_1) stop preempt delay"),
            (
                Line::MasterGotLower {
                    priority,
                    ours,
                    from,
                    answered: true,
                },
                "(VI_1) Received advert from 192.0.2.2 with lower priority 50, ours 100, forcing new election",
            ),
            (
                Line::MasterGotHigher {
                    priority: higher,
                    ours,
                    from,
                },
                "(VI_1) Master received advert from 192.0.2.2 with higher priority 150, ours 100",
            ),
            (
                Line::MasterGotSame {
                    priority: ours,
                    from,
                },
                "(VI_1) Master received advert from 192.0.2.2 with same priority 100 but higher IP address than ours",
            ),
            (
                Line::Invalid(Complaint::Password, from),
                "(VI_1) received an invalid passwd from 192.0.2.2!",
            ),
            (
                Line::Invalid(
                    Complaint::Ttl {
                        got: 64,
                        min: 255,
                        max: 255,
                    },
                    from,
                ),
                "(VI_1) invalid TTL/HL from 192.0.2.2. Received 64 and expect 255",
            ),
            (
                Line::Invalid(Complaint::Checksum(Version::V2), from),
                "(VI_1) Invalid VRRPv2 checksum from 192.0.2.2",
            ),
            (
                Line::Invalid(
                    Complaint::Interval {
                        got: 2,
                        expected: 1,
                    },
                    from,
                ),
                "(VI_1) advertisement interval mismatch mine=1 sec rcv'd=2 sec from 192.0.2.2",
            ),
            (
                Line::Invalid(
                    Complaint::Count {
                        got: 2,
                        expected: 1,
                    },
                    from,
                ),
                "(VI_1) expected 1 VIPs but received 2",
            ),
        ],
    );
}

// Output: lines as administrators of CentOS 6 and 7 have them in /var/log/messages.
#[test]
fn old_lines_are_keepalived_1_3s() {
    let address = IpAddr::from([182, 148, 15, 239]);
    let interface = "eth0";
    let rows = [
        (
            entering(State::Master, false),
            "VRRP_Instance(VI_1) Transition to MASTER STATE",
        ),
        (
            entering(State::Backup, true),
            "VRRP_Instance(VI_1) Entering BACKUP STATE",
        ),
        (
            Line::SettingVips { excluded: false },
            "VRRP_Instance(VI_1) setting protocol VIPs.",
        ),
        (
            Line::RemovingVips { excluded: false },
            "VRRP_Instance(VI_1) removing protocol VIPs.",
        ),
        (Line::SentZero, "VRRP_Instance(VI_1) sent 0 priority"),
        (
            Line::Announced { interface, address },
            "Sending gratuitous ARP on eth0 for 182.148.15.239",
        ),
        (
            Line::AnnouncingOn { interface, address },
            "VRRP_Instance(VI_1) Sending/queueing gratuitous ARPs on eth0 for 182.148.15.239",
        ),
        (
            Line::MasterGotHigher {
                priority: Priority(100),
                ours: Priority(90),
                from: FROM,
            },
            "VRRP_Instance(VI_1) Received advert with higher priority 100, ours 90",
        ),
    ];
    for (line, expected) in rows {
        assert_eq!(text(LogStyle::V1_3, line), expected);
    }
}

// 2.x wants -D for what happens at a takeover and -D -D for each frame; 1.3.5 has one level.
#[test]
fn the_styles_differ_in_the_detail_that_a_line_needs() {
    let address = FROM;
    let interface = "eth0";
    let frame = Line::Announced { interface, address };
    assert_eq!(frame.level(LogStyle::Current), Some(Level::Trace));
    assert_eq!(frame.level(LogStyle::V1_3), Some(Level::Debug));
    assert_eq!(Line::Timeout.level(LogStyle::Current), Some(Level::Debug));
    assert_eq!(Line::Timeout.level(LogStyle::V1_3), None);
    assert_eq!(
        Line::SettingVips { excluded: false }.level(LogStyle::Current),
        Some(Level::Debug)
    );
    for style in [LogStyle::Current, LogStyle::V1_3] {
        assert_eq!(Line::SentZero.level(style), Some(Level::Info));
        let line = entering(State::Master, false);
        assert_eq!(line.level(style), Some(Level::Info));
    }
}
