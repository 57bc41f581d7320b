//! Kernel settings of the calling thread's network namespace.

use super::error::Error;
use std::fs;
use std::sync::OnceLock;

/// Writes `net.ipv4.tcp_timestamps` and such. A `/` in a part stands for a dot in an interface's name, as sysctl(8) has it.
///
/// # Errors
/// What the kernel said; a setting that does not exist or does not belong to a namespace has a hint.
pub fn write(name: &str, value: &str) -> Result<(), Error> {
    fs::write(path(name), value).map_err(|error| {
        let failure = Error::io(format!("sysctl {name}={value}"), &error);
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                failure.hint("this kernel has no such setting, or not in a network namespace")
            }
            std::io::ErrorKind::PermissionDenied => {
                failure.hint("it belongs to the whole machine, not to a network namespace")
            }
            _ => failure,
        }
    })
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
    if let Err(error) = write("net.ipv4.tcp_child_ehash_entries", &buckets.to_string()) {
        tracing::debug!(%error, "hosts share the machine's table of connections");
    }
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
    disable_ipv6("default")
}

fn disable_ipv6(place: &str) -> Result<(), Error> {
    let path = format!("/proc/sys/net/ipv6/conf/{place}/disable_ipv6");
    match fs::write(&path, "1") {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("write {path}"), &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What programs may notice of IPv6, and devices and addresses that they make themselves: none on devices to come, and on
/// `eth0` none, or what is written there only, without a question whether another has it. The device is as quiet without
/// (see `netlink`), and most hosts never run a program: names under /proc/sys/net are the same in every namespace and
/// collide in the kernel's table of names, so that a look-up costs in proportion to the namespaces there are.
///
/// # Errors
/// When one cannot be written.
pub fn settle_ipv6(has_address: bool) -> Result<(), Error> {
    quiet_ipv6()?;
    if !has_address {
        return disable_ipv6("eth0");
    }
    // 1: no link-local address from the device (`addr_gen_mode` none).
    for (setting, value) in [
        ("addr_gen_mode", "1"),
        ("accept_ra", "0"),
        ("accept_dad", "0"),
        ("router_solicitations", "0"),
    ] {
        write(&format!("net.ipv6.conf.eth0.{setting}"), value)?;
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
    for name in OTHERWISE.get_or_init(inherited_otherwise) {
        write(name, "0")?;
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

fn path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use super::more_buckets;

    #[test]
    fn large_loads_have_a_bucket_for_each_connection() {
        assert_eq!(more_buckets(2048), None);
        assert_eq!(more_buckets(2049), Some(4096));
        assert_eq!(more_buckets(55_000), Some(65_536));
        assert_eq!(more_buckets(10_000_000), Some(1 << 20));
    }
}
