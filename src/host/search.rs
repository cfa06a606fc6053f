//! Patterns of `regex`, looked for beside the loop.
//!
//! Owns: the thread that searches, and its compiled patterns. Never does: wait for it; judge what it
//! finds. Driven by: `exec` (a search is wanted) and `event_loop` (answers are there).
//!
//! A pattern can take longer than any text is worth. The thread has no real-time priority, each
//! search has a time, and what does not end in it fails.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::clock;
use super::sys::regex::Regex;
use crate::base::{Duration, ident};
use crate::conf::source::{to_bytes, to_display};
use crate::ops::{Pattern, ProbeId, Search, Searched};

/// A search takes no longer, but for the places that are under way when it is over.
const TIME: Duration = Duration::from_secs(1);
/// Places of a text where a match is looked for between two looks at the clock.
const PLACES: usize = 64;
/// Steps of matching at one place.
const STEPS: u32 = 2_000_000;
/// Memory for a search, in KiB.
const KIB: u32 = 64 * 1024;
/// Compiled patterns that are kept.
const KEPT: usize = 1024;
/// Searches that wait; of more than that none is worth waiting for.
const WAITING: usize = 256;
/// The thread's stack; matching keeps its state elsewhere, compiling does not.
const STACK: usize = 512 * 1024;

type Answer = (ProbeId, Searched);

/// The searches under way.
#[derive(Debug, Default)]
pub(super) struct Searcher {
    thread: Option<Thread>,
    /// Whose answers are still wanted.
    wanted: BTreeSet<ProbeId>,
    waiting: usize,
}

#[derive(Debug)]
struct Thread {
    work: Sender<(ProbeId, Search)>,
    answers: Receiver<Answer>,
    /// Becomes readable when there are answers.
    readable: UnixStream,
}

impl Thread {
    fn start() -> io::Result<Self> {
        let (readable, mut writable) = UnixStream::pair()?;
        readable.set_nonblocking(true)?;
        writable.set_nonblocking(true)?;
        let (work, jobs) = channel::<(ProbeId, Search)>();
        let (answer, answers) = channel();
        std::thread::Builder::new()
            .name("search".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                let mut compiled = BTreeMap::new();
                for (id, search) in jobs {
                    if answer.send((id, look(&mut compiled, search))).is_err() {
                        return;
                    }
                    // With a full pipe the loop is awake already.
                    drop(writable.write(&[0]));
                }
            })?;
        Ok(Self {
            work,
            answers,
            readable,
        })
    }
}

impl Searcher {
    /// The descriptor that becomes readable when there are answers, when it is new.
    ///
    /// # Errors
    /// What the system refuses.
    pub(super) fn open(&mut self) -> io::Result<Option<RawFd>> {
        if self.thread.is_some() {
            return Ok(None);
        }
        let thread = Thread::start()?;
        let descriptor = thread.readable.as_raw_fd();
        self.thread = Some(thread);
        Ok(Some(descriptor))
    }

    /// Starts a search.
    ///
    /// # Errors
    /// `EAGAIN` when too many wait.
    pub(super) fn start(&mut self, id: ProbeId, search: Search) -> io::Result<()> {
        let again = || io::Error::from_raw_os_error(libc::EAGAIN);
        let thread = self.thread.as_ref().ok_or_else(again)?;
        if self.waiting >= WAITING || thread.work.send((id, search)).is_err() {
            return Err(again());
        }
        self.waiting += 1;
        self.wanted.insert(id);
        Ok(())
    }

    /// The answer is no longer wanted.
    pub(super) fn forget(&mut self, id: ProbeId) {
        self.wanted.remove(&id);
    }

    /// The answers that have come and are still wanted.
    pub(super) fn answers(&mut self) -> Vec<Answer> {
        let Some(thread) = &mut self.thread else {
            return Vec::new();
        };
        let mut room = [0; 64];
        while matches!(thread.readable.read(&mut room), Ok(1..)) {}
        let all: Vec<Answer> = thread.answers.try_iter().collect();
        self.waiting = self.waiting.saturating_sub(all.len());
        all.into_iter()
            .filter(|(id, _)| self.wanted.remove(id))
            .collect()
    }
}

/// The compiled patterns; `None`: it is none, which was said.
type Compiled = BTreeMap<Pattern, Option<Regex>>;

