//! The tree of an expression.

use crate::diag::Span;

/// An expression and its place in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// With the parentheses around it.
    pub span: Span,
    /// It stands in parentheses.
    pub parens: bool,
    pub kind: Kind,
}

impl Node {
    /// It says how numbers lie to each other.
    pub(super) fn compares(&self) -> bool {
        match &self.kind {
            Kind::Binary(op, ..) => op.is_ordering() || matches!(op, Op::Equal | Op::NotEqual),
            Kind::Call(function, _) => *function == Function::Between,
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::Text(_)
            | Kind::List(_)
            | Kind::Name(_)
            | Kind::Field(..)
            | Kind::Index(..)
            | Kind::Not(_)
            | Kind::Negate(_)
            | Kind::Choose(..)
            | Kind::Has(_)
            | Kind::Each { .. } => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// A root or a macro's variable.
    Name(String),
    Field(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// The operator's own place follows it.
    Binary(Op, Span, Box<Node>, Box<Node>),
    /// `condition ? then : otherwise`
    Choose(Box<Node>, Box<Node>, Box<Node>),
    /// A method's receiver is the first argument.
    Call(Function, Vec<Node>),
    /// `has(path.field)`
    Has(Box<Node>),
    /// `over.exists(variable, body)`
    Each {
        how: Each,
        over: Box<Node>,
        variable: String,
        body: Box<Node>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Op {
    pub(super) const ALL: [Op; 14] = [
        Op::Or,
        Op::And,
        Op::Equal,
        Op::NotEqual,
        Op::Less,
        Op::LessEqual,
        Op::Greater,
        Op::GreaterEqual,
        Op::In,
        Op::Add,
        Op::Subtract,
        Op::Multiply,
        Op::Divide,
        Op::Remainder,
    ];

    pub(super) fn symbol(self) -> &'static str {
        match self {
            Op::Or => "||",
            Op::And => "&&",
            Op::Equal => "==",
            Op::NotEqual => "!=",
            Op::Less => "<",
            Op::LessEqual => "<=",
            Op::Greater => ">",
            Op::GreaterEqual => ">=",
            Op::In => "in",
            Op::Add => "+",
            Op::Subtract => "-",
            Op::Multiply => "*",
            Op::Divide => "/",
            Op::Remainder => "%",
        }
    }

    /// Binds tighter when larger; all of one level group from the left.
    pub(super) fn level(self) -> u8 {
        match self {
            Op::Or => 1,
            Op::And => 2,
            Op::Equal
            | Op::NotEqual
            | Op::Less
            | Op::LessEqual
            | Op::Greater
            | Op::GreaterEqual
            | Op::In => 3,
            Op::Add | Op::Subtract => 4,
            Op::Multiply | Op::Divide | Op::Remainder => 5,
        }
    }

    pub(super) fn is_relation(self) -> bool {
        self.level() == 3
    }

    /// `<`, `<=`, `>`, `>=`
    pub(super) fn is_ordering(self) -> bool {
        matches!(
            self,
            Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Share,
    Between,
    Plausible,
    Size,
    Double,
    StartsWith,
    EndsWith,
    Contains,
}

impl Function {
    pub(super) const ALL: [Function; 8] = [
        Function::Share,
        Function::Between,
        Function::Plausible,
        Function::Size,
        Function::Double,
        Function::StartsWith,
        Function::EndsWith,
        Function::Contains,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Function::Share => "share",
            Function::Between => "between",
            Function::Plausible => "plausible",
            Function::Size => "size",
            Function::Double => "double",
            Function::StartsWith => "startsWith",
            Function::EndsWith => "endsWith",
            Function::Contains => "contains",
        }
    }

    /// How it is written.
    pub(super) fn usage(self) -> &'static str {
        match self {
            Function::Share => "share(part, whole)",
            Function::Between => "between(x, low, high)",
            Function::Plausible => "plausible(successes, tries, probability)",
            Function::Size => "size(list)",
            Function::Double => "double(integer)",
            Function::StartsWith => "text.startsWith(\"...\")",
            Function::EndsWith => "text.endsWith(\"...\")",
            Function::Contains => "text.contains(\"...\")",
        }
    }

    /// Arguments, with the receiver.
    pub(super) fn arity(self) -> usize {
        match self {
            Function::Size | Function::Double => 1,
            Function::Share | Function::StartsWith | Function::EndsWith | Function::Contains => 2,
            Function::Between | Function::Plausible => 3,
        }
    }

    /// May be written `receiver.name(...)`.
    pub(super) fn is_method(self) -> bool {
        match self {
            Function::Size | Function::StartsWith | Function::EndsWith | Function::Contains => true,
            Function::Share | Function::Between | Function::Plausible | Function::Double => false,
        }
    }

    /// May be written `name(...)`.
    pub(super) fn is_free(self) -> bool {
        !self.is_method() || self == Function::Size
    }
}

/// CEL's macros over lists and maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Each {
    pub(super) const ALL: [Each; 5] = [
        Each::All,
        Each::Exists,
        Each::ExistsOne,
        Each::Filter,
        Each::Map,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Each::All => "all",
            Each::Exists => "exists",
            Each::ExistsOne => "exists_one",
            Each::Filter => "filter",
            Each::Map => "map",
        }
    }
}
