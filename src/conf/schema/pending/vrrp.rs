//! Rows of the VRRP side whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{daemon, options};
use super::super::Keyword;

pub(super) static ROOT: &[Keyword] = &[Keyword::leaf(
    "namespace_with_ipsets",
    daemon::setting,
    "declare that ipsets work inside the namespace",
)];

pub(super) static INSTANCE: &[Keyword] = &[Keyword::leaf(
    "vrf",
    options::vrf,
    "the VRF where no interface is named",
)];
