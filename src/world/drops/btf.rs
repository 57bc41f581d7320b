//! The kernel's description of its own types (BTF): where fields are, and what enumerators are called.
//!
//! Layout: Linux `include/uapi/linux/btf.h`.

use std::collections::HashMap;

/// What the program must know, offsets in bytes.
#[derive(Debug)]
pub struct Layout {
    /// `sk` and `dev` in `struct sk_buff`.
    pub skb_sk: i32,
    pub skb_dev: i32,
    /// The `struct net *` in `struct net_device`, and in `struct sock`.
    pub dev_net: i32,
    pub sock_net: i32,
    /// The namespace's inode number in `struct net`.
    pub net_inum: i32,
    /// The tracepoint tells of the receiving socket (since Linux 6.11).
    pub has_socket: bool,
    /// `enum skb_drop_reason` without its prefix, by number. Not those of
    /// subsystems, which have more than 16 bits.
    pub reasons: Vec<String>,
}

const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const FUNC_PROTO: u32 = 13;
/// Reasons from here on are a subsystem's (`SKB_DROP_REASON_SUBSYS_SHIFT`).
const OWN: usize = 1 << 16;
const PREFIX: &str = "SKB_DROP_REASON_";
/// Bytes of a type, at least.
const LEAST: usize = 12;
/// Structures in structures that are looked into for a field.
const DEPTH: usize = 8;

/// One type: its name, what it is, and where what follows its header begins.
#[derive(Clone, Copy)]
struct Type {
    name: u32,
    kind: u32,
    count: usize,
    /// Member offsets have bit-field sizes in their upper byte.
    packed: bool,
    /// Of what, for those that are of another type.
    of: u32,
    body: usize,
}

/// A file of types.
struct Types<'a> {
    bytes: &'a [u8],
    strings: usize,
    /// Where each begins, by number, from 1. There are a hundred thousand and more, of which six are wanted.
    starts: Vec<u32>,
}

impl Type {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let info = word(bytes, at + 4)?;
        Some(Self {
            name: word(bytes, at)?,
            kind: info >> 24 & 0x1f,
            count: (info & 0xffff) as usize,
            packed: info >> 31 == 1,
            of: word(bytes, at + 8)?,
            body: at + LEAST,
        })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

impl<'a> Types<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = word(bytes, 4)? as usize;
        let begin = header + word(bytes, 8)? as usize;
        let end = begin + word(bytes, 12)? as usize;
        let strings = header + word(bytes, 16)? as usize;
        let mut starts = Vec::with_capacity(bytes.len() / LEAST);
        let mut at = begin;
        while at < end {
            starts.push(u32::try_from(at).ok()?);
            let one = Type::read(bytes, at)?;
            // INT, VAR, DECL_TAG; ARRAY; DATASEC, ENUM64; the rest ends with its header.
            at = one.body
                + match one.kind {
                    1 | 14 | 17 => 4,
                    3 => 12,
                    STRUCT | UNION | 15 | 19 => 12 * one.count,
                    ENUM | FUNC_PROTO => 8 * one.count,
                    _ => 0,
                };
        }
        Some(Self {
            bytes,
            strings,
            starts,
        })
    }

    fn all(&self) -> impl Iterator<Item = Type> {
        let starts = self.starts.iter();
        starts.filter_map(|at| Type::read(self.bytes, *at as usize))
    }

    fn name(&self, offset: u32) -> &'a str {
        let rest = self.bytes.get(self.strings + offset as usize..);
        let rest = rest.unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(0);
        std::str::from_utf8(&rest[..end]).unwrap_or_default()
    }

    fn get(&self, id: u32) -> Option<Type> {
        let at = self.starts.get((id as usize).checked_sub(1)?)?;
        Type::read(self.bytes, *at as usize)
    }

    /// A type without `const`, `volatile`, `restrict`, tags and other names.
    fn bare(&self, mut id: u32) -> Option<Type> {
        loop {
            let one = self.get(id)?;
            if !matches!(one.kind, TYPEDEF | 9 | 10 | 11 | 18) {
                return Some(one);
            }
            id = one.of;
        }
    }

    /// A field's offset in bits and its type, also of a structure without a name inside.
    fn field(&self, within: &Type, name: &str, depth: usize) -> Option<(u32, u32)> {
        if depth == 0 || !matches!(within.kind, STRUCT | UNION) {
            return None;
        }
        (0..within.count).find_map(|index| {
            let at = within.body + 12 * index;
            let (own, of) = (word(self.bytes, at)?, word(self.bytes, at + 4)?);
            let offset = word(self.bytes, at + 8)? & if within.packed { 0xff_ffff } else { !0 };
            if self.name(own) == name {
                return Some((offset, of));
            }
            let unnamed = self.name(own).is_empty().then(|| self.bare(of))??;
            let (inner, of) = self.field(&unnamed, name, depth - 1)?;
            Some((offset + inner, of))
        })
    }

    /// Names by number, without their prefix.
    fn enumerators(&self, within: &Type) -> Vec<String> {
        let mut names = Vec::new();
        for index in 0..within.count {
            let at = within.body + 8 * index;
            let (Some(name), Some(number)) = (word(self.bytes, at), word(self.bytes, at + 4))
            else {
                break;
            };
            let number = number as usize;
            if number >= OWN {
                continue;
            }
            if names.len() <= number {
                names.resize(number + 1, String::new());
            }
            let name = self.name(name);
            names[number] = name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
        }
        names
    }

    /// The offset in bytes of a field of a field of ... of a structure.
    fn offset(&self, within: &Type, path: &[&str]) -> Option<i32> {
        let (mut within, mut bits) = (*within, 0);
        for name in path {
            let (offset, of) = self.field(&within, name, DEPTH)?;
            bits += offset;
            within = self.bare(of).unwrap_or(within);
        }
        i32::try_from(bits / 8).ok()
    }
}

