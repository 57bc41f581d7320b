//! Steps that break hosts and packets on their way, and mend them.

use super::AS;
use crate::spec::grammar::Need::{Default, Optional, Required};
use crate::spec::grammar::{Field, Section, Type, Words, field};

const HOST: Field = field(
    "host",
    Required,
    Type::Name,
    "The host, or a group of hosts.",
);

/// How a host's servers stop.
pub static STOP_WITH: Words = Words {
    now: &["fin", "reset"],
    later: &[],
};

pub(super) static STOP: Section = Section {
    name: "`stop`",
    doc: "Stops a host's servers, as a program ends that is told to (SIGTERM): each reads what has come to it, closes its \
        sockets and is gone. The clients get a FIN, and a RST for what they send later; connections that nobody had \
        accepted yet are reset. Nothing is drained: who is to be served to the end must have finished before.",
    fields: &[
        AS,
        HOST,
        field(
            "with",
            Default("fin"),
            Type::Word(&STOP_WITH),
            "How its connections end: `fin` closes, `reset` resets them. Real programs (`command`) get SIGTERM either way.",
        ),
    ],
};

pub(super) static KILL: Section = Section {
    name: "`kill`",
    doc: "Kills a host's servers (SIGKILL); whether FIN or RST follows depends on what they had not read.",
    fields: &[AS, HOST],
};

/// What becomes of the listening sockets of servers that are reloaded.
pub static HANDOVERS: Words = Words {
    now: &["close", "drain", "pass"],
    later: &[],
};

pub(super) static RELOAD: Section = Section {
    name: "`reload`",
    doc: "Starts a host's TCP servers anew beside the old ones, as a reload does: the new ones listen on the same ports \
        (SO_REUSEPORT), then the old ones are told to finish. They listen no more and serve what they have accepted to its end. \
        Frozen servers hear of it when they are healed; the new ones are not frozen. Real programs (`command`) get SIGHUP.",
    fields: &[
        AS,
        HOST,
        field(
            "listeners",
            Default("close"),
            Type::Word(&HANDOVERS),
            "What becomes of the old ones' listening sockets: `close`: closed at once, and what waits there to be accepted is \
            the kernel's to deal with; `drain`: closed when all that waits is accepted; `pass`: passed on to the new ones, so \
            that none is ever closed.",
        ),
    ],
};

pub(super) static FREEZE: Section = Section {
    name: "`freeze`",
    doc: "Stops a host's servers as SIGSTOP does: they neither accept, read nor answer, and its kernel goes on. Of a node these are \
          its own and those of pods in its namespace (`hostNetwork`), as with `stop`, `kill` and `reload`: pods inside of it go on.",
    fields: &[AS, HOST],
};

pub(super) static POWER_OFF: Section = Section {
    name: "`power_off`",
    doc: "Takes a host's power: its sockets and what it tracks of connections are gone, no FIN and no RST leaves it, programs of `run` \
          end (`failed`) or do not begin there, and loads end, with what they had under way (`failed`). A node takes its pods with it; \
          a router takes its bridges, and hosts behind it have their power but reach nobody. To a load balancer the instance is still \
          running, so that it fails its checks and is not `unused`.",
    fields: &[AS, HOST],
};

pub(super) static LINK_DOWN: Section = Section {
    name: "`link_down`",
    doc: "Cuts a host's link: nothing comes in or out, and its kernel and servers go on. Those inside of it (pods of a node, hosts behind a router) \
          reach each other and it.",
    fields: &[AS, HOST],
};

pub(super) static DROP: Section = Section {
    name: "`drop`",
    doc: "Drops packets from now on: those to which everything written here applies. Its result has `dropped`, how many.",
    fields: &[
        AS,
        field(
            "from",
            Optional,
            Type::Line,
            "Who sent them: a host, a group of hosts, or a balancer (`front`, `front/a`), whose address they bear.",
        ),
        field(
            "to",
            Optional,
            Type::Line,
            "Who would get them: a host, a group of hosts, or a balancer (`front`, `front/a`), which was dialled.",
        ),
        field(
            "flags",
            Optional,
            Type::Line,
            "TCP flags, as tcpdump prints them (`S`, `S.`, `R`, `F`, `P`, `.`, `E`, `W`) or by name (`SYN`, `SYN-ACK`, `RST`, `FIN`, `PSH`, `ACK`, `ECE`, `CWR`). `S` is any SYN without ACK, `SEW` one that offers ECN; `P`, `E` and `W` are looked at where they are written.",
        ),
        field(
            "length",
            Optional,
            Type::Int {
                min: 0,
                max: 65_535,
            },
            "Bytes of payload, exactly.",
        ),
        field(
            "window",
            Optional,
            Type::Int {
                min: 0,
                max: 65_535,
            },
            "TCP's window as on the wire, unscaled, exactly: 0 is that of a receiver whose buffer is full.",
        ),
        field(
            "nth",
            Default("1"),
            Type::Int {
                min: 1,
                max: 1_000_000,
            },
            "The first of the matching packets that is dropped.",
        ),
        field(
            "count",
            Default("all"),
            Type::Line,
            "How many are dropped from there on: a number, or `all`.",
        ),
    ],
};

pub(super) static HEAL: Section = Section {
    name: "`heal`",
    doc: "Undoes faults: of a host (`heal: web1`: frozen servers go on, its link is up, its power is back, and \
        with a node's that of its pods, but its servers are not), of a `drop` step by its name, or, with neither, all of them.",
    fields: &[
        AS,
        field(
            "host",
            Optional,
            Type::Name,
            "The host, or a group of hosts.",
        ),
        field(
            "drop",
            Optional,
            Type::Result,
            "The name of a `drop` step, which ends.",
        ),
    ],
};
