//! The grammar, as plain Rust values.
//!
//! Owns: the parser that pest makes of `grammar/keepalived.pest` and the translation of its trees.
//! Never does: show pest's own messages; every entry rule is total, so there are none. Driven by:
//! `reader` and `expand`.

use pest::Parser as _;
use pest::Token;
use pest::iterators::{Pair, Pairs};

/// The parser that pest derives from the grammar.
#[allow(missing_docs)]
mod derived {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/keepalived.pest"]
    pub(super) struct Grammar;
}
use derived::{Grammar, Rule};

/// A token of the fast way, with its byte range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Word(usize, usize),
    /// The range inside the quotes.
    Quoted(usize, usize),
    Open(usize),
    Close(usize),
    /// From the quote to the end of the line.
    OddQuote(usize, usize),
}

impl Piece {
    /// Where it begins, a quote included.
    pub(super) const fn begin(self) -> usize {
        match self {
            Self::Word(start, _) | Self::OddQuote(start, _) => start,
            Self::Quoted(start, _) => start - 1,
            Self::Open(at) | Self::Close(at) => at,
        }
    }

    /// The same, counted from so many bytes further on.
    pub(super) const fn back(self, by: usize) -> Self {
        match self {
            Self::Word(start, end) => Self::Word(start - by, end - by),
            Self::Quoted(start, end) => Self::Quoted(start - by, end - by),
            Self::OddQuote(start, end) => Self::OddQuote(start - by, end - by),
            Self::Open(at) => Self::Open(at - by),
            Self::Close(at) => Self::Close(at - by),
        }
    }
}

/// Parses `text` with a total rule.
fn parse(rule: Rule, text: &str) -> Option<Pairs<'_, Rule>> {
    let parsed = Grammar::parse(rule, text);
    debug_assert!(parsed.is_ok(), "{rule:?} is not total: {text:?}");
    parsed.ok()?.next().map(Pair::into_inner)
}

/// The tokens of a chunk of whole lines.
pub(super) fn chunk(text: &str, mut each: impl FnMut(Piece) -> bool) {
    let mut begin = 0;
    let Some(pairs) = parse(Rule::chunk, text) else {
        return;
    };
    for token in pairs.tokens() {
        match token {
            Token::Start { pos, .. } => begin = pos.pos(),
            Token::End {
                rule: Rule::token,
                pos,
            } => {
                let end = pos.pos();
                let piece = match text.as_bytes().get(begin..end) {
                    Some(b"{") => Piece::Open(begin),
                    Some(b"}") => Piece::Close(begin),
                    Some([b'"', .., b'"']) => Piece::Quoted(begin + 1, end - 1),
                    Some([b'"', ..]) => Piece::OddQuote(begin, end),
                    Some(_) | None => Piece::Word(begin, end),
                };
                if !each(piece) {
                    return;
                }
            }
            Token::End { .. } => {}
        }
    }
}

/// A physical line without its comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Physical {
    /// What is left; escaped comment marks are mapped bytes, wide blanks are spaces.
    pub(super) text: String,
    /// There was a blank that only looks like one (U+00A0 and its kin).
    pub(super) wide: bool,
    /// A quote is left open.
    pub(super) open_string: bool,
}

/// The line without blanks at its end, if that is all there is to do: no comment, no escape, no quote
/// that is left open, no byte that is not ASCII.
pub(super) fn without_comment(line: &str) -> Option<&str> {
    let mut quotes = 0_usize;
    for byte in line.bytes() {
        match byte {
            b'#' | b'!' | b'\\' | 0x80.. => return None,
            b'"' => quotes += 1,
            _ => {}
        }
    }
    quotes
        .is_multiple_of(2)
        .then(|| line.trim_end_matches(is_space))
}

/// Takes comments away.
pub(super) fn physical(line: &str) -> Physical {
    let mut out = Physical {
        text: String::with_capacity(line.len()),
        wide: false,
        open_string: false,
    };
    for pair in parse(Rule::physical, line).into_iter().flatten() {
        match pair.as_rule() {
            Rule::escaped_mark => out.text.extend(
                pair.as_str()
                    .bytes()
                    .skip(1)
                    .map(crate::base::bytes::byte_char),
            ),
            Rule::wide => {
                out.wide = true;
                out.text.push(' ');
            }
            Rule::open_string => {
                out.open_string = true;
                out.text.push_str(pair.as_str());
            }
            _ => out.text.push_str(pair.as_str()),
        }
    }
    let kept = out.text.trim_end_matches(is_space).len();
    out.text.truncate(kept);
    if let Some(before) = out.text.strip_suffix('\\') {
        // keepalived takes the blanks before a backslash at the end away.
        let kept = before.trim_end_matches(is_space).len();
        out.text.truncate(kept);
        out.text.push('\\');
    }
    out
}

