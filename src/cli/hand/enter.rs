//! `hairpin exec` and `hairpin shell`: programs in a host of a lab that is up, with the caller's terminal.
//!
//! They are in the host's network, see its names, and belong to the lab's processes: they end with it.

use super::choice::first_named;
use super::state::{Home, Place};
use super::wire::{self, Answer, Ask};
use crate::cli::args::{ExecArgs, ShellArgs};
use crate::cli::{Mistake, Refusal, Status, terminal};
use crate::world::program::{give_way_when_woken, search_path};
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;

/// As a shell says it.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

/// Runs a program in a host; its exit status is the command's.
pub fn exec(args: &ExecArgs) -> Result<u8, Refusal> {
    let (place, words) = first_named(&Home::of_user(), &args.place)?;
    let [host] = words else {
        return Err(which(&place, words).into());
    };
    let inside = enter(&place, Some(host))?;
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    inside.run(command)
}

/// The user's shell in a host.
pub fn shell(args: &ShellArgs) -> Result<u8, Refusal> {
    let (place, words) = first_named(&Home::of_user(), &args.place)?;
    let host = match words {
        [] => None,
        [host] => Some(host.as_str()),
        [..] => return Err(which(&place, words).into()),
    };
    let inside = enter(&place, host)?;
    let shell = std::env::var_os("SHELL").filter(|shell| Path::new(shell).is_file());
    let shell = shell.unwrap_or_else(|| OsString::from("/bin/sh"));
    let prompt = format!("{}:{}", inside.lab, inside.host);
    let mut command = Command::new(&shell);
    command.env("PS1", format!("{prompt} $ "));
    // Its own start-up file would set another prompt; so it gets one that reads that first.
    let file = match Path::new(&shell).file_name() == Some(OsStr::new("bash")) {
        true => Some(
            start_up(&prompt)
                .map_err(|error| Refusal::unable(format!("cannot start a shell: {error}")))?,
        ),
        false => None,
    };
    if let Some(file) = &file {
        command
            .arg("--rcfile")
            .arg(format!("/dev/fd/{}", file.as_raw_fd()));
    }
    terminal::note(&format!(
        "{prompt}; leave it with `exit`, and the lab stays up"
    ));
    inside.run(command)
}

fn which(place: &Place, words: &[String]) -> Mistake {
    match words {
        [] => Mistake(format!("which host of `{}`?", place.name())),
        [first, ..] => Mistake(format!(
            "no lab called `{first}` is up; `hairpin ps` shows what is"
        )),
    }
}

/// What bash reads first, in memory and for its children, too.
fn start_up(prompt: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create("hairpin", MFdFlags::empty())?);
    write!(
        file,
        "[ -r ~/.bashrc ] && . ~/.bashrc\nPS1='({prompt}) '\"${{PS1:-\\\\$ }}\"\n"
    )?;
    Ok(file)
}

/// A host of a lab, to be entered.
struct Inside {
    lab: String,
    host: String,
    network: OwnedFd,
    mounts: OwnedFd,
}

/// Enters the lab's users and processes, and gets the way into a host.
fn enter(place: &Place, host: Option<&str>) -> Result<Inside, Refusal> {
    let ask = Ask::Enter {
        host: host.map(str::to_owned),
    };
    let (answer, doors) = wire::ask(place, ask)?.with_descriptors()?;
    let host = match answer {
        Answer::Doors { host } => host,
        Answer::Refused { why, status } => return Err(Refusal { why, status }),
        Answer::Ready { .. }
        | Answer::Said { .. }
        | Answer::Packets
        | Answer::Recorded(_)
        | Answer::Done => return Err(wire::another_answer()),
    };
    let Ok([user, processes, network, mounts]) = <[OwnedFd; 4]>::try_from(doors) else {
        let why = format!("the lab gave no way into `{host}`");
        return Err(Refusal::unable(why));
    };
    if !is_own(&user) {
        setns(&user, CloneFlags::CLONE_NEWUSER).map_err(|errno| kept_out("users", errno))?;
    }
    setns(&processes, CloneFlags::CLONE_NEWPID).map_err(|errno| kept_out("processes", errno))?;
    Ok(Inside {
        lab: place.name(),
        host,
        network,
        mounts,
    })
}

/// True for the user namespace of this process: the kernel does not let anybody enter it again.
fn is_own(user: &OwnedFd) -> bool {
    let own = nix::sys::stat::stat("/proc/self/ns/user");
    let that = nix::sys::stat::fstat(user);
    matches!((own, that), (Ok(own), Ok(that)) if own.st_ino == that.st_ino)
}

fn kept_out(of: &str, errno: Errno) -> Refusal {
    Refusal::unable(format!(
        "cannot enter the lab's namespace of {of}: {}\n  only who put it up can, as the same user and with the same privilege",
        errno.desc()
    ))
}

impl Inside {
    /// Runs a program there, and gives its exit status.
    fn run(self, mut command: Command) -> Result<u8, Refusal> {
        let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
        let (network, mounts) = (self.network, self.mounts);
        command
            .env("HAIRPIN_LAB", &self.lab)
            .env("HAIRPIN_HOST", &self.host)
            .env("PATH", search_path());
        let here = std::ffi::CString::new(here.into_os_string().into_encoded_bytes());
        let here = here.unwrap_or_default();
        // The terminal sends its signals to everybody in front: the program decides what they mean.
        leave_signals_to_the_program();
        let enter = move || {
            setns(&network, CloneFlags::CLONE_NEWNET)?;
            setns(&mounts, CloneFlags::CLONE_NEWNS)?;
            // The file system is another view of the same one. A folder that is not in it is left for its root.
            let found = nix::unistd::chdir(here.as_c_str());
            if found.is_err() {
                nix::unistd::chdir(c"/")?;
            }
            give_way_when_woken();
            nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
            for signal in [Signal::SIGINT, Signal::SIGQUIT] {
                handle(signal, SigHandler::SigDfl)?;
            }
            Ok(())
        };
        // SAFETY: only system calls, and nothing that another thread could hold: there is none.
        unsafe { command.pre_exec(enter) };
        let name = command.get_program().to_string_lossy().into_owned();
        match command.status() {
            Ok(status) => {
                let code = status.code().or(status.signal().map(|signal| 128 + signal));
                Ok(code.map_or(Status::Failed as u8, |code| code as u8))
            }
            Err(error) => {
                terminal::complain(&format!("cannot run `{name}` in {}: {error}", self.host));
                Ok(match error.kind() {
                    io::ErrorKind::NotFound => NOT_FOUND,
                    _ => NOT_STARTED,
                })
            }
        }
    }
}

fn leave_signals_to_the_program() {
    for signal in [Signal::SIGINT, Signal::SIGQUIT] {
        let left = handle(signal, SigHandler::SigIgn);
        debug_assert!(left.is_ok(), "these signals can be ignored");
    }
}

fn handle(signal: Signal, handler: SigHandler) -> Result<(), Errno> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler of ours runs.
    unsafe { sigaction(signal, &action) }.map(drop)
}
