//! Security groups with those who have them, and network ACLs.

use crate::fabric::guard::rules::{
    AclRule, Guards, Peer, Ports, Range, Rule, SecurityGroupId, Traffic,
};
use crate::plan::Plan;
use std::fmt::Write;

/// All guards; nothing when there are none.
pub(super) fn guards(plan: &Plan, out: &mut String) {
    let guards = &plan.fabric.guards;
    if guards.is_empty() {
        return;
    }
    line!(out, "\nGUARDS");
    for (id, group) in (0..).map(SecurityGroupId).zip(&guards.security_groups) {
        line!(
            out,
            "  security group {}, before {}",
            group.name,
            having(plan, id)
        );
        line!(out, "    in   {}", rules(guards, &group.ingress, "from"));
        line!(out, "    out  {}", rules(guards, &group.egress, "to"));
    }
    for subnet in &guards.subnets {
        if let Some(acl) = &subnet.acl {
            line!(out, "  network ACL of zone {}", subnet.name);
            line!(out, "    in   {}", acl_rules(&acl.inbound, "from"));
            line!(out, "    out  {}", acl_rules(&acl.outbound, "to"));
        }
    }
}

fn having(plan: &Plan, id: SecurityGroupId) -> String {
    let guards = &plan.fabric.guards;
    let hosts = plan
        .hosts
        .iter()
        .zip(&guards.ports)
        .take(plan.on_fabric())
        .filter(|(_, interface)| interface.groups.contains(&id))
        .map(|(host, _)| host.name.as_str());
    let balancers = plan
        .fabric
        .balancers
        .iter()
        .zip(&guards.balancers)
        .filter(|(_, interfaces)| interfaces.groups.contains(&id))
        .map(|(balancer, _)| balancer.name.as_str());
    let names: Vec<&str> = hosts.chain(balancers).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    }
}

fn rules(guards: &Guards, rules: &[Rule], word: &str) -> String {
    let texts: Vec<String> = rules
        .iter()
        .map(|rule| {
            let peer = match rule.peer {
                Peer::Range(range) => range_text(range),
                Peer::Group(group) => guards.security_groups[usize::from(group.0)].name.clone(),
            };
            format!("{} {word} {peer}", traffic(rule.traffic))
        })
        .collect();
    match texts.as_slice() {
        [] => "nothing".to_owned(),
        texts => texts.join("; "),
    }
}

fn acl_rules(rules: &[AclRule], word: &str) -> String {
    let mut texts: Vec<String> = rules
        .iter()
        .map(|rule| {
            format!(
                "{} {} {} {word} {}",
                rule.number,
                if rule.allow { "allow" } else { "deny" },
                traffic(rule.traffic),
                range_text(rule.range)
            )
        })
        .collect();
    texts.push("* deny all".to_owned());
    texts.join("; ")
}

fn range_text(range: Range) -> String {
    match range {
        Range::Everybody => "everybody".to_owned(),
        Range::Ipv4(range) => format!("{}/{}", range.address, range.prefix),
        Range::Ipv6(range) => format!("{}/{}", range.address, range.prefix),
    }
}

fn traffic(traffic: Traffic) -> String {
    let ports = |protocol: &str, ports: Ports| match ports {
        Ports::ALL => protocol.to_owned(),
        Ports { first, last } if first == last => format!("{protocol}/{first}"),
        Ports { first, last } => format!("{protocol}/{first}-{last}"),
    };
    match traffic {
        Traffic::All => "all".to_owned(),
        Traffic::Icmp => "icmp".to_owned(),
        Traffic::Tcp(range) => ports("tcp", range),
        Traffic::Udp(range) => ports("udp", range),
    }
}
