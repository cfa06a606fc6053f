//! Rows of the VRRP side whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::options;
use super::super::Keyword;

pub(super) static INSTANCE: &[Keyword] = &[Keyword::leaf(
    "vrf",
    options::vrf,
    "the VRF where no interface is named",
)];
