//! What a story breaks and mends, resolved: hosts, ends of packets, flags, the `drop` that is healed.

use super::Named;
use crate::diag::codes::{flows as code, segments};
use crate::diag::{Diagnostic, Spanned};
use crate::fabric::config::{BalancerId, PortId, ZonalId};
use crate::fabric::faults::{DropRule, End, flag};
use crate::plan::balancers::Balancer;
use crate::plan::hosts::Hosts;
use crate::plan::vocabulary::{HEAL, HEAL_ALL, LINK_DOWN, POWER_OFF};
use crate::plan::{Fault, HostId, Sink, StepId};
use crate::spec::{self, Body};

/// What names are looked up in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) body: &'a Body,
    pub(super) named: &'a Named<'a>,
    pub(super) hosts: &'a Hosts<'a>,
    pub(super) balancers: &'a [Balancer<'a>],
}

impl Scene<'_> {
    /// A fault of step `number`; none when it names what is not there.
    pub(super) fn resolve(
        self,
        number: usize,
        fault: &spec::Fault,
        sink: &mut Sink,
    ) -> Option<Fault> {
        let hosts = |name: &Spanned<String>, sink: &mut Sink| {
            let found = self.hosts.resolve(name, sink);
            (!found.is_empty()).then_some(found)
        };
        let linked = |name: &Spanned<String>, sink: &mut Sink| {
            self.on_fabric(name, sink);
            hosts(name, sink)
        };
        Some(match fault {
            spec::Fault::Freeze { host } => Fault::Freeze(hosts(host, sink)?),
            spec::Fault::PowerOff { host } => Fault::PowerOff(linked(host, sink)?),
            spec::Fault::LinkDown { host } => Fault::LinkDown(linked(host, sink)?),
            spec::Fault::Drop(drop) => {
                // All of them are looked at, so that all problems show.
                let from = drop.from.as_ref().map(|name| self.end(name, sink));
                let to = drop.to.as_ref().map(|name| self.end(name, sink));
                let flags = drop.flags.as_ref().map(|text| flags_of(text, sink));
                let count = count_of(&drop.count, sink);
                Fault::Drop(DropRule {
                    from: all_or_none(from)?,
                    to: all_or_none(to)?,
                    flags: all_or_none(flags)?,
                    length: drop.length.as_ref().map(|bytes| bytes.value as usize),
                    window: drop.window.as_ref().map(|window| window.value),
                    nth: drop.nth.value.into(),
                    count: count?,
                })
            }
            spec::Fault::Heal { host, drop } => {
                let healed = host.as_ref().map(|name| hosts(name, sink));
                let ended = drop.as_ref().map(|name| self.drop_step(number, name, sink));
                let everything = host.is_none() && drop.is_none();
                Fault::Heal {
                    hosts: if everything {
                        (0..self.hosts.list.len() as u32).map(HostId).collect()
                    } else {
                        all_or_none(healed)?.unwrap_or_default()
                    },
                    drops: if everything {
                        self.drops_before(number)
                    } else {
                        all_or_none(ended)?.into_iter().collect()
                    },
                }
            }
        })
    }

    /// What the fabric does to packets, it does to those of hosts that are on it.
    fn on_fabric(self, name: &Spanned<String>, sink: &mut Sink) {
        let hosts = self.hosts.all(&name.value).unwrap_or_default();
        let inside = hosts.iter().find(|id| self.hosts.is_inside(**id));
        if let Some(host) = inside.map(|id| self.hosts.get(*id)) {
            sink.push(
                Diagnostic::new(
                    segments::NO_LINK,
                    name.span,
                    format!("`{}` has no link to the fabric", name.value),
                )
                .label("its packets leave by its router")
                .also(host.key.span, "behind another host")
                .help("name the router; inside of it, `run` can do what an operator would: `ip link set veth1 down`"),
            );
        }
    }

    /// A host, a group of hosts, a balancer, or one of its zonal addresses.
    fn end(self, name: &Spanned<String>, sink: &mut Sink) -> Option<End> {
        if let Some(hosts) = self.hosts.all(&name.value) {
            self.on_fabric(name, sink);
            return Some(End::Hosts(hosts.iter().map(|id| PortId(id.0)).collect()));
        }
        let (balancer, zone) = match name.value.split_once('/') {
            None => (name.value.as_str(), None),
            Some((balancer, zone)) => (balancer, Some(zone)),
        };
        let mut balancers = self.balancers.iter();
        if let Some(index) = balancers.position(|one| one.name.value == balancer) {
            let id = BalancerId(u16::try_from(index).ok()?);
            let Some(zone) = zone else {
                return Some(End::Balancer(id, None));
            };
            let zones = &self.balancers[index].zones;
            if let Some(zonal) = zones.iter().position(|enabled| *enabled == zone) {
                return Some(End::Balancer(id, Some(ZonalId(u8::try_from(zonal).ok()?))));
            }
        }
        let known = self.balancers.iter().map(|one| one.name.value.as_str());
        let help = sink.help(&name.value, known.chain(self.hosts.names()));
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_END,
                name.span,
                format!("packets have no end called `{}`", name.value),
            )
            .label("neither a host nor an address of a load balancer")
            .help(help),
        );
        None
    }

    fn drop_step(self, number: usize, name: &Spanned<String>, sink: &mut Sink) -> Option<StepId> {
        let found = self.named.get(name.value.as_str()).copied();
        let drops = found.filter(|step| is_drop(&self.body.steps[*step].verb) && *step < number);
        if drops.is_none() {
            let names = self.body.steps[..number].iter();
            let names = names.filter(|step| step.named && is_drop(&step.verb));
            let help = sink.help(&name.value, names.map(|step| step.name.value.as_str()));
            sink.push(
                Diagnostic::new(
                    code::HEALS_NO_DROP,
                    name.span,
                    format!("no `drop` before this step is called `{}`", name.value),
                )
                .label("needs the name (`as`) of a `drop` step")
                .help(help),
            );
        }
        drops.and_then(|step| u32::try_from(step).ok()).map(StepId)
    }

    fn drops_before(self, number: usize) -> Vec<StepId> {
        (0u32..)
            .zip(&self.body.steps[..number])
            .filter(|(_, step)| is_drop(&step.verb))
            .map(|(step, _)| StepId(step))
            .collect()
    }
}

