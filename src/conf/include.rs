//! `include` and its strictness.
//!
//! Owns: which files an include line names, and what a failing check means. Names are relative to
//! the including file; the working directory never changes. Never does: touch the file system
//! except through `Files`. Driven by: `reader`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ast::SourceId;
use super::diag::{Class, Consequence, Diagnostic};
use super::reader::{Context, Frame, MAX_DEPTH, Place, Reader};
use super::source::{FileError, Files, MAX_FILE, Source, to_display, to_path, to_text};

/// The keyword of `global_defs` that sets the level for the lines that follow.
pub(super) const CHECK_KEYWORD: &str = "include_check";

/// More alternatives in braces than this are a mistake.
const MAX_ALTERNATIVES: usize = 1_000;
/// So are more braces in a pattern than this,
const MAX_GROUPS: usize = 100;
/// and a pattern that is longer than a path can be.
const MAX_PATTERN: usize = 4096;

/// Which checks an include has to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checks(u8);

impl Checks {
    pub(super) const NONE: Self = Self(0);
    const READ: Self = Self(1);
    const MATCH: Self = Self(2);
    const WILDCARD: Self = Self(4);
    const BRACE: Self = Self(8);
    pub(super) const ALL: Self = Self(15);

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Puts the files that an include line names on the reader's stack.
pub(super) fn include(
    reader: &mut Reader,
    cx: &mut Context<'_>,
    place: Place,
    mode: Option<u8>,
    pattern: &str,
) {
    let checks = match mode {
        Some(b'r') => reader.checks.with(Checks::READ),
        Some(b'm') => reader.checks.with(Checks::MATCH),
        Some(b'w') => reader.checks.with(Checks::WILDCARD),
        Some(b'b') => reader.checks.with(Checks::BRACE),
        Some(_) => Checks::ALL,
        None => reader.checks,
    };
    let pattern = pattern.trim();
    let directory = reader
        .sources
        .get(place.source.0 as usize)
        .and_then(|source| source.path.parent())
        .map(Path::to_owned)
        .unwrap_or_default();
    let found = find(cx.files, &directory, pattern);
    let shown = to_display(pattern);
    if found.paths.is_empty() && found.empty && checks.has(Checks::WILDCARD) {
        missing(
            reader,
            cx,
            place,
            format!("No config files matched '{shown}'."),
            true,
        );
    } else if found.paths.is_empty() {
        let brace = pattern.contains('{');
        let fails = if brace {
            checks.has(Checks::BRACE)
        } else {
            checks.has(Checks::MATCH) || checks.has(Checks::WILDCARD)
        };
        // A folder without a file in it is as good as any other.
        if brace || !found.empty {
            let message = format!("Config files missing '{shown}'.");
            missing(reader, cx, place, message, fails);
        }
    } else if found.lacking {
        let message = format!("Some config files missing: \"{shown}\".");
        missing(reader, cx, place, message, checks.has(Checks::BRACE));
    }
    let demanded = Demanded {
        matched: checks.has(Checks::MATCH),
        readable: checks.has(Checks::READ),
    };
    let first = reader.stack.len();
    for path in found.paths {
        let name = shown_name(&path, &directory, pattern);
        open(reader, cx, Some((place, name)), path, demanded);
    }
    // The top of the stack is read first.
    if let Some(opened) = reader.stack.get_mut(first..) {
        opened.reverse();
    }
}

/// The name of an included file in messages is relative if that of the line is, as keepalived goes
/// into the directory of the file with the line.
fn shown_name(path: &Path, directory: &Path, pattern: &str) -> Arc<str> {
    let relative = !Path::new(pattern).is_absolute();
    let shown = relative
        .then(|| path.strip_prefix(directory).ok())
        .flatten();
    Arc::from(shown.unwrap_or(path).to_string_lossy())
}

/// What a pattern matches.
pub(super) struct Found {
    pub(super) paths: Vec<PathBuf>,
    /// There is a wildcard in it, in a folder that is there.
    empty: bool,
    /// One of the alternatives in braces is not there.
    lacking: bool,
}

/// The existing files that a pattern with wildcards and braces names, in the order of the braces.
pub(super) fn find(files: &dyn Files, directory: &Path, pattern: &str) -> Found {
    let alternatives = braces(pattern);
    let mut found = Found {
        paths: Vec::new(),
        empty: pattern.find(['*', '?', '[']).is_some_and(|wildcard| {
            let folder = pattern[..wildcard].rfind('/').map(|end| &pattern[..=end]);
            folder.is_none_or(|folder| files.exists(&directory.join(to_path(folder))))
        }),
        lacking: false,
    };
    for alternative in &alternatives {
        let path = directory.join(to_path(alternative));
        let matched = if alternative.contains(['*', '?', '[']) {
            files.glob(&path)
        } else if files.exists(&path) {
            vec![path]
        } else {
            Vec::new()
        };
        found.lacking |= matched.is_empty();
        found.paths.extend(matched);
    }
    found
}

/// What it means if a file cannot be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demanded {
    pub(super) matched: bool,
    pub(super) readable: bool,
}

