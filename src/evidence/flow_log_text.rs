//! Flow logs as the files that AWS delivers: a line with the fields' names, then a record a line.

use super::Evidence;
use super::clock::{EPOCH, cloud_seconds};
use super::flow_logs::{AGGREGATION, FlowLog};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A field's name and how a record writes it.
type Field = (&'static str, fn(&FlowLog) -> String);

/// The default format: the fields of version 2, in their order.
const DEFAULT: &[Field] = &[
    ("version", |log| log.version.to_string()),
    ("account-id", |log| log.account_id.clone()),
    ("interface-id", |log| log.interface_id.clone()),
    ("srcaddr", |log| log.srcaddr.clone()),
    ("dstaddr", |log| log.dstaddr.clone()),
    ("srcport", |log| number(log, log.srcport)),
    ("dstport", |log| number(log, log.dstport)),
    ("protocol", |log| number(log, log.protocol)),
    ("packets", |log| number(log, log.packets)),
    ("bytes", |log| number(log, log.bytes)),
    ("start", |log| log.start.to_string()),
    ("end", |log| log.end.to_string()),
    ("action", |log| log.action.clone()),
    ("log-status", |log| log.log_status.clone()),
];

/// The fields that versions 3 to 5 added.
const ADDED: &[Field] = &[
    ("vpc-id", |log| log.vpc_id.clone()),
    ("subnet-id", |log| log.subnet_id.clone()),
    ("instance-id", |log| log.instance_id.clone()),
    ("tcp-flags", |log| number(log, log.tcp_flags)),
    ("type", |log| log.r#type.clone()),
    ("pkt-srcaddr", |log| log.pkt_srcaddr.clone()),
    ("pkt-dstaddr", |log| log.pkt_dstaddr.clone()),
    ("region", |log| log.region.clone()),
    ("az-id", |log| log.az_id.clone()),
    ("sublocation-type", |log| log.sublocation_type.clone()),
    ("sublocation-id", |log| log.sublocation_id.clone()),
    ("pkt-src-aws-service", |log| log.pkt_src_aws_service.clone()),
    ("pkt-dst-aws-service", |log| log.pkt_dst_aws_service.clone()),
    ("flow-direction", |log| log.flow_direction.clone()),
    ("traffic-path", |log| log.traffic_path.clone()),
];

/// Intervals without traffic that are told at most, over all interfaces.
const SILENCES: usize = 10_000;

/// The default format (version 2).
pub fn version_2(evidence: &Evidence, logs: &[FlowLog]) -> String {
    text(2, DEFAULT, evidence, logs)
}

/// Every field up to version 5.
pub fn version_5(evidence: &Evidence, logs: &[FlowLog]) -> String {
    text(5, &[DEFAULT, ADDED].concat(), evidence, logs)
}

fn text(version: i64, fields: &[Field], evidence: &Evidence, logs: &[FlowLog]) -> String {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let mut text = names.join(" ");
    text.push('\n');
    let mut all: Vec<FlowLog> = logs.to_vec();
    all.extend(silences(evidence, logs));
    all.sort_by_key(|log| interval(log.start));
    for log in all {
        let log = FlowLog { version, ..log };
        let words: Vec<String> = fields.iter().map(|(_, word)| word(&log)).collect();
        writeln!(text, "{}", words.join(" ")).expect("a String takes everything");
    }
    text
}

/// Which aggregation interval a time is in, from 0.
fn interval(seconds: i64) -> i64 {
    (seconds - EPOCH).div_euclid(AGGREGATION)
}

/// A record without data has `-` for numbers as well.
fn number(log: &FlowLog, value: i64) -> String {
    if log.log_status == "OK" {
        value.to_string()
    } else {
        "-".to_owned()
    }
}

/// `NODATA` records: interfaces that saw nothing in an interval.
fn silences(evidence: &Evidence, logs: &[FlowLog]) -> Vec<FlowLog> {
    let busy: BTreeSet<(i64, &str)> = logs
        .iter()
        .map(|log| (interval(log.start), log.interface_id.as_str()))
        .collect();
    let last = interval(cloud_seconds(evidence.seconds * 1e3, evidence.time_scale));
    let mut silences = Vec::new();
    for number in 0..=last {
        for interface in &evidence.interfaces {
            if silences.len() == SILENCES {
                return silences;
            }
            if !busy.contains(&(number, interface.id.as_str())) {
                let start = EPOCH + number * AGGREGATION;
                silences.push(FlowLog {
                    interface: interface.name.clone(),
                    account_id: interface.account_id.clone(),
                    interface_id: interface.id.clone(),
                    start,
                    end: start + AGGREGATION,
                    log_status: "NODATA".to_owned(),
                    vpc_id: interface.vpc_id.clone(),
                    subnet_id: interface.subnet_id.clone(),
                    instance_id: interface.instance_id.clone(),
                    ..blank()
                });
            }
        }
    }
    silences
}

/// A record in which every word is `-`.
fn blank() -> FlowLog {
    let none = || "-".to_owned();
    FlowLog {
        srcaddr: none(),
        dstaddr: none(),
        action: none(),
        r#type: none(),
        pkt_srcaddr: none(),
        pkt_dstaddr: none(),
        region: none(),
        az_id: none(),
        sublocation_type: none(),
        sublocation_id: none(),
        pkt_src_aws_service: none(),
        pkt_dst_aws_service: none(),
        flow_direction: none(),
        traffic_path: none(),
        ..FlowLog::default()
    }
}
