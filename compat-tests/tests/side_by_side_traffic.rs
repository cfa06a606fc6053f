//! Real connections through the IPVS table that ours sets up: NAT, DR and TUN in both families, what
//! somebody removes, and open connections at reloads.
//!
//! Owns the look at what is there to run it with, else says `skipped:` with the reason; the script
//! `compat-tests/traffic` does the work, on this kernel or in user-mode Linux.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Stdio};

use compat_tests::bed::{needs, needs_root};
use compat_tests::routers::daemon_from;

#[test]
fn traffic_goes_where_the_table_says() {
    let tools = ["linux.uml", "socat", "ipvsadm"];
    if !needs_root() || !tools.into_iter().all(needs) {
        return;
    }
    let Some(ours) = daemon_from("KEEPALIVED_OURS") else {
        println!("skipped: KEEPALIVED_OURS is not set");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("traffic");
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_tables"))
            .args(["--traffic".as_ref(), script.as_os_str()])
            .args(["--ours".as_ref(), ours.canonicalize().unwrap().as_os_str()])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        println!("{}", String::from_utf8_lossy(&output.stdout));
        println!("{}", String::from_utf8_lossy(&output.stderr));
        output.status.success()
    };
    // One small kernel is late now and then: what fails has to fail twice.
    assert!(run() || run());
}
