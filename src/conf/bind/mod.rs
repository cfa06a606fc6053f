//! From logical lines to the draft: keepalived's stream semantics, driven by the schema.
//!
//! Owns: the stack of open blocks. A line is looked up in the innermost block, whatever brought the
//! reader there: after an unknown keyword its `{` is unexpected, its lines are tried in the
//! enclosing block and its `}` ends that block. That outcome is keepalived's and part of the
//! contract; we add a note that explains it. Never does: fill in defaults or compare objects with
//! each other (`resolve`). Driven by: `Loader::step`.

pub(super) mod address;
pub(super) mod bfd;
pub(super) mod daemon;
mod encap;
pub(super) mod global;
pub(super) mod group;
pub(super) mod http;
pub(super) mod instance;
pub(super) mod links;
pub(super) mod lvs;
mod metrics;
pub(super) mod options;
pub(super) mod other_probes;
pub(super) mod probes;
pub(super) mod process;
pub(super) mod real_server;
pub(super) mod route;
pub(super) mod rule;
pub(super) mod script;
pub(super) mod server_policy;
pub(super) mod service_policy;
pub(super) mod settings;
pub(super) mod signing;
pub(super) mod slots;
mod statement;
pub(super) mod statics;
pub(super) mod sync_group;
pub(super) mod tracker;
pub(super) mod tracking;
mod view;
pub(super) mod virtual_server;
pub(super) mod vmac;
mod words;

pub(super) use statement::{Mark, Outcome, Statement, Stop, one_address};
pub(super) use view::View;

use std::collections::BTreeSet;

use super::ast::Kind;
use super::diag::{Class, Consequence, Diagnostic, Span};
use super::draft::Draft;
use super::outline::Outline;
use super::schema::{self, Form, Level};
use super::syntax;

