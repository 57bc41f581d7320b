//! Kernel settings of the calling thread's network namespace.

use super::error::Error;
use std::fs;

/// Writes `net.ipv4.tcp_timestamps` and such. A `/` in a part stands for a dot in an interface's name, as sysctl(8) has it.
///
/// # Errors
/// What the kernel said; a setting that does not exist or does not belong to a namespace has a hint.
pub fn write(name: &str, value: &str) -> Result<(), Error> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::write(&path, value).map_err(|error| {
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

/// Buckets of a host's own table of TCP connections.
const CONNECTION_BUCKETS: &str = "4096";

/// Namespaces made from here on have a table of TCP connections of their own (`tcp_child_ehash_entries`, Linux 6.1).
/// Otherwise they share the machine's, whose size follows its memory, and whoever reads the sockets of one host walks
/// through all of it: half of the gallery's processor time with 24 GiB. Older kernels go without.
pub fn own_connection_tables() {
    if let Err(error) = write("net.ipv4.tcp_child_ehash_entries", CONNECTION_BUCKETS) {
        tracing::debug!(%error, "hosts share the machine's table of connections");
    }
}

/// No IPv6 on devices to come: otherwise router solicitations and duplicate address detection show up in every count.
///
/// # Errors
/// When the setting exists and cannot be written.
pub fn quiet_ipv6() -> Result<(), Error> {
    let path = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
    match fs::write(path, "1") {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("write {path}"), &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// IPv6 on `eth0` after all, for an address that is written: the kernel makes none, looks for no router and asks
/// nobody whether another has it.
///
/// # Errors
/// When one cannot be written.
pub fn use_ipv6() -> Result<(), Error> {
    // 1: no link-local address from the device (`addr_gen_mode` none).
    for (setting, value) in [
        ("addr_gen_mode", "1"),
        ("accept_ra", "0"),
        ("accept_dad", "0"),
        ("router_solicitations", "0"),
        ("disable_ipv6", "0"),
    ] {
        write(&format!("net.ipv6.conf.eth0.{setting}"), value)?;
    }
    Ok(())
}

/// A new namespace inherits these from the machine's first one, where distributions differ; labs start from the kernel's own.
/// `devices`: those that exist already; others take what is written here when they come.
///
/// # Errors
/// When one cannot be written.
pub fn plain_defaults(devices: &[&str]) -> Result<(), Error> {
    for device in ["all", "default"].iter().chain(devices) {
        for setting in ["rp_filter", "accept_local"] {
            write(&format!("net.ipv4.conf.{device}.{setting}"), "0")?;
        }
    }
    Ok(())
}
