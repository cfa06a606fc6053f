//! Start and stop.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use compat_tests::bed::{needs_root, wait_for, wait_until};
use nix::libc;
use nix::sys::signal::Signal;

use super::setup::{Bed, CONFIG, SOON, VIP, binary, signal};

/// Input: a lone master, stopped. Output: the address comes and goes; the advert of priority 0
/// leaves before the address does; log lines in the order that operators know; no file stays.
#[test]
fn a_lone_master_takes_its_address_and_gives_it_back() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let mut daemon = bed.daemon();
    bed.wait_address(VIP, true);
    assert_eq!(bed.pid("keepalived"), daemon.pid());
    assert_ne!(bed.pid("vrrp"), daemon.pid());
    assert!(
        bed.host.read("/run/checkers.pid").is_err(),
        "no checker is configured"
    );
    let is_garp = |packet: &compat_tests::bed::Packet| {
        packet
            .arp()
            .is_some_and(|arp| arp.is_gratuitous() && arp.sender.to_string() == VIP)
    };
    wait_until(SOON, "five gratuitous ARPs", || {
        bed.wire
            .frames()
            .iter()
            .filter(|frame| is_garp(&frame.packet()))
            .count()
            == 5
    })
    .unwrap();

    assert_eq!(bed.stop(&mut daemon), Some(0));
    assert!(!bed.has(VIP));
    let resigned = bed.wire.frames().iter().any(|frame| {
        frame
            .packet()
            .advert()
            .is_some_and(|advert| advert.priority == 0)
    });
    assert!(resigned);
    bed.wait_log("Stopped Keepalived v");
    let lines = bed.logged();
    let place = |text: &str| {
        lines
            .iter()
            .position(|line| line.starts_with(text))
            .unwrap_or_else(|| panic!("no line {text:?} in {lines:#?}"))
    };
    let order = [
        "Keepalived: Starting Keepalived v",
        "Keepalived: Starting VRRP child process, pid=",
        "Keepalived_vrrp: (VI_1) Entering BACKUP STATE (init)",
        "Keepalived_vrrp: (VI_1) Entering MASTER STATE",
        "Keepalived: Stopping",
        "Keepalived_vrrp: (VI_1) sent 0 priority",
        "Keepalived_vrrp: (VI_1) removing VIPs.",
        "Keepalived_vrrp: Stopped",
        "Keepalived: Stopped Keepalived v",
    ]
    .map(place);
    assert!(order.is_sorted(), "{order:?} in {lines:#?}");
    for file in ["keepalived.pid", "vrrp.pid", "keepalived.ledger"] {
        assert!(
            bed.host.read(format!("/run/{file}")).is_err(),
            "{file} is left"
        );
    }
}

/// Input: started without `-n`. Output: the command returns 0 once the daemon works, without
/// holding the terminal; a second start says so and returns 0; stop by the pid file works.
#[test]
fn in_the_background_the_command_returns_when_the_daemon_works() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let started = bed.run(&["-D"]);
    assert_eq!((started.code, started.stderr.as_str()), (0, ""));
    // Written before the command returned, so no waiting here.
    let parent = bed.host.read("/run/keepalived.pid").unwrap();
    assert!(bed.host.read("/run/vrrp.pid").is_ok());
    let second = bed.run(&[]);
    assert_eq!(second.code, 0);
    assert!(
        second.stderr.contains("daemon is already running"),
        "{}",
        second.stderr
    );
    assert_eq!(bed.host.read("/run/keepalived.pid").unwrap(), parent);
    bed.wait_address(VIP, true);
    signal(bed.pid("keepalived"), Signal::SIGTERM);
    bed.wait_log("Stopped Keepalived v");
    assert!(!bed.has(VIP));
}

/// Input: a stop, without `-D` and with it. Output: the times are told with `-D` only, as those of
/// keepalived are.
#[test]
fn the_times_that_were_used_are_told_in_detail_only() {
    if !needs_root() {
        return;
    }
    for (options, detailed) in [(&[][..], false), (&["-D"], true)] {
        let bed = Bed::new(CONFIG);
        assert_eq!(bed.run(options).code, 0);
        signal(bed.pid("keepalived"), Signal::SIGTERM);
        bed.wait_log("Stopped Keepalived v");
        let lines = bed.logged();
        let has = |text: &str| lines.iter().any(|line| line.starts_with(text));
        assert_eq!(has("Keepalived: CPU usage"), detailed, "{lines:#?}");
        assert_eq!(has("Keepalived_vrrp: Stopped - used"), detailed);
        assert!(has("Keepalived_vrrp: Stopped"), "{lines:#?}");
    }
}

