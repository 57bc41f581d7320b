//! Many namespaces at once: two builders make and furnish them, and start the resident of each.
//!
//! The kernel does a third of making a namespace and nearly all of furnishing it under one lock (rtnl), which a crowd of
//! threads fights for: whoever waits sleeps, and is woken for each of six requests. Two builders have a processor each while
//! nothing else runs, and so wait awake. One furnishes at a time while others are to be made, so that what is not under the lock
//! goes on beside it. Nobody waits for the other: who finds nothing to furnish makes another one. What real equipment does
//! it: none.

use super::error::Error;
use super::namespace::{Furnish, Namespace, Pending};
use super::sysctl;
use nix::sched::{CloneFlags, setns, unshare};
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// A third would wait for the lock like a crowd.
const BUILDERS: usize = 2;

/// What is to be built.
#[derive(Default)]
pub struct Site {
    tasks: VecDeque<Task>,
}

/// One namespace.
struct Task {
    /// How many connections it may have at once.
    connections: usize,
    furnish: Furnish,
}

impl Site {
    /// Adds a namespace that may have so many TCP connections at once; `first` is run inside, and its result is there when
    /// the site is built.
    pub fn add<T: Send + 'static>(
        &mut self,
        name: &str,
        connections: usize,
        first: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> (Namespace, Pending<T>) {
        let (namespace, pending, furnish) = Namespace::announce(name, first);
        self.tasks.push_back(Task {
            connections,
            furnish,
        });
        (namespace, pending)
    }

    /// Makes one namespace only, as [`Site::add`] and [`Site::build`] do.
    ///
    /// # Errors
    /// When no thread can be had. What fails inside is in the [`Pending`].
    pub fn one<T: Send + 'static>(
        name: &str,
        connections: usize,
        first: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<(Namespace, Pending<T>), Error> {
        let mut site = Self::default();
        let one = site.add(name, connections, first);
        site.build().map_err(|error| error.on(name))?;
        Ok(one)
    }

    /// Builds all of them, from where the calling thread is, and waits for that.
    ///
    /// # Errors
    /// When the namespace of the calling thread cannot be opened, or no thread can be had. What fails inside is in the
    /// [`Pending`].
    pub fn build(self) -> Result<(), Error> {
        let builders = self.tasks.len().min(BUILDERS);
        let home = Arc::new(door()?);
        let yard = Arc::new(Mutex::new(Yard {
            to_make: self.tasks,
            made: VecDeque::new(),
            furnishing: 0,
        }));
        let started = (0..builders).map(|_| {
            let (home, yard) = (Arc::clone(&home), Arc::clone(&yard));
            thread::Builder::new()
                .name("builder".to_owned())
                .spawn(move || work(&home, &yard))
        });
        // Those that were started do everything, should the machine refuse one; a refusal is told all the same.
        let started: Vec<_> = started.collect();
        let mut refused = Ok(());
        for builder in started {
            match builder {
                // Whose builder died has a `Pending` that tells so.
                Ok(builder) => drop(builder.join()),
                Err(error) => refused = Err(Error::io("start a thread", &error)),
            }
        }
        refused
    }
}

/// What both builders look at.
struct Yard {
    to_make: VecDeque<Task>,
    /// Made, with the door to it.
    made: VecDeque<(File, Task)>,
    /// How many are being furnished.
    furnishing: usize,
}

/// What a builder does next.
enum Next {
    Make(Task),
    Furnish(File, Task),
    Nothing,
}

impl Yard {
    fn next(&mut self) -> Next {
        if (self.furnishing == 0 || self.to_make.is_empty())
            && let Some((door, task)) = self.made.pop_front()
        {
            self.furnishing += 1;
            return Next::Furnish(door, task);
        }
        self.to_make.pop_front().map_or(Next::Nothing, Next::Make)
    }
}

/// A builder, until there is nothing to do. Its thread ends then: it is in some namespace.
fn work(home: &File, yard: &Mutex<Yard>) {
    loop {
        let next = locked(yard).next();
        match next {
            Next::Make(task) => match make(home, task.connections) {
                Ok(door) => locked(yard).made.push_back((door, task)),
                Err(error) => (task.furnish)(Err(error)),
            },
            Next::Furnish(door, task) => {
                (task.furnish)(enter(&door));
                locked(yard).furnishing -= 1;
            }
            Next::Nothing => return,
        }
    }
}

fn locked(yard: &Mutex<Yard>) -> MutexGuard<'_, Yard> {
    yard.lock().expect("no holder of this lock panics")
}

/// Makes a namespace. The size of its table of connections is decided by the namespace that it is made from: home, or for
/// one that needs more than the usual another one in between, which goes at once.
fn make(home: &File, connections: usize) -> Result<File, Error> {
    enter(home)?;
    let leave = || {
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(|errno| Error::system("unshare a network namespace", errno))
    };
    if let Some(buckets) = sysctl::more_buckets(connections) {
        leave()?;
        sysctl::own_connection_tables(buckets);
    }
    leave()?;
    door()
}

/// Moves the calling thread.
fn enter(door: &File) -> Result<(), Error> {
    setns(door.as_fd(), CloneFlags::CLONE_NEWNET)
        .map_err(|errno| Error::system("enter a network namespace", errno))
}

/// By which others enter the namespace of the calling thread.
///
/// # Errors
/// When `/proc` cannot be read.
pub(super) fn door() -> Result<File, Error> {
    let path = "/proc/thread-self/ns/net";
    File::open(path).map_err(|error| Error::io(format!("open {path}"), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yard(count: usize) -> Yard {
        let task = || Task {
            connections: 0,
            furnish: Box::new(drop),
        };
        Yard {
            to_make: (0..count).map(|_| task()).collect(),
            made: VecDeque::new(),
            furnishing: 0,
        }
    }

    fn make(yard: &mut Yard) {
        let Next::Make(task) = yard.next() else {
            panic!("there is one to make");
        };
        let door = File::open("/dev/null").expect("it is there");
        yard.made.push_back((door, task));
    }

    #[test]
    fn one_furnishes_while_others_are_to_be_made_and_nobody_waits() {
        let mut yard = yard(3);
        make(&mut yard);
        assert!(matches!(yard.next(), Next::Furnish(..)));
        make(&mut yard);
        make(&mut yard);
        // All are made: whoever comes furnishes, beside the other.
        assert!(matches!(yard.next(), Next::Furnish(..)));
        yard.furnishing -= 1;
        assert!(matches!(yard.next(), Next::Furnish(..)));
        assert!(matches!(yard.next(), Next::Nothing));
    }
}
