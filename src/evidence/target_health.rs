//! Target health as `aws elbv2 describe-target-health` prints it, a document for each target group; of the instances of a
//! classic balancer as `aws elb describe-instance-health` does.

use super::{BalancerEvidence, Evidence, GroupEvidence, InstanceEvidence, TargetEvidence};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a command prints.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Document {
    /// For one target group.
    Targets(TargetHealthDescriptions),
    /// For one classic balancer.
    Instances(InstanceStates),
}

/// What the command prints for one classic balancer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceStates {
    /// In the order of the instances' names.
    pub instance_states: Vec<InstanceState>,
}

/// One instance.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceState {
    /// Which.
    pub instance_id: String,
    /// `InService`, `OutOfService`
    pub state: String,
    /// `ELB`, `Instance`, `N/A`
    pub reason_code: String,
    /// In AWS's words.
    pub description: String,
}

/// What the command prints for one target group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TargetHealthDescriptions {
    /// In the order of the targets' names.
    pub target_health_descriptions: Vec<TargetHealthDescription>,
}

/// One target.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TargetHealthDescription {
    /// Which.
    pub target: TargetDescription,
    /// Text, as AWS has it.
    pub health_check_port: String,
    /// How it is.
    pub target_health: TargetHealth,
    /// Whether a zonal shift goes over that.
    pub administrative_override: AdministrativeOverride,
}

/// A target's identity.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TargetDescription {
    /// Instance id, or address.
    pub id: String,
    /// Where it gets traffic.
    pub port: i64,
    /// Its zone; none outside of every zone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub availability_zone: String,
}

/// A target's health.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TargetHealth {
    /// `healthy`, ...
    pub state: String,
    /// `Target.FailedHealthChecks`, ...; left out of a healthy target's.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: String,
    /// The reason in words.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: &'static str,
}

/// A zonal shift's say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AdministrativeOverride {
    /// `no_override`, ...
    pub state: String,
    /// The state's code.
    pub reason: &'static str,
    /// The state in words.
    pub description: &'static str,
}

/// Every target group's document by the group's name, and every classic balancer's by its own: no lab has both of one name.
pub fn target_health(evidence: &Evidence) -> BTreeMap<&str, Document> {
    let groups = evidence.target_groups.iter().map(|(name, group)| {
        let document = TargetHealthDescriptions {
            target_health_descriptions: targets(group).into_iter().map(describe).collect(),
        };
        (name.as_str(), Document::Targets(document))
    });
    let balancers = evidence.load_balancers.iter();
    let classic = balancers.filter(|(_, balancer)| !balancer.instances.is_empty());
    let classic = classic.map(|(name, balancer)| (name.as_str(), instances(balancer)));
    groups.chain(classic).collect()
}

/// The targets of a group. An application balancer is one, whatever its addresses are to the group; which of their states is
/// its own AWS does not say: here the best.
fn targets(group: &GroupEvidence) -> Vec<&TargetEvidence> {
    let mut all: Vec<&TargetEvidence> = group.targets.values().collect();
    if all.iter().any(|target| target.id.starts_with("arn:")) {
        let healthy = all.iter().position(|target| target.state == "healthy");
        all = vec![all[healthy.unwrap_or(0)]];
    }
    all
}

fn instances(balancer: &BalancerEvidence) -> Document {
    let state = |instance: &InstanceEvidence| InstanceState {
        instance_id: instance.id.clone(),
        state: instance.state.clone(),
        reason_code: instance.reason_code.clone(),
        description: instance.description.clone(),
    };
    Document::Instances(InstanceStates {
        instance_states: balancer.instances.values().map(state).collect(),
    })
}

fn describe(target: &TargetEvidence) -> TargetHealthDescription {
    let (reason, description) = match target.administrative_override.as_str() {
        "zonal_shift_active" => (
            "AdministrativeOverride.ZonalShiftActive",
            "A zonal shift away from the target's Availability Zone is active",
        ),
        "zonal_shift_delegated_to_dns" => (
            "AdministrativeOverride.ZonalShiftDelegatedToDns",
            "A zonal shift away from the target's Availability Zone is left to DNS",
        ),
        _ => (
            "AdministrativeOverride.NoOverride",
            "No override is currently active on target",
        ),
    };
    let state = match target.administrative_override.as_str() {
        "" => "no_override",
        state => state,
    };
    TargetHealthDescription {
        target: TargetDescription {
            id: target.id.clone(),
            port: target.port,
            availability_zone: match target.id.starts_with("arn:") {
                true => String::new(),
                false => target.zone.clone(),
            },
        },
        health_check_port: target.health_check_port.to_string(),
        target_health: TargetHealth {
            state: target.state.clone(),
            reason: target.reason.clone(),
            description: match target.reason.as_str() {
                "Target.NotInUse" if target.unlistened => UNLISTENED,
                reason => in_words(reason),
            },
        },
        administrative_override: AdministrativeOverride {
            state: state.to_owned(),
            reason,
            description,
        },
    }
}