/// Input: no configuration file; one that misses a word. Output: the status of keepalived, a
/// message on standard error, and neither pid file nor process.
#[test]
fn a_start_that_fails_says_so_to_who_started_it() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new("vrrp_instance VI_1 {\n interface\n}\n");
    for (options, status) in [(&["-f", "/no/such.conf"][..], 6), (&[], 2)] {
        let started = bed.run(options);
        assert_eq!(started.code, status, "{options:?} {}", started.stderr);
        assert!(!started.stderr.is_empty());
        let foreground = bed.run(&[&["-n"], options].concat());
        assert_eq!(foreground.code, status, "{options:?} {}", foreground.stderr);
        assert!(bed.host.read("/run/keepalived.pid").is_err());
    }
    assert_eq!(bed.host.processes(), Vec::<i32>::new());
}

/// Input: `-V` and a stop. Output: the address stays, and the next start does not take it for
/// something that a crash left.
#[test]
fn addresses_may_outlive_the_daemon_on_request() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    assert_eq!(bed.run(&["-V"]).code, 0);
    bed.wait_address(VIP, true);
    signal(bed.pid("keepalived"), Signal::SIGTERM);
    bed.wait_log("Stopped Keepalived v");
    assert!(bed.has(VIP));
}

/// Input: all parts of a foreground daemon get the terminal's interrupt. Output: an orderly end.
#[test]
fn an_interrupt_from_the_terminal_is_an_orderly_end() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let mut daemon = bed.daemon();
    bed.wait_address(VIP, true);
    let worker = bed.pid("vrrp");
    signal(worker, Signal::SIGINT);
    signal(daemon.pid(), Signal::SIGINT);
    assert_eq!(daemon.wait(SOON).unwrap().code(), Some(0));
    assert!(!bed.has(VIP));
    assert!(!bed.logged().iter().any(|line| line.contains("died")));
}

/// Input: every signal that means nothing to keepalived, to both processes. Output: both are as they
/// were, the master keeps its address, and scripts that are started later have all defaults.
#[test]
fn signals_without_a_meaning_change_nothing() {
    if !needs_root() {
        return;
    }
    let script = "#!/bin/sh\ngrep SigIgn /proc/$$/status >/run/ignored\n";
    let notify = "priority 100\n notify_stop /run/tell";
    let bed = Bed::new(&CONFIG.replace("priority 100", notify));
    bed.host.write("/run/tell", script).unwrap();
    bed.host.must(&["chmod", "755", "/run/tell"]).unwrap();
    let mut daemon = bed.daemon();
    bed.wait_address(VIP, true);
    let (parent, worker) = (daemon.pid(), bed.pid("vrrp"));
    let (first, last) = (libc::SIGRTMIN(), libc::SIGRTMAX());
    let mut numbers = vec![
        libc::SIGQUIT,
        libc::SIGPIPE,
        libc::SIGALRM,
        libc::SIGSTKFLT,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGXCPU,
        libc::SIGXFSZ,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGIO,
        libc::SIGPWR,
    ];
    numbers.extend((first..last - 1).filter(|&number| number != first + 2));
    let from = std::time::SystemTime::now();
    for pid in [parent, worker] {
        for number in &numbers {
            let words = ["kill", &format!("-{number}"), &pid.to_string()];
            bed.host.must(&words).unwrap();
        }
    }
    let adverts = || {
        let frames = bed.wire.since(from);
        let adverts = frames
            .iter()
            .filter(|frame| frame.packet().advert().is_some());
        adverts.count() >= 2
    };
    wait_until(SOON, "two more adverts", adverts).unwrap();
    assert_eq!((bed.pid("keepalived"), bed.pid("vrrp")), (parent, worker));
    assert!(bed.has(VIP));
    assert_eq!(bed.stop(&mut daemon), Some(0));
    let ignored = || {
        let text = bed.host.read("/run/ignored").ok()?;
        let mask = text.strip_prefix("SigIgn:")?.strip_suffix('\n')?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    let (mask, _) = wait_for(SOON, "the script", ignored).unwrap();
    let kept = numbers
        .iter()
        .filter(|&number| mask >> (number - 1) & 1 != 0);
    assert_eq!(kept.count(), 0, "{mask:x}");
}

/// Input: the master's link goes and comes. Output: no address without the link, and it again.
#[test]
fn a_lost_link_takes_the_address_away() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let _daemon = bed.daemon();
    bed.wait_address(VIP, true);
    bed.host
        .must(&["ip", "link", "set", "eth0", "down"])
        .unwrap();
    bed.wait_log("(VI_1) Entering FAULT STATE");
    bed.wait_address(VIP, false);
    bed.host.must(&["ip", "link", "set", "eth0", "up"]).unwrap();
    bed.wait_address(VIP, true);
}

