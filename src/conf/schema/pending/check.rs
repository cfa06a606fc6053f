//! Rows of the virtual servers and their checks whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::Keyword;

pub(super) static VIRTUAL_SERVER: &[Keyword] = &[];

pub(super) static REAL_SERVER: &[Keyword] = &[];
