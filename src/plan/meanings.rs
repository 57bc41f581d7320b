//! What AWS attributes do here, and what they are when nobody writes them: the text of `hairpin explain attributes`.
//!
//! Not here: which there are and what they may say (see `attributes`).

use super::holder::Holder;

/// The default, and what the attribute does. Empty for an attribute that is none of the holder's.
pub(super) fn meaning(holder: Holder, name: &str) -> &'static str {
    let own =
        |(whose, attribute, _): &&(Holder, &str, &str)| *whose == holder && *attribute == name;
    MEANINGS.iter().find(own).map_or("", |(.., text)| *text)
}

const NO_PACKET: &str = "It changes no packet.";

/// Sources: the guides of Network, Application and Classic Load Balancers (attributes of load balancers, target groups and
/// listeners).
#[rustfmt::skip]
static MEANINGS: &[(Holder, &str, &str)] = &[
    (Holder::Balancer, "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
        "Default: `on`. Whether the balancer's inbound rules are for what comes by PrivateLink, too."),
    (Holder::Balancer, "access_logs.s3.bucket", NO_PACKET),
    (Holder::Balancer, "access_logs.s3.enabled", NO_PACKET),
    (Holder::Balancer, "access_logs.s3.prefix", NO_PACKET),
    (Holder::Balancer, "deletion_protection.enabled", NO_PACKET),
    (Holder::Balancer, "dns_record.client_routing_policy",
        "Default: `any_availability_zone`. Of which zones the balancer's name tells a client in a zone: all, its own \
         with 85 % of the answers, or its own only."),
    (Holder::Balancer, "ipv6.deny_all_igw_traffic",
        "Default: `false`, of an internal balancer `true`. Keeps the internet away from its IPv6 addresses."),
    (Holder::Balancer, "load_balancing.cross_zone.enabled",
        "Default: `false`. A zonal address chooses among the targets of its own zone; with `true` among those of all zones. A \
         target group may say otherwise."),
    (Holder::Balancer, "secondary_ips.auto_assigned.per_subnet",
        "Default: 0. Further addresses in each zone, from which connections to targets and health checks are made: source ports for \
         each. It can be raised by a step, and not lowered."),
    (Holder::Balancer, "zonal_shift.config.enabled",
        "Default: `false`. Allows `zonal_shift`."),
    (Holder::Application, "access_logs.s3.bucket", NO_PACKET),
    (Holder::Application, "access_logs.s3.enabled", NO_PACKET),
    (Holder::Application, "access_logs.s3.prefix", NO_PACKET),
    (Holder::Application, "client_keep_alive.seconds",
        "Default: 3600. A client's connection that is older ends with its next answer, which says `Connection: close`."),
    (Holder::Application, "deletion_protection.enabled", NO_PACKET),
    (Holder::Application, "idle_timeout.timeout_seconds",
        "Default: 60. How long a connection may be idle, toward clients and toward targets; an answer that takes longer is 504."),
    (Holder::Application, "load_balancing.cross_zone.enabled",
        "It is `true`, always; a target group may be `false`."),
    (Holder::Application, "routing.http.xff_client_port.enabled",
        "Default: `false`. X-Forwarded-For has the client's port as well, where the mode is `append`."),
    (Holder::Application, "routing.http.xff_header_processing.mode",
        "Default: `append`. X-Forwarded-For: the client's address is added to what the client wrote there (`append`), or it goes on as it \
         came (`preserve`), or not at all (`remove`)."),
    (Holder::Classic, "AccessLog.Enabled", NO_PACKET),
    (Holder::Classic, "ConnectionDraining.Enabled",
        "Default: `false`. Connections to an instance that is taken out go on for `ConnectionDraining.Timeout`."),
    (Holder::Classic, "ConnectionDraining.Timeout",
        "Default: 300. How long they go on."),
    (Holder::Classic, "ConnectionSettings.IdleTimeout",
        "Default: 60. How long a connection may be idle, toward clients and toward instances."),
    (Holder::Classic, "CrossZoneLoadBalancing.Enabled",
        "Default: `false` (of balancers made by API or CLI; the console makes them with `true`). An address chooses among the \
         instances of its own zone; with `true` among those of all zones."),
    (Holder::Classic, "LBCookieStickinessPolicyType.CookieExpirationPeriod",
        "Not set by default: each request goes to the instance with the fewest outstanding ones. Else the balancer's HTTP and HTTPS \
         listeners give each client the cookie AWSELB, and its requests go to one instance until it has expired, which requests do not put \
         off; 0: until the client's session ends. An instance that is not in service loses its clients to another one."),
    (Holder::Classic, "ProxyProtocolPolicyType.ProxyProtocol",
        "Default: `false`. A PROXY protocol header of version 1 goes before what clients say."),
    (Holder::Group, "deregistration_delay.connection_termination.enabled",
        "Default: `false`; of groups of UDP and TCP_UDP `true`. With `true` the balancer ends a deregistered target's connections \
         when the deregistration delay is over; else they go on."),
    (Holder::Group, "deregistration_delay.timeout_seconds",
        "Default: 300. How long a deregistered target is `draining` before it is `unused`: it gets no new connections and keeps those \
         it has."),
    (Holder::Group, "load_balancing.algorithm.type",
        "Default: `round_robin`. For groups of application balancers: how a request's target is chosen."),
    (Holder::Group, "load_balancing.cross_zone.enabled",
        "Default: `use_load_balancer_configuration`, the balancer's own. It has the last word."),
    (Holder::Group, "preserve_client_ip.enabled",
        "Default for TCP and TLS: `true` with `target_type: instance`, `false` with `target_type: ip`; over UDP and TCP_UDP it is `true` \
         and cannot be changed. With `true` targets see the client's address and port as source, with `false` those of the balancer. \
         Without it a target can be its own client, and two connections of one client never have one 4-tuple at a target."),
    (Holder::Group, "proxy_protocol_v2.client_to_server.header_placement",
        "Default: `on_first_ack_with_payload`. Whether the header waits for the client's first data."),
    (Holder::Group, "proxy_protocol_v2.enabled",
        "Default: `false`. A PROXY protocol header of version 2 goes before what clients say."),
    (Holder::Group, "stickiness.enabled",
        "Default: `false`. All flows of a client's address go to one target. Of an HTTP group: all requests with the cookie AWSALB that \
         the balancer gives with each answer, as long as that target is in use."),
    (Holder::Group, "stickiness.lb_cookie.duration_seconds",
        "Default: 86400. For HTTP groups: how long the cookie lasts; each answer gives it anew."),
    (Holder::Group, "stickiness.type",
        "Default: `source_ip`, of HTTP groups `lb_cookie`. `app_cookie` is not emulated."),
    (Holder::Group, "target_group_health.dns_failover.minimum_healthy_targets.count",
        "Default: 1. With fewer healthy targets a zone is not in the balancer's name."),
    (Holder::Group, "target_group_health.dns_failover.minimum_healthy_targets.percentage",
        "Default: `off`. With a smaller share of healthy targets a zone is not in the balancer's name."),
    (Holder::Group, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        "Default: 1. With fewer healthy targets all of them get traffic, whatever their health."),
    (Holder::Group, "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "Default: `off`. With a smaller share of healthy targets all of them get traffic, whatever their health."),
    (Holder::Group, "target_health_state.unhealthy.connection_termination.enabled",
        "Default: `true`; over UDP and TCP_UDP `false`, which cannot be changed. Connections of a target that has become unhealthy are \
         reset; with `false` they go on."),
    (Holder::Group, "target_health_state.unhealthy.draining_interval_seconds",
        "Default: 0. How long a target is `unhealthy.draining` first; it needs the attribute above to be `false`."),
    (Holder::Listener, "tcp.idle_timeout.seconds",
        "Default: 350. How long a TCP flow may be idle before the balancer forgets it, without a word to either end."),
];