/// Input: a worker that sleeps while the kernel has more news than fits into its socket, among them
/// that its link is down. Output: on waking it lists everything anew and acts on the link.
#[test]
fn news_that_the_kernel_dropped_are_made_up_for() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let _daemon = bed.daemon();
    bed.wait_address(VIP, true);
    let worker = bed.pid("vrrp");
    signal(worker, Signal::SIGSTOP);
    let address = |number: u32| format!("10.{}.{}.1/32 dev lo", number / 250, number % 250);
    let lines = |verb: &str| {
        (0..3000)
            .map(|number| format!("addr {verb} {}\n", address(number)))
            .collect::<String>()
    };
    bed.host.ip_batch(&lines("add")).unwrap();
    bed.host
        .must(&["ip", "link", "set", "eth0", "down"])
        .unwrap();
    bed.host.ip_batch(&lines("del")).unwrap();
    signal(worker, Signal::SIGCONT);
    bed.wait_log("listing links and addresses anew");
    bed.wait_log("(VI_1) Entering FAULT STATE");
    bed.wait_address(VIP, false);
    bed.host.must(&["ip", "link", "set", "eth0", "up"]).unwrap();
    bed.wait_address(VIP, true);
}

/// Input: a log daemon that never reads, with room for two lines. Output: the daemon starts, takes
/// its address, adverts at its pace, and stops.
#[test]
fn a_stuck_log_daemon_does_not_stop_adverts() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let stuck = bed.host.enter(|| {
        std::fs::write("/proc/sys/net/unix/max_dgram_qlen", "1")?;
        std::fs::remove_file("/dev/log")?;
        UnixDatagram::bind("/dev/log")
    });
    let _stuck = stuck.unwrap().unwrap();
    let mut daemon = bed.daemon();
    bed.wait_address(VIP, true);
    let from = std::time::SystemTime::now();
    wait_until(Duration::from_secs(4), "two more adverts", || {
        let adverts = bed.wire.since(from);
        let adverts = adverts
            .iter()
            .filter(|frame| frame.packet().advert().is_some());
        adverts.count() >= 2
    })
    .unwrap();
    assert_eq!(bed.stop(&mut daemon), Some(0));
    assert!(!bed.has(VIP));
}

/// Input: a service manager's socket and its watchdog, then a reload and a stop. Output: the states
/// of the real one in its order, with the parent's id; pings meanwhile, and the word of the stop.
#[test]
fn the_service_manager_hears_what_happens() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let socket = bed.host.enter(|| UnixDatagram::bind("/run/notify"));
    let socket = socket.unwrap().unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    // Read at once, as a service manager does: ten datagrams are all that a socket holds.
    let (said, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        loop {
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    if said.send(text).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    let mut pings = 0;
    let mut heard = || {
        loop {
            let text = told.recv_timeout(SOON).unwrap();
            if text != "WATCHDOG=1" {
                return (text, pings);
            }
            pings += 1;
        }
    };
    let mut command = Command::new(binary());
    command.args(["-n", "-D"]).stdin(Stdio::null());
    command.env("NOTIFY_SOCKET", "/run/notify");
    command.env("WATCHDOG_USEC", "200000");
    let mut daemon = bed.host.spawn(command).unwrap();
    let ready = format!("READY=1\nMAINPID={}", daemon.pid());
    assert_eq!(heard().0, ready);
    bed.wait_address(VIP, true);
    daemon.signal(Signal::SIGHUP).unwrap();
    let reloading = heard().0;
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(heard().0, ready);
    bed.wait_log("configuration unchanged");
    daemon.signal(Signal::SIGTERM).unwrap();
    let (stopping, pings) = heard();
    assert_eq!(stopping, "STOPPING=1");
    // It took a second to become master.
    assert!(pings > 4, "{pings}");
    assert_eq!(daemon.wait(SOON).unwrap().code(), Some(0));
}
