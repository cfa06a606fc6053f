//! Who reads: keepalived's processes each read the whole text, and skip what is another's.
//!
//! Owns: which blocks of the top level belong to whom. As long as every block has its braces nobody
//! notices, so one reading for all comes to the same. Where one lacks its `{` those that skip it take
//! its lines for the top level's; and whoever misses a word ends, after others have read to the end. Never
//! does: read. Driven by: `Loader`, which reads once for each process when that matters.

use super::super::schema::Level;

/// Whose reading it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) enum View {
    /// One for all.
    #[default]
    All,
    /// The parent's, which comes first.
    Parent,
    /// That of the checks.
    Check,
    /// That of VRRP.
    Vrrp,
    /// That of BFD.
    Bfd,
}

impl View {
    /// The processes, in the order in which a configuration test lets them read.
    pub(in super::super) const EACH: [Self; 4] = [Self::Parent, Self::Check, Self::Vrrp, Self::Bfd];

    /// Whether a block of the top level is another's.
    pub(super) fn skips(self, block: &str) -> bool {
        let owners: &[Self] = match block {
            // What the parent made of it the others have.
            "global_defs" => &[Self::Parent],
            "virtual_server" | "virtual_server_group" | "SSL" => &[Self::Check],
            "track_file" | "vrrp_track_file" => &[Self::Check, Self::Vrrp],
            "bfd_instance" => &[Self::Check, Self::Vrrp, Self::Bfd],
            _ => &[Self::Vrrp],
        };
        self != Self::All && !owners.contains(&self)
    }

    /// Whether what is wrong in a block of this level is another's to tell.
    pub(super) fn is_silent(self, level: Level) -> bool {
        matches!(level, Level::BfdInstance) && matches!(self, Self::Check | Self::Vrrp)
    }

    /// Whether a setting without its word is passed over: who only wants to know that there is a
    /// session does not look at what the session is like.
    pub(super) fn overlooks(self, level: Level, name: &str, words: usize) -> bool {
        let flag = matches!(name, "passive" | "vrrp" | "checker" | "multihop");
        // Who tracks it asks for its weight.
        let weight = self == Self::Vrrp && name == "weight";
        self.is_silent(level) && words < 2 && !flag && !weight
    }
}