/// Takes the line of a keyword or of a value.
pub(super) type Handler = fn(&mut Draft, &mut Statement<'_>) -> Outcome;
/// Takes the end of a block.
pub(super) type Close = Option<fn(&mut Draft, &mut Statement<'_>)>;

/// Said of a block keyword without its block.
const MISSING_OPEN: &str = "Missing '{' at beginning of configuration block";

/// Says that a block of values has no words of its own.
fn reports_extra(st: &mut Statement<'_>) {
    let shown = super::source::to_display;
    if let (Some(name), Some(extra)) = (st.word(0), st.word(1)) {
        let (name, extra) = (shown(name), shown(extra));
        let message = format!("Block {name} has extra parameters {extra} ...");
        st.error(Class::General, message, Some(1));
    }
}

/// An open block.
enum Frame {
    /// Of keywords.
    Keywords {
        level: Level,
        close: Close,
        opened: Option<Opened>,
    },
    /// Of values.
    Values {
        line: Handler,
        close: Close,
        opened: Opened,
    },
    /// Skipped whole; how many blocks are open in it, and whether the block around it ends too.
    Skip { depth: usize, both: bool },
    /// Of a block that was to be skipped and has no `{`: keepalived reads its lines nevertheless, of
    /// an object that there is not.
    Void { level: Level, opened: Opened },
}

/// Says that a block does not begin.
fn missing_open(st: &mut Statement<'_>, class: Class, opened: &Opened) {
    let finding = st
        .finding(class, MISSING_OPEN, None)
        .note(
            format!("`{}` needs a block", opened.name),
            Some(st.span_at(opened.mark)),
        )
        .consequence(Consequence::KeepRunning);
    st.diagnostics.push(finding);
}

/// Tells with the first complaint about a line what would have been right.
fn expected(level: Level, name: &str, before: usize, st: &mut Statement<'_>) {
    if st.diagnostics.count() == before || st.diagnostics.crowded() {
        return;
    }
    let complaint = |finding: &&mut Diagnostic| {
        let class = finding.class;
        let values = [
            Class::InvalidNumber,
            Class::General,
            Class::MissingParameter,
        ];
        values.contains(&class) && finding.help.is_none()
    };
    if let Some(finding) = st.diagnostics.since(before).iter_mut().find(complaint)
        && let Some(facts) = schema::facts::of(level, name).filter(|facts| !facts.words.is_empty())
    {
        finding.help = Some(facts.expected());
    }
}

/// A block that the `}` of an unknown block ended.
struct Early {
    /// The block, and how many were open with it.
    name: String,
    depth: usize,
    /// The unknown keyword.
    cause: Mark,
    /// Where it ended.
    end: Option<Mark>,
}

/// Where a block was opened.
#[derive(Debug, Clone)]
struct Opened {
    name: String,
    mark: Mark,
}

/// A block whose `{` has to come next.
enum Pending {
    None,
    Keywords {
        level: Level,
        close: Close,
        opened: Opened,
    },
    Values {
        line: Handler,
        close: Close,
        opened: Opened,
    },
    /// Skipped if it begins, else read for nothing if keywords are to stand in it.
    Skip(Option<(Level, Opened)>),
    /// Read for nothing.
    Void(Level, Opened),
    /// Skipped if it begins, and the block around it ends with it.
    SkipBoth,
    /// A block that is another process's: skipped if it begins, else as if it were not there.
    Foreign,
}

/// The binder.
pub(super) struct Binder {
    pub(super) draft: Draft,
    frames: Vec<Frame>,
    pending: Pending,
    braces: usize,
    stray: bool,
    /// The last line that named an unknown keyword: its brace gets a note.
    unknown: Option<Opened>,
    /// Explains what is unknown behind such an end.
    early: Option<Early>,
    /// Keywords whose function is not there yet, of which it was said.
    told: BTreeSet<(Level, &'static str)>,
    /// Where everything stands, if somebody asked for it.
    pub(super) outline: Option<Outline>,
    view: View,
    /// A block has no `{`, or one that is none: whoever skips it finds another end of it.
    pub(super) torn: bool,
}

impl Binder {
    /// A binder at the top level.
    pub(super) fn new(view: View) -> Self {
        Self {
            view,
            torn: false,
            draft: Draft::default(),
            frames: vec![Frame::Keywords {
                level: Level::Root,
                close: None,
                opened: None,
            }],
            pending: Pending::None,
            braces: 0,
            stray: false,
            unknown: None,
            early: None,
            told: BTreeSet::new(),
            outline: None,
        }
    }

    /// Takes a logical line; false: reading ends here.
    pub(super) fn line(&mut self, st: &mut Statement<'_>) -> bool {
        match st.line.kind {
            Kind::Open => {
                self.braces += 1;
                if let (Pending::None, Some(Frame::Values { line, .. })) =
                    (&self.pending, self.frames.last())
                {
                    // To a block of values a brace is a value like any other.
                    let line = *line;
                    self.torn = true;
                    return self.outcome(line, st, Pending::None);
                }
                self.open(st);
                true
            }
            Kind::Close => {
                self.count_close(st);
                self.pending_without_open(st);
                self.close(st);
                true
            }
            Kind::Text if st.line.count == 0 => true,
            Kind::Text if !self.is_skipping() && st.word(0) == Some("}") => {
                self.pending_without_open(st);
                self.close(st);
                true
            }
            Kind::Text if !self.is_skipping() && st.word(0) == Some("{") => {
                self.open(st);
                true
            }
            Kind::Text => {
                if let Pending::Values { opened, .. } = &self.pending
                    && opened.name.split(syntax::is_space).next() == Some(group::KEYWORD)
                {
                    self.torn = true;
                    group::nameless(st, opened.mark);
                    return false;
                }
                self.pending_without_open(st);
                let opens = self.takes_brace(st);
                let more = self.text(st);
                if opens && more {
                    self.open(st);
                }
                more
            }
        }
    }

    /// Whether the line is that of a block and ends with its brace, in quotes: it is taken off.
    fn takes_brace(&self, st: &mut Statement<'_>) -> bool {
        let last = st.count() - 1;
        if last == 0 || st.word(last) != Some("{") {
            return false;
        }
        let Some(Frame::Keywords { level, .. } | Frame::Void { level, .. }) = self.frames.last()
        else {
            return false;
        };
        let form = schema::find(*level, st.word(0).unwrap_or_default());
        let takes = form.is_some_and(Form::is_block);
        st.line.count -= u32::from(takes);
        takes
    }

    /// Whether nothing but braces counts; in quotes they are none there.
    fn is_skipping(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Skip { .. }))
    }

    /// Reports what is left open at the end of the text.
    pub(super) fn end(&self, report: &mut dyn FnMut(Diagnostic), span: &dyn Fn(Mark) -> Span) {
        if self.braces > 0 {
            let mut finding = Diagnostic::new(
                Class::MissingClose,
                format!("There are {} missing '}}'s or extra '{{'s", self.braces),
            )
            .consequence(Consequence::KeepRunning);
            for frame in &self.frames {
                if let Frame::Keywords {
                    opened: Some(opened),
                    ..
                }
                | Frame::Values { opened, .. }
                | Frame::Void { opened, .. } = frame
                {
                    let text = format!("`{}` opened here is not closed", opened.name);
                    finding = finding.note(text, Some(span(opened.mark)));
                }
            }
            report(finding);
        }
    }

    /// Ends the blocks that are open at the end of the text, also one that has no `{` yet.
    pub(super) fn close_open(&mut self, st: &mut Statement<'_>) {
        match std::mem::replace(&mut self.pending, Pending::None) {
            Pending::Keywords { close, .. } | Pending::Values { close, .. } => {
                if let Some(close) = close {
                    close(&mut self.draft, st);
                }
            }
            Pending::None
            | Pending::Skip(_)
            | Pending::Void(..)
            | Pending::SkipBoth
            | Pending::Foreign => {}
        }
        while self.frames.len() > 1 {
            if let Some(Frame::Values { close, .. } | Frame::Keywords { close, .. }) =
                self.frames.pop()
                && let Some(close) = close
            {
                close(&mut self.draft, st);
            }
        }
    }

    fn open(&mut self, st: &mut Statement<'_>) {
        match std::mem::replace(&mut self.pending, Pending::None) {
            Pending::Keywords {
                level,
                close,
                opened,
            } => self.enter(Frame::Keywords {
                level,
                close,
                opened: Some(opened),
            }),
            Pending::Values {
                line,
                close,
                opened,
            } => self.enter(Frame::Values {
                line,
                close,
                opened,
            }),
            Pending::Skip(_) | Pending::Foreign => self.enter(Frame::Skip {
                depth: 1,
                both: false,
            }),
            Pending::Void(level, opened) => self.enter(Frame::Void { level, opened }),
            Pending::SkipBoth => self.enter(Frame::Skip {
                depth: 1,
                both: true,
            }),
            Pending::None => {
                if let Some(Frame::Skip { depth, .. }) = self.frames.last_mut() {
                    *depth += 1;
                    return;
                }
                self.torn |= self.frames.len() > 1;
                let mut finding = st
                    .finding(Class::UnexpectedOpen, "Unexpected '{' - ignoring", Some(0))
                    .consequence(Consequence::KeepRunning);
                if let Some(unknown) = self.unknown.take() {
                    let outcome = if self.frames.len() > 1 {
                        self.early = Some(Early {
                            name: self.innermost(),
                            depth: self.frames.len(),
                            cause: unknown.mark,
                            end: None,
                        });
                        format!("{0} and its `}}` ends {0}", self.innermost())
                    } else {
                        "the top level".to_owned()
                    };
                    let text = format!(
                        "`{}` is unknown: the lines of its block are tried in {outcome}",
                        unknown.name
                    );
                    finding = finding.note(text, Some(st.span_at(unknown.mark)));
                }
                st.diagnostics.push(finding);
            }
        }
    }

    /// A block keyword was not followed by `{`.
    fn pending_without_open(&mut self, st: &mut Statement<'_>) {
        self.torn |= !matches!(self.pending, Pending::None);
        match std::mem::replace(&mut self.pending, Pending::None) {
            Pending::None | Pending::SkipBoth | Pending::Foreign => {}
            Pending::Skip(inner) => {
                let finding = st
                    .finding(Class::MissingOpen, MISSING_OPEN, None)
                    .note("the block is skipped, but it has no beginning", None)
                    .consequence(Consequence::KeepRunning);
                st.diagnostics.push(finding);
                if let Some((level, opened)) = inner {
                    self.enter(Frame::Void { level, opened });
                }
            }
            Pending::Void(level, opened) => {
                missing_open(st, Class::MissingOpen, &opened);
                self.enter(Frame::Void { level, opened });
            }
            Pending::Keywords {
                level,
                close,
                opened,
            } => {
                missing_open(st, Class::MissingOpen, &opened);
                self.enter(Frame::Keywords {
                    level,
                    close,
                    opened: Some(opened),
                });
            }
            Pending::Values {
                line,
                close,
                opened,
            } => {
                missing_open(st, Class::Advice, &opened);
                self.enter(Frame::Values {
                    line,
                    close,
                    opened,
                });
            }
        }
    }

    fn enter(&mut self, frame: Frame) {
        // Something was understood again.
        self.early.take_if(|early| early.end.is_some());
        self.frames.push(frame);
        if let Some(outline) = &mut self.outline {
            outline.enter();
        }
    }

    fn leave(&mut self) {
        self.frames.pop();
        if let Some(outline) = &mut self.outline {
            outline.leave();
        }
    }

    fn count_close(&mut self, st: &mut Statement<'_>) {
        if self.braces > 0 {
            self.braces -= 1;
            return;
        }
        self.stray = true;
        let finding = st
            .finding(Class::UnexpectedClose, "Extra '}' found", Some(0))
            .consequence(Consequence::KeepRunning);
        let finding = self.ended_early(finding, st);
        st.diagnostics.push(finding);
    }

    fn close(&mut self, st: &mut Statement<'_>) {
        let outermost = self.frames.len() <= 1;
        let level = match self.frames.last() {
            Some(Frame::Keywords { level, .. }) => Some(*level),
            Some(Frame::Values { .. } | Frame::Skip { .. } | Frame::Void { .. }) | None => None,
        };
        match self.frames.last_mut() {
            Some(Frame::Void { .. }) => self.leave(),
            Some(Frame::Skip { depth, .. }) if *depth > 1 => *depth -= 1,
            Some(Frame::Skip { both, .. }) => {
                let both = *both;
                self.leave();
                if both {
                    self.leave();
                }
            }
            Some(Frame::Values { close, .. } | Frame::Keywords { close, .. }) if !outermost => {
                let before = st.diagnostics.count();
                if let Some(close) = *close {
                    close(&mut self.draft, st);
                }
                if level.is_some_and(|level| self.view.is_silent(level)) {
                    st.diagnostics.hush(before);
                }
                let depth = self.frames.len();
                if let Some(early) = &mut self.early
                    && early.depth == depth
                {
                    early.end = Some(st.mark(0));
                }
                self.leave();
            }
            Some(Frame::Values { .. } | Frame::Keywords { .. }) | None => {
                let finding = st
                    .finding(Class::UnknownKeyword, "Unknown keyword '}'", Some(0))
                    .consequence(Consequence::KeepRunning);
                let finding = self.ended_early(finding, st);
                st.diagnostics.push(finding);
            }
        }
    }

    fn text(&mut self, st: &mut Statement<'_>) -> bool {
        if let Some(outline) = &mut self.outline {
            outline.record(st);
        }
        let level = match self.frames.last() {
            Some(Frame::Skip { .. }) => return true,
            Some(Frame::Void { level, .. }) => {
                self.in_void(*level, st);
                return true;
            }
            Some(Frame::Values { line, .. }) => {
                let line = *line;
                return self.outcome(line, st, Pending::None);
            }
            Some(Frame::Keywords { level, .. }) => *level,
            None => Level::Root,
        };
        let name = st.word(0).unwrap_or_default();
        if let Some(keyword) = schema::pending(level, name)
            && !level.is_pending()
            && self.told.insert((level, keyword.name))
        {
            st.pending(keyword.name);
        }
        match schema::find(level, name) {
            Some(form) if self.draft.elsewhere && level == Level::Root && form.is_foreign() => {
                self.pending = Pending::Foreign;
                true
            }
            Some(form) if level == Level::Root && form.is_block() && self.view.skips(name) => {
                self.pending = Pending::Foreign;
                true
            }
            Some(Form::Leaf(_)) if self.view.overlooks(level, name, st.count()) => {
                if let Some(bfd) = &mut self.draft.bfd {
                    bfd.refused = true;
                }
                true
            }
            Some(Form::Leaf(handler)) => {
                let before = st.diagnostics.count();
                let more = self.outcome(handler, st, Pending::None);
                if self.view.is_silent(level) {
                    st.diagnostics.hush(before);
                }
                expected(level, name, before, st);
                more
            }
            Some(Form::Block { open, inner, close }) => {
                let opened = Opened {
                    name: st.whole(),
                    mark: st.mark(0),
                };
                let pending = Pending::Keywords {
                    level: inner,
                    close,
                    opened,
                };
                self.outcome(open, st, pending)
            }
            Some(Form::NamedValues { open, line, close }) => {
                let opened = Opened {
                    name: st.whole(),
                    mark: st.mark(0),
                };
                let pending = Pending::Values {
                    line,
                    close,
                    opened,
                };
                self.outcome(open, st, pending)
            }
            Some(Form::Values { line }) => {
                reports_extra(st);
                self.pending = Pending::Values {
                    line,
                    close: None,
                    opened: Opened {
                        name: st.whole(),
                        mark: st.mark(0),
                    },
                };
                true
            }
            Some(Form::Obsolete(help)) => {
                let message = format!("keyword '{name}' is obsolete - ignoring");
                let finding = st.finding(Class::Deprecated, message, Some(0)).help(help);
                st.diagnostics.push(finding);
                true
            }
            None => {
                self.unknown(level, name, st);
                true
            }
        }
    }

    /// Takes a line of a block that there is not: all that it tells is what is unknown in it.
    fn in_void(&mut self, level: Level, st: &mut Statement<'_>) {
        let name = st.word(0).unwrap_or_default();
        match schema::find(level, name) {
            // A list has nobody to whom it belongs, so its brace is unexpected.
            Some(
                Form::Leaf(_) | Form::Obsolete(_) | Form::Values { .. } | Form::NamedValues { .. },
            ) => {}
            Some(Form::Block { inner, .. }) => {
                let opened = Opened {
                    name: st.whole(),
                    mark: st.mark(0),
                };
                self.pending = Pending::Void(inner, opened);
            }
            None => self.unknown(level, name, st),
        }
    }

    fn outcome(&mut self, handler: Handler, st: &mut Statement<'_>, pending: Pending) -> bool {
        match handler(&mut self.draft, st) {
            Ok(()) => {
                self.pending = pending;
                true
            }
            Err(Stop::SkipBlock) => {
                self.pending = Pending::Skip(match pending {
                    Pending::Keywords { level, opened, .. } => Some((level, opened)),
                    _ => None,
                });
                true
            }
            Err(Stop::SkipBoth) => {
                self.pending = Pending::SkipBoth;
                true
            }
            Err(Stop::Abort) => false,
        }
    }

    fn unknown(&mut self, level: Level, name: &str, st: &mut Statement<'_>) {
        let shown = super::source::to_display(name).into_owned();
        let mut finding = st.finding(
            Class::UnknownKeyword,
            format!("Unknown keyword '{shown}'"),
            Some(0),
        );
        if st.diagnostics.crowded() {
            // Looking for near names would take minutes for a large file of garbage.
        } else if let Some(near) = schema::nearest(level, name) {
            let doc = schema::doc(level, near).map_or(String::new(), |doc| format!(" ({doc})"));
            finding = finding.help(format!("did you mean `{near}`{doc}?"));
        } else if let Some(other) = schema::levels_of(name).next() {
            finding = finding.note(
                format!(
                    "`{name}` belongs in {}, this is {}",
                    other.name(),
                    self.innermost()
                ),
                None,
            );
        }
        let finding = self.ended_early(finding, st);
        st.diagnostics.push(finding);
        self.unknown = Some(Opened {
            name: shown,
            mark: st.mark(0),
        });
    }

    /// Tells that a block ended before its time, which is why something is unknown here.
    fn ended_early(&self, finding: Diagnostic, st: &Statement<'_>) -> Diagnostic {
        match &self.early {
            Some(Early {
                name,
                depth,
                cause,
                end: Some(end),
            }) if self.frames.len() < *depth => {
                let ended = format!("{name} ended here, with the `}}` of an unknown block");
                finding
                    .note(ended, Some(st.span_at(*end)))
                    .note("which began here", Some(st.span_at(*cause)))
            }
            Some(_) | None => finding,
        }
    }

    /// The innermost block as an operator calls it.
    fn innermost(&self) -> String {
        match self.frames.last() {
            Some(
                Frame::Keywords {
                    opened: Some(opened),
                    ..
                }
                | Frame::Values { opened, .. }
                | Frame::Void { opened, .. },
            ) => format!("`{}`", opened.name),
            Some(Frame::Keywords { .. } | Frame::Skip { .. }) | None => {
                Level::Root.name().to_owned()
            }
        }
    }
}
