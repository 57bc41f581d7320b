//! A capture that is written while packets go on passing: of a lab that stays up.

use super::{Capture, wanted};
use crate::evidence::capture::Writer;
use crate::world::tap::Tap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

/// A place in what is captured: packets before it, of the fabric's and of those inside hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    pub(super) fabric: u64,
    pub(super) inside: u64,
}

impl Capture {
    /// Begins a file to which more will be added.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin<W: Write>(&self, out: W) -> io::Result<Writer<W>> {
        let interfaces = self.interfaces();
        Writer::new(
            out,
            &self.about(&interfaces),
            &self.kernel,
            &interfaces,
            None,
        )
    }

    /// Adds what is here to such a file, up to the first packet whose end is not known yet, unless that is older than
    /// `patience`. Gives the place behind it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        patience: Duration,
    ) -> io::Result<Behind> {
        let (interfaces, places) = wanted(self.interfaces(), None);
        writer.recount(&interfaces);
        let count = self.told_of(patience);
        let behind = |tap: &Tap, count: usize| tap.forgotten() + count as u64;
        let place = Behind {
            fabric: behind(&self.tap, count.0),
            inside: self
                .recording
                .as_ref()
                .map_or(0, |one| behind(&one.tap, count.1)),
        };
        self.frames(writer, &places, count)?;
        Ok(place)
    }

    /// How many of the fabric's packets there are before the first one whose end is not known, and how many of those inside hosts.
    fn told_of(&mut self, patience: Duration) -> (usize, usize) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let young = now
            .unwrap_or_default()
            .saturating_sub(self.epoch + patience);
        let ends = &self.fates.ends;
        let mut undecided = None;
        let mut fabric = 0;
        for (entry, _) in self.tap.packets() {
            if entry.at > young && !ends.contains_key(&entry.id) {
                undecided = Some(entry.at);
                break;
            }
            fabric += 1;
        }
        let recorded = self.recording.iter_mut().flat_map(|one| one.tap.packets());
        let inside = recorded.take_while(|(entry, _)| undecided.is_none_or(|at| entry.at < at));
        (fabric, inside.count())
    }
}