/// Reads a file and puts it on top of the stack. Without a place it is the main file.
pub(super) fn open(
    reader: &mut Reader,
    cx: &mut Context<'_>,
    included: Option<(Place, Arc<str>)>,
    path: PathBuf,
    demanded: Demanded,
) -> bool {
    let (place, name) = match included {
        Some((place, name)) => (Some(place), name),
        None => (None, Arc::from(path.to_string_lossy())),
    };
    let on_stack = reader.stack.iter().any(|frame| {
        frame.started
            && reader
                .sources
                .get(frame.source.0 as usize)
                .is_some_and(|source| source.path == path)
    });
    if on_stack || reader.stack.len() >= MAX_DEPTH {
        let message = format!("include of {name} is a loop - ignoring");
        report(
            reader,
            cx,
            place,
            Class::Fatal,
            message,
            Consequence::KeepRunning,
        );
        return false;
    }
    let bytes = match cx.files.read(&path) {
        Ok(bytes) if reader.read_bytes + bytes.len() <= MAX_FILE => bytes,
        Ok(_) | Err(FileError::TooLarge) => {
            let message = format!("{name} is too large to be a configuration - ignoring");
            report(
                reader,
                cx,
                place,
                Class::Fatal,
                message,
                Consequence::RefuseStart(6),
            );
            return false;
        }
        Err(error) => {
            unreadable(reader, cx, place, &name, &error, demanded);
            return false;
        }
    };
    reader.read_bytes += bytes.len();
    let text = to_text(bytes);
    let Ok(id) = u32::try_from(reader.sources.len()) else {
        return false;
    };
    let binary = text.contains('\0');
    reader.sources.push(Source {
        name,
        path,
        text: Arc::new(text),
        included: place,
        binary,
    });
    reader.stack.push(Frame {
        source: SourceId(id),
        offset: 0,
        number: 1,
        checks: reader.checks,
        started: false,
    });
    true
}

fn unreadable(
    reader: &Reader,
    cx: &mut Context<'_>,
    place: Option<Place>,
    name: &str,
    error: &FileError,
    demanded: Demanded,
) {
    let (message, fails) = match error {
        FileError::Missing => (format!("Config files missing '{name}'."), demanded.matched),
        FileError::Directory => (
            format!("Configuration file '{name}/' is a directory - skipping"),
            demanded.readable,
        ),
        FileError::NotRegular => (
            format!("Configuration file '{name}' is not a regular non-executable file - skipping"),
            demanded.readable,
        ),
        FileError::Denied => (
            format!("Unable to open config file '{name}' - Permission denied"),
            demanded.readable,
        ),
        FileError::TooLarge => (
            format!("Config file '{name}' is too large"),
            demanded.readable,
        ),
        FileError::Other(reason) => (
            format!("Unable to open config file '{name}' - {reason}"),
            demanded.readable,
        ),
    };
    let main = place.is_none();
    let class = if fails {
        Class::FileNotFound
    } else {
        Class::Notice
    };
    let consequence = if fails || main {
        Consequence::RefuseStart(6)
    } else {
        Consequence::Continue
    };
    report(reader, cx, place, class, message, consequence);
}

fn missing(reader: &Reader, cx: &mut Context<'_>, place: Place, message: String, fails: bool) {
    let (class, consequence) = if fails {
        (Class::FileNotFound, Consequence::RefuseStart(6))
    } else {
        (Class::Notice, Consequence::Continue)
    };
    report(reader, cx, Some(place), class, message, consequence);
}

fn report(
    reader: &Reader,
    cx: &mut Context<'_>,
    place: Option<Place>,
    class: Class,
    message: String,
    consequence: Consequence,
) {
    let mut finding = Diagnostic::new(class, message).consequence(consequence);
    if let Some(place) = place {
        finding = finding.at(reader.span(place, None));
    }
    cx.push(finding);
}

