//! Reads hosts.

use super::{Fields, scalar};
use crate::diag::{Span, Spanned};
use crate::spec::grammar::hosts::{DIRECTION, HOST, LINK};
use crate::spec::grammar::servers::{APPS, COMMAND};
use crate::spec::model::{
    App, Behind, Host, Http, HttpsOnly, Link, PublicAddress, Serve, ServePort,
};
use crate::spec::node::{Node, Value};
use crate::spec::scalar::FromText;
use crate::units::{Percent, Rate};

/// `hosts.X`
pub fn host(node: &Node, span: Span) -> Option<Host> {
    let fields = Fields::new(node, &HOST, span);
    let link = fields.node("link");
    Some(Host {
        span,
        // `auto` is no address, and so reads as not written.
        address: fields.written("address"),
        addresses: match fields.node("addresses").map(|node| &node.value) {
            Some(Value::List(items)) => items.iter().filter_map(scalar).collect(),
            Some(Value::Null | Value::Scalar(_) | Value::Map(_)) | None => Vec::new(),
        },
        public_address: fields.written::<PublicAddress>("public_address"),
        ipv6: fields.written("ipv6"),
        zone: fields
            .written::<String>("zone")
            .filter(|zone| zone.value != "none"),
        count: fields.written("count"),
        serve: serve(fields.node("serve"))?,
        sysctls: fields.free("sysctls"),
        nft: fields.written("nft"),
        iptables: fields.written("iptables"),
        setup: fields.written("setup"),
        up: direction(link, "up", span),
        down: direction(link, "down", span),
        mtu: fields.written("mtu"),
        kernel: fields.free("kernel"),
        dns_cache: fields.written("dns_cache"),
        vpc: fields.written("vpc"),
        behind: fields.node("behind").map(behind),
        gateway: fields.written("gateway"),
        nat: fields.written("nat"),
        security_groups: fields.names("security_groups"),
    })
}

/// A router's name, or a map of routers and segments.
fn behind(node: &Node) -> Behind {
    Behind {
        span: node.span,
        routers: match &node.value {
            Value::Scalar(_) => scalar(node)
                .map(|router| (router, None))
                .into_iter()
                .collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), scalar(&entry.value)))
                .collect(),
            Value::Null | Value::List(_) => Vec::new(),
        },
    }
}

/// One direction of a link: its own values, else those for both.
fn direction(link: Option<&Node>, name: &str, span: Span) -> Link {
    let Some(link) = link else {
        return Link::default();
    };
    let both = Fields::new(link, &LINK, span);
    let own = both
        .node(name)
        .map(|node| Fields::new(node, &DIRECTION, span));
    let own = own.as_ref();
    let share = |name| {
        pick::<Percent>(&both, own, name)
            .map(|percent| Spanned::new(percent.value.share(), percent.span))
    };
    Link {
        delay: pick(&both, own, "delay"),
        jitter: pick(&both, own, "jitter"),
        loss: share("loss"),
        rate: pick::<Rate>(&both, own, "rate").map(|rate| Spanned::new(rate.value.0, rate.span)),
        mtu: pick(&both, own, "mtu"),
        queue: pick(&both, own, "queue"),
        duplicate: share("duplicate"),
        reorder: share("reorder"),
        corrupt: share("corrupt"),
        randomize_sequence: both.written("randomize_sequence"),
    }
}

fn pick<T: FromText>(
    both: &Fields<'_>,
    own: Option<&Fields<'_>>,
    name: &str,
) -> Option<Spanned<T>> {
    own.and_then(|own| own.written(name))
        .or_else(|| both.written(name))
}

fn serve(node: Option<&Node>) -> Option<Vec<(Spanned<ServePort>, Serve)>> {
    let entries = node.and_then(Node::entries).unwrap_or(&[]);
    entries
        .iter()
        .map(|entry| {
            let port = ServePort::from_text(&entry.key.value)?;
            Some((
                Spanned::new(port, entry.key.span),
                Serve {
                    app: app(&entry.value, entry.key.span)?,
                    proxy_protocol: proxy_protocol(&entry.value),
                },
            ))
        })
        .collect()
}

/// Where the one word that it can say stands.
fn proxy_protocol(node: &Node) -> Option<Span> {
    let (_, options) = node.entries()?.first().map(|e| (&e.key, &e.value))?;
    options.get("proxy_protocol").map(|word| word.span)
}

fn app(node: &Node, span: Span) -> Option<App> {
    if node.get("command").is_some() {
        let fields = Fields::new(node, &COMMAND, span);
        let ready = fields
            .written::<String>("ready")
            .map(|ready| ready.value)
            .filter(|ready| ready != "port");
        return Some(App::Command {
            command: fields.value::<String>("command")?.value,
            ready,
        });
    }
    let empty = Node::map(Vec::new(), node.span);
    let (word, inner) = match &node.value {
        Value::Scalar(word) => (word.text.as_str(), &empty),
        Value::Map(entries) => entries
            .first()
            .map(|entry| (entry.key.value.as_str(), &entry.value))?,
        Value::Null | Value::List(_) => return None,
    };
    let fields = Fields::new(inner, APPS.variant(word)?.section, span);
    match word {
        "echo" => Some(App::Echo {
            idle_close: fields.written("idle_close").map(|time| time.value),
            message: fields.written("message").map(|bytes| bytes.value),
        }),
        "sink" => Some(App::Sink),
        "name" => Some(App::Name),
        "http" => Some(App::Http(Http {
            https_only: fields.written::<String>("https_only").map(https_only),
            ..http(&fields)?
        })),
        "https" => Some(App::Https {
            http: http(&fields)?,
            tls: fields.written::<String>("tls").map(|tls| tls.value),
        }),
        "banner" => {
            let text = if inner.scalar().is_some() {
                scalar(inner)
            } else {
                fields.value("text")
            };
            Some(App::Banner { text: text?.value })
        }
        "source" => Some(App::Source {
            bytes: fields.value("bytes")?.value,
            every: fields.value("every")?.value,
        }),
        "never_accept" => Some(App::NeverAccept {
            backlog: fields.value("backlog")?.value,
        }),
        _ => None,
    }
}

fn http(fields: &Fields<'_>) -> Option<Http> {
    Some(Http {
        host: fields.written::<String>("host").map(|host| host.value),
        status: fields.value("status")?.value,
        delay: fields.written("delay").map(|time| time.value),
        idle_close: fields.written("idle_close").map(|time| time.value),
        keep_alive: fields.value("keep_alive")?.value,
        workers: fields
            .written::<u32>("workers")
            .map(|workers| workers.value),
        body: fields.written("body").map(|bytes| bytes.value),
        max_body: fields.written("max_body").map(|bytes| bytes.value),
        lingering_close: fields.value("lingering_close")?.value,
        https_only: None,
    })
}

fn https_only(word: Spanned<String>) -> HttpsOnly {
    match word.value.as_str() {
        "forwarded" => HttpsOnly::Forwarded,
        // The readers let no other word through.
        _ => HttpsOnly::Connection,
    }
}
