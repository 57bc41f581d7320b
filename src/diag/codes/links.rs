//! Links of hosts: 0770..0779.

use super::{Code, Rule};

/// `reorder` where no packet waits, or none is left that waits.
pub const NOTHING_TO_OVERTAKE: Code = Code(770);
/// `queue` without `rate`.
pub const QUEUE_WITHOUT_RATE: Code = Code(771);
/// Damage, copies or reordering where everything is lost.
pub const NOTHING_ARRIVES: Code = Code(772);
/// `randomize_sequence` of a host that others are inside of or behind.
pub const RENUMBERS_OTHERS: Code = Code(773);

/// The rules of this area.
pub static RULES: &[Rule] = &[
    Rule {
        code: NOTHING_TO_OVERTAKE,
        title: "`reorder` needs packets that are held up, and some that are not",
        page: "`reorder` is the share of the packets that skip the link's delay and so come out before others that were sent\n\
        earlier, as netem has it. Where nothing is delayed, every packet goes at once in any case, and the order stays; at\n\
        100% nothing is delayed either. With `rate` alone packets wait for their turn on the wire, and turns are kept.\n\
        `reorder: 0%` is fine: a case may switch it off.\n\
        \n\
        Wrong:\n\
        \x20   link: { reorder: 25% }\n\
        Right:\n\
        \x20   link: { delay: 10ms, reorder: 25% }",
    },
    Rule {
        code: QUEUE_WITHOUT_RATE,
        title: "`queue` needs a `rate`",
        page: "The queue is where packets wait for the wire. A link without `rate` carries any number at once: nothing waits,\n\
        and no queue is ever full. Packets that a `delay` holds up are on the wire, not in the queue.\n\
        \n\
        Wrong:\n\
        \x20   link: { delay: 10ms, queue: 20 }\n\
        Right:\n\
        \x20   link: { delay: 10ms, rate: 10mbit, queue: 20 }",
    },
    Rule {
        code: NOTHING_ARRIVES,
        title: "of packets that are all lost, none is doubled, damaged or early",
        page: "With `loss: 100%` the link delivers nothing. Whatever else it is told to do to packets is never seen.\n\
        \n\
        Wrong:\n\
        \x20   link: { loss: 100%, duplicate: 10% }\n\
        Right:\n\
        \x20   link: { loss: 10%, duplicate: 10% }",
    },
    Rule {
        code: RENUMBERS_OTHERS,
        title: "sequence numbers that change between a host and those behind it",
        page: "`randomize_sequence` stands at a host's edge, and the network knows a connection by the numbers beyond it. Devices inside\n\
        a node or behind a router see others, and a packet seen in both places would be told as two. Give the client or the\n\
        server at the other end of the connection the firewall, or let the host stand alone.\n\
        \n\
        Wrong:\n\
        \x20   router: { link: { randomize_sequence: header-only } }\n\
        \x20   client: { behind: router }\n\
        Right:\n\
        \x20   client: { link: { randomize_sequence: header-only } }",
    },
];
