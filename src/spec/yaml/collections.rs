//! Sequences and maps of a YAML text.

use super::{Composer, Sized, Stop};
use crate::diag::codes::yaml as code;
use crate::diag::{Diagnostic, Span};
use crate::spec::node::{Entry, Node, Value};
use serde_yaml::granit_parser::{self as granit, Event};
use std::collections::HashMap;

impl Composer<'_, '_> {
    /// Remembers where brackets were opened, for the case that they are never closed.
    pub(super) fn collection(
        &mut self,
        style: granit::StructureStyle,
        at: &granit::Span,
        read: impl FnOnce(&mut Self, usize) -> Result<Sized, Stop>,
    ) -> Result<Sized, Stop> {
        let start = self.place(&at.start);
        if style == granit::StructureStyle::Block {
            return read(self, start);
        }
        self.open.push(start);
        let sized = read(self, start)?;
        self.open.pop();
        Ok(sized)
    }

    pub(super) fn sequence(&mut self, start: usize, depth: usize) -> Result<Sized, Stop> {
        let (mut items, mut height, mut end) = (Vec::new(), 0, start);
        loop {
            match self.next()? {
                (Event::SequenceEnd, at) => {
                    let span = self.closed(start, end, &at);
                    return Ok((
                        Node {
                            span,
                            value: Value::List(items),
                        },
                        height + 1,
                    ));
                }
                (event, at) => {
                    let (node, under) = self.node(event, &at, depth + 1)?;
                    (height, end) = (height.max(under), end.max(node.span.end));
                    items.push(node);
                }
            }
        }
    }

    pub(super) fn mapping(&mut self, start: usize, depth: usize) -> Result<Sized, Stop> {
        let (mut entries, mut height, mut end) = (Vec::<Entry>::new(), 0, start);
        let mut merged: Vec<(Span, Node)> = Vec::new();
        let mut seen: HashMap<String, Span> = HashMap::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                let span = self.closed(start, end, &at);
                self.merge(&mut entries, &mut seen, merged);
                return Ok((
                    Node {
                        span,
                        value: Value::Map(entries),
                    },
                    height + 1,
                ));
            }
            let (key, _) = self.node(event, &at, depth + 1)?;
            let key = self.key(&key);
            let outer = self.in_claims;
            self.in_claims |= matches!(key.value.as_str(), "works" | "expect");
            let (event, at) = self.next()?;
            let (value, under) = self.node(event, &at, depth + 1)?;
            self.in_claims = outer;
            height = height.max(under);
            end = end.max(value.span.end).max(key.span.end);
            if key.value.is_empty() {
                entries.push(Entry { key, value });
            } else if key.value == "<<" {
                merged.push((key.span, value));
            } else if let Some(first) = seen.get(&key.value).copied() {
                let name = &key.value;
                self.sink.push(
                    Diagnostic::new(
                        code::DUPLICATE_KEY,
                        key.span,
                        format!("`{name}` is written twice"),
                    )
                    .label("a second time here")
                    .also(first, "the first time here")
                    .help("each key of a map is written once; remove one of the two, or join them"),
                );
            } else {
                seen.insert(key.value.clone(), key.span);
                entries.push(Entry { key, value });
            }
        }
    }

    /// `{...}` ends with its bracket, a block with its last value.
    fn closed(&self, start: usize, last: usize, at: &granit::Span) -> Span {
        let bracket = at.end.index() > at.start.index();
        let end = if bracket { self.place(&at.end) } else { last };
        Span {
            start,
            end: end.max(start),
        }
    }

    /// `<<: *a` and `<<: [*a, *b]`: keys written in the map itself win, then the earlier of the merged.
    fn merge(
        &mut self,
        entries: &mut Vec<Entry>,
        seen: &mut HashMap<String, Span>,
        merged: Vec<(Span, Node)>,
    ) {
        for (key, node) in merged {
            let sources = match node.value {
                Value::List(items) => items,
                Value::Null | Value::Scalar(_) | Value::Map(_) => vec![node],
            };
            for source in sources {
                let Value::Map(more) = source.value else {
                    self.sink.push(
                        Diagnostic::new(
                            code::MERGE_NOT_A_MAP,
                            source.span,
                            "only a map can be merged with `<<`",
                        )
                        .also(key, "merged here")
                        .help("write `<<: *name`, where `&name` stands before a map"),
                    );
                    continue;
                };
                for entry in more {
                    if !seen.contains_key(&entry.key.value) {
                        seen.insert(entry.key.value.clone(), entry.key.span);
                        entries.push(entry);
                    }
                }
            }
        }
    }
}
