//! Words of expressions and verdicts that are no keys of a lab file: errors, fields of results and hosts, what a case is.
//!
//! Not here: keys (see `spec::reference`), attributes and annotations (see `lists`).

/// A sentence about a word; none: it is none of these.
pub(super) fn meaning(word: &str) -> Option<String> {
    let entry = WORDS.iter().find(|(known, _)| *known == word);
    entry.map(|(word, text)| format!("`{word}`: {text}\n"))
}

/// Every word that [`meaning`] knows.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, _)| *word)
}

#[rustfmt::skip]
static WORDS: &[(&str, &str)] = &[
    ("refused", "a value of `error`. ECONNREFUSED: a RST answered the SYN, or ICMP said that nobody is there."),
    ("reset", "a value of `error` and of `ended`. ECONNRESET: a RST ended the connection."),
    ("timeout", "a value of `error` and of `ended`. ETIMEDOUT: the kernel gave up, after all its SYNs, repetitions or keepalives. The \
        step's own limit is `deadline`."),
    ("deadline", "a value of `error`. The step's own limit (`timeout:`) passed; the kernel had not given up yet."),
    ("unreachable", "a value of `error`. EHOSTUNREACH, ENETUNREACH and their like: there is no way to the address, or ICMP said so."),
    ("no-address", "a value of `error`. The resolver has no address for the name, or does not answer (EAI_NONAME, EAI_AGAIN)."),
    ("no-port", "a value of `error`. EADDRNOTAVAIL or EADDRINUSE: no local port is left for this destination, or the chosen one is taken."),
    ("eof", "a value of `error` and of `ended`. The other end closed (FIN) where something was still to come."),
    ("closed", "a value of `error` and of `ended`. EPIPE and its like: this end was closed, or its error was told, before."),
    ("not-connected", "a value of `error`. There is no connection to work on: it never came to stand."),
    ("tls", "a value of `error`. What the other end said is no TLS, or not what TLS has there: one of the two speaks plainly (`tls: true` of a step, \
        `https` of a server, `protocol: TLS`)."),
    ("failed", "a value of `error`: anything else, `errno` has the kernel's number where it had one. And of a load how many connections \
        had no success."),
    ("errors", "of a load: how many failed, by the word of their error: `call.errors.reset == 5`."),
    ("errno", "of a step: the kernel's number of its error (errno(3)); 0 when the kernel said nothing."),
    ("ended", "of a connection: how it ended by its client, `open`, `eof`, `reset`, `closed` or `timeout`; `\"\"` when it never stood."),
    ("ended_by", "of a connection: who sent the first FIN or RST, `client`, `server` or `fabric`, which is a box of the network; `\"\"`: nobody."),
    ("by_target", "of a load: connections by the host that they came to: `call.by_target.web1`."),
    ("attempts", "of a load: connections that were begun."),
    ("connected", "of a load: connections that came to stand."),
    ("retried", "of a load: connections that took more than one SYN."),
    ("status", "of a load of requests: answers by their status: `call.status[\"200\"] == 5`."),
    ("connect_ms", "of a load: how long its connections took to stand, one number each."),
    ("syns", "of a connection: SYNs that the network saw of it; 1 when the first did."),
    ("via", "of a connection: what was dialled, `front/a`."),
    ("lost", "of a connection: bytes that were acknowledged to the client and never delivered to the target's program."),
    ("unacked", "of a connection: bytes that were sent and that nobody has acknowledged."),
    ("client_state", "of a connection: its TCP state at the client after the last step, `ESTABLISHED`, `TIME_WAIT`, ...; `\"\"`: no socket."),
    ("server_state", "of a connection: its TCP state at the target after the last step; `\"\"`: no socket."),
    ("counters", "of a host: what its kernel counted while the story ran, by the names of nstat(8): `hosts.web.counters.TcpOutRsts`."),
    ("sockets", "of a host: its TCP sockets after the last step."),
    ("self_sourced", "of a host: packets that the network delivered to it with its own address as source. Linux drops them (\"martian\"), and \
        no counter of its namespace tells."),
    ("packets", "every packet, in the order of sending: `packets.exists(p, p.sender == \"web\" && p.flags == \"R\")`. In the JSON report, of a \
        finding: the numbers of those it cites, as captures have them."),
    ("flow_logs", "records of VPC flow logs, by their AWS names: `flow_logs.exists(l, l.action == \"REJECT\")`."),
    ("findings", "what was recognised in the evidence: `findings.exists(f, f.kind == \"loopback\")`."),
    ("metrics", "of a load balancer, a zone of it or a target group: CloudWatch's metrics by their names, over the whole case: \
        `load_balancers.front.metrics.NewFlowCount`. `hairpin metrics` has them minute by minute."),
    ("fault", "a kind of case: it breaks the promise (`works`), and shows what it `finds`."),
    ("fix", "a kind of case: it keeps the promise, and shows nothing that a fault finds."),
    ("partial", "a kind of case: it owes the promise nothing, only what it expects itself. For mitigations and other symptoms."),
    ("control", "a kind of case: nothing is wrong, and the promise is kept."),
    ("holds", "a verdict: the case came out as it claims; of a fault it is told as `reproduced`."),
    ("reproduced", "a verdict: a fault came out as it claims."),
    ("inconclusive", "a verdict: it cannot be told, because a value is unknown or because the machine was too late for a claim on time. Such a case is \
        run once more, alone."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::vocabulary::{ENDINGS, ERRORS};

    #[test]
    fn every_error_and_every_ending_is_told() {
        for word in ERRORS.iter().chain(ENDINGS) {
            let known = word.is_empty() || *word == "open" || meaning(word).is_some();
            assert!(known, "nothing about {word}");
        }
    }
}
