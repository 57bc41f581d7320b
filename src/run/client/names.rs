//! A client asks for a name: a real datagram from its host to the resolver, and what it keeps of the answer.
//!
//! As a stub resolver with a cache does it (RFC 1035 section 7), but one that goes on asking for as long as the step
//! may last: a lossy link delays it as it delays a SYN. Not here: what the answer is (see the fabric's resolver).

use crate::plan::{Dial, DnsCache, Endpoint, HostId};
use crate::run::word::Fault;
use crate::world::{Host, socket};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// Where a resolver listens.
const PORT: u16 = 53;
/// How long the first answer is waited for before the question is asked again; then twice as long, and so on. As long as the first
/// SYN's (RFC 6298 section 2.1): a question that is asked again for no more than a busy machine takes another turn of the answers.
const PATIENCE: Duration = Duration::from_secs(1);
/// The number of every question: each has a socket, and so a port, of its own.
const ID: u16 = 1;
/// The longest answer without EDNS.
const LARGEST: usize = 512;

/// One question and its outcome.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Who asked.
    pub from: HostId,
    /// For what.
    pub name: String,
    /// When.
    pub began: Instant,
    /// How long it took.
    pub took: Duration,
    /// The addresses, in the answer's order.
    pub addresses: Vec<IpAddr>,
    /// Why there are none.
    pub fault: Fault,
}

/// The host of a client, and what it does with an answer.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Where the question comes from.
    pub host: &'a Host,
    /// Whether the host keeps answers.
    pub cache: DnsCache,
    /// For how long an answer is good.
    pub ttl: Duration,
}

/// What clients know of names.
#[derive(Debug, Default)]
pub struct Names {
    /// By host. Whoever asks holds the lock, so that others of the same host wait for the one answer, each as long as its
    /// own limit; a failure is theirs, too.
    known: Mutex<HashMap<HostId, Known>>,
    lookups: Mutex<Vec<Lookup>>,
}

type Answered = Result<Vec<IpAddr>, Fault>;

/// What one host knows, by name and kind of address.
type Known = HashMap<(String, TYPE), Slot>;

type Slot = Arc<tokio::sync::Mutex<Outcomes>>;

/// What came of a host's questions for a name.
#[derive(Debug, Default)]
struct Outcomes {
    kept: Option<Kept>,
    failed: Option<Failed>,
}

/// The last question without an answer.
#[derive(Clone, Copy, Debug)]
struct Failed {
    lookup: usize,
    fault: Fault,
    ended: Instant,
    /// How long it was asked, at most.
    limit: Duration,
}

impl Failed {
    /// Whether it is what somebody waited for who would have asked since `began` for as long as `limit`.
    fn is_shared(&self, began: Instant, limit: Duration) -> bool {
        began <= self.ended && (self.fault != Fault::DEADLINE || limit <= self.limit)
    }
}

#[derive(Debug)]
struct Kept {
    lookup: usize,
    addresses: Vec<IpAddr>,
    /// None: for ever.
    until: Option<Instant>,
    /// Connections that used it so far: the next one takes the next address.
    used: usize,
}

