//! What the kernel tells about itself, and about a namespace under `/proc/thread-self`: who it is, and who listens. Its sockets: see
//! `tcp_sockets`; its counters: see `counters`.
//!
//! To be read from a thread inside the namespace: `/proc/net` and `/proc/self/net` are the main thread's.

use super::error::Error;
use std::fs;
use std::io::ErrorKind;

/// `uname -r`; empty when the kernel does not say.
pub fn kernel_release() -> String {
    nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// True when something listens on the port, TCP or (unconnected) UDP, IPv4 or IPv6.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn listens(port: u16, udp: bool) -> Result<bool, Error> {
    let files: [&str; 2] = if udp {
        ["udp", "udp6"]
    } else {
        ["tcp", "tcp6"]
    };
    for file in files {
        let path = format!("/proc/thread-self/net/{file}");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // There is no IPv6 in the kernel.
            Err(error) if file.ends_with('6') && error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io(format!("read {path}"), &error)),
        };
        let wanted = if udp { "07" } else { "0A" };
        let found = text.lines().skip(1).any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields
                .next()
                .and_then(|local| local.rsplit_once(':'))
                .and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
            local == Some(port) && fields.nth(1) == Some(wanted)
        });
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The inode number of this thread's network namespace.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn namespace() -> Result<u32, Error> {
    use std::os::unix::fs::MetadataExt;
    let path = "/proc/thread-self/ns/net";
    let data = fs::metadata(path).map_err(|error| Error::io(format!("look at {path}"), &error))?;
    // The kernel keeps it in 32 bits.
    Ok(data.ino() as u32)
}
