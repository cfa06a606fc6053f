//! Rows of the VRRP side whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::Keyword;

pub(super) static ROOT: &[Keyword] = &[];

pub(super) static GLOBAL: &[Keyword] = &[];

pub(super) static INSTANCE: &[Keyword] = &[];
