//! What is kept on disk of a lab that is up: a folder with its description, its control socket and a lock.
//!
//! Whoever keeps a lab up holds the lock: without a holder the lab is dead, and its folder all that is left of it. Nothing
//! of a lab's world has a name, so there is nothing else to be cleaned up.

use crate::cli::{Mistake, Refusal};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// Of the description. One that is higher was written by a later release.
const VERSION: u32 = 1;
const LAB: &str = "lab.json";
const DRAFT: &str = "lab.draft";
const LOCK: &str = "lock";
const LOCK_DRAFT: &str = "lock.draft";
const CONTROL: &str = "control";
const LOG: &str = "log";
/// All that is ever in a folder. The lock goes last: with it, what is left is known as hairpin's.
const FILES: [&str; 6] = [LAB, DRAFT, LOCK_DRAFT, CONTROL, LOG, LOCK];
/// Taken while a folder is made or removed.
const GATE: &str = ".lock";
/// Bytes of a name.
const LONGEST: usize = 64;
/// How often the end of a lab is looked for.
const LOOK: Duration = Duration::from_millis(2);

/// What is told of a lab that is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Of this layout.
    pub version: u32,
    /// What it is called here.
    pub name: String,
    /// The lab's file.
    pub file: String,
    /// The lab's name.
    pub lab: String,
    /// The case.
    pub case: String,
    /// The process that keeps it up, as seen from where it was put up.
    pub pid: u32,
    /// When it was put up, seconds since 1970.
    pub since: u64,
    /// Its hosts, in the plan's order; none yet: it is being built.
    pub hosts: Vec<String>,
}

impl Description {
    /// Of a lab that is put up now, by this process.
    pub fn new(name: &str, file: &str, lab: &str, case: &str) -> Self {
        Self {
            version: VERSION,
            name: name.to_owned(),
            file: file.to_owned(),
            lab: lab.to_owned(),
            case: case.to_owned(),
            pid: std::process::id(),
            since: since_1970(),
            hosts: Vec::new(),
        }
    }

    /// Of what [`Place::words`] says. None: another release wrote it.
    pub fn read(words: &[u8]) -> Option<Self> {
        serde_json::from_slice(words).ok()
    }

    /// How long it has been up.
    pub fn age(&self) -> Duration {
        Duration::from_secs(since_1970().saturating_sub(self.since))
    }
}

fn since_1970() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// Where the state of a user's labs is.
#[derive(Clone, Debug)]
pub struct Home(pub(super) PathBuf);

impl Home {
    /// `$XDG_RUNTIME_DIR/hairpin`, where that folder is the user's own; else `/run/hairpin` for root, and `/tmp/hairpin-UID` for others.
    pub fn of_user() -> Self {
        let user = nix::unistd::geteuid();
        let own = |path: &PathBuf| {
            let found = fs::metadata(path);
            path.is_absolute() && found.is_ok_and(|it| it.is_dir() && it.uid() == user.as_raw())
        };
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        Self(match runtime.filter(own) {
            Some(runtime) => runtime.join("hairpin"),
            None if user.is_root() => PathBuf::from("/run/hairpin"),
            None => PathBuf::from(format!("/tmp/hairpin-{user}")),
        })
    }

    /// Every lab whose folder is there, by name.
    ///
    /// # Errors
    /// When the folder cannot be read, or is somebody else's.
    pub fn labs(&self) -> Result<Vec<Place>, Refusal> {
        self.folders(&[LOCK])
    }

    /// Everything that may be left of labs, those included that did not come to be.
    ///
    /// # Errors
    /// As [`Home::labs`].
    pub fn remains(&self) -> Result<Vec<Place>, Refusal> {
        self.folders(&[LOCK, LOCK_DRAFT])
    }

