//! The states of a target as `describe-target-health` prints them.

use std::time::Duration;

/// AWS: `TargetHealth.State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthState {
    /// Being registered, or not judged yet.
    Initial,
    /// Gets new flows.
    Healthy,
    /// Failed its checks.
    Unhealthy,
    /// Failed its checks, and its flows go on for an interval.
    UnhealthyDraining,
    /// Being deregistered.
    Draining,
    /// Not registered, or nowhere used.
    Unused,
}

impl HealthState {
    /// AWS's word.
    pub fn word(self) -> &'static str {
        match self {
            HealthState::Initial => "initial",
            HealthState::Healthy => "healthy",
            HealthState::Unhealthy => "unhealthy",
            HealthState::UnhealthyDraining => "unhealthy.draining",
            HealthState::Draining => "draining",
            HealthState::Unused => "unused",
        }
    }
}

/// AWS: `TargetHealth.Reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthReason {
    /// Healthy targets have none.
    None,
    /// The registration is not complete.
    RegistrationInProgress,
    /// No check has been judged yet.
    InitialHealthChecking,
    /// So many checks in a row failed as the threshold says. Of an application balancer's target: the last of them for
    /// want of a connection or of an answer in HTTP.
    FailedHealthChecks,
    /// Of an application balancer's target: the last failed check was answered with a code that does not match.
    ResponseCodeMismatch,
    /// Of an application balancer's target: the last failed check was not answered in time.
    Timeout,
    /// The deregistration delay runs.
    DeregistrationInProgress,
    /// In no group.
    NotRegistered,
    /// Its group is behind no listener, or its zone is not enabled.
    NotInUse,
}

impl HealthReason {
    /// AWS's reason code.
    pub fn code(self) -> &'static str {
        match self {
            HealthReason::None => "",
            HealthReason::RegistrationInProgress => "Elb.RegistrationInProgress",
            HealthReason::InitialHealthChecking => "Elb.InitialHealthChecking",
            HealthReason::FailedHealthChecks => "Target.FailedHealthChecks",
            HealthReason::ResponseCodeMismatch => "Target.ResponseCodeMismatch",
            HealthReason::Timeout => "Target.Timeout",
            HealthReason::DeregistrationInProgress => "Target.DeregistrationInProgress",
            HealthReason::NotRegistered => "Target.NotRegistered",
            HealthReason::NotInUse => "Target.NotInUse",
        }
    }
}

/// A target came into a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When, since the fabric started.
    pub at: Duration,
    /// The state.
    pub state: HealthState,
    /// Why.
    pub reason: HealthReason,
}

/// One target's health: how it is and how it came to be so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetHealth {
    /// Checks judged, by every zonal address and checker.
    pub checks: u64,
    /// Of those, failed.
    pub failed_checks: u64,
    /// The states it has been in; the first is what the fabric began with, the last is the present one.
    pub transitions: Vec<Transition>,
}

impl TargetHealth {
    /// The present state and its reason.
    pub fn now(&self) -> (HealthState, HealthReason) {
        self.transitions
            .last()
            .map_or((HealthState::Unused, HealthReason::NotRegistered), |last| {
                (last.state, last.reason)
            })
    }
}

/// What a proxy's connections to a target are to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is against them.
    InService,
    /// The target is being deregistered, and the group's delay runs.
    Draining,
    /// The target has failed its checks, as one zonal address sees it.
    Unhealthy,
    /// The target is not registered.
    Gone,
}

/// One result of a health check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Whose.
    pub balancer: super::super::config::BalancerId,
    /// From which of its addresses.
    pub zonal: super::super::config::ZonalId,
    /// In which group.
    pub group: super::super::config::GroupId,
    /// Of which target: its place in the group.
    pub target: usize,
    /// By which checker of the zonal address, from 0.
    pub checker: u8,
    /// Its connection came to stand.
    pub connected: bool,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a health check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The target answered as it should.
    Passed,
    /// No connection, or no answer that could be read.
    #[default]
    Failed,
    /// It answered over HTTP with a code that does not match.
    WrongCode,
    /// It did not answer in time.
    TimedOut,
}

impl Outcome {
    /// True for an answer as it should be.
    pub fn passed(self) -> bool {
        self == Outcome::Passed
    }

    /// What an application balancer gives as the reason; a network balancer gives the same one for all failures.
    pub(super) fn reason(self) -> HealthReason {
        match self {
            Outcome::Passed => HealthReason::None,
            Outcome::Failed => HealthReason::FailedHealthChecks,
            Outcome::WrongCode => HealthReason::ResponseCodeMismatch,
            Outcome::TimedOut => HealthReason::Timeout,
        }
    }
}