fn look(compiled: &mut Compiled, search: Search) -> Searched {
    if compiled.len() >= KEPT {
        compiled.clear();
    }
    let Search { pattern, text } = search;
    let regex = compiled
        .entry(pattern.clone())
        .or_insert_with(|| compile(&pattern));
    let Some(regex) = regex else {
        return Searched::Failed;
    };
    match find(regex, &pattern, &text) {
        Ok(true) => Searched::Found,
        Ok(false) => Searched::Absent,
        Err(reason) => {
            let pattern = to_display(&pattern.pattern);
            log::warn!(
                target: ident::CHECK,
                "Regex '{pattern}' cannot be looked for in {} bytes: {reason}; the check fails",
                text.len()
            );
            Searched::Failed
        }
    }
}

/// Reads a pattern as a check would. On failure: where in it, and what is wrong there.
pub(super) fn read_pattern(
    pattern: &str,
    options: &[impl AsRef<str>],
) -> Result<Regex, (usize, String)> {
    let options = options.iter().map(|name| bit(name.as_ref()));
    let options = options.fold(pcre2_sys::PCRE2_USE_OFFSET_LIMIT, |all, bit| all | bit);
    Regex::new(&to_bytes(pattern), options)
}

fn compile(pattern: &Pattern) -> Option<Regex> {
    match read_pattern(&pattern.pattern, &pattern.options) {
        Ok(regex) => Some(regex),
        Err((offset, text)) => {
            let pattern = to_display(&pattern.pattern);
            log::warn!(
                target: ident::CHECK,
                "Invalid regex: '{pattern}' at offset {offset}: {text}"
            );
            None
        }
    }
}

/// Looks for a match a few places at a time.
fn find(regex: &Regex, pattern: &Pattern, text: &[u8]) -> Result<bool, String> {
    let offset = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
    let last = pattern
        .max_offset
        .map_or(text.len(), offset)
        .min(text.len());
    let mut first = offset(pattern.min_offset);
    // The text is looked through for broken UTF-8 once, not each time.
    let utf = pattern.options.iter().any(|option| option == "utf");
    let mut options = 0;
    let kib = pattern
        .memory
        .map_or(KIB, |bytes| (bytes / 1024).clamp(1, KIB));
    let over = clock::now() + TIME;
    while first <= last {
        if utf && options != 0 {
            // A match begins with a character, not within one.
            while text.get(first).is_some_and(|byte| byte & 0xc0 == 0x80) {
                first += 1;
            }
        }
        let until = (first + PLACES - 1).min(last);
        match regex.is_in(text, (first, until), (STEPS, kib), options) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(pcre2_sys::PCRE2_ERROR_MATCHLIMIT) => return Err("it takes too many steps".into()),
            Err(pcre2_sys::PCRE2_ERROR_HEAPLIMIT) => return Err("it takes too much memory".into()),
            Err(error) => return Err(format!("error {error} of PCRE2")),
        }
        if clock::now() > over {
            return Err("it takes too long".to_owned());
        }
        options = pcre2_sys::PCRE2_NO_UTF_CHECK;
        first = until + 1;
    }
    Ok(false)
}