    /// Those with one of these files in them.
    fn folders(&self, marks: &[&str]) -> Result<Vec<Place>, Refusal> {
        if self.0.symlink_metadata().is_ok() {
            self.check_owner()?;
        }
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed("look into", &error)),
        };
        let mut labs: Vec<Place> = entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| Place(entry.path()))
            .filter(|place| marks.iter().any(|mark| place.0.join(mark).is_file()))
            .collect();
        labs.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(labs)
    }

    /// The labs that are up.
    ///
    /// # Errors
    /// As [`Home::labs`].
    pub fn living(&self) -> Result<Vec<Place>, Refusal> {
        let mut labs = self.labs()?;
        labs.retain(Place::is_alive);
        Ok(labs)
    }

    /// The folder of a new lab, which this process holds from now on, and whoever inherits from it.
    ///
    /// # Errors
    /// When a lab of this name is up, when it is no name, or when the folder cannot be made.
    pub fn claim(&self, description: &Description) -> Result<Held, Refusal> {
        let name = &description.name;
        check_name(name)?;
        let _gate = self.gate()?;
        let place = Place(self.0.join(name));
        if place.0.exists() {
            if place.is_alive() {
                return Err(Mistake(taken(name, &place)).into());
            }
            place.sweep()?;
        }
        let made = fs::DirBuilder::new().mode(0o700).create(&place.0);
        made.map_err(|error| place.failed("make", &error))?;
        let lock = place.open_lock(LOCK_DRAFT, true)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusive)
            .map_err(|(_, errno)| place.failed("lock", &errno.into()))?;
        // A lab is one from here on: it is found with its description, and held, or not at all.
        let name = || fs::rename(place.0.join(LOCK_DRAFT), place.0.join(LOCK));
        let name = || name().map_err(|error| place.failed("write into", &error));
        if let Err(error) = place.describe(description).and_then(|()| name()) {
            place.sweep()?;
            return Err(error);
        }
        Ok(Held {
            place,
            lock: ManuallyDrop::new(lock),
        })
    }

    /// Nobody else gives out or takes back a name as long as it is kept.
    fn gate(&self) -> Result<Flock<File>, Refusal> {
        let made = fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&self.0);
        made.map_err(|error| self.failed("make", &error))?;
        let about = self.check_owner()?;
        if about.mode() & 0o077 != 0 {
            let own = fs::Permissions::from_mode(0o700);
            fs::set_permissions(&self.0, own).map_err(|error| self.failed("close", &error))?;
        }
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true).mode(0o600);
        let file = options.open(self.0.join(GATE));
        let file = file.map_err(|error| self.failed("write into", &error))?;
        Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, errno)| self.failed("lock", &errno.into()))
    }

    /// It may be in a folder that everybody writes to: what another user put there is not trusted.
    fn check_owner(&self) -> Result<fs::Metadata, Refusal> {
        let about = fs::symlink_metadata(&self.0);
        let about = about.map_err(|error| self.failed("look at", &error))?;
        match about.is_dir() && about.uid() == nix::unistd::geteuid().as_raw() {
            true => Ok(about),
            false => Err(Refusal::unable(format!(
                "`{}` is not a folder of this user: nothing can be kept there. Set XDG_RUNTIME_DIR to a folder of your own",
                self.0.display()
            ))),
        }
    }

    fn failed(&self, what: &str, error: &io::Error) -> Refusal {
        Refusal::unable(format!(
            "cannot {what} `{}`: {error}. Set XDG_RUNTIME_DIR to a folder of your own",
            self.0.display()
        ))
    }
}

fn taken(name: &str, place: &Place) -> String {
    let what = place.description();
    let what = what.map_or(String::new(), |it| format!(" ({}/{})", it.lab, it.case));
    format!(
        "a lab called `{name}` is up already{what}: end it with `hairpin down {name}`, or give this one another name with `--name`"
    )
}

fn check_name(name: &str) -> Result<(), Mistake> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty()
        || name.len() > LONGEST
        || name.starts_with(['.', '-'])
        || !name.bytes().all(fits)
    {
        return Err(Mistake(format!(
            "`{name}` is no name for a lab: letters, digits, `-`, `_` and `.`, at most {LONGEST}; \
             give it one with `--name`"
        )));
    }
    Ok(())
}

/// The folder of a lab.
#[derive(Clone, Debug)]
pub struct Place(PathBuf);

impl Place {
    /// The lab's name here.
    pub fn name(&self) -> String {
        let name = self.0.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// What it is. None where that cannot be read.
    pub fn description(&self) -> Option<Description> {
        Description::read(&self.words()?)
    }

    /// What it says it is, also where that cannot be read: another release wrote it. None: nothing, as one that is being removed.
    pub fn words(&self) -> Option<Vec<u8>> {
        match fs::read(self.0.join(LAB)) {
            Ok(words) => Some(words),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(_) => Some(Vec::new()),
        }
    }

    /// Writes down what it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn describe(&self, description: &Description) -> Result<(), Refusal> {
        let write = || -> io::Result<()> {
            let draft = self.0.join(DRAFT);
            let mut file = File::create(&draft)?;
            serde_json::to_writer_pretty(&mut file, description)?;
            file.write_all(b"\n")?;
            fs::rename(draft, self.0.join(LAB))
        };
        write().map_err(|error| self.failed("write into", &error))
    }

    /// Somebody keeps it up.
    pub fn is_alive(&self) -> bool {
        self.watch().is_some_and(|it| it.is_alive())
    }

    /// Watches whoever keeps it up now: another lab may get its name before all of this one has ended. None: it has gone.
    pub fn watch(&self) -> Option<Watch> {
        self.open_lock(LOCK, false).ok().map(Watch)
    }

    /// This is its lock, and not that of another lab which had its name.
    fn has(&self, lock: &File) -> bool {
        let which = |about: fs::Metadata| (about.dev(), about.ino());
        let there = fs::metadata(self.0.join(LOCK)).map(which);
        matches!((there, lock.metadata().map(which)), (Ok(there), Ok(lock)) if there == lock)
    }

    /// The control socket's folder, opened: a path through it is short enough for an address, wherever it is.
    ///
    /// # Errors
    /// When it has gone.
    pub fn control(&self) -> io::Result<(File, PathBuf)> {
        let folder = File::open(&self.0)?;
        let path = format!("/proc/self/fd/{}/{CONTROL}", folder.as_raw_fd());
        Ok((folder, path.into()))
    }

