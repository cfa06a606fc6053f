//! Configurations that other people wrote: what ours says of them beside what keepalived says.
//!
//! Owns the comparison of `--config-test` over a folder of real files named by `KEEPALIVED_CORPUS`
//! (`files/ID.conf` and `verdicts.tsv`): reading the folder ([`Library`]), the ground that a file
//! needs ([`Ground`]), running ([`survey`]), comparing ([`Verdict`]) and the report that ranks what
//! to do first ([`Report`]). The files belong to third parties and stay where they are: none is
//! copied here, and what is kept about them (`cases/corpus`) are numbers and reasons.
//! Driven by the command `compat-tests/corpus` and by `tests/corpus.rs`.

mod differences;
mod ground;
mod library;
mod messages;
mod report;
mod survey;
mod verdict;

pub use differences::Differences;
pub use ground::Ground;
pub use library::{Entry, Library};
pub use messages::{Message, Messages};
pub use report::{Counts, Report};
pub use survey::{Binaries, Run, Surveyed, survey};
pub use verdict::{Reason, Verdict};
