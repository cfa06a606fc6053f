//! How the daemon tells of changes, and whom its scripts run as.

use super::options::Script;

/// Settings of notifications that concern the daemon as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notifications {
    /// `script_user`: whom scripts run as that name nobody.
    pub script_user: Option<String>,
    /// Its group, if given.
    pub script_group: Option<String>,
    /// `notify_fifo`: for everything.
    pub common: Option<Fifo>,
    /// `vrrp_notify_fifo`
    pub vrrp: Option<Fifo>,
    /// `lvs_notify_fifo`
    pub check: Option<Fifo>,
    /// Scripts of FIFOs, which may be named before the FIFO.
    pub common_script: Option<Script>,
    /// `vrrp_notify_fifo_script`
    pub vrrp_script: Option<Script>,
    /// `lvs_notify_fifo_script`
    pub check_script: Option<Script>,
}

/// A FIFO that lines are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fifo {
    /// Its path.
    pub path: String,
    /// Its owner; the script user if not given.
    pub user: Option<String>,
    /// Its group.
    pub group: Option<String>,
}