/// A fault in words.
pub(super) fn label(fault: &spec::Fault) -> String {
    let text = |name: &Option<Spanned<String>>| name.as_ref().map(|name| name.value.clone());
    match fault {
        spec::Fault::Freeze { host } => format!("freeze {}", host.value),
        spec::Fault::PowerOff { host } => format!("{POWER_OFF}{}", host.value),
        spec::Fault::LinkDown { host } => format!("{LINK_DOWN}{}", host.value),
        spec::Fault::Drop(drop) => {
            let length = drop.length.as_ref();
            let window = drop.window.as_ref();
            let words = [
                text(&drop.flags),
                length.map(|length| format!("length {}", length.value)),
                window.map(|window| format!("window {}", window.value)),
                text(&drop.from).map(|from| format!("from {from}")),
                text(&drop.to).map(|to| format!("to {to}")),
            ];
            let words: Vec<String> = words.into_iter().flatten().collect();
            let which = match (drop.nth.value, drop.count.value.as_str()) {
                (1, "all") => String::new(),
                (nth, "1") => format!(", no. {nth}"),
                (1, count) => format!(", the first {count}"),
                (nth, "all") => format!(", from no. {nth} on"),
                (nth, count) => format!(", {count} from no. {nth} on"),
            };
            format!(
                "drop {}{which}",
                if words.is_empty() {
                    "everything".to_owned()
                } else {
                    words.join(" ")
                }
            )
        }
        spec::Fault::Heal { host, drop } => match (text(host), text(drop)) {
            (None, None) => format!("{HEAL}{HEAL_ALL}"),
            (host, drop) => {
                let what: Vec<String> = host.into_iter().chain(drop).collect();
                format!("{HEAL}{}", what.join(" and "))
            }
        },
    }
}

