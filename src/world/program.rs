//! Real programs inside a host: its network namespace, and a mount namespace of its own with its sysfs, /run and names.
//!
//! Of what they say the beginning is kept, see `output`.

use super::error::Error;
use super::mounts;
use super::namespace::{Namespace, Resident, Seat};
use super::output::{Output, Said};
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

/// How often the end of a group is looked for.
const GROUP_LOOK: Duration = Duration::from_millis(1);

/// What a program needs to run inside a host: a thread that is in its namespaces, whose children programs are. Started by
/// another thread, a program would begin as a copy of this whole process (fork) to find its way there: several
/// milliseconds, and as many page faults for everybody else.
#[derive(Debug)]
pub struct Inside {
    host: String,
    resident: Resident,
}

/// Namespaces of a host, to be entered by another process.
#[derive(Debug)]
pub struct Doors {
    /// Of users; the outermost one when the lab was put up with privilege.
    pub user: OwnedFd,
    /// Of processes: what is in it ends with the lab.
    pub processes: OwnedFd,
    /// The host's network.
    pub network: OwnedFd,
    /// With the host's names.
    pub mounts: OwnedFd,
}

/// How a program ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Exit status; none when a signal ended it.
    pub code: Option<i32>,
    /// It was killed, since it had not ended by then.
    pub timed_out: bool,
    /// What it said there until then; also what its children said.
    pub stdout: Said,
    /// The same of its complaints.
    pub stderr: Said,
}

impl Ended {
    /// Nothing, when it ended well.
    ///
    /// # Errors
    /// How it ended instead, and what it said; `limit` is the time that it had.
    pub fn success(self, operation: &str, limit: Duration) -> Result<(), Error> {
        let how = match self.code {
            Some(0) => return Ok(()),
            Some(code) => format!("exit status {code}"),
            None if self.timed_out => format!("not done after {limit:?}"),
            None => "ended by a signal".to_owned(),
        };
        let said = format!("{}{}", self.stderr.last_words(), self.stdout.last_words());
        let separator = if said.trim().is_empty() { "" } else { "; " };
        Err(Error::other(operation, format!("{how}{separator}{said}")))
    }
}

/// A program that goes on running.
#[derive(Debug)]
pub struct Running {
    leader: Leader,
    output: Output,
}

/// The process that leads a program's group. The whole group is killed when this is dropped before its leader has been
/// waited for: its children would go on, and hold its namespaces.
#[derive(Debug)]
struct Leader(Child);

impl Drop for Leader {
    fn drop(&mut self) {
        kill_group(self.0.id(), Signal::SIGKILL);
    }
}

/// From now on the calling thread, and what it starts, takes no processor off whoever wakes it (SCHED_BATCH, which needs no
/// privilege). The fabric wakes a program with every packet; the kernel put the program in its place at once, and the next
/// packet waited (measured, see docs/performance/forwarding.md). Programs may ask for another policy.
pub fn give_way_when_woken() {
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads one parameter, which is there; 0 is the calling thread.
    let set = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const none) };
    if let Err(errno) = Errno::result(set) {
        tracing::debug!(?errno, "programs do not give way to the fabric");
    }
}

impl Inside {
    /// Prepares a host for programs. `names` is the text of its /etc/hosts, `resolver` who knows all other names.
    ///
    /// # Errors
    /// The operation that failed.
    pub fn prepare(
        host: &str,
        namespace: &Namespace,
        names: &str,
        resolver: Ipv4Addr,
    ) -> Result<Self, Error> {
        let (resident, seat) = Resident::announce(host);
        let (name, names) = (host.to_owned(), names.to_owned());
        // A child of the namespace's thread is in the namespace, too; its mounts are its own.
        let entered = namespace.run(move || {
            let enter = move || {
                mounts::of_host(&name, &names, resolver)?;
                give_way_when_woken();
                seat.take(Seat::stay)
            };
            let entering = std::thread::Builder::new().spawn(enter);
            let entering = entering.map_err(|error| Error::io("start a thread", &error))?;
            let died = |_| Err(Error::other("prepare a mount namespace", "its thread died"));
            entering.join().unwrap_or_else(died)
        });
        entered.map_err(|error| error.on(host))?;
        Ok(Self {
            host: host.to_owned(),
            resident,
        })
    }

