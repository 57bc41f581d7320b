//! Kernel settings of the calling thread's network namespace.

use super::conntrack;
use super::error::Error;
use super::proc::kernel_release;
use super::rtnl;
use crate::plan::sysctl_file;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::OnceLock;

/// A setting that not every kernel has.
#[derive(Debug, PartialEq, Eq)]
struct Recent {
    name: &'static str,
    /// What has it.
    with: &'static str,
    /// A kernel without it does what this value means.
    without: &'static str,
}

/// Linux: `net/ipv4/sysctl_net_ipv4.c` (commits ccce324dabfe, b650d953cd39); of bridges: `net/bridge/br_netfilter_hooks.c`.
const NOT_EVERYWHERE: &[Recent] = &[
    Recent {
        name: "net.ipv4.tcp_syn_linear_timeouts",
        with: "Linux 6.5 and later have it",
        without: "0",
    },
    Recent {
        name: "net.ipv4.tcp_shrink_window",
        with: "Linux 6.5 and later have it",
        without: "0",
    },
    Recent {
        name: "net.bridge.bridge-nf-call-iptables",
        with: BRIDGE_FILTER,
        without: "0",
    },
    Recent {
        name: "net.bridge.bridge-nf-call-ip6tables",
        with: BRIDGE_FILTER,
        without: "0",
    },
    Recent {
        name: "net.bridge.bridge-nf-call-arptables",
        with: BRIDGE_FILTER,
        without: "0",
    },
];

/// What settings of connection tracking begin with. They are there once its module is.
const TRACKING: &str = "net.netfilter.";

const BRIDGE_FILTER: &str = "the module has it (`modprobe br_netfilter`; bridges of the machine itself then show their packets to its \
     firewall as well, unless its own setting is 0)";

/// Writes one setting, as [`Settings::write`] does.
///
/// # Errors
/// As [`Settings::write`].
pub fn write(name: &str, value: &str) -> Result<(), Error> {
    Settings::default().write(name, value)
}

/// Settings that are written one after the other, all of the namespace where the first one is. The folder of a protocol, which
/// the last one was in, stays open: `net/ipv4` has the same name in every namespace, and all of them meet in the kernel's table of names,
/// so that finding one costs in proportion to the namespaces there are. What is in it has a folder of its own namespace for a parent, and meets nobody.
#[derive(Debug, Default)]
pub struct Settings {
    folder: Option<(String, OwnedFd)>,
}

impl Settings {
    /// Writes `net.ipv4.tcp_timestamps` and such. A `/` in a part stands for a dot in an interface's name, as sysctl(8) has it.
    /// A value that means what a kernel without the setting does anyway needs no setting.
    ///
    /// # Errors
    /// What the kernel said; a setting that does not exist or does not belong to a namespace has a hint.
    pub fn write(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let path = path(name);
        let mut written = self.put(&path, value);
        if written.is_err() && name.starts_with(TRACKING) && !Path::new(&path).exists() {
            // Rules that track bring it along, and they come later.
            conntrack::wake();
            written = self.put(&path, value);
        }
        let Err(error) = written else {
            return Ok(());
        };
        let is_missing = error.kind() == io::ErrorKind::NotFound && !Path::new(&path).exists();
        if is_missing && is_so_without(name, value) {
            return Ok(());
        }
        let failure = Error::io(format!("sysctl {name}={value}"), &error);
        Err(match error.kind() {
            io::ErrorKind::NotFound if is_missing => failure.hint(missing(name, &kernel_release())),
            io::ErrorKind::NotFound => failure.hint(
                "this kernel knows no such value; a module may bring it (`modprobe tcp_bbr`)",
            ),
            io::ErrorKind::PermissionDenied if name == CONGESTION_CONTROL => {
                let allowed = fs::read_to_string(self::path(ALLOWED)).unwrap_or_default();
                failure.hint(not_allowed(value, &allowed))
            }
            io::ErrorKind::PermissionDenied => {
                failure.hint("it belongs to the whole machine, not to a network namespace")
            }
            _ => failure,
        })
    }

