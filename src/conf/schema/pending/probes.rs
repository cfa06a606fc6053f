//! Rows of the checks whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{http as h, other_probes as o, probes as p};
use super::super::Keyword;

pub(super) static URL: &[Keyword] = &[
    Keyword::leaf("regex", h::regex, "pattern that the body matches"),
    Keyword::leaf(
        "regex_max_offset",
        h::regex_max_offset,
        "last byte where a match counts",
    ),
    Keyword::leaf(
        "regex_min_offset",
        h::regex_min_offset,
        "first byte where a match counts",
    ),
    Keyword::leaf(
        "regex_no_match",
        h::regex_no_match,
        "the body must not match",
    ),
    Keyword::leaf("regex_options", h::regex_options, "options of the pattern"),
    Keyword::leaf(
        "regex_stack",
        h::regex_stack,
        "stack of the pattern matcher, in bytes",
    ),
];

pub(super) static BFD_CHECK: &[Keyword] = &[
    Keyword::leaf("alpha", p::alpha, "counts as failed until it succeeds"),
    Keyword::leaf("name", o::bfd_name, "name of the session"),
];