impl Layout {
    /// Reads `/sys/kernel/btf/vmlinux`. The error names what is not there.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let types = Types::read(bytes).ok_or("its BTF cannot be read")?;
        let wanted = [
            "sk_buff",
            "net_device",
            "sock",
            "net",
            "skb_drop_reason",
            "btf_trace_kfree_skb",
        ];
        let mut found: HashMap<&str, Type> = HashMap::new();
        for one in types.all() {
            if matches!(one.kind, STRUCT | ENUM | TYPEDEF) {
                let name = types.name(one.name);
                if wanted.contains(&name) {
                    found.entry(name).or_insert(one);
                }
            }
        }
        let offset = |name: &str, path: &[&str], missing| {
            let one = found.get(name).ok_or(missing)?;
            types.offset(one, path).ok_or(missing)
        };
        let reasons = found.get("skb_drop_reason");
        let reasons = reasons.ok_or("it gives no drop reasons (Linux 5.17 does)")?;
        let trace = found.get("btf_trace_kfree_skb").and_then(|one| {
            let function = types.get(types.get(one.of)?.of)?;
            (function.kind == FUNC_PROTO).then_some(function.count)
        });
        Ok(Self {
            skb_sk: offset("sk_buff", &["sk"], "its packets have no `sk`")?,
            skb_dev: offset("sk_buff", &["dev"], "its packets have no `dev`")?,
            dev_net: offset("net_device", &["nd_net"], "its devices have no `nd_net`")?,
            sock_net: offset(
                "sock",
                &["__sk_common", "skc_net"],
                "its sockets have no `skc_net`",
            )?,
            net_inum: offset("net", &["ns", "inum"], "its namespaces have no `inum`")?,
            // With the pointer that every tracepoint has: packet, place, reason, socket.
            has_socket: match trace {
                Some(4) => false,
                Some(5) => true,
                Some(_) | None => return Err("its tracepoint `kfree_skb` is not a known one"),
            },
            reasons: types.enumerators(reasons),
        })
    }

    /// The place of what is no reason of the kernel's own list, among counts by reason.
    pub fn others(&self) -> u32 {
        self.reasons.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_describes_itself() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            return;
        };
        let layout = Layout::read(&bytes).expect("a layout");
        let named = |name: &str| layout.reasons.iter().any(|known| known == name);
        assert!(named("NO_SOCKET") && named("NETFILTER_DROP"));
        assert!(layout.skb_sk > 0 && layout.net_inum > 0);
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(Layout::read(&[]).is_err());
        assert!(Layout::read(&[0xff; 64]).is_err());
    }
}