    fn put(&mut self, path: &str, value: &str) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let file = match protocol(path) {
            Some((folder, rest)) => openat(self.folder(folder)?, rest, flags, Mode::empty())?,
            None => open(path, flags, Mode::empty())?,
        };
        let mut file = File::from(file);
        rtnl::at_its_turn(path, || file.write_all(value.as_bytes()))
    }

    fn folder(&mut self, path: &str) -> io::Result<&OwnedFd> {
        let known = self.folder.take().filter(|(known, _)| known == path);
        let folder = match known {
            Some(folder) => folder,
            None => {
                let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                (path.to_owned(), open(path, flags, Mode::empty())?)
            }
        };
        Ok(&self.folder.insert(folder).1)
    }
}

/// `/proc/sys/net/ipv4` and what is below it.
fn protocol(path: &str) -> Option<(&str, &str)> {
    let below = path.strip_prefix(NETWORK)?;
    let length = NETWORK.len() + below.find('/')?;
    Some((&path[..length], &path[length + 1..]))
}

/// Where each protocol has a folder.
const NETWORK: &str = "/proc/sys/net/";

fn recent(name: &str) -> Option<&'static Recent> {
    NOT_EVERYWHERE.iter().find(|recent| recent.name == name)
}

/// True when a kernel without the setting does what the value means.
fn is_so_without(name: &str, value: &str) -> bool {
    recent(name).is_some_and(|recent| recent.without == value.trim())
}

/// What to say of a setting that is not there.
fn missing(name: &str, release: &str) -> String {
    let known = match recent(name) {
        Some(recent) => format!(
            "{}; without it a kernel does what {} means",
            recent.with, recent.without
        ),
        None if name.starts_with(TRACKING) => {
            "connection tracking brings it (`modprobe nf_conntrack`)".to_owned()
        }
        None => "another release may, or it is none of a network namespace's".to_owned(),
    };
    format!("this kernel ({release}) has no such setting: {known}")
}

/// Buckets of a host's own table of TCP connections, where no load is large. The kernel walks through all of them whenever
/// the sockets of a host are read, and once more when its namespace goes.
pub const CONNECTION_BUCKETS: usize = 512;
/// Connections of a bucket, from which on the walk through it is felt at every packet.
const CROWD: usize = 4;
/// More buckets than this are for nobody: 8 MiB a host.
const MOST_BUCKETS: usize = 1 << 20;

/// Namespaces made from where the calling thread is have a table of TCP connections of their own from here on
/// (`tcp_child_ehash_entries`, Linux 6.1), of so many buckets. Otherwise they share the machine's, whose size follows its
/// memory, and whoever reads the sockets of one host walks through all of it: half of the gallery's processor time with
/// 24 GiB. Older kernels go without.
pub fn own_connection_tables(buckets: usize) {
    BY_SIZE.get_or_init(by_size);
    if let Err(error) = write("net.ipv4.tcp_child_ehash_entries", &buckets.to_string()) {
        tracing::debug!(%error, "hosts share the machine's table of connections");
    }
}

/// What the kernel makes of the size of a namespace's table (net/ipv4/tcp_ipv4.c, `tcp_set_hashinfo`): how many connections
/// may be in TIME_WAIT, half as many as there are buckets, and how many in SYN_RECV, one for 128 buckets and 128 at least.
const SET_BY_SIZE: [&str; 2] = [
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_max_syn_backlog",
];

/// As they are with the machine's own table.
static BY_SIZE: OnceLock<Vec<(&str, String)>> = OnceLock::new();

/// So many connections can be in TIME_WAIT in a host with [`CONNECTION_BUCKETS`].
pub const SMALL_TIME_WAIT: usize = CONNECTION_BUCKETS / 2;

fn by_size() -> Vec<(&'static str, String)> {
    let read = |name| Some((name, fs::read_to_string(path(name)).ok()?));
    SET_BY_SIZE.into_iter().filter_map(read).collect()
}

