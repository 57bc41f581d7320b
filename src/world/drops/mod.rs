//! The kernel's own words about the packets it drops, by network namespace: the tracepoint `skb:kfree_skb`.
//!
//! Its text names no namespace, and every host's device is called eth0. So a BPF program of some forty instructions sits on the
//! raw tracepoint, finds the namespace by the packet's socket or device, and counts by namespace and reason; it reads
//! and counts, and does nothing else. It goes when the process goes. Where the fields are, the kernel says itself
//! (BTF). Needs Linux 5.17, and CAP_BPF and CAP_PERFMON outside any user namespace.

mod bpf;
mod btf;

use super::error::Error;
use super::proc::Counters;
use btf::Layout;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

/// A program that counts.
#[derive(Debug)]
pub struct Drops {
    map: OwnedFd,
    /// Keeps the program on its tracepoint.
    _link: OwnedFd,
    /// By number: `NO_SOCKET`, `NETFILTER_DROP`.
    reasons: BTreeMap<u32, String>,
}

/// What was counted at one moment, by namespace and reason.
#[derive(Debug)]
pub struct Counted(Vec<(bpf::Key, u64)>);

/// The program of this process, put in place by the first call. The error says why there is none.
pub fn watch() -> Result<&'static Drops, &'static str> {
    static DROPS: OnceLock<Result<Drops, String>> = OnceLock::new();
    let drops = DROPS.get_or_init(|| Drops::attach().map_err(|error| error.to_string()));
    drops.as_ref().map_err(String::as_str)
}

impl Drops {
    fn attach() -> Result<Self, Error> {
        let path = "/sys/kernel/btf/vmlinux";
        let bytes =
            std::fs::read(path).map_err(|error| Error::io(format!("read {path}"), &error))?;
        let layout = Layout::read(&bytes)
            .map_err(|missing| Error::other("find out how this kernel drops packets", missing))?;
        let refused = |operation: &'static str| {
            move |errno| {
                let error = Error::system(operation, errno);
                match errno {
                    Errno::EPERM | Errno::EACCES => error.hint(
                        "run it with sudo; in a container add `--cap-add BPF --cap-add PERFMON`",
                    ),
                    _ => error,
                }
            }
        };
        let map = bpf::map().map_err(refused("make a BPF map"))?;
        let program =
            bpf::load(&bpf::program(&map, &layout)).map_err(refused("load a BPF program"))?;
        let link = bpf::attach(&program)
            .map_err(refused("attach a BPF program to the tracepoint kfree_skb"))?;
        Ok(Self {
            map,
            _link: link,
            reasons: layout.reasons,
        })
    }

    /// Everything counted so far, on the whole machine.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counted(&self) -> Result<Counted, Error> {
        bpf::read(&self.map)
            .map(Counted)
            .map_err(|errno| Error::system("read a BPF map", errno))
    }

    /// What was counted of one namespace, by reason.
    pub fn of(&self, counted: &Counted, namespace: u32) -> Counters {
        let own = counted
            .0
            .iter()
            .filter(|(key, _)| key.namespace == namespace);
        let named = |&(key, count): &(bpf::Key, u64)| {
            let name = self.reasons.get(&key.reason);
            let name = name.map_or_else(|| format!("REASON_{}", key.reason), String::clone);
            (name, count as i64)
        };
        own.map(named).collect()
    }
}
