//! YAML text to a tree of nodes, with all the problems that leave a tree, and the first that does not.
//!
//! Works on the parser's events, not on serde: only there are the spans of containers, the tags and the quoting
//! still to be seen, and a duplicate key need not be the last thing said. Bounded in bytes, nodes and depth, aliases
//! counted as what they stand for, their texts too, so that no file takes long or much memory. Not here: what the
//! values mean.

mod collections;
mod keys;

use super::node::{Node, Scalar, Style, Value};
use super::traps;
use crate::diag::codes::yaml as code;
use crate::diag::{Diagnostic, Diagnostics, Span};
use serde_yaml::granit_parser::{self as granit, Event, Parser, ScalarStyle, options};
use std::collections::HashMap;

/// The largest lab file, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// The most nodes a lab may have. An alias counts as what it stands for, each 64 bytes of its texts as one node more.
pub const MAX_NODES: usize = 20_000;

/// The deepest nesting; the grammar's own is less than ten.
pub const MAX_DEPTH: usize = 48;

/// Words that YAML 1.1 takes for booleans or null; never keys.
pub const WORDS_1_1: &[&str] = &[
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~",
];

/// The tree of a text; none when the text has none, which is then among the problems.
pub fn parse(text: &str, sink: &mut Diagnostics) -> Option<Node> {
    if text.len() > MAX_BYTES {
        sink.push(
            Diagnostic::new(
                code::FILE_TOO_LARGE,
                Span::default(),
                format!("the file has more than {MAX_BYTES} bytes (1 MiB)"),
            )
            .help("a lab has no more than that; split it into several"),
        );
        return None;
    }
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut composer = Composer {
        events: Parser::new_from_str_with_options(body, options),
        text,
        offset: text.len() - body.len(),
        anchors: HashMap::new(),
        nodes: 0,
        open: Vec::new(),
        in_claims: false,
        sink,
    };
    composer.document().ok()
}

/// The parse cannot go on; why is in the sink.
struct Stop;

/// A node and the height of the tree under it.
type Sized = (Node, usize);

struct Composer<'a, 'sink> {
    events: Parser<'a, granit::StrInput<'a>>,
    text: &'a str,
    /// Bytes before the parser's offset 0: a byte-order mark.
    offset: usize,
    anchors: HashMap<usize, Sized>,
    nodes: usize,
    /// Where the brackets were opened that are still open.
    open: Vec<usize>,
    /// Inside `works:` or `expect:`, where a tag is a negation gone wrong.
    in_claims: bool,
    sink: &'sink mut Diagnostics,
}