/// Gives the calling thread's namespace, whose table may be small, the limits that it would have with the machine's. To be
/// called where more connections may be closed than [`SMALL_TIME_WAIT`], where somebody listens and where somebody looks: it
/// takes a look-up in /proc/sys (see [`Settings`]).
///
/// # Errors
/// When one cannot be written.
pub fn limits_of_the_machine(settings: &mut Settings) -> Result<(), Error> {
    let limits = BY_SIZE.get().into_iter().flatten();
    for (name, value) in limits {
        settings.write(name, value.trim())?;
    }
    Ok(())
}

/// Buckets for so many connections at once; none: [`CONNECTION_BUCKETS`] do.
pub fn more_buckets(connections: usize) -> Option<usize> {
    let crowded = connections > CROWD * CONNECTION_BUCKETS;
    crowded.then(|| connections.next_power_of_two().min(MOST_BUCKETS))
}

/// No IPv6 on devices to come: otherwise router solicitations and duplicate address detection show up in every count.
///
/// # Errors
/// When the setting exists and cannot be written.
pub fn quiet_ipv6() -> Result<(), Error> {
    disable_ipv6(&mut Settings::default(), "default")
}

fn disable_ipv6(settings: &mut Settings, place: &str) -> Result<(), Error> {
    let path = format!("/proc/sys/net/ipv6/conf/{place}/disable_ipv6");
    match settings.put(&path, "1") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("write {path}"), &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What programs may notice of IPv6, and devices and addresses that they make themselves: none on devices to come, and on
/// `eth0` none, or what is written there only, without a question whether another has it. The device is as quiet without
/// (see `netlink`), and most hosts never run a program, so that a look-up in /proc/sys is spared (see [`Settings`]).
///
/// # Errors
/// When one cannot be written.
pub fn settle_ipv6(has_address: bool) -> Result<(), Error> {
    let mut settings = Settings::default();
    disable_ipv6(&mut settings, "default")?;
    if !has_address {
        return disable_ipv6(&mut settings, "eth0");
    }
    // 1: no link-local address from the device (`addr_gen_mode` none).
    for (setting, value) in [
        ("addr_gen_mode", "1"),
        ("accept_ra", "0"),
        ("accept_dad", "0"),
        ("router_solicitations", "0"),
    ] {
        settings.write(&format!("net.ipv6.conf.eth0.{setting}"), value)?;
    }
    Ok(())
}

/// A new namespace inherits these from the machine's first one, where distributions differ; labs start from the kernel's own.
/// Devices take them when they come, so this is written before there is any.
///
/// # Errors
/// When one cannot be written.
pub fn plain_defaults() -> Result<(), Error> {
    static OTHERWISE: OnceLock<Vec<String>> = OnceLock::new();
    let mut settings = Settings::default();
    for name in OTHERWISE.get_or_init(inherited_otherwise) {
        settings.write(name, "0")?;
    }
    Ok(())
}

/// Which of them the calling thread's namespace inherited with another value; as those that cannot be read. Asked once, for
/// the same reason as [`settle_ipv6`] is not asked for every host (a thousand hosts: 0.3 s of processor time).
fn inherited_otherwise() -> Vec<String> {
    let places = ["all", "default"].iter();
    let names = places.flat_map(|place| {
        ["rp_filter", "accept_local"].map(|setting| format!("net.ipv4.conf.{place}.{setting}"))
    });
    let is_zero =
        |name: &String| fs::read_to_string(path(name)).is_ok_and(|value| value.trim() == "0");
    names.filter(|name| !is_zero(name)).collect()
}

const CONGESTION_CONTROL: &str = "net.ipv4.tcp_congestion_control";

/// Outside the machine's first namespace only these may be chosen (net/ipv4/tcp_cong.c, `tcp_set_default_congestion_control`): Reno, the
/// kernel's own default, and what the administrator adds.
const ALLOWED: &str = "net.ipv4.tcp_allowed_congestion_control";

/// What to do about congestion control that is known and forbidden; `allowed` as the kernel lists it.
fn not_allowed(value: &str, allowed: &str) -> String {
    let allowed = allowed.split_whitespace().collect::<Vec<_>>().join(" ");
    format!(
        "namespaces may have those of the machine's {ALLOWED} only ({allowed}): as its administrator, \
         `sysctl -w {ALLOWED}=\"{allowed} {value}\"`"
    )
}

/// New namespaces have these from the machine's first one (net/ipv4/tcp_ipv4.c, `tcp_sk_init`), where distributions and administrators
/// write their own. Congestion control decides when segments are sent and sent again, the sizes of buffers how large windows are.
const OF_TCP: [&str; 3] = [CONGESTION_CONTROL, "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"];

/// What hosts have from the machine; nothing of what cannot be read. To be called where no lab has written anything.
pub fn inherited_of_tcp() -> BTreeMap<String, String> {
    static READ: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    let read = |name: &str| {
        let value = fs::read_to_string(path(name)).ok()?;
        let words: Vec<&str> = value.split_whitespace().collect();
        Some((name.to_owned(), words.join(" ")))
    };
    let all = || OF_TCP.into_iter().filter_map(read).collect();
    READ.get_or_init(all).clone()
}

fn path(name: &str) -> String {
    format!("/proc/sys/{}", sysctl_file(name))
}

#[cfg(test)]
mod tests {
    use super::{is_so_without, missing, more_buckets, not_allowed, path, protocol};

    #[test]
    fn congestion_control_that_is_forbidden_is_told_with_what_allows_it() {
        assert_eq!(
            not_allowed("cubic", "reno bbr\n"),
            "namespaces may have those of the machine's net.ipv4.tcp_allowed_congestion_control only (reno bbr): as its \
             administrator, `sysctl -w net.ipv4.tcp_allowed_congestion_control=\"reno bbr cubic\"`"
        );
    }

    #[test]
    fn a_name_is_a_file_as_sysctl_has_it() {
        for (name, file) in [
            ("net.ipv4.tcp_sack", "net/ipv4/tcp_sack"),
            (
                "net.ipv4.conf.eth0/100.rp_filter",
                "net/ipv4/conf/eth0.100/rp_filter",
            ),
        ] {
            assert_eq!(path(name), format!("/proc/sys/{file}"));
        }
    }

    #[test]
    fn a_protocol_s_folder_is_told_apart_from_what_is_below_it() {
        let below = |path| protocol(path);
        assert_eq!(
            below("/proc/sys/net/ipv4/conf/all/rp_filter"),
            Some(("/proc/sys/net/ipv4", "conf/all/rp_filter"))
        );
        assert_eq!(below("/proc/sys/net/x"), None);
        assert_eq!(below("/proc/sys/kernel/pid_max"), None);
    }

    #[test]
    fn large_loads_have_a_bucket_for_each_connection() {
        assert_eq!(more_buckets(2048), None);
        assert_eq!(more_buckets(2049), Some(4096));
        assert_eq!(more_buckets(55_000), Some(65_536));
        assert_eq!(more_buckets(10_000_000), Some(1 << 20));
    }

    #[test]
    fn what_an_older_kernel_does_anyway_needs_no_setting() {
        let linear = "net.ipv4.tcp_syn_linear_timeouts";
        assert!(is_so_without(linear, "0"));
        assert!(!is_so_without(linear, "4"));
        assert!(!is_so_without("net.ipv4.tcp_sack", "0"));
    }

    #[test]
    fn a_missing_setting_is_told_with_who_has_it() {
        let told = missing("net.ipv4.tcp_syn_linear_timeouts", "6.1.0-31-amd64");
        assert!(told.contains("this kernel (6.1.0-31-amd64)"), "{told}");
        assert!(told.contains("Linux 6.5 and later"), "{told}");
        assert!(
            missing("net.netfilter.nf_conntrack_tcp_be_liberal", "6.1").contains("nf_conntrack")
        );
        assert!(missing("net.ipv4.tcp_no_such", "6.1").contains("another release"));
    }
}
