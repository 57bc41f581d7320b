//! Where the socket of a connection is: in the process's own table of descriptors, or in an annex.

use crate::world::annex::{self, Annex, Seat};
use std::sync::{Arc, Mutex, MutexGuard};

/// A place for one socket. What is seated in an annex is put, got and taken by the annex's own thread only; whether
/// there is something may be asked anywhere.
#[derive(Debug)]
pub enum Slot<T> {
    /// In the process's own table.
    Here(Mutex<Option<Arc<T>>>),
    /// In an annex.
    Seated(Seat),
}

impl<T: Send + Sync + 'static> Slot<T> {
    /// An empty one; without a seat, in the process's own table.
    pub fn new(seat: Option<Seat>) -> Self {
        match seat {
            None => Self::Here(Mutex::default()),
            Some(seat) => Self::Seated(seat),
        }
    }

    /// Where work with the socket is to be done.
    pub fn annex(&self) -> Option<&'static Annex> {
        match self {
            Self::Here(_) => None,
            Self::Seated(seat) => Some(seat.annex()),
        }
    }

    /// Puts a socket there.
    pub fn put(&self, socket: Arc<T>) {
        match self {
            Self::Here(slot) => *locked(slot) = Some(socket),
            Self::Seated(seat) => seat.put(socket),
        }
    }

    /// The socket, while there is one.
    pub fn get(&self) -> Option<Arc<T>> {
        match self {
            Self::Here(slot) => locked(slot).clone(),
            Self::Seated(seat) => seat.get(),
        }
    }

    /// Takes the socket.
    pub fn take(&self) -> Option<Arc<T>> {
        match self {
            Self::Here(slot) => locked(slot).take(),
            Self::Seated(seat) => seat.take(),
        }
    }

    /// True while there is a socket.
    pub fn is_taken(&self) -> bool {
        match self {
            Self::Here(slot) => locked(slot).is_some(),
            Self::Seated(seat) => seat.is_taken(),
        }
    }
}

fn locked<T>(slot: &Mutex<Option<T>>) -> MutexGuard<'_, Option<T>> {
    slot.lock().expect("no holder of this lock panics")
}

/// Those that are in one place, each with its number in the whole list.
type Group<L> = (Option<&'static Annex>, Vec<(usize, Arc<L>)>);

/// Asks something of all, each where its socket is; the answers in their order.
pub async fn all<L, A>(
    list: impl Iterator<Item = Arc<L>>,
    annex: impl Fn(&L) -> Option<&'static Annex>,
    ask: fn(&L) -> A,
) -> Vec<A>
where
    L: Send + Sync + 'static,
    A: Send + 'static,
{
    let mut groups: Vec<Group<L>> = Vec::new();
    let mut count = 0;
    for (place, one) in list.enumerate() {
        let annex = annex(&one);
        let same = |other: Option<&'static Annex>| match (annex, other) {
            (None, None) => true,
            (Some(one), Some(other)) => std::ptr::eq(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        };
        match groups.iter_mut().find(|(other, _)| same(*other)) {
            Some((_, group)) => group.push((place, one)),
            None => groups.push((annex, vec![(place, one)])),
        }
        count += 1;
    }
    let mut answers = Vec::with_capacity(count);
    for (annex, group) in groups {
        let asked = async move {
            let answers = group.iter().map(|(place, one)| (*place, ask(one)));
            answers.collect::<Vec<_>>()
        };
        answers.extend(annex::inside(annex, asked).await);
    }
    answers.sort_unstable_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