impl Names {
    /// All questions so far, in the order they were asked.
    pub fn lookups(&self) -> Vec<Lookup> {
        self.lookups
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// The destination of a client's next connection to a name, and the number of the lookup that gave it or failed; none
    /// when the limit passed while another's question was still open.
    pub async fn resolve(
        &self,
        client: Asking<'_>,
        dial: &Dial,
        name: &str,
        limit: Duration,
    ) -> (Result<Endpoint, Fault>, Option<usize>) {
        let began = Instant::now();
        let Asking { host, cache, ttl } = client;
        let kind = match dial.to[0].address {
            SocketAddr::V4(_) => TYPE::A,
            SocketAddr::V6(_) => TYPE::AAAA,
        };
        if cache == DnsCache::None {
            let lookup = ask(host, dial.from, name, kind, limit).await;
            let first = lookup.addresses.first().copied();
            let fault = lookup.fault;
            let number = self.note(lookup);
            return (
                first.ok_or(fault).map(|to| endpoint(dial, to)),
                Some(number),
            );
        }
        let slot = self.slot(dial.from, name, kind);
        let Ok(mut slot) = timeout_at(began + limit, slot.lock()).await else {
            return (Err(Fault::DEADLINE), None);
        };
        let is_fresh = |kept: &Kept| kept.until.is_none_or(|until| Instant::now() < until);
        if !slot.kept.as_ref().is_some_and(is_fresh) {
            if let Some(failed) = slot.failed.filter(|one| one.is_shared(began, limit)) {
                return (Err(failed.fault), Some(failed.lookup));
            }
            let lookup = ask(host, dial.from, name, kind, limit).await;
            let (addresses, fault) = (lookup.addresses.clone(), lookup.fault);
            let asked = lookup.began;
            let number = self.note(lookup);
            if addresses.is_empty() {
                // Nothing is kept of a failure for who asks later: the resolver gives no time for it (RFC 2308 section 5).
                slot.failed = Some(Failed {
                    lookup: number,
                    fault,
                    ended: Instant::now(),
                    limit,
                });
                return (Err(fault), Some(number));
            }
            slot.kept = Some(Kept {
                lookup: number,
                addresses,
                until: match cache {
                    DnsCache::Forever => None,
                    DnsCache::Ttl | DnsCache::None => Some(asked + ttl),
                },
                used: 0,
            });
        }
        let kept = slot.kept.as_mut().expect("filled above");
        let address = kept.addresses[kept.used % kept.addresses.len()];
        kept.used += 1;
        (Ok(endpoint(dial, address)), Some(kept.lookup))
    }

    fn slot(&self, host: HostId, name: &str, kind: TYPE) -> Slot {
        let mut known = self.known.lock().expect("no holder of this lock panics");
        let names = known.entry(host).or_default();
        Arc::clone(names.entry((name.to_owned(), kind)).or_default())
    }

    fn note(&self, lookup: Lookup) -> usize {
        let mut lookups = self.lookups.lock().expect("no holder of this lock panics");
        lookups.push(lookup);
        lookups.len() - 1
    }
}

/// The destination with this address; one that the lab does not know is named by itself.
fn endpoint(dial: &Dial, address: IpAddr) -> Endpoint {
    let known = dial.to.iter().find(|to| to.address.ip() == address);
    known.cloned().unwrap_or_else(|| {
        let address = SocketAddr::new(address, dial.to[0].address.port());
        Endpoint {
            label: address.to_string(),
            address,
        }
    })
}

/// Asks until an answer comes or the limit passes.
async fn ask(host: &Host, from: HostId, name: &str, kind: TYPE, limit: Duration) -> Lookup {
    let began = Instant::now();
    let outcome = timeout_at(began + limit, exchange(host, name, kind)).await;
    let (addresses, fault) = match outcome {
        Ok(Ok(addresses)) => (addresses, Fault::default()),
        Ok(Err(fault)) => (Vec::new(), fault),
        Err(_) => (Vec::new(), Fault::DEADLINE),
    };
    Lookup {
        from,
        name: name.to_owned(),
        began,
        took: began.elapsed(),
        addresses,
        fault,
    }
}

/// Sends the question, again and again while nothing comes, and reads the answer.
async fn exchange(host: &Host, name: &str, kind: TYPE) -> Result<Vec<IpAddr>, Fault> {
    let resolver = SocketAddrV4::new(host.resolver, PORT);
    let socket = socket::asking(&host.namespace, resolver).await?;
    let socket = UdpSocket::from_std(socket).map_err(|error| Fault::from(&error))?;
    let question = question(name, kind);
    let mut patience = PATIENCE;
    loop {
        socket
            .send(&question)
            .await
            .map_err(|error| Fault::from(&error))?;
        let until = Instant::now() + patience;
        while let Ok(got) = timeout_at(until, receive(&socket)).await {
            if let Some(outcome) = got? {
                return outcome;
            }
        }
        patience *= 2;
    }
}

fn question(name: &str, kind: TYPE) -> Vec<u8> {
    let mut query = Packet::new_query(ID);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    query.questions.push(Question::new(
        Name::new_unchecked(name),
        QTYPE::TYPE(kind),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    query
        .build_bytes_vec()
        .expect("a name of a lab fits into a question")
}

/// One datagram. None: it is no answer to the question, or says nothing.
async fn receive(socket: &UdpSocket) -> Result<Option<Answered>, Fault> {
    let mut buffer = [0; LARGEST];
    let length = socket
        .recv(&mut buffer)
        .await
        .map_err(|error| Fault::from(&error))?;
    let Ok(reply) = Packet::parse(&buffer[..length]) else {
        return Ok(None);
    };
    if reply.id() != ID || !reply.has_flags(PacketFlag::RESPONSE) {
        return Ok(None);
    }
    let addresses: Vec<IpAddr> = reply
        .answers
        .iter()
        .filter_map(|record| match &record.rdata {
            RData::A(a) => Some(Ipv4Addr::from_bits(a.address).into()),
            RData::AAAA(a) => Some(Ipv6Addr::from_bits(a.address).into()),
            _ => None,
        })
        .collect();
    Ok(match reply.rcode() {
        RCODE::NoError if !addresses.is_empty() => Some(Ok(addresses)),
        RCODE::NoError | RCODE::NameError => Some(Err(Fault::NO_ADDRESS)),
        _ => None,
    })
}
