//! `disable_local_igmp`: no membership reports for groups of the link itself (224.0.0.0/24).
//!
//! Owns: the kernel's setting `igmp_link_local_mcast_reports` while the daemon runs, and its value
//! before. Never does: decide whether it is wanted. Driven by: `worker`, at the start and the end.

use std::fs;

use crate::base::ident;

const SETTING: &str = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports";

/// The setting.
#[derive(Debug, Default)]
pub(super) struct LocalReports {
    /// The reports were switched off here.
    off: bool,
}

impl LocalReports {
    /// Switches the reports off if that is wanted. A later change holds from the next start.
    pub(super) fn settle(&mut self, unwanted: bool) {
        if !unwanted || self.off {
            return;
        }
        // Older kernels lack the setting, and send these reports whatever is wanted.
        match fs::read_to_string(SETTING) {
            Ok(value) if value.trim() == "0" => {}
            Ok(_) => self.off = write("0"),
            Err(error) => log::warn!(
                target: ident::VRRP,
                "disable_local_igmp: {SETTING} cannot be read: {error} - reports go on being sent"
            ),
        }
    }

    /// Switches them on again if they were.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.off) {
            write("1");
        }
    }
}

fn write(value: &str) -> bool {
    let written = fs::write(SETTING, value);
    if let Err(error) = &written {
        log::error!(
            target: ident::VRRP,
            "disable_local_igmp: {SETTING} cannot be set to {value}: {error} - set it with sysctl"
        );
    }
    written.is_ok()
}