/// None when what is written is wrong.
fn all_or_none<T>(written: Option<Option<T>>) -> Option<Option<T>> {
    match written {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

fn is_drop(verb: &spec::Verb) -> bool {
    matches!(verb, spec::Verb::Fault(spec::Fault::Drop(_)))
}

/// Which flags are looked at, and what they must be: SYN, FIN and RST always; ACK with SYN or alone; PSH and those of ECN when they
/// are named. So `F` and `R` are any FIN and RST, `S` is no SYN-ACK and any SYN, `.` is an acknowledgement with or without data.
fn flags_of(text: &Spanned<String>, sink: &mut Sink) -> Option<(u8, u8)> {
    let named = |word: &str| match word.to_ascii_uppercase().as_str() {
        "SYN" => Some(flag::SYN),
        "ACK" => Some(flag::ACK),
        "FIN" => Some(flag::FIN),
        "RST" => Some(flag::RST),
        "PSH" => Some(flag::PSH),
        "ECE" => Some(flag::ECE),
        "CWR" => Some(flag::CWR),
        _ => None,
    };
    let letter = |letter: char| match letter {
        'S' => Some(flag::SYN),
        '.' => Some(flag::ACK),
        'F' => Some(flag::FIN),
        'R' => Some(flag::RST),
        'P' => Some(flag::PSH),
        'E' => Some(flag::ECE),
        'W' => Some(flag::CWR),
        _ => None,
    };
    let all = |flags: Option<Vec<u8>>| flags.map(|list| list.into_iter().fold(0, |a, b| a | b));
    let words = all(text.value.split(['-', '+', ' ']).map(named).collect());
    let wanted = words.or_else(|| all(text.value.chars().map(letter).collect()));
    let Some(wanted) = wanted.filter(|flags| *flags != 0) else {
        sink.push(
            Diagnostic::new(
                code::UNKNOWN_FLAGS,
                text.span,
                format!("`{}` are no TCP flags", text.value),
            )
            .help("write them as tcpdump does (`S`, `S.`, `.`, `P.`, `F`, `R`, `SEW`) or by name (`SYN`, `SYN-ACK`, `RST`)"),
        );
        return None;
    };
    let named = wanted & (flag::PSH | flag::ECE | flag::CWR);
    let mut looked_at = flag::SYN | flag::FIN | flag::RST | named;
    if wanted & flag::SYN != 0 || wanted == flag::ACK {
        looked_at |= flag::ACK;
    }
    Some((looked_at, wanted & looked_at))
}

fn count_of(text: &Spanned<String>, sink: &mut Sink) -> Option<Option<u64>> {
    match text.value.parse::<u64>() {
        Ok(count @ 1..=1_000_000) => Some(Some(count)),
        Ok(_) | Err(_) if text.value == "all" => Some(None),
        Ok(_) | Err(_) => {
            sink.push(
                Diagnostic::new(
                    code::DROP_COUNT,
                    text.span,
                    format!("`count` cannot be `{}`", text.value),
                )
                .help("write `all`, or a number from 1 to 1000000"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use flag::{ACK, CWR, ECE, FIN, PSH, RST, SYN};

    fn flags(text: &str) -> Option<(u8, u8)> {
        let mut sink = Sink::default();
        let found = flags_of(&Spanned::new(text.to_owned(), Span::default()), &mut sink);
        assert_eq!(found.is_none(), !sink.problems.is_empty(), "{text}");
        found
    }

    #[test]
    fn flags_in_letters_and_names_are_the_same() {
        let ends = SYN | FIN | RST;
        assert_eq!(flags("S"), Some((ends | ACK, SYN)));
        assert_eq!(flags("SYN"), flags("S"));
        assert_eq!(flags("S."), Some((ends | ACK, SYN | ACK)));
        assert_eq!(flags("syn-ack"), flags("S."));
        assert_eq!(flags("F"), Some((ends, FIN)));
        assert_eq!(flags("F."), flags("FIN"));
        assert_eq!(flags("RST"), Some((ends, RST)));
        assert_eq!(flags("."), Some((ends | ACK, ACK)));
        assert_eq!(flags("P."), Some((ends | PSH, PSH)));
        let ecn = SYN | ECE | CWR;
        assert_eq!(flags("SEW"), Some((ends | ACK | ECE | CWR, ecn)));
        assert_eq!(flags("SYN-ECE-CWR"), flags("SEW"));
        assert_eq!(flags(".E"), Some((ends | ECE, ECE)));
        for wrong in ["", "X", "SYN,ACK", "s", "all"] {
            assert_eq!(flags(wrong), None, "{wrong}");
        }
    }
}
