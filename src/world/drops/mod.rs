//! The kernel's own words about the packets it drops, by network namespace: the tracepoint `skb:kfree_skb`.
//!
//! Its text names no namespace, and every host's device is called eth0. So a BPF program of some forty instructions sits on the
//! raw tracepoint, finds the namespace by the packet's socket or device, and counts by reason where somebody follows that
//! namespace; it reads and counts, and does nothing else. It goes when the process goes. What is followed has a place for each
//! reason from the start, so nothing is lost for want of room, and the place is free again when nobody follows. Where the
//! fields are, the kernel says itself (BTF). Needs Linux 5.17, and CAP_BPF and CAP_PERFMON outside any user namespace.

mod bpf;
mod btf;
mod mapped;

use super::counters::Counters;
use super::error::Error;
use btf::Layout;
use mapped::Bytes;
use nix::errno::Errno;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

/// A program that counts.
#[derive(Debug)]
pub struct Drops {
    map: OwnedFd,
    /// Keeps the program on its tracepoint.
    _link: OwnedFd,
    /// By number: `NO_SOCKET`, `NETFILTER_DROP`; the last one stands for all others.
    reasons: Vec<String>,
}

/// Namespaces whose drops are counted, until this is dropped.
#[derive(Debug)]
pub struct Followed {
    drops: &'static Drops,
    namespaces: Vec<bpf::Key>,
}

/// What reasons are called that the kernel's own list does not have.
const OTHER: &str = "OTHER";

/// The program of this process, put in place by the first call. The error says why there is none.
pub fn watch() -> Result<&'static Drops, &'static str> {
    static DROPS: OnceLock<Result<Drops, String>> = OnceLock::new();
    let drops = DROPS.get_or_init(|| Drops::attach().map_err(|error| error.to_string()));
    drops.as_ref().map_err(String::as_str)
}

impl Drops {
    fn attach() -> Result<Self, Error> {
        let path = "/sys/kernel/btf/vmlinux";
        let bytes = Bytes::of(path).map_err(|error| Error::io(format!("read {path}"), &error))?;
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
        let counts = layout.reasons.len() + 1;
        let map = bpf::map(counts).map_err(refused("make a BPF map"))?;
        let program =
            bpf::load(&bpf::program(&map, &layout)).map_err(refused("load a BPF program"))?;
        let link = bpf::attach(&program)
            .map_err(refused("attach a BPF program to the tracepoint kfree_skb"))?;
        let mut reasons = layout.reasons;
        reasons.push(OTHER.to_owned());
        Ok(Self {
            map,
            _link: link,
            reasons,
        })
    }

    /// Begins to count what is dropped in these namespaces, which nobody else follows, given by their inode numbers.
    ///
    /// # Errors
    /// When there is no room for more.
    pub fn follow(&'static self, namespaces: &[u32]) -> Result<Followed, Error> {
        let zeros = vec![0; self.reasons.len()];
        let mut followed = Followed {
            drops: self,
            namespaces: Vec::with_capacity(namespaces.len()),
        };
        for namespace in namespaces {
            bpf::put(&self.map, *namespace, &zeros).map_err(refused_entry)?;
            followed.namespaces.push(*namespace);
        }
        Ok(followed)
    }
}

impl Followed {
    /// What was dropped since the beginning, by reason, for each namespace in its order; what is 0 is not told.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counted(&self) -> Result<Vec<Counters>, Error> {
        let reasons = &self.drops.reasons;
        let mut counts = vec![0; reasons.len()];
        let mut all = Vec::with_capacity(self.namespaces.len());
        for namespace in &self.namespaces {
            bpf::get(&self.drops.map, *namespace, &mut counts).map_err(refused_entry)?;
            let named = reasons.iter().zip(&counts);
            let told = named.filter(|(_, count)| **count != 0);
            all.push(
                told.map(|(name, count)| (name.clone(), *count as i64))
                    .collect(),
            );
        }
        Ok(all)
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            if let Err(errno) = bpf::remove(&self.drops.map, *namespace) {
                tracing::debug!(?errno, namespace, "a place among the drops stays taken");
            }
        }
    }
}

fn refused_entry(errno: Errno) -> Error {
    let error = Error::system("count what a namespace's kernel drops", errno);
    match errno {
        Errno::E2BIG => error.hint(format!("{} hosts at a time have room", bpf::ENTRIES)),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_free_again_and_a_lack_of_room_is_told() {
        let drops = match watch() {
            Ok(drops) => drops,
            Err(why) => return eprintln!("SKIPPED: {why}"),
        };
        // Numbers that no namespace has: theirs begin at 0xf0000000.
        let third = bpf::ENTRIES / 3;
        for round in 0..10 {
            let own: Vec<u32> = (round * third..(round + 1) * third).collect();
            let followed = drops.follow(&own).expect("those before are free again");
            assert_eq!(followed.counted().expect("counts").len(), own.len());
        }
        let most: Vec<u32> = (0..=bpf::ENTRIES).collect();
        let refused = drops
            .follow(&most)
            .expect_err("one more than there is room for");
        assert_eq!(refused.errno, Some(Errno::E2BIG));
        drops
            .follow(&most[1..])
            .expect("what was refused left nothing");
    }
}
