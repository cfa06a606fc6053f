//! `global_defs`.

/// Settings that concern the daemon as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Global {
    /// `router_id`: how this router names itself in mails; the host's name if not given.
    pub router_id: Option<String>,
}

/// Which generation of keepalived's log texts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogStyle {
    /// The texts of keepalived 2.x.
    #[default]
    Current,
    /// The texts of keepalived 1.3.5, as CentOS 6 and 7 had it.
    V1_3,
}