/// What separates words.
pub(super) const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{0B}' | '\u{0C}' | '\r' | '\n')
}

/// What a line asks of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive<'a> {
    /// `@id rest`, `@^id rest`
    Conditional {
        negated: bool,
        id: &'a str,
        rest: &'a str,
    },
    /// `$NAME=value`
    Definition { name: &'a str, value: &'a str },
    /// `~SEQ(arguments) rest`
    Sequence {
        hex: bool,
        arguments: &'a str,
        rest: &'a str,
    },
    /// `~LST(arguments) rest`
    List { arguments: &'a str, rest: &'a str },
    /// A repetition without its `)`.
    Broken,
    /// `include pattern`; the mode is the letter after the word.
    Include { mode: Option<u8>, pattern: &'a str },
    /// An ordinary line.
    Text(&'a str),
}

/// Sorts a line by what it asks of the reader.
pub(super) fn directive(line: &str) -> Directive<'_> {
    let begin = line.trim_start_matches(is_space);
    if !begin.starts_with(['@', '$', '~']) && !begin.starts_with("include") {
        return Directive::Text(begin);
    }
    let Some(pair) = parse(Rule::directive, line).and_then(|mut pairs| pairs.next()) else {
        return Directive::Text("");
    };
    let rule = pair.as_rule();
    let whole = pair.as_str();
    let (mut head, mut rest, mut flag) = ("", "", None);
    for inner in pair.into_inner() {
        match inner.as_rule() {
            Rule::name | Rule::config_id | Rule::arguments => head = inner.as_str(),
            Rule::value | Rule::rest => rest = inner.as_str(),
            Rule::negated | Rule::hex | Rule::include_mode => {
                flag = inner.as_str().bytes().next();
            }
            _ => {}
        }
    }
    match rule {
        Rule::conditional => Directive::Conditional {
            negated: flag.is_some(),
            id: head,
            rest,
        },
        Rule::definition => Directive::Definition {
            name: head,
            value: rest,
        },
        Rule::sequence => Directive::Sequence {
            hex: flag.is_some(),
            arguments: head,
            rest,
        },
        Rule::list => Directive::List {
            arguments: head,
            rest,
        },
        Rule::broken => Directive::Broken,
        Rule::include => Directive::Include {
            mode: flag,
            pattern: rest,
        },
        _ => Directive::Text(whole),
    }
}

/// A part of a line that may refer to a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference<'a> {
    /// Text as it is.
    Literal(&'a str),
    /// `$NAME` or `${NAME parameters}`, with its whole text.
    Name {
        whole: &'a str,
        name: &'a str,
        parameters: Vec<&'a str>,
    },
}

/// Splits a line at its references.
pub(super) fn references(line: &str) -> Vec<Reference<'_>> {
    parse(Rule::references, line)
        .into_iter()
        .flatten()
        .filter_map(|pair| match pair.as_rule() {
            Rule::braced | Rule::bare_name => {
                let whole = pair.as_str();
                let mut inner = pair.into_inner();
                let name = inner.next().map_or("", |name| name.as_str());
                let parameters = inner.map(|parameter| parameter.as_str()).collect();
                Some(Reference::Name {
                    whole,
                    name,
                    parameters,
                })
            }
            Rule::literal | Rule::dollar => Some(Reference::Literal(pair.as_str())),
            _ => None,
        })
        .collect()
}

/// The words and braces of one line without comments.
pub(super) fn statement(line: &str, mut each: impl FnMut(Piece)) {
    if !line.bytes().any(|byte| matches!(byte, b'"' | b'{' | b'}')) {
        let mut begin = 0;
        for part in line.split(is_space) {
            if !part.is_empty() {
                each(Piece::Word(begin, begin + part.len()));
            }
            begin += part.len() + 1;
        }
        return;
    }
    for pair in parse(Rule::statement, line).into_iter().flatten() {
        let span = pair.as_span();
        let (start, end) = (span.start(), span.end());
        match pair.as_rule() {
            Rule::bare => each(Piece::Word(start, end)),
            Rule::inner_string => each(Piece::Quoted(start + 1, end - 1)),
            Rule::open => each(Piece::Open(start)),
            Rule::close => each(Piece::Close(start)),
            Rule::unmatched => each(Piece::OddQuote(start, end)),
            _ => {}
        }
    }
}
