//! What many flows have in common, kept once: whose they are, where they lead, how long they may wait.

use super::super::config::{EndpointId, EndpointPlace, GroupId, ZonalId};
use super::entry::NewFlow;
use super::{IDLE_UNIT, units};
use rustc_hash::FxHashMap;

/// What flows have in common that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Common {
    /// At which of its balancer's addresses.
    pub zonal: ZonalId,
    endpoint: Option<(EndpointId, ZonalId)>,
    /// The group of the target.
    pub group: GroupId,
    /// The target's place in it.
    pub target: usize,
    /// Limit for being idle, in [`IDLE_UNIT`].
    idle: u32,
    /// Limit for the target's first answer, in [`IDLE_UNIT`].
    half_open: u32,
}

impl From<&NewFlow> for Common {
    fn from(new: &NewFlow) -> Self {
        Self {
            zonal: new.at,
            endpoint: new.endpoint,
            group: new.group,
            target: new.target_index,
            idle: units(new.idle),
            half_open: units(new.half_open),
        }
    }
}

impl Common {
    /// The VPC endpoint's interface that they came by.
    pub fn endpoint(&self) -> Option<EndpointPlace> {
        self.endpoint
    }

    /// When one has been idle for too long, in nanoseconds.
    pub(super) fn idle_at(&self, last: u64) -> u64 {
        last.saturating_add(u64::from(self.idle) * IDLE_UNIT)
    }

    /// When the first answer comes too late, in nanoseconds.
    pub(super) fn answer_by(&self, opened: u64) -> u64 {
        opened.saturating_add(u64::from(self.half_open) * IDLE_UNIT)
    }
}

/// Everything that flows have in common. There is one for each way that flows were made: few.
#[derive(Default)]
pub struct Commons {
    all: Vec<Common>,
    numbers: FxHashMap<Common, u32>,
}

impl Commons {
    /// The number of this.
    pub fn number(&mut self, common: Common) -> u32 {
        let all = &mut self.all;
        *self.numbers.entry(common).or_insert_with(|| {
            all.push(common);
            all.len() as u32 - 1
        })
    }

    /// What has this number.
    pub fn get(&self, number: u32) -> &Common {
        &self.all[number as usize]
    }
}
