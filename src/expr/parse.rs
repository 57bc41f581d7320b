//! From tokens to the tree: precedence climbing. The first mistake ends it.

use super::ast::{Each, Function, Kind, Node, Op};
use super::codes;
use super::lex::{self, Token};
use crate::diag::{Diagnostic, Span, did_you_mean};

/// Deepest nesting of macros in macros: over n elements each level multiplies the work by n.
const MAX_EACH: usize = 2;

/// Words that CEL keeps for itself.
const RESERVED: [&str; 18] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The tree of a text. Places are byte offsets in it.
pub(super) fn parse(text: &str) -> Result<Node, Diagnostic> {
    let tokens = lex::tokens(text)?;
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        each: 0,
    };
    let node = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(node),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Span)>,
    at: usize,
    /// Macros around the current place.
    each: usize,
}

type Parsed = Result<Node, Diagnostic>;

fn node(span: Span, kind: Kind) -> Node {
    Node {
        span,
        parens: false,
        kind,
    }
}

fn from_to(first: Span, last: Span) -> Span {
    Span {
        start: first.start,
        end: last.end,
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn here(&self) -> Span {
        self.tokens[self.at].1
    }

    /// The token's place; the last token, the end, stays.
    fn advance(&mut self) -> Span {
        let span = self.here();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        span
    }

    fn is(&self, mark: &str) -> bool {
        matches!(self.peek(), Token::Mark(m) if *m == mark)
    }

    fn eat(&mut self, mark: &str) -> Option<Span> {
        self.is(mark).then(|| self.advance())
    }

    fn expect(&mut self, mark: &str) -> Result<Span, Diagnostic> {
        self.eat(mark)
            .ok_or_else(|| self.unexpected(&format!("`{mark}`")))
    }

    fn unexpected(&self, wanted: &str) -> Diagnostic {
        let span = self.here();
        let written = &self.text[span.start..span.end];
        match self.peek() {
            Token::Name(word) if word == "and" || word == "or" => {
                let meant = if word == "and" { "&&" } else { "||" };
                Diagnostic::new(codes::SLIP, span, format!("`{word}` is no operator here"))
                    .help(format!("write `{meant}`"))
            }
            Token::End => Diagnostic::new(
                codes::SYNTAX,
                span,
                format!("the expression ends where {wanted} is due"),
            ),
            Token::Mark("{") => Diagnostic::new(
                codes::UNSUPPORTED,
                span,
                "map literals are not part of expectations",
            ),
            Token::Int(_) | Token::Float(_) | Token::Text(_) | Token::Name(_) | Token::Mark(_) => {
                Diagnostic::new(
                    codes::SYNTAX,
                    span,
                    format!("`{written}` stands where {wanted} is due"),
                )
            }
        }
    }

    /// A dot with no name behind it: a name that begins with a digit, most often.
    fn no_field(&self, left: &Node) -> Diagnostic {
        let problem = self.unexpected("a field's name");
        let Token::Int(number) = self.peek() else {
            return problem;
        };
        let base = &self.text[left.span.start..left.span.end];
        problem.help(format!("write `{base}[\"{number}\"]`"))
    }

    fn expression(&mut self) -> Parsed {
        let condition = self.binary(1)?;
        if self.eat("?").is_none() {
            return Ok(condition);
        }
        let then = self.expression()?;
        self.expect(":")?;
        let otherwise = self.expression()?;
        let span = from_to(condition.span, otherwise.span);
        Ok(node(
            span,
            Kind::Choose(Box::new(condition), Box::new(then), Box::new(otherwise)),
        ))
    }

    fn operator(&self) -> Option<Op> {
        match self.peek() {
            Token::Mark(mark) => Op::ALL.into_iter().find(|op| op.symbol() == *mark),
            Token::Name(name) if name == "in" => Some(Op::In),
            Token::Int(_) | Token::Float(_) | Token::Text(_) | Token::Name(_) | Token::End => None,
        }
    }

    fn binary(&mut self, lowest: u8) -> Parsed {
        let mut left = self.unary()?;
        while let Some(op) = self.operator().filter(|op| op.level() >= lowest) {
            let place = self.advance();
            let right = self.binary(op.level() + 1)?;
            if let Some(fault) = chained(self.text, &left, op, place, &right) {
                return Err(fault);
            }
            let span = from_to(left.span, right.span);
            left = node(
                span,
                Kind::Binary(op, place, Box::new(left), Box::new(right)),
            );
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed {
        let start = self.here();
        if self.eat("!").is_some() {
            let inner = self.unary()?;
            return Ok(node(from_to(start, inner.span), Kind::Not(Box::new(inner))));
        }
        if self.eat("-").is_some() {
            let inner = self.unary()?;
            return Ok(node(
                from_to(start, inner.span),
                Kind::Negate(Box::new(inner)),
            ));
        }
        self.member()
    }

    fn member(&mut self) -> Parsed {
        let mut left = self.primary()?;
        loop {
            if self.eat(".").is_some() {
                let Token::Name(name) = self.peek().clone() else {
                    return Err(self.no_field(&left));
                };
                let place = self.advance();
                left = if self.is("(") {
                    self.method(left, &name, place)?
                } else {
                    node(from_to(left.span, place), Kind::Field(Box::new(left), name))
                };
            } else if self.eat("[").is_some() {
                let index = self.expression()?;
                let close = self.expect("]")?;
                left = node(
                    from_to(left.span, close),
                    Kind::Index(Box::new(left), Box::new(index)),
                );
            } else {
                return Ok(left);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        let place = self.here();
        let kind = match self.peek().clone() {
            Token::Int(n) => Kind::Int(n),
            Token::Float(n) => Kind::Float(n),
            Token::Text(text) => Kind::Text(text),
            Token::Name(name) => return self.name(name),
            Token::Mark("(") => {
                self.advance();
                let mut inner = self.expression()?;
                inner.span = from_to(place, self.expect(")")?);
                inner.parens = true;
                return Ok(inner);
            }
            Token::Mark("[") => {
                self.advance();
                let (items, close) = self.arguments("]")?;
                return Ok(node(from_to(place, close), Kind::List(items)));
            }
            Token::Mark(_) | Token::End => return Err(self.unexpected("a value")),
        };
        Ok(node(self.advance(), kind))
    }

    fn name(&mut self, name: String) -> Parsed {
        let place = self.advance();
        let kind = match name.as_str() {
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            "null" => Kind::Null,
            "not" if matches!(self.peek(), Token::Name(_) | Token::Mark("(")) => {
                return Err(
                    Diagnostic::new(codes::SLIP, place, "`not` is no operator here")
                        .help("write `!` before the value"),
                );
            }
            _ if self.is("(") => return self.call(&name, place),
            _ if RESERVED.contains(&name.as_str()) => {
                return Err(Diagnostic::new(
                    codes::SYNTAX,
                    place,
                    format!("`{name}` stands where a value is due"),
                )
                .label("a reserved word"));
            }
            _ => Kind::Name(name),
        };
        Ok(node(place, kind))
    }

    /// Expressions up to the closing bracket, and its place. A comma may follow the last.
    fn arguments(&mut self, close: &str) -> Result<(Vec<Node>, Span), Diagnostic> {
        let mut list = Vec::new();
        loop {
            if let Some(end) = self.eat(close) {
                return Ok((list, end));
            }
            list.push(self.expression()?);
            if !self.is(close) {
                self.expect(",")?;
            }
        }
    }

    fn call(&mut self, name: &str, place: Span) -> Parsed {
        let function = Function::ALL.into_iter().find(|f| f.name() == name);
        if name != "has" && !function.is_some_and(Function::is_free) {
            return Err(unknown_function(name, place, false));
        }
        self.advance();
        let (mut arguments, close) = self.arguments(")")?;
        let span = from_to(place, close);
        let Some(function) = function else {
            return match arguments.pop() {
                Some(path) if arguments.is_empty() && matches!(path.kind, Kind::Field(..)) => {
                    Ok(node(span, Kind::Has(Box::new(path))))
                }
                _ => Err(Diagnostic::new(
                    codes::ARGUMENTS,
                    span,
                    "`has` takes one path that ends in a field",
                )
                .help("write `has(hosts.web1.counters.TcpExtTCPSYNChallenge)`")),
            };
        };
        finish_call(function, arguments, span)
    }

    fn method(&mut self, receiver: Node, name: &str, place: Span) -> Parsed {
        if let Some(how) = Each::ALL.into_iter().find(|each| each.name() == name) {
            return self.each(how, receiver, place);
        }
        let Some(function) = Function::ALL
            .into_iter()
            .find(|f| f.name() == name && f.is_method())
        else {
            return Err(unknown_function(name, place, true));
        };
        self.advance();
        let (mut arguments, close) = self.arguments(")")?;
        let span = from_to(receiver.span, close);
        arguments.insert(0, receiver);
        finish_call(function, arguments, span)
    }

    fn each(&mut self, how: Each, over: Node, place: Span) -> Parsed {
        let name = how.name();
        let usage = format!("write `list.{name}(x, ...)` with `x` for each element in turn");
        self.advance();
        let variable = match self.peek().clone() {
            Token::Name(word)
                if !RESERVED.contains(&word.as_str()) && word != "true" && word != "false" =>
            {
                word
            }
            _ => {
                return Err(Diagnostic::new(
                    codes::MACRO,
                    self.here(),
                    format!("`{name}` needs a name first"),
                )
                .help(usage));
            }
        };
        self.advance();
        if self.eat(",").is_none() {
            return Err(Diagnostic::new(
                codes::MACRO,
                self.here(),
                format!("`{name}` takes a name and an expression"),
            )
            .help(usage));
        }
        if self.each == MAX_EACH {
            return Err(Diagnostic::new(
                codes::MACRO,
                place,
                format!(
                    "`{name}` is nested more than {MAX_EACH} deep: the work grows by the list's length each time"
                ),
            ));
        }
        self.each += 1;
        let body = self.expression()?;
        self.each -= 1;
        let close = self.expect(")")?;
        let span = from_to(over.span, close);
        Ok(node(
            span,
            Kind::Each {
                how,
                over: Box::new(over),
                variable,
                body: Box::new(body),
            },
        ))
    }
}

fn finish_call(function: Function, arguments: Vec<Node>, span: Span) -> Parsed {
    if arguments.len() != function.arity() {
        let message = format!(
            "`{}` does not take {} values",
            function.name(),
            arguments.len()
        );
        return Err(Diagnostic::new(codes::ARGUMENTS, span, message)
            .help(format!("write `{}`", function.usage())));
    }
    Ok(node(span, Kind::Call(function, arguments)))
}

fn unknown_function(name: &str, place: Span, method: bool) -> Diagnostic {
    let what = if method { "method" } else { "function" };
    let fault = Diagnostic::new(
        codes::FUNCTION,
        place,
        format!("there is no {what} `{name}`"),
    );
    if let Some(function) = Function::ALL.into_iter().find(|f| f.name() == name) {
        return fault.help(format!("write `{}`", function.usage()));
    }
    let fit = |f: &Function| if method { f.is_method() } else { f.is_free() };
    let mut names: Vec<_> = Function::ALL
        .into_iter()
        .filter(fit)
        .map(Function::name)
        .collect();
    if method {
        names.extend(Each::ALL.map(Each::name));
    } else {
        names.push("has");
    }
    match did_you_mean(name, names.iter().copied()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault.help(format!("there are: {}", names.join(", "))),
    }
}

/// `a <= x <= b` compares a boolean with `b`.
fn chained(text: &str, left: &Node, op: Op, place: Span, right: &Node) -> Option<Diagnostic> {
    let Kind::Binary(first, _, low, middle) = &left.kind else {
        return None;
    };
    let orders = op.is_ordering() || first.is_ordering() && !matches!(right.kind, Kind::Bool(_));
    if left.parens || !first.is_relation() || !op.is_relation() || !orders {
        return None;
    }
    let part = |node: &Node| &text[node.span.start..node.span.end];
    let (low, middle, high) = (part(low), part(middle), part(right));
    let fault = Diagnostic::new(codes::CHAIN, place, "comparisons do not chain");
    let both = format!(
        "write `{low} {} {middle} && {middle} {} {high}`",
        first.symbol(),
        op.symbol()
    );
    Some(match (first, op) {
        (Op::LessEqual, Op::LessEqual) => {
            fault.help(format!("write `between({middle}, {low}, {high})`"))
        }
        (Op::GreaterEqual, Op::GreaterEqual) => {
            fault.help(format!("write `between({middle}, {high}, {low})`"))
        }
        _ => fault.help(both),
    })
}
