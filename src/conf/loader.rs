//! Reading a configuration, a slice at a time.
//!
//! Owns: the pipeline from the main file to the model. Never does: block, or read more than it was
//! asked to in one step. Driven by: `cli` and the first start through [`load`]; the loop of a
//! running daemon through [`Loader::step`], so that adverts go on during a reload.

use std::path::{Path, PathBuf};

use super::ast::{Line, Slice};
use super::bind::{Binder, Statement, View, statics};
use super::copy::Copier;
use super::diag::{Class, Consequence, Diagnostic, Diagnostics};
use super::include::{self, Demanded};
use super::model::Config;
use super::names::NamePlaces;
use super::origin;
use super::outline::Outline;
use super::reader::{self, Reader};
use super::resolve::{self, Services};
use super::source::{Files, HostFacts};

/// How to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// `-i`: what `@id` lines are compared with; the node name up to its first dot if not given.
    pub config_id: Option<String>,
    /// `-e`: every include has to be there and readable.
    pub strict_includes: bool,
    /// Seed of `${_RANDOM}`.
    pub seed: u64,
    /// Only the findings are wanted: what they do not depend on is dropped as soon as it is read, and
    /// the model has holes.
    pub verdict_only: bool,
    /// The text is wanted as one, whatever the configuration says.
    pub copy: bool,
}

/// Whether there is more to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Call `step` again.
    More,
    /// Call `finish`.
    Done,
}

/// What a load comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// What was understood. Whether it may be used, the diagnostics say.
    pub config: Config,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// All files as one text, if somebody wants it (`config_save_dir`).
    pub copy: Option<String>,
}

/// A configuration that is being read.
pub struct Loader {
    main: PathBuf,
    options: LoadOptions,
    reader: Option<Reader>,
    binder: Binder,
    services: Services,
    /// The end of the text was looked at.
    ended: bool,
    slice: Slice,
    names: NamePlaces,
    diagnostics: Diagnostics,
    view: View,
    /// The text as one, if that is wanted.
    copier: Option<Copier>,
    /// The readings of keepalived's processes one by one, where these say different things.
    apart: Option<Box<Apart>>,
}

/// A reading for each process.
struct Apart {
    /// That which goes on.
    current: Loader,
    rest: std::slice::Iter<'static, View>,
    findings: Diagnostics,
}

impl Loader {
    /// Nothing is read yet; `main` may be a pattern.
    #[must_use]
    pub fn new(main: &Path, options: LoadOptions) -> Self {
        Self::of(main, options, View::All)
    }

    fn of(main: &Path, options: LoadOptions, view: View) -> Self {
        Self {
            view,
            copier: None,
            apart: None,
            main: main.to_owned(),
            services: Services::new(options.verdict_only),
            ended: false,
            options,
            reader: None,
            binder: Binder::new(view),
            slice: Slice::default(),
            names: NamePlaces::default(),
            diagnostics: Diagnostics::default(),
        }
    }

    /// Reads about `lines` lines more, or completes as many servers. A file is read whole when its
    /// turn comes.
    pub fn step(&mut self, files: &dyn Files, facts: &dyn HostFacts, lines: usize) -> Progress {
        if let Some(apart) = &mut self.apart {
            return apart.step(files, facts, lines);
        }
        if self.advance(files, facts, lines) == Progress::More {
            return Progress::More;
        }
        // keepalived's children read when their parent has read `global_defs`, wherever it stands.
        if self.view == View::All && self.binder.draft.missed_too_soon() {
            self.read_again();
            return Progress::More;
        }
        let apart = self.diagnostics.misses_a_word() || self.binder.torn;
        // Then nobody reads but the parent.
        let alone = self.binder.draft.elsewhere || self.diagnostics.misses_a_file();
        if self.view == View::All && (apart || alone) {
            self.read_apart(alone);
            return Progress::More;
        }
        self.copy(lines)
    }

    /// Copies about `lines` lines, if a copy is wanted.
    fn copy(&mut self, lines: usize) -> Progress {
        let wanted = self.binder.draft.global.dumps.configurations.is_some() || self.options.copy;
        let Some(reader) = self.reader.as_ref().filter(|_| wanted) else {
            return Progress::Done;
        };
        let sources = &reader.sources;
        let copier = self
            .copier
            .get_or_insert_with(|| Copier::new(sources, &self.diagnostics));
        if copier.step(sources, lines) {
            Progress::More
        } else {
            Progress::Done
        }
    }

