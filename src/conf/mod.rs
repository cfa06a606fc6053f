//! From the bytes of `keepalived.conf` to a typed configuration.
//!
//! ```text
//! bytes -source-> lines -reader+expand-> logical lines -syntax-> AST -bind(schema)-> model -resolve-> Config
//! running Config x new Config -diff-> Plan -> domains
//! ```
//!
//! Owns: the language, its diagnostics, the model and the comparison of two models. Never does:
//! touch the system by itself; files and facts of the host come through the traits of `source`.
//! Driven by: `cli` (config test) and `host` (start, reload). Of all this the domains see
//! `model` alone.

mod ast;
mod bind;
mod copy;
mod diag;
pub mod diff;
mod draft;
mod expand;
mod expansion;
mod include;
pub mod laws;
mod lines;
mod loader;
pub mod model;
pub mod names;
mod origin;
mod outline;
mod print;
mod reader;
mod render;
mod resolve;
mod schema;
pub mod source;
mod syntax;

#[cfg(test)]
mod tests;

pub use diag::{Class, Consequence, Diagnostic, Diagnostics, Span};
pub use loader::{LoadOptions, Loaded, Loader, Progress, inspect, load};
pub use outline::{Outline, StatementId};
pub use print::print;
pub use render::{render, render_as, shown};
pub use schema::facts::{Activity, KeywordFacts, all as keyword_facts, near as near_keyword};
pub use schema::{KeywordInfo, keywords};
pub use source::{Access, FileError, Files, HostFacts, Identity, Link, Program, Secret};