    /// What whoever keeps it up had to say.
    pub fn log(&self) -> PathBuf {
        self.0.join(LOG)
    }

    /// The end of that, on a line of its own; empty when nothing was said.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let last = log.lines().rfind(|line| !line.trim().is_empty());
        last.map_or(String::new(), |last| format!("\n  {last}"))
    }

    /// Removes what is left of a lab that nobody keeps up; anything that is not hairpin's stays, and the folder with it.
    /// False: somebody keeps it up, and nothing is touched.
    ///
    /// # Errors
    /// When something of it cannot be removed.
    pub fn remove(&self) -> Result<bool, Refusal> {
        let _gate = self.home().gate()?;
        match self.is_alive() {
            true => Ok(false),
            false => self.sweep().map(|()| true),
        }
    }

    fn home(&self) -> Home {
        let folder = self.0.parent().expect("a lab's folder is in another one");
        Home(folder.to_owned())
    }

    /// With the gate taken, and no holder but this process.
    fn sweep(&self) -> Result<(), Refusal> {
        for name in FILES {
            match fs::remove_file(self.0.join(name)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failed("remove", &error)),
            }
        }
        match fs::remove_dir(&self.0) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(self.failed("remove", &error)),
        }
    }

    fn open_lock(&self, name: &str, create: bool) -> Result<File, Refusal> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(create).mode(0o600);
        let file = options.open(self.0.join(name));
        file.map_err(|error| self.failed("write into", &error))
    }

    fn failed(&self, what: &str, error: &io::Error) -> Refusal {
        Refusal::unable(format!("cannot {what} `{}`: {error}", self.0.display()))
    }
}

/// A lab's folder in the hands of those who keep it up. The lock goes with the last process that inherited it, not with
/// the value: one that leaves does not let it go for the others.
#[derive(Debug)]
pub struct Held {
    /// The folder.
    pub place: Place,
    pub(super) lock: ManuallyDrop<Flock<File>>,
}

impl Held {
    /// Removes the folder, where it is this lab's still: those who keep it up may have done it already, and given its name away.
    ///
    /// # Errors
    /// When something of it cannot be removed.
    pub fn remove(&self) -> Result<(), Refusal> {
        let _gate = self.place.home().gate()?;
        match self.place.has(&self.lock) {
            true => self.place.sweep(),
            false => Ok(()),
        }
    }
}

/// A lab's lock, whatever becomes of its name.
#[derive(Debug)]
pub struct Watch(File);

impl Watch {
    /// It is still the lock of the lab in this place.
    pub fn is_of(&self, place: &Place) -> bool {
        place.has(&self.0)
    }

    /// Somebody keeps it up.
    pub fn is_alive(&self) -> bool {
        let Ok(lock) = self.0.try_clone() else {
            return true;
        };
        match Flock::lock(lock, FlockArg::LockSharedNonblock) {
            Ok(_) => false,
            Err((_, errno)) => errno == Errno::EWOULDBLOCK,
        }
    }

    /// Waits until nobody keeps it up: then no process of it is left. False: it did not end within the limit.
    pub fn wait_for_end(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while self.is_alive() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_removed_by_nobody_once_its_name_is_given_away() {
        let folder = std::env::temp_dir().join(format!("hairpin-state-{}", std::process::id()));
        let home = Home(folder.clone());
        let about = Description::new("web", "web.yaml", "web", "plain");
        let first = home.claim(&about).expect("a free name");
        let watch = first.place.watch().expect("it is there");
        assert!(home.claim(&about).is_err(), "it is given once");
        assert!(!first.place.remove().expect("nothing fails"), "it is up");
        assert!(first.place.description().is_some());
        first.remove().expect("its own");
        assert!(watch.is_alive(), "its holder is there still");

        let second = home.claim(&about).expect("the name is free again");
        first.remove().expect("nothing to do");
        assert!(!first.place.remove().expect("nothing fails"), "it is up");
        assert_eq!(second.place.description(), Some(about));
        drop(ManuallyDrop::into_inner(first.lock));
        assert!(!watch.is_alive() && second.place.is_alive());

        // One that did not come to be, as of a process that was killed then.
        let unborn = folder.join("unborn");
        fs::create_dir(&unborn).expect("a folder");
        fs::write(unborn.join(LOCK_DRAFT), "").expect("a file");
        let names = |of: Vec<Place>| of.iter().map(Place::name).collect::<Vec<_>>();
        assert_eq!(names(home.labs().expect("a folder of one's own")), ["web"]);
        let remains = home.remains().expect("a folder of one's own");
        assert!(remains[0].remove().expect("nothing fails"));
        assert_eq!(
            (names(remains), unborn.exists()),
            (vec!["unborn".into(), "web".into()], false)
        );

        let place = second.place.clone();
        drop(ManuallyDrop::into_inner(second.lock));
        assert!(place.remove().expect("nobody keeps it up"));
        assert_eq!(home.labs().expect("a folder of one's own").len(), 0);
        fs::remove_dir_all(folder).expect("a folder of one's own");
    }
}