    /// The way in for other processes.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn doors(&self) -> Result<Doors, Error> {
        let open = |path: &str| {
            let file = File::open(path);
            file.map(OwnedFd::from)
                .map_err(|error| Error::io(format!("open {path}"), &error))
        };
        let doors = self.resident.run(move || {
            Ok(Doors {
                user: open("/proc/thread-self/ns/user")?,
                processes: open("/proc/thread-self/ns/pid")?,
                network: open("/proc/thread-self/ns/net")?,
                mounts: open("/proc/thread-self/ns/mnt")?,
            })
        });
        doors.map_err(|error: Error| error.on(&self.host))
    }

    /// Runs a program to its end, or to its limit: then its process group is killed.
    ///
    /// # Errors
    /// When it cannot be started; its exit status is not an error.
    pub async fn run(
        &self,
        program: &str,
        arguments: &[&str],
        input: Option<&str>,
        limit: Duration,
    ) -> Result<Ended, Error> {
        self.run_until(program, arguments, input, tokio::time::sleep(limit))
            .await
    }

    /// Runs a program to its end, or until `enough`: then its process group is killed. It is killed, too, when this is
    /// dropped.
    ///
    /// # Errors
    /// As [`Inside::run`].
    pub async fn run_until(
        &self,
        program: &str,
        arguments: &[&str],
        input: Option<&str>,
        enough: impl Future<Output = ()>,
    ) -> Result<Ended, Error> {
        let ((stdout, out), (stderr, err)) = (Output::open(None)?, Output::open(None)?);
        let mut leader = self.start(program, arguments, input, [out, err])?;
        let fail =
            |error: std::io::Error| Error::io(format!("wait for {program}"), &error).on(&self.host);
        let status = tokio::select! {
            biased;
            status = leader.0.wait() => Some(status.map_err(fail)?),
            () = enough => None,
        };
        if status.is_none() {
            kill_group(leader.0.id(), Signal::SIGKILL);
            leader.0.wait().await.map_err(fail)?;
        }
        Ok(Ended {
            code: status.and_then(|status| status.code()),
            timed_out: status.is_none(),
            stdout: stdout.finish(),
            stderr: stderr.finish(),
        })
    }

    /// Starts a program that goes on; standard output and error are one. `awaited` is looked for in all that it says.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self, command: &str, awaited: Option<&str>) -> Result<Running, Error> {
        let (output, out) = Output::open(awaited)?;
        let err = out.try_clone();
        let err = err.map_err(|error| Error::io("share a program's output", &error))?;
        let leader = self.start("/bin/sh", &["-c", command], None, [out, err])?;
        Ok(Running { leader, output })
    }

    fn start(
        &self,
        program: &str,
        arguments: &[&str],
        input: Option<&str>,
        [stdout, stderr]: [OwnedFd; 2],
    ) -> Result<Leader, Error> {
        let fail = |error: std::io::Error| {
            let failure = Error::io(format!("run {program}"), &error).on(&self.host);
            if error.kind() == std::io::ErrorKind::NotFound {
                failure.hint(package_hint(program))
            } else {
                failure
            }
        };
        let stdin = match input {
            None => Stdio::null(),
            Some(input) => {
                let mut file = memory()?;
                file.write_all(input.as_bytes())
                    .and_then(|()| file.seek(SeekFrom::Start(0)))
                    .map_err(fail)?;
                Stdio::from(file)
            }
        };
        let mut command = Command::new(located(program));
        command
            .args(arguments)
            .stdin(stdin)
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(stderr))
            .env("HAIRPIN_HOST", &self.host)
            .env("PATH", search_path())
            .current_dir("/")
            .process_group(0)
            .kill_on_drop(true);
        let runtime = Handle::current();
        self.resident
            .run(move || {
                let _runtime = runtime.enter();
                command.spawn()
            })
            .map(Leader)
            .map_err(fail)
    }
}

impl Running {
    /// It has said what was awaited of it.
    pub fn has_said(&self) -> bool {
        self.output.has_said()
    }

    /// What it said last, in a few hundred bytes, for a message.
    pub fn last_words(&self) -> String {
        self.output.said().last_words()
    }

    /// Its exit status when it has ended.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.leader.0.try_wait().ok().flatten()
    }

    /// Sends a signal to it and its children.
    pub fn signal(&self, signal: Signal) {
        kill_group(self.leader.0.id(), signal);
    }

    /// Sends a signal to it and its children, and waits up to `limit` for the end of all; then SIGKILL.
    pub async fn end(&mut self, signal: Signal, limit: Duration) {
        let group = self.leader.0.id();
        kill_group(group, signal);
        let over = async {
            let reaped = self.leader.0.wait().await;
            tracing::trace!(?reaped, "a program ended");
            group_gone(group).await;
        };
        if tokio::time::timeout(limit, over).await.is_err() {
            kill_group(group, Signal::SIGKILL);
            let reaped = self.leader.0.wait().await;
            let gone = tokio::time::timeout(limit, group_gone(group)).await;
            tracing::debug!(?reaped, ?gone, "killed a program that did not end");
        }
    }
}

fn kill_group(leader: Option<u32>, signal: Signal) {
    // None: it has been waited for, and its number may be somebody else's.
    if let Some(leader) = leader.and_then(|leader| i32::try_from(leader).ok()) {
        match killpg(Pid::from_raw(leader), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => tracing::warn!(?errno, leader, "cannot signal a program"),
        }
    }
}

/// Waits until nobody of the group is left: the shell that led it may end before the server it started, which still
/// holds its sockets then. init reaps orphans, so this is soon.
async fn group_gone(leader: Option<u32>) {
    let Some(leader) = leader.and_then(|leader| i32::try_from(leader).ok()) else {
        return;
    };
    while killpg(Pid::from_raw(leader), None) != Err(Errno::ESRCH) {
        tokio::time::sleep(GROUP_LOOK).await;
    }
}

fn memory() -> Result<File, Error> {
    memfd_create("hairpin", MFdFlags::MFD_CLOEXEC)
        .map(File::from)
        .map_err(|errno| Error::system("make a file in memory", errno))
}

/// Where programs of a host are looked for: the user's path, and the system directories that sudo or cron may leave out.
pub fn search_path() -> String {
    let system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    std::env::var("PATH").map_or_else(|_| system.to_owned(), |path| format!("{path}:{system}"))
}

/// The file of a program. By its bare name, with a PATH of its own, the standard library would start it by fork after all.
/// What is not found keeps its name, and the system says so.
fn located(program: &str) -> PathBuf {
    let path = search_path();
    let files = std::env::split_paths(&path).map(|folder| folder.join(program));
    let found = files.into_iter().find(|file| file.is_file());
    found.unwrap_or_else(|| program.into())
}

fn package_hint(program: &str) -> String {
    let package = match program {
        "nft" => "nftables",
        "iptables-restore" => "iptables",
        other => other,
    };
    format!("install it: `apt-get install {package}`; `hairpin doctor` lists what labs need")
}