/// The bit of an option. The configuration takes only these.
fn bit(name: &str) -> u32 {
    match name {
        "allow_empty_class" => pcre2_sys::PCRE2_ALLOW_EMPTY_CLASS,
        "alt_bsux" => pcre2_sys::PCRE2_ALT_BSUX,
        "alt_circumflex" => pcre2_sys::PCRE2_ALT_CIRCUMFLEX,
        "alt_verbnames" => pcre2_sys::PCRE2_ALT_VERBNAMES,
        "auto_callout" => pcre2_sys::PCRE2_AUTO_CALLOUT,
        "caseless" => pcre2_sys::PCRE2_CASELESS,
        "dollar_endonly" => pcre2_sys::PCRE2_DOLLAR_ENDONLY,
        "dotall" => pcre2_sys::PCRE2_DOTALL,
        "dupnames" => pcre2_sys::PCRE2_DUPNAMES,
        "extended" => pcre2_sys::PCRE2_EXTENDED,
        "firstline" => pcre2_sys::PCRE2_FIRSTLINE,
        "match_unset_backref" => pcre2_sys::PCRE2_MATCH_UNSET_BACKREF,
        "multiline" => pcre2_sys::PCRE2_MULTILINE,
        "never_backslash_c" => pcre2_sys::PCRE2_NEVER_BACKSLASH_C,
        "never_ucp" => pcre2_sys::PCRE2_NEVER_UCP,
        "never_utf" => pcre2_sys::PCRE2_NEVER_UTF,
        "no_auto_capture" => pcre2_sys::PCRE2_NO_AUTO_CAPTURE,
        "no_auto_possess" => pcre2_sys::PCRE2_NO_AUTO_POSSESS,
        "no_dotstar_anchor" => pcre2_sys::PCRE2_NO_DOTSTAR_ANCHOR,
        "no_start_optimize" => pcre2_sys::PCRE2_NO_START_OPTIMIZE,
        "ucp" => pcre2_sys::PCRE2_UCP,
        "ungreedy" => pcre2_sys::PCRE2_UNGREEDY,
        "utf" => pcre2_sys::PCRE2_UTF,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn pattern(text: &str, options: &[&str]) -> Pattern {
        Pattern {
            pattern: text.to_owned(),
            options: options.iter().map(|&option| option.to_owned()).collect(),
            min_offset: 0,
            max_offset: None,
            memory: None,
        }
    }

    fn searched(pattern: Pattern, text: &[u8]) -> Searched {
        let text = text.to_vec();
        look(&mut Compiled::new(), Search { pattern, text })
    }

    // Input: patterns with options, and texts. Output: what PCRE2 finds.
    #[test]
    fn patterns_are_found_as_their_options_say() {
        let lines = b"line1\nfoo\nline3";
        for (text, options, subject, expected) in [
            ("foo.*bar", vec![], b"xxfoo bar".as_slice(), Searched::Found),
            ("foo", vec![], b"nothing", Searched::Absent),
            ("foo", vec![], b"xxFOO", Searched::Absent),
            ("foo", vec!["caseless"], b"xxFOO", Searched::Found),
            ("^foo$", vec![], lines, Searched::Absent),
            ("^foo$", vec!["multiline"], lines, Searched::Found),
            ("1.foo", vec![], lines, Searched::Absent),
            ("1.foo", vec!["dotall"], lines, Searched::Found),
            ("^.$", vec!["utf"], "ä".as_bytes(), Searched::Found),
            ("^.$", vec![], "ä".as_bytes(), Searched::Absent),
            (".", vec!["utf"], b"\xff", Searched::Failed),
            ("", vec![], b"", Searched::Found),
            ("(", vec![], b"(", Searched::Failed),
        ] {
            assert_eq!(
                searched(pattern(text, &options), subject),
                expected,
                "{text} {options:?}"
            );
        }
    }

    // Input: a match that begins at 10. Output: it is found where the offsets let it be.
    #[test]
    fn a_match_begins_between_the_offsets() {
        let with = |min_offset, max_offset| Pattern {
            min_offset,
            max_offset,
            ..pattern("foo", &[])
        };
        for (min, max, expected) in [
            (10, None, Searched::Found),
            (11, None, Searched::Absent),
            (0, Some(9), Searched::Absent),
            (0, Some(10), Searched::Found),
            (2, Some(12), Searched::Found),
            (4000, None, Searched::Absent),
        ] {
            assert_eq!(
                searched(with(min, max), b"0123456789foo"),
                expected,
                "{min} {max:?}"
            );
        }
    }

    // Input: texts longer than a slice, of which the last characters match. Output: found, also
    // where a slice would end within a character.
    #[test]
    fn long_texts_are_searched_to_their_end() {
        let text = format!("{}fooy", "ä".repeat(300_001));
        assert_eq!(
            searched(pattern("fo+y$", &["utf"]), text.as_bytes()),
            Searched::Found
        );
        assert_eq!(
            searched(pattern("(?<=ä)fo+y$", &["utf"]), text.as_bytes()),
            Searched::Found
        );
        assert_eq!(
            searched(pattern("fo+z", &["utf"]), text.as_bytes()),
            Searched::Absent
        );
    }

    // Input: a pattern that takes for ever. Output: a failure, soon.
    #[test]
    fn a_costly_pattern_fails_in_time() {
        let begun = Instant::now();
        let text = [vec![b'a'; 30_000], vec![b'!']].concat();
        assert_eq!(
            searched(
                pattern("(a+)+b|(a|aa)+c", &["no_start_optimize", "no_auto_possess"]),
                &text
            ),
            Searched::Failed
        );
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            begun.elapsed()
        );
    }

    // Input: two searches, one of which is no longer wanted. Output: the answer to the other.
    #[test]
    fn searches_run_beside_the_loop() {
        let mut searcher = Searcher::default();
        let search = Search {
            pattern: pattern("b", &[]),
            text: b"abc".to_vec(),
        };
        assert!(searcher.start(ProbeId(1), search.clone()).is_err());
        assert!(searcher.open().unwrap().is_some());
        assert!(searcher.open().unwrap().is_none());
        searcher.start(ProbeId(1), search.clone()).unwrap();
        searcher.start(ProbeId(2), search).unwrap();
        searcher.forget(ProbeId(1));
        let until = Instant::now() + Duration::from_secs(10);
        let mut found = Vec::new();
        while searcher.waiting > 0 && Instant::now() < until {
            found.extend(searcher.answers());
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(found, [(ProbeId(2), Searched::Found)]);
    }
}