/// Acts on an `include_check` line; it is bound like any other keyword afterwards.
pub(super) fn check_level(reader: &mut Reader, cx: &mut Context<'_>, place: Place, words: &str) {
    let words = words.split(['{', '}']).next().unwrap_or_default();
    // The first word without a sign sets the level; there can be one.
    let mut plain: Option<Checks> = None;
    let mut seen = false;
    let (mut add, mut remove) = (Checks::NONE, Checks::NONE);
    let mut any = false;
    for word in words.split_ascii_whitespace() {
        any = true;
        let name = word.strip_prefix(['+', '-']).unwrap_or(word);
        let signed = name.len() < word.len();
        if !signed && std::mem::replace(&mut seen, true) {
            let message = format!(
                "Duplicate include_check '{}' specified - ignoring",
                to_display(name)
            );
            reader.complain(cx, place, Class::General, &message);
            continue;
        }
        let check = match name {
            "read" => Checks::READ,
            "match" => Checks::MATCH,
            "wildcard_match" => Checks::WILDCARD,
            "brace_match" => Checks::BRACE,
            _ => {
                let message = format!(
                    "Unknown include_check type '{}' - ignoring",
                    to_display(name)
                );
                reader.complain(cx, place, Class::General, &message);
                continue;
            }
        };
        if word.starts_with('+') {
            add = add.with(check);
        } else if word.starts_with('-') {
            remove = remove.with(check);
        } else {
            plain = Some(check);
        }
    }
    let base = if any {
        plain.unwrap_or(reader.checks)
    } else {
        Checks::ALL
    };
    reader.checks = Checks((base.0 | add.0) & !remove.0);
}

/// The alternatives of a pattern with `{a,b}`, from left to right, as glob(3) has them with
/// GLOB_BRACE: groups may nest, `{}` and a brace without its partner stand for themselves. (Written
/// here because bracoxide panics at an unmatched `{` and knows ranges, which glob(3) does not.)
fn braces(pattern: &str) -> Vec<String> {
    let plain = || vec![pattern.to_owned()];
    if pattern.len() > MAX_PATTERN || pattern.matches('{').count() > MAX_GROUPS {
        return plain();
    }
    let (mut done, mut todo) = (Vec::new(), plain());
    while let Some(next) = todo.pop() {
        if done.len() + todo.len() > MAX_ALTERNATIVES {
            return plain();
        }
        match first_group(&next) {
            None => done.push(next),
            Some((before, inside, after)) => {
                for alternative in top_level_commas(inside).into_iter().rev() {
                    todo.push([before, alternative, after].concat());
                }
            }
        }
    }
    done
}

/// What stands before, in and after the first pair of braces that is not `{}`.
fn first_group(pattern: &str) -> Option<(&str, &str, &str)> {
    pattern.match_indices('{').find_map(|(open, _)| {
        let close = open + matching(&pattern[open..])?;
        let inside = &pattern[open + 1..close];
        (!inside.is_empty()).then(|| (&pattern[..open], inside, &pattern[close + 1..]))
    })
}

/// Where the brace that `text` begins with is closed.
fn matching(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return Some(index);
        }
    }
    None
}

/// The parts between commas that stand in no inner pair of braces.
fn top_level_commas(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: patterns. Output: what glob(3) makes of them, also of those that are wrong.
    #[test]
    fn braces_make_alternatives() {
        for (pattern, expected) in [
            ("a.conf", &["a.conf"][..]),
            ("{a,b}.conf", &["a.conf", "b.conf"]),
            ("x{1,2}y{3,4}", &["x1y3", "x1y4", "x2y3", "x2y4"]),
            ("{a,b{c,d}}e", &["ae", "bce", "bde"]),
            ("{a,}b", &["ab", "b"]),
            ("{a}", &["a"]),
            ("a{}b", &["a{}b"]),
            ("a{", &["a{"]),
            ("a}{b", &["a}{b"]),
            ("{a{b,c}", &["{ab", "{ac"]),
            ("{1..3}", &["1..3"]),
        ] {
            assert_eq!(braces(pattern), expected, "{pattern}");
        }
    }

    // Input: patterns that would make millions. Output: they stand for themselves.
    #[test]
    fn too_many_alternatives_are_none() {
        let many = "{a,b}".repeat(30);
        assert_eq!(braces(&many), [many]);
        let open = "{".repeat(100_000);
        assert_eq!(braces(&open), [open]);
    }
}
