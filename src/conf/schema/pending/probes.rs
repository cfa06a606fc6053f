//! Rows of the checks whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{other_probes as o, probes as p};
use super::super::Keyword;

pub(super) static BFD_CHECK: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("name", o::bfd_name, "name of the session"),
];
