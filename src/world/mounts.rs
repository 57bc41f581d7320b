//! File systems as a host's programs see them: a mount namespace with its sysfs, /run and names.

use super::error::Error;
use super::privilege::user_namespace_hint;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

/// What is mounted from here on is seen by nobody outside of this thread's mount namespace.
///
/// # Errors
/// What the kernel said.
pub(super) fn make_private() -> Result<(), Error> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(|errno| {
            let error = Error::system("make the mounts private", errno);
            match errno {
                Errno::EINVAL => error.hint(
                    "/ is no mount here, as in a chroot: `mount --bind FOLDER FOLDER` before it is entered",
                ),
                _ => error.hint(user_namespace_hint()),
            }
        })
}

/// A private view of the file system: this host's /sys, an empty /run, its own /etc/hosts.
///
/// # Errors
/// The operation that failed.
pub(super) fn of_host(host: &str, names: &str, resolver: Ipv4Addr) -> Result<(), Error> {
    unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|errno| Error::system("unshare a mount namespace", errno))?;
    let fail = |what: &str| {
        let what = what.to_owned();
        move |errno: Errno| Error::system(what, errno)
    };
    make_private()?;
    mount(
        Some("sysfs"),
        "/sys",
        Some("sysfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        None::<&str>,
    )
    .or_else(|errno| {
        if errno == Errno::EPERM {
            Ok(())
        } else {
            Err(errno)
        }
    })
    .map_err(fail("mount /sys"))?;
    mount(
        Some("tmpfs"),
        "/run",
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("mode=0755,size=16m"),
    )
    .map_err(fail("mount /run"))?;
    cover(
        "/etc/hosts",
        "hosts",
        &format!("127.0.0.1 localhost {host}\n{names}"),
    )?;
    // `search .`: else the C library takes the domain of the machine's own name and asks for names under it.
    cover(
        "/etc/resolv.conf",
        "resolv.conf",
        &format!("nameserver {resolver}\nsearch .\noptions timeout:1 attempts:2\n"),
    )?;
    if let Ok(switch) = fs::read_to_string("/etc/nsswitch.conf") {
        cover(
            "/etc/nsswitch.conf",
            "nsswitch.conf",
            &files_then_dns(&switch),
        )?;
    }
    Ok(())
}

/// Names come from the two files above, whatever daemon this machine asks (resolved, mDNS): none runs in a host.
fn files_then_dns(switch: &str) -> String {
    let others = switch.lines().filter(|line| !line.starts_with("hosts:"));
    others
        .chain(["hosts: files dns"])
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Puts a file of our own in a system file's place, for this mount namespace only.
fn cover(path: &str, name: &str, text: &str) -> Result<(), Error> {
    let own = format!("/run/hairpin-{name}");
    let write = |path: &Path| {
        fs::write(path, text)
            .map_err(|error| Error::io(format!("write {}", path.display()), &error))
    };
    match fs::read_link(path) {
        // systemd-resolved keeps the file under /run, which is ours and empty by now.
        Ok(target)
            if Path::new("/etc").join(&target).starts_with("/run")
                || target.starts_with("../run") =>
        {
            let target = Path::new("/").join(target.strip_prefix("..").unwrap_or(&target));
            let folder = target.parent().unwrap_or(Path::new("/run"));
            fs::create_dir_all(folder)
                .map_err(|error| Error::io(format!("create {}", folder.display()), &error))?;
            write(&target)
        }
        _ if !Path::new(path).exists() => Ok(()),
        Ok(_) | Err(_) => {
            write(Path::new(&own))?;
            let bound = mount(
                Some(own.as_str()),
                path,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            );
            bound.map_err(|errno| Error::system(format!("mount {path}"), errno))
        }
    }
}