impl<'a> Composer<'a, '_> {
    fn problem(&mut self, diagnostic: Diagnostic) -> Stop {
        self.sink.push(diagnostic);
        Stop
    }

    fn next(&mut self) -> Result<(Event<'a>, granit::Span), Stop> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let at = self.place(error.marker());
                Err(self.problem(traps::explain(
                    self.text,
                    at,
                    error.kind(),
                    self.open.last().copied(),
                )))
            }
            None => Ok((Event::StreamEnd, granit::Span::default())),
        }
    }

    /// A byte offset of the text; the parser knows bytes for string input, and counts characters besides.
    fn place(&self, marker: &granit::Marker) -> usize {
        let bytes = marker.byte_offset().unwrap_or_else(|| {
            let body = &self.text[self.offset..];
            body.char_indices()
                .nth(marker.index())
                .map_or(body.len(), |(at, _)| at)
        });
        traps::floor_char_boundary(self.text, bytes + self.offset)
    }

    fn span(&self, span: &granit::Span) -> Span {
        let (start, end) = (self.place(&span.start), self.place(&span.end));
        let end = start + self.text.get(start..end).unwrap_or("").trim_end().len();
        if start < end {
            return Span { start, end };
        }
        // Nothing was written: point right behind what was written last.
        let end = self.text[..start].trim_end().len();
        Span { start: end, end }
    }

    fn document(&mut self) -> Result<Node, Stop> {
        loop {
            match self.next()? {
                (Event::StreamStart, _) => {}
                (Event::DocumentStart(..), _) => break,
                (_, _) => return Err(self.empty_file()),
            }
        }
        let (event, span) = self.next()?;
        let empty =
            matches!(&event, Event::Scalar(text, ScalarStyle::Plain, 0, None) if text.is_empty());
        if empty {
            return Err(self.empty_file());
        }
        let (root, _) = self.node(event, &span, 0)?;
        loop {
            match self.next()? {
                (Event::DocumentStart(..), span) => {
                    let start = self.place(&span.start);
                    let end = self.text[start..]
                        .find('\n')
                        .map_or(self.text.len(), |n| start + n);
                    let problem =
                        Diagnostic::new(code::SECOND_DOCUMENT, Span { start, end }, "a second document starts here")
                            .help("one file is one lab; remove the line `---`, or move what follows to its own file");
                    // What is missing from the first document may be in the second.
                    return Err(self.problem(problem));
                }
                (Event::StreamEnd, _) => return Ok(root),
                (_, _) => {}
            }
        }
    }

    fn empty_file(&mut self) -> Stop {
        self.problem(
            Diagnostic::new(code::EMPTY_FILE, Span::default(), "the file holds no lab")
                .help("a lab has at least `title`, `steps` and `cases`; copy one from `labs/` to start from"),
        )
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        Err(self.problem(
            Diagnostic::new(code::TOO_MANY_NODES, span, format!("the lab has more than {MAX_NODES} values"))
                .label("here it is too much")
                .help("an alias (`*name`) counts as all that it stands for; `count:` makes many hosts out of one"),
        ))
    }

    fn node(&mut self, event: Event<'a>, at: &granit::Span, depth: usize) -> Result<Sized, Stop> {
        let span = self.span(at);
        self.count(1, span)?;
        if depth >= MAX_DEPTH {
            return Err(self.problem(traps::too_deep(span)));
        }
        let tagged = event.tag().and_then(|tag| self.tag(tag, at));
        let anchor = event.anchor_id().unwrap_or(0);
        let sized = match event {
            Event::Scalar(text, style, _, tag) => {
                let quoted_by_tag = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let style = match style {
                    ScalarStyle::Plain if quoted_by_tag => Style::Quoted,
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let null =
                    style == Style::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                match (null, tagged) {
                    (true, Some(tagged)) => (refused(tagged), 1),
                    (true, None) => (
                        Node {
                            span,
                            value: Value::Null,
                        },
                        1,
                    ),
                    (false, _) => {
                        let text = text.into_owned();
                        (
                            Node {
                                span,
                                value: Value::Scalar(Scalar { text, style }),
                            },
                            1,
                        )
                    }
                }
            }
            Event::SequenceStart(style, ..) => {
                self.collection(style, at, |this, start| this.sequence(start, depth))?
            }
            Event::MappingStart(style, ..) => {
                self.collection(style, at, |this, start| this.mapping(start, depth))?
            }
            Event::Alias(id) => self.alias(id, span, depth)?,
            Event::UnresolvedAlias(name) => {
                self.unknown_alias(&name, span);
                (refused(span), 1)
            }
            // The parser's event type is open; what has no place here cannot come at a node's position.
            _ => (
                Node {
                    span,
                    value: Value::Null,
                },
                1,
            ),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, sized.clone());
        }
        Ok(sized)
    }

    fn unknown_alias(&mut self, name: &str, span: Span) {
        self.sink.push(
            Diagnostic::new(
                code::UNKNOWN_ALIAS,
                span,
                format!("`*{name}` stands for nothing: no `&{name}` before it"),
            )
            .help("a value that starts with `*` is a YAML alias; put it into quotes if it is text"),
        );
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Sized, Stop> {
        let Some((node, height)) = self.anchors.get(&id) else {
            // An anchor inside itself is not finished yet.
            let name = self.text[span.start..span.end]
                .trim_start_matches('*')
                .to_owned();
            self.unknown_alias(&name, span);
            return Ok((refused(span), 1));
        };
        let (weight, height) = (node.weight(), *height);
        if depth + height > MAX_DEPTH {
            return Err(self.problem(traps::too_deep(span)));
        }
        // Counted before it is copied: the copies together are what takes memory.
        self.count(weight, span)?;
        Ok(self.anchors[&id].clone())
    }

    /// Refuses a tag, and says where it stands.
    fn tag(&mut self, tag: &granit::Tag, at: &granit::Span) -> Option<Span> {
        if tag.is_yaml_core_schema() {
            return None;
        }
        let start = at
            .tag_start
            .as_ref()
            .map_or_else(|| self.place(&at.start), |marker| self.place(marker));
        let rest = &self.text[start..];
        let end = start
            + rest
                .find(|c: char| c.is_whitespace() || "[]{},".contains(c))
                .unwrap_or(rest.len());
        let span = Span { start, end };
        let problem = if self.in_claims {
            traps::tag_in_claim(self.text, span)
        } else {
            traps::tag(self.text, span)
        };
        self.sink.push(problem);
        Some(span)
    }
}

/// Stands for a value of which all has been said.
fn refused(span: Span) -> Node {
    Node {
        span,
        value: Value::Scalar(Scalar {
            text: String::new(),
            style: Style::Refused,
        }),
    }
}