/// What it says of targets whose group no listener forwards to.
const UNLISTENED: &str = "Target group is not configured to receive traffic from the load balancer";

/// What the console says for a reason code.
fn in_words(reason: &str) -> &'static str {
    match reason {
        "Elb.RegistrationInProgress" => "Target registration is in progress",
        "Elb.InitialHealthChecking" => "Initial health checks in progress",
        "Elb.InternalError" => "Health checks failed due to an internal error",
        "Target.FailedHealthChecks" => "Health checks failed",
        "Target.ResponseCodeMismatch" => "Health checks failed with an unexpected response code",
        "Target.Timeout" => "Request timed out",
        "Target.NotRegistered" => "Target is not registered to the target group",
        "Target.NotInUse" => {
            "Target is in an Availability Zone that is not enabled for the load balancer"
        }
        "Target.DeregistrationInProgress" => "Target deregistration is in progress",
        "Target.InvalidState" => "Target is in the stopped state",
        "Target.IpUnusable" => "Target IP address is in use by a load balancer",
        "Target.HealthCheckDisabled" => "Health checks are disabled for this target group",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::GroupEvidence;

    #[test]
    fn a_target_is_described_as_the_command_prints_it() {
        let target = TargetEvidence {
            state: "unhealthy".into(),
            reason: "Target.FailedHealthChecks".into(),
            id: "i-0123456789abcdef0".into(),
            port: 80,
            health_check_port: 8080,
            zone: "a".into(),
            ..TargetEvidence::default()
        };
        let group = GroupEvidence {
            targets: [("web1".to_owned(), target)].into(),
            ..GroupEvidence::default()
        };
        let evidence = Evidence {
            target_groups: [("web".to_owned(), group)].into(),
            ..Evidence::default()
        };
        let text = serde_json::to_string(&target_health(&evidence)["web"]).expect("plain data");
        assert_eq!(
            text,
            concat!(
                r#"{"TargetHealthDescriptions":[{"Target":{"Id":"i-0123456789abcdef0","Port":80,"#,
                r#""AvailabilityZone":"a"},"HealthCheckPort":"8080","TargetHealth":{"State":"unhealthy","#,
                r#""Reason":"Target.FailedHealthChecks","Description":"Health checks failed"},"#,
                r#""AdministrativeOverride":{"State":"no_override","#,
                r#""Reason":"AdministrativeOverride.NoOverride","#,
                r#""Description":"No override is currently active on target"}}]}"#
            )
        );
    }

    #[test]
    fn a_target_is_unused_for_its_zone_or_for_want_of_a_listener() {
        let told = |unlistened| {
            let target = TargetEvidence {
                reason: "Target.NotInUse".into(),
                unlistened,
                ..TargetEvidence::default()
            };
            describe(&target).target_health.description
        };
        assert_eq!(
            told(false),
            "Target is in an Availability Zone that is not enabled for the load balancer"
        );
        assert_eq!(told(true), UNLISTENED);
    }

    #[test]
    fn an_application_balancer_is_one_target_by_its_arn() {
        let arn = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/inner/5";
        let zonal = |zone: &str, state: &str| TargetEvidence {
            id: arn.into(),
            zone: zone.into(),
            state: state.into(),
            port: 80,
            ..TargetEvidence::default()
        };
        let targets = [("a", "unhealthy"), ("b", "healthy")]
            .map(|(zone, state)| (format!("inner/{zone}"), zonal(zone, state)));
        let group = GroupEvidence {
            targets: targets.into(),
            ..GroupEvidence::default()
        };
        let evidence = Evidence {
            target_groups: [("outer".to_owned(), group)].into(),
            ..Evidence::default()
        };
        let documents = target_health(&evidence);
        let Document::Targets(document) = &documents["outer"] else {
            panic!("{documents:?}")
        };
        let [one] = &document.target_health_descriptions[..] else {
            panic!("{document:?}")
        };
        assert_eq!((one.target.id.as_str(), one.target.port), (arn, 80));
        assert_eq!(one.target.availability_zone, "");
        assert_eq!(one.target_health.state, "healthy");
    }

    #[test]
    fn an_instance_is_described_as_the_older_command_prints_it() {
        let instance = InstanceEvidence {
            id: "i-0123456789abcdef0".into(),
            state: "OutOfService".into(),
            reason_code: "ELB".into(),
            description: "Instance registration is still in progress.".into(),
            ..InstanceEvidence::default()
        };
        let balancer = BalancerEvidence {
            instances: [("web1".to_owned(), instance)].into(),
            ..BalancerEvidence::default()
        };
        let evidence = Evidence {
            load_balancers: [("front".to_owned(), balancer)].into(),
            ..Evidence::default()
        };
        let text = serde_json::to_string(&target_health(&evidence)["front"]).expect("plain data");
        assert_eq!(
            text,
            concat!(
                r#"{"InstanceStates":[{"InstanceId":"i-0123456789abcdef0","State":"OutOfService","#,
                r#""ReasonCode":"ELB","Description":"Instance registration is still in progress."}]}"#
            )
        );
    }
}