    /// Begins anew, with what is known now. In functions of their own, this and the next leave the
    /// stack to the parser.
    fn read_again(&mut self) {
        let outline = self.binder.outline.is_some();
        *self = Self::of(&self.main, self.options.clone(), self.view);
        self.binder.draft.will_be_dynamic = true;
        self.binder.outline = outline.then(Outline::default);
    }

    /// Begins the readings of the processes one by one; `alone`: that of the parent.
    fn read_apart(&mut self, alone: bool) {
        let mut rest = View::EACH.iter();
        let first = rest.next().copied().unwrap_or_default();
        if alone {
            rest = [].iter();
        }
        self.apart = Some(Box::new(Apart {
            current: Self::of(&self.main, self.options.clone(), first),
            rest,
            findings: Diagnostics::default(),
        }));
    }

    fn advance(&mut self, files: &dyn Files, facts: &dyn HostFacts, lines: usize) -> Progress {
        if let Some(reader) = &self.reader
            && self.services.has_work()
        {
            self.services.step(&reader.sources, lines);
            return Progress::More;
        }
        let mut cx = reader::Context {
            files,
            facts,
            slice: std::mem::take(&mut self.slice),
            findings: Vec::new(),
        };
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => self
                .reader
                .insert(start(&self.main, &self.options, &mut cx)),
        };
        cx.slice.clear();
        reader.parent_alone = self.binder.draft.elsewhere || self.view == View::Parent;
        let more = reader.fill(&mut cx, lines);
        // The arena stays with the loader, so its memory is used again.
        self.slice = cx.slice;
        let mut findings = cx.findings.into_iter().peekable();
        for (index, &line) in self.slice.lines.iter().enumerate() {
            while let Some((_, finding)) = findings.next_if(|(at, _)| *at <= index) {
                self.diagnostics.push(origin::explained(finding, reader));
            }
            let before = self.diagnostics.count();
            let mut statement = Statement {
                slice: &self.slice,
                sources: &reader.sources,
                facts,
                names: &self.names,
                diagnostics: &mut self.diagnostics,
                line,
            };
            let more = self.binder.line(&mut statement);
            let interfaces = &self.binder.draft.global.interfaces;
            if (&interfaces.iproute_etc, &interfaces.iproute_usr)
                != (&self.names.etc, &self.names.usr)
            {
                self.names.etc.clone_from(&interfaces.iproute_etc);
                self.names.usr.clone_from(&interfaces.iproute_usr);
            }
            for finding in self.diagnostics.since(before) {
                origin::explain(finding, reader);
            }
            if !more {
                reader.stop();
                return Progress::Done;
            }
        }
        for (_, finding) in findings {
            self.diagnostics.push(origin::explained(finding, reader));
        }
        if !more && !std::mem::replace(&mut self.ended, true) {
            end(
                (&mut self.binder, &mut self.diagnostics),
                (&self.slice, reader),
                facts,
            );
        }
        for service in self.binder.draft.closed.drain(..) {
            self.services.push(service);
        }
        if more || self.services.has_work() {
            Progress::More
        } else {
            Progress::Done
        }
    }

    /// Completes what was read.
    #[must_use]
    pub fn finish(self) -> Loaded {
        self.finish_with_outline().0
    }

    /// The same, with the statements if they were kept.
    fn finish_with_outline(mut self) -> (Loaded, Outline) {
        let Some(reader) = self.reader else {
            return (Loaded::default(), Outline::default());
        };
        let apart = self.apart.take().map(|apart| apart.findings);
        let sources = &reader.sources;
        let mut cx = resolve::Context {
            sources,
            diagnostics: &mut self.diagnostics,
        };
        let mut config = if reader.stopped() {
            Config::default()
        } else {
            resolve::resolve(self.binder.draft, self.services, &mut cx)
        };
        if let Some(apart) = apart {
            // What only the reading for all has found nobody would say. It knows best why.
            self.diagnostics = self.diagnostics.common(&apart);
            self.diagnostics.append_new(apart);
        }
        config.files = reader.files();
        let outline = self.binder.outline.unwrap_or_default();
        let kept = config.global.dumps.configurations.is_some();
        let copier = self.copier;
        let copy = (kept || self.options.copy).then(|| {
            let copier = copier.unwrap_or_else(|| Copier::new(&reader.sources, &self.diagnostics));
            copier.finish(&reader.sources)
        });
        let loaded = Loaded {
            config,
            diagnostics: self.diagnostics,
            copy,
        };
        (loaded, outline.complete(reader.sources))
    }
}

