//! The report over all files: how many agree, which do not, and what to do first.
//!
//! Owns the counts and the rankings; never judges a file. Driven by the command; the counts by the
//! test, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Message, Reason, Verdict};

/// Rows of a ranking that are worth reading.
const ROWS: usize = 40;

/// How many files agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Files compared.
    pub files: usize,
    /// Exit status as recorded of 2.4.3.
    pub exit_recorded: usize,
    /// Exit status as the real one's now.
    pub exit_real: usize,
    /// Messages as recorded of 2.4.3.
    pub messages: usize,
    /// Exit status and messages as 2.4.3, or different on purpose.
    pub settled: usize,
}

/// All verdicts.
#[derive(Debug)]
pub struct Report {
    /// One for each file.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// The counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let count = |holds: fn(&Verdict) -> bool| self.verdicts.iter().filter(|v| holds(v)).count();
        Counts {
            files: self.verdicts.len(),
            exit_recorded: count(Verdict::exit_is_recorded),
            exit_real: count(Verdict::exit_is_real),
            messages: count(Verdict::messages_agree),
            settled: count(|verdict| verdict.reason.is_none()),
        }
    }

    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        let count = |holds: fn(&Verdict) -> bool| self.verdicts.iter().filter(|v| holds(v)).count();
        writeln!(f, "{} files", counts.files)?;
        writeln!(
            f,
            "exit status as 2.4.3 (recorded)      {}",
            counts.exit_recorded
        )?;
        writeln!(
            f,
            "exit status as 2.2.7 (run now)       {}",
            counts.exit_real
        )?;
        writeln!(
            f,
            "messages as 2.4.3 (recorded)         {}",
            counts.messages
        )?;
        writeln!(f, "settled (equal or on purpose)        {}", counts.settled)?;
        writeln!(
            f,
            "different on purpose                 {}",
            count(|verdict| verdict.deliberate.is_some() || verdict.exit_excused)
        )?;
        writeln!(
            f,
            "the ground: 2.2.7 now as recorded    {}",
            count(|verdict| verdict.real == Some(verdict.recorded_old))
        )?;
        let mut reasons = BTreeMap::<Reason, usize>::new();
        for reason in self.verdicts.iter().filter_map(|verdict| verdict.reason) {
            *reasons.entry(reason).or_default() += 1;
        }
        for (reason, count) in reasons {
            writeln!(f, "  because of {:<26}{count}", reason.to_string())?;
        }
        let mut steps = BTreeMap::<(i32, i32), usize>::new();
        for verdict in self.verdicts.iter().filter(|v| !v.exit_is_recorded()) {
            *steps.entry((verdict.ours, verdict.recorded)).or_default() += 1;
        }
        for ((ours, recorded), count) in steps {
            writeln!(f, "  exit {ours} where 2.4.3 has {recorded:<12}{count}")?;
        }
        Ok(())
    }

    fn files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nid      reason    exit ours/2.2.7/2.4.3  missing extra  first"
        )?;
        for verdict in &self.verdicts {
            let Some(reason) = verdict.reason else {
                continue;
            };
            let real = verdict
                .real
                .map_or_else(|| "?".to_owned(), |status| status.to_string());
            let exits = format!("{}/{real}/{}", verdict.ours, verdict.recorded);
            let (missing, extra) = (verdict.missing.len(), verdict.extra.len());
            let first = match (verdict.missing.first(), verdict.extra.first()) {
                (Some(message), _) => format!("- {message}"),
                (None, Some(message)) => format!("+ {message}"),
                (None, None) => String::new(),
            };
            let id = &verdict.id;
            let reason = reason.to_string();
            writeln!(
                f,
                "{id:<7} {reason:<9} {exits:<22} {missing:>7} {extra:>5}  {first}"
            )?;
        }
        Ok(())
    }

    fn inactive(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut files = BTreeMap::<&str, (usize, usize)>::new();
        let differing = self
            .verdicts
            .iter()
            .filter(|v| v.reason == Some(Reason::Inactive));
        for verdict in differing {
            for keyword in &verdict.inactive {
                let (all, alone) = files.entry(keyword).or_default();
                *all += 1;
                *alone += usize::from(verdict.inactive.len() == 1);
            }
        }
        let mut ranked: Vec<_> = files.into_iter().collect();
        ranked.sort_by_key(|(_, (all, alone))| std::cmp::Reverse((*all, *alone)));
        writeln!(
            f,
            "\ninactive keywords: differing files that have it, files where it is the only one"
        )?;
        for (keyword, (all, alone)) in ranked {
            writeln!(f, "{all:>5} {alone:>5}  {keyword}")?;
        }
        Ok(())
    }

    /// The order in which activating keywords frees most files of all inactive ones: again and
    /// again the keyword, or the smallest set of them, that a file still waits for.
    fn order(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut waiting: Vec<BTreeSet<&str>> = self
            .verdicts
            .iter()
            .filter(|verdict| verdict.reason == Some(Reason::Inactive))
            .map(|verdict| verdict.inactive.iter().map(String::as_str).collect())
            .collect();
        writeln!(
            f,
            "\norder of work: keywords to activate, files then free of inactive ones"
        )?;
        let mut free = 0;
        while let Some(next) = best(&waiting) {
            for set in &mut waiting {
                set.retain(|keyword| !next.contains(keyword));
            }
            free += waiting.iter().filter(|set| set.is_empty()).count();
            waiting.retain(|set| !set.is_empty());
            let names: Vec<&str> = next.into_iter().collect();
            writeln!(f, "{free:>5}  {}", names.join(" "))?;
        }
        Ok(())
    }

    fn kinds(
        &self,
        f: &mut fmt::Formatter<'_>,
        title: &str,
        of: fn(&Verdict) -> &[Message],
    ) -> fmt::Result {
        let mut kinds = BTreeMap::<String, (BTreeSet<&str>, BTreeSet<&str>, usize)>::new();
        for verdict in self
            .verdicts
            .iter()
            .filter(|verdict| verdict.reason.is_some())
        {
            for message in of(verdict) {
                let (files, active, lines) = kinds.entry(message.kind()).or_default();
                files.insert(&verdict.id);
                if verdict.inactive.is_empty() {
                    active.insert(&verdict.id);
                }
                *lines += 1;
            }
        }
        let mut ranked: Vec<_> = kinds.into_iter().collect();
        ranked.sort_by_key(|(_, (files, _, lines))| std::cmp::Reverse((files.len(), *lines)));
        writeln!(
            f,
            "\n{title}: files, of them without inactive keywords, lines"
        )?;
        let left = ranked.len().saturating_sub(ROWS);
        for (kind, (files, active, lines)) in ranked.into_iter().take(ROWS) {
            let some: Vec<&str> = active.iter().chain(&files).take(3).copied().collect();
            let (files, active) = (files.len(), active.len());
            writeln!(
                f,
                "{files:>5} {active:>5} {lines:>5}  {kind}  [{}]",
                some.join(" ")
            )?;
        }
        if left > 0 {
            writeln!(f, "                   and {left} more kinds")?;
        }
        Ok(())
    }
}

/// Of the smallest sets that are waited for, the one that frees most.
fn best<'a>(waiting: &[BTreeSet<&'a str>]) -> Option<BTreeSet<&'a str>> {
    let freed = |set: &BTreeSet<&str>| waiting.iter().filter(|other| other.is_subset(set)).count();
    let value = |set: &&BTreeSet<&str>| {
        (
            freed(set) * 1000 / set.len().max(1),
            std::cmp::Reverse(set.len()),
        )
    };
    waiting.iter().max_by_key(value).cloned()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.summary(f)?;
        self.files(f)?;
        self.inactive(f)?;
        self.order(f)?;
        self.kinds(f, "messages that ours does not say", |verdict| {
            &verdict.missing
        })?;
        self.kinds(f, "messages that only ours says", |verdict| &verdict.extra)
    }
}
