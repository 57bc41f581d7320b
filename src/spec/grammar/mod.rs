//! The grammar of labs, once, as data: names, types, ranges, defaults, words.
//!
//! From it come the known keys and the types (`check`), the defaults of the readers, the paths that `set` may take,
//! the help texts ("here are: ...") and the JSON schema. So none of them can say something else than the others.
//! Not here: rules between fields (see `rules`), names that must exist (see `plan`).

pub mod balancers;
pub mod cases;
pub mod file;
pub mod groups;
pub mod guards;
pub mod hosts;
pub mod kubernetes;
pub mod nat;
pub mod servers;
pub mod steps;
pub mod vpcs;

/// A map with known keys.
#[derive(Debug)]
pub struct Section {
    /// What it is called in messages: `a host`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// In the order in which help texts list them.
    pub fields: &'static [Field],
}

/// A key of a section.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As written.
    pub name: &'static str,
    /// What it means; one or two sentences.
    pub doc: &'static str,
    /// What it takes.
    pub kind: Type,
    /// Whether it must be there.
    pub need: Need,
}

/// Whether a field must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Yes.
    Required,
    /// No; leaving it out means what its documentation says.
    Optional,
    /// No; leaving it out means this text.
    Default(&'static str),
    /// It belongs to the language, and this release does not run it yet.
    Later,
}

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Text on one line.
    Line,
    /// Text, on as many lines as it takes.
    Text,
    /// An expression.
    Expression,
    /// A name of the topology: `web-1`.
    Name,
    /// A target group's name, or the port of a classic balancer's instances.
    GroupOrPort,
    /// A step's name, which is its result's: `again`.
    Result,
    /// A balancer's zonal address `front/a`, or its zone `a`.
    Zonal,
    /// true, false
    Bool,
    /// A whole number.
    Int {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A number.
    Number {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// Real time.
    Time {
        /// Zero makes sense.
        zero: bool,
    },
    /// Real time, or cloud time: `400s cloud`.
    Lapse {
        /// Zero makes sense.
        zero: bool,
    },
    /// `50mbit`
    Rate,
    /// `1%`
    Percent,
    /// `64`, `16KiB`
    Bytes {
        /// Largest.
        max: u64,
    },
    /// `64`, `16KiB`, or `GET /path`
    Request {
        /// Most bytes.
        max: u64,
    },
    /// An IPv4 address.
    Address,
    /// `none`, `auto` or an IPv4 address.
    PublicAddress,
    /// A range of addresses: `10.0.0.0/8`.
    Range,
    /// A rule of a guard: `tcp/80 from 10.0.0.0/8`.
    Rule(RuleKind),
    /// `auto` or an IPv6 address.
    Ipv6Address,
    /// One of a few words.
    Word(&'static Words),
    /// `[a, b]`
    List {
        /// Each item.
        of: &'static Type,
        /// Fewest items.
        min: usize,
    },
    /// Named items.
    Map {
        /// How keys look.
        key: Key,
        /// Each item.
        of: &'static Type,
        /// What an item is called in messages: `host`.
        item: &'static str,
    },
    /// Any keys with single values, dots included: `attributes`, `sysctls`.
    Free,
    /// A map with known keys.
    Section(&'static Section),
    /// The same, or only the text of one of its fields.
    Short {
        /// That field.
        field: &'static str,
        /// The whole.
        section: &'static Section,
    },
    /// A map with one key that says which: steps, what a host serves.
    Variants(&'static Variants),
    /// The first of these whose shape (single value, list, map) fits.
    OneOf(&'static [Type]),
    /// `- EXPR` or `- claim in words: EXPR`.
    Claims,
    /// Dotted paths and values.
    Set,
    /// Whatever it is, this release does not look into it.
    Any,
}

/// Which rules of guards there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// Of a security group: only allows, `from`.
    Ingress,
    /// Of a security group: only allows, `to`.
    Egress,
    /// Of a network ACL: allows or denies, `from`.
    Inbound,
    /// Of a network ACL: allows or denies, `to`.
    Outbound,
}

/// How the keys of a [`Type::Map`] look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `[a-z][a-z0-9-]*`
    Name,
    /// 1..=65535
    Port,
    /// The same, or `53/udp`.
    ServePort,
    /// `front/a`, or just `a`.
    Zonal,
    /// 1..=32766
    RuleNumber,
}

/// A closed vocabulary.
#[derive(Debug)]
pub struct Words {
    /// What this release runs.
    pub now: &'static [&'static str],
    /// What belongs to the language besides.
    pub later: &'static [&'static str],
}

/// The ways to write a [`Type::Variants`].
#[derive(Debug)]
pub struct Variants {
    /// What one is called in messages: `verb`.
    pub name: &'static str,
    /// The choices.
    pub list: &'static [Variant],
    /// The word alone will do: `80: echo`.
    pub bare: bool,
    /// Known by its first field instead of a choice's name: `{ command: ..., ready: ... }`.
    pub other: Option<&'static Section>,
}

/// One of [`Variants`].
#[derive(Debug)]
pub struct Variant {
    /// The key.
    pub name: &'static str,
    /// What stands behind the key.
    pub section: &'static Section,
    /// The field that a single text stands for.
    pub text: Option<&'static str>,
}

impl Section {
    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names, those first that this release runs.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let runs = |later: bool| {
            self.fields
                .iter()
                .filter(move |f| (f.need == Need::Later) == later)
        };
        runs(false).chain(runs(true)).map(|field| field.name)
    }
}

impl Variants {
    /// The choice of a name.
    pub fn variant(&self, name: &str) -> Option<&'static Variant> {
        self.list.iter().find(|variant| variant.name == name)
    }
}

/// A field with less noise in the tables.
pub(crate) const fn field(name: &'static str, need: Need, kind: Type, doc: &'static str) -> Field {
    Field {
        name,
        doc,
        kind,
        need,
    }
}

/// A field that this release does not run.
pub(crate) const fn later(name: &'static str, doc: &'static str) -> Field {
    Field {
        name,
        doc,
        kind: Type::Any,
        need: Need::Later,
    }
}

/// A whole number of 1 to 65535.
pub(crate) const PORT: Type = Type::Int { min: 1, max: 65535 };
/// The MTU of a link or device. IPv4 needs 68 (RFC 791); the length field ends at 65535.
pub(crate) const MTU: Type = Type::Int {
    min: 68,
    max: 65535,
};