impl Apart {
    /// As [`Loader::step`]. Who misses a word ends the reading, also that of those behind it; so does
    /// the parent that misses an include or the network namespace.
    fn step(&mut self, files: &dyn Files, facts: &dyn HostFacts, lines: usize) -> Progress {
        if self.current.advance(files, facts, lines) == Progress::More {
            return Progress::More;
        }
        let next = self.rest.next().copied();
        let (main, options) = (self.current.main.clone(), self.current.options.clone());
        let mut next = Loader::of(&main, options, next.unwrap_or_default());
        // The others go on with what the parent made of its settings.
        let draft = &mut self.current.binder.draft;
        next.binder.draft.global = draft.global.clone();
        next.binder.draft.scripts = draft.scripts.clone();
        // They meet these again, which is not twice.
        let process = &mut next.binder.draft.global.process;
        process.instance = None;
        process.net_namespace = None;
        process.net_namespace_ipvs = Default::default();
        next.binder.draft.of_child = true;
        let ended = std::mem::replace(&mut self.current, next);
        let elsewhere = ended.binder.draft.elsewhere;
        let found = ended.finish().diagnostics;
        // A missing include the parent's reading alone finds: the others read what it has copied.
        let aborted = found.misses_a_word() || elsewhere || found.misses_a_file();
        self.findings.append_new(found);
        if aborted || self.current.view == View::All {
            Progress::Done
        } else {
            Progress::More
        }
    }
}

/// Tells what is open at the end of the text, and ends it.
fn end(
    (binder, diagnostics): (&mut Binder, &mut Diagnostics),
    (slice, reader): (&Slice, &Reader),
    facts: &dyn HostFacts,
) {
    binder.end(&mut |finding| diagnostics.push(finding), &|mark| {
        reader::span(&reader.sources, mark.place, mark.columns)
    });
    for finding in statics::give_homes(&mut binder.draft, facts) {
        diagnostics.push(origin::explained(finding, reader));
    }
    let before = diagnostics.count();
    let mut statement = Statement {
        slice,
        sources: &reader.sources,
        facts,
        names: &NamePlaces::default(),
        diagnostics,
        line: Line::NONE,
    };
    binder.close_open(&mut statement);
    for finding in diagnostics.since(before) {
        // There is no line that it is about.
        finding.at = None;
    }
}

/// Opens the main file, or all that its pattern matches.
fn start(main: &Path, options: &LoadOptions, cx: &mut reader::Context<'_>) -> Reader {
    let id = options.config_id.clone().unwrap_or_else(|| {
        let name = cx.facts.node_name();
        name.split('.').next().unwrap_or_default().to_owned()
    });
    let mut reader = Reader::new(id, options.seed, options.strict_includes);
    let shown = main.to_string_lossy();
    // Unlike an include the main name may hold bytes that are no text.
    let found = if shown.contains(['*', '?', '[', '{']) {
        include::find(cx.files, Path::new(""), &shown).paths
    } else if cx.files.exists(main) {
        vec![main.to_owned()]
    } else {
        Vec::new()
    };
    if found.is_empty() {
        let message = format!("Config files missing '{shown}'.");
        cx.push(
            Diagnostic::new(missing_class(options), message)
                .consequence(Consequence::RefuseStart(6)),
        );
    }
    if found.len() > 1 {
        let message = format!("Multiple configuration files match {shown}");
        cx.push(Diagnostic::new(Class::MultipleFiles, message));
    }
    let demanded = Demanded {
        matched: options.strict_includes,
        readable: true,
    };
    for path in found {
        include::open(&mut reader, cx, None, path, demanded);
    }
    // The top of the stack is read first.
    reader.stack.reverse();
    reader
}

const fn missing_class(options: &LoadOptions) -> Class {
    if options.strict_includes {
        Class::FileNotFound
    } else {
        Class::Notice
    }
}

/// Reads a whole configuration at once.
#[must_use]
pub fn load(main: &Path, options: LoadOptions, files: &dyn Files, facts: &dyn HostFacts) -> Loaded {
    let mut loader = Loader::new(main, options);
    while loader.step(files, facts, 4096) == Progress::More {}
    loader.finish()
}

/// Reads a whole configuration at once and keeps where everything stands.
#[must_use]
pub fn inspect(
    main: &Path,
    options: LoadOptions,
    files: &dyn Files,
    facts: &dyn HostFacts,
) -> (Loaded, Outline) {
    let mut loader = Loader::new(main, options);
    loader.binder.outline = Some(Outline::default());
    while loader.step(files, facts, 4096) == Progress::More {}
    loader.finish_with_outline()
}
