//! What the kernel counts in a namespace, as `/proc/thread-self/net` tells it, and what moved between two readings.
//!
//! To be read from a thread inside the namespace. Not here: what connection tracking counts (see `conntrack`), and what the
//! kernel dropped (see `drops`).

use super::error::Error;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::{Arc, Mutex};

/// Counters by nstat's flat names (`TcpExtTCPSYNChallenge`, `TcpOutRsts`, `IpInReceives`).
pub type Counters = BTreeMap<String, i64>;

/// What moved in one namespace, by the same names, which are some 400.
pub type Moved = BTreeMap<Cow<'static, str>, i64>;

/// Names of one kernel's counters, in the order in which it tells them. Namespaces have the same, some 400, but for those of
/// ICMP's types (`IcmpMsgInType3`), which are told once they have counted.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    /// The lines that have them, as they were read.
    lines: String,
    /// They stay as long as the process: evidence of all hosts refers to them.
    flat: Vec<&'static str>,
}

/// All counters of a namespace at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    names: Arc<Names>,
    /// By name.
    counts: Vec<i64>,
}

impl Reading {
    /// Of this thread's namespace; those of IPv6 are told besides where they are wanted: `Ip6InReceives`, `Icmp6OutMsgs`, `Udp6InDatagrams`. TCP's
    /// are those of both families.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn take(with_ipv6: bool) -> Result<Self, Error> {
        let mut text = Text::default();
        for file in ["snmp", "netstat"] {
            text.pairs_of_lines(&read(file)?);
        }
        if with_ipv6 {
            text.pairs_of_words(&read("snmp6")?);
        }
        Ok(text.reading())
    }

    /// False when a namespace with these counters cannot have a TCP connection: no segment went in or out, and none was begun.
    pub fn speaks_tcp(&self) -> bool {
        let wanted = ["TcpActiveOpens", "TcpInSegs", "TcpOutSegs"];
        let mut moved = wanted.iter().map(|name| self.count(name) != Some(0));
        moved.any(|moved| moved)
    }

    fn count(&self, name: &str) -> Option<i64> {
        let at = self.names.flat.iter().position(|known| *known == name)?;
        self.counts.get(at).copied()
    }

    /// What moved since an earlier reading, by name.
    pub fn since(&self, before: &Self) -> Moved {
        let counts = self.names.flat.iter().zip(&self.counts);
        if Arc::ptr_eq(&self.names, &before.names) {
            let moved = counts.zip(&before.counts);
            return moved
                .map(|((name, now), then)| (Cow::Borrowed(*name), now - then))
                .collect();
        }
        let then: HashMap<_, _> = before.names.flat.iter().zip(&before.counts).collect();
        let then = |name| then.get(name).copied().unwrap_or(&0);
        counts
            .map(|(name, now)| (Cow::Borrowed(*name), now - then(name)))
            .collect()
    }
}

/// What moved between two readings.
pub fn delta(before: &Counters, after: &Counters) -> Counters {
    after
        .iter()
        .map(|(name, value)| (name.clone(), value - before.get(name).copied().unwrap_or(0)))
        .collect()
}

fn read(file: &str) -> Result<String, Error> {
    let path = format!("/proc/thread-self/net/{file}");
    fs::read_to_string(&path).map_err(|error| Error::io(format!("read {path}"), &error))
}

/// Names and counts of the files of one namespace.
#[derive(Debug, Default)]
struct Text {
    names: String,
    counts: Vec<i64>,
}

impl Text {
    /// Pairs of lines: `Tcp: A B` and `Tcp: 1 2`.
    fn pairs_of_lines(&mut self, text: &str) {
        let mut lines = text.lines();
        while let (Some(names), Some(counts)) = (lines.next(), lines.next()) {
            let Some((_, counts)) = counts.split_once(':') else {
                continue;
            };
            self.names.push_str(names);
            self.names.push('\n');
            let counts = counts.split_whitespace();
            self.counts
                .extend(counts.map(|count| count.parse().unwrap_or(0)));
        }
    }

    /// Lines of a name and a count: `Ip6InReceives 3`.
    fn pairs_of_words(&mut self, text: &str) {
        for line in text.lines() {
            if let Some((name, count)) = line.split_once(char::is_whitespace) {
                self.names.push_str(name);
                self.names.push('\n');
                self.counts.push(count.trim().parse().unwrap_or(0));
            }
        }
    }

    fn reading(self) -> Reading {
        static KNOWN: Mutex<Vec<Arc<Names>>> = Mutex::new(Vec::new());
        let mut known = KNOWN
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let names = known.iter().find(|names| names.lines == self.names);
        let names = names.cloned().unwrap_or_else(|| {
            let names = Arc::new(Names::new(self.names));
            known.push(Arc::clone(&names));
            names
        });
        Reading {
            names,
            counts: self.counts,
        }
    }
}

impl Names {
    /// From lines such as `Tcp: A B` and `Ip6InReceives`.
    fn new(lines: String) -> Self {
        let flat = lines.lines().flat_map(|line| match line.split_once(':') {
            Some((group, names)) => names
                .split_whitespace()
                .map(|name| format!("{group}{name}"))
                .collect(),
            None => vec![line.to_owned()],
        });
        let flat = flat.map(|name: String| &*name.leak()).collect();
        Self { lines, flat }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(snmp: &str, snmp6: &str) -> Reading {
        let mut text = Text::default();
        text.pairs_of_lines(snmp);
        text.pairs_of_words(snmp6);
        text.reading()
    }

    #[test]
    fn counters_are_flat_and_negative_ones_are_kept() {
        let told = |max: i64, challenges: i64, six: i64| {
            reading(
                &format!(
                    "Tcp: RtoMin MaxConn\nTcp: 200 {max}\nTcpExt: TCPSYNChallenge\nTcpExt: {challenges}\n"
                ),
                &format!("Ip6InReceives                   \t{six}\n"),
            )
        };
        let (before, after) = (told(-1, 3, 10), told(-2, 5, 17));
        assert_eq!(after.count("TcpMaxConn"), Some(-2));
        let moved = [
            ("Ip6InReceives", 7),
            ("TcpExtTCPSYNChallenge", 2),
            ("TcpMaxConn", -1),
            ("TcpRtoMin", 0),
        ];
        let moved = Moved::from(moved.map(|(name, count)| (name.into(), count)));
        assert_eq!(after.since(&before), moved);
    }

    #[test]
    fn a_reading_with_other_names_is_compared_by_name() {
        let before = reading("Tcp: InSegs\nTcp: 2\n", "");
        let after = reading("Tcp: OutSegs InSegs\nTcp: 7 5\n", "");
        let moved = [("TcpInSegs", 3), ("TcpOutSegs", 7)];
        let moved = Moved::from(moved.map(|(name, count)| (name.into(), count)));
        assert_eq!(after.since(&before), moved);
    }

    #[test]
    fn who_sent_and_got_no_segment_has_no_connection() {
        let told = |received: u32| {
            reading(
                &format!("Tcp: ActiveOpens InSegs OutSegs\nTcp: 0 {received} 0\n"),
                "",
            )
        };
        assert!(!told(0).speaks_tcp());
        assert!(told(1).speaks_tcp());
        assert!(reading("", "").speaks_tcp(), "unknown: it is looked for");
    }
}
