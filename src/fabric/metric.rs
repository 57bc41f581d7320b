//! The metrics of a Network Load Balancer as CloudWatch publishes them (`AWS/NetworkELB`): one table of names, what
//! they measure, for which dimensions they exist and when they are reported.
//!
//! Source: "CloudWatch metrics for your Network Load Balancer". Left out are billing (`ConsumedLCUs`) and QUIC. Not
//! here: the counting (see `meter`).

/// How a metric comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Events, counted. Over several zonal addresses: the sum.
    Sum,
    /// Something that is more or less at a time. Over several zonal addresses: average, most and least.
    Level,
    /// The largest average over ten seconds of the cloud's time. Over several zonal addresses: the largest.
    Peak,
}

/// When CloudWatch has data points of a metric, while traffic flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Always.
    Always,
    /// There is a nonzero value.
    Nonzero,
    /// There are registered targets.
    Registered,
}

/// The sets of dimensions that a metric is published for, beside which `LoadBalancer` always stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimensions {
    /// The load balancer; with `AvailabilityZone`.
    Balancer,
    /// The same, and each with `TargetGroup` too.
    BalancerAndGroup,
    /// `TargetGroup`; with `AvailabilityZone`.
    Group,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which.
    pub metric: Metric,
    /// Its name on CloudWatch.
    pub name: &'static str,
    /// How it comes about.
    pub measure: Measure,
    /// When it is reported.
    pub criterion: Criterion,
    /// For what it is reported.
    pub dimensions: Dimensions,
    /// CloudWatch's unit.
    pub unit: &'static str,
}

/// The enum and its table from one list.
macro_rules! metrics {
    ($($metric:ident = $name:literal, $measure:ident, $criterion:ident, $dimensions:ident, $unit:literal;)*) => {
        /// A metric. Closed: whatever a balancer counts is one of these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Metric {
            $(
                #[doc = concat!("`", $name, "`, ", $unit)]
                $metric,
            )*
        }

        /// Every metric, in the order of the enum.
        pub const TABLE: &[Row] = &[
            $(Row {
                metric: Metric::$metric,
                name: $name,
                measure: Measure::$measure,
                criterion: Criterion::$criterion,
                dimensions: Dimensions::$dimensions,
                unit: $unit,
            },)*
        ];

        /// Every name, in the order of [`TABLE`].
        pub const NAMES: &[&str] = &[$($name),*];
    };
}

metrics! {
    ActiveFlowCount = "ActiveFlowCount", Level, Always, BalancerAndGroup, "Count";
    ActiveFlowCountTcp = "ActiveFlowCount_TCP", Level, Nonzero, BalancerAndGroup, "Count";
    ActiveFlowCountTls = "ActiveFlowCount_TLS", Level, Nonzero, BalancerAndGroup, "Count";
    ActiveFlowCountUdp = "ActiveFlowCount_UDP", Level, Nonzero, BalancerAndGroup, "Count";
    NewFlowCount = "NewFlowCount", Sum, Always, BalancerAndGroup, "Count";
    NewFlowCountTcp = "NewFlowCount_TCP", Sum, Nonzero, BalancerAndGroup, "Count";
    NewFlowCountTls = "NewFlowCount_TLS", Sum, Nonzero, BalancerAndGroup, "Count";
    NewFlowCountUdp = "NewFlowCount_UDP", Sum, Nonzero, BalancerAndGroup, "Count";
    ProcessedBytes = "ProcessedBytes", Sum, Always, Balancer, "Bytes";
    ProcessedBytesTcp = "ProcessedBytes_TCP", Sum, Nonzero, Balancer, "Bytes";
    ProcessedBytesTls = "ProcessedBytes_TLS", Sum, Nonzero, Balancer, "Bytes";
    ProcessedBytesUdp = "ProcessedBytes_UDP", Sum, Nonzero, Balancer, "Bytes";
    ProcessedPackets = "ProcessedPackets", Sum, Always, Balancer, "Count";
    PeakBytesPerSecond = "PeakBytesPerSecond", Peak, Always, Balancer, "Bytes/Second";
    PeakPacketsPerSecond = "PeakPacketsPerSecond", Peak, Always, Balancer, "Count/Second";
    HealthyHostCount = "HealthyHostCount", Level, Registered, Group, "Count";
    UnHealthyHostCount = "UnHealthyHostCount", Level, Registered, Group, "Count";
    UnhealthyRoutingFlowCount = "UnhealthyRoutingFlowCount", Sum, Nonzero, BalancerAndGroup, "Count";
    ZonalHealthStatus = "ZonalHealthStatus", Level, Always, Balancer, "Count";
    TcpClientResetCount = "TCP_Client_Reset_Count", Sum, Always, Balancer, "Count";
    TcpTargetResetCount = "TCP_Target_Reset_Count", Sum, Always, Balancer, "Count";
    TcpElbResetCount = "TCP_ELB_Reset_Count", Sum, Always, Balancer, "Count";
    PortAllocationErrorCount = "PortAllocationErrorCount", Sum, Always, Balancer, "Count";
    RejectedFlowCount = "RejectedFlowCount", Sum, Always, Balancer, "Count";
    RejectedFlowCountTcp = "RejectedFlowCount_TCP", Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedInboundTcp = "SecurityGroupBlockedFlowCount_Inbound_TCP", Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedInboundUdp = "SecurityGroupBlockedFlowCount_Inbound_UDP", Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedInboundIcmp = "SecurityGroupBlockedFlowCount_Inbound_ICMP", Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedOutboundTcp = "SecurityGroupBlockedFlowCount_Outbound_TCP", Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedOutboundUdp = "SecurityGroupBlockedFlowCount_Outbound_UDP", Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedOutboundIcmp = "SecurityGroupBlockedFlowCount_Outbound_ICMP", Sum, Nonzero, Balancer, "Count";
    ClientTlsNegotiationErrorCount = "ClientTLSNegotiationErrorCount", Sum, Nonzero, Balancer, "Count";
    TargetTlsNegotiationErrorCount = "TargetTLSNegotiationErrorCount", Sum, Nonzero, Balancer, "Count";
}

impl Metric {
    /// How many there are.
    pub const COUNT: usize = TABLE.len();

    /// Its row in the table.
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// What metrics tell apart by the suffixes `_TCP`, `_TLS` and `_UDP`: a listener's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// TCP listeners.
    Tcp,
    /// TLS listeners.
    Tls,
    /// UDP listeners.
    Udp,
}

impl Family {
    /// `ActiveFlowCount_*`
    pub(super) const fn active(self) -> Metric {
        match self {
            Self::Tcp => Metric::ActiveFlowCountTcp,
            Self::Tls => Metric::ActiveFlowCountTls,
            Self::Udp => Metric::ActiveFlowCountUdp,
        }
    }

    /// `NewFlowCount_*`
    pub(super) const fn new_flows(self) -> Metric {
        match self {
            Self::Tcp => Metric::NewFlowCountTcp,
            Self::Tls => Metric::NewFlowCountTls,
            Self::Udp => Metric::NewFlowCountUdp,
        }
    }

    /// `ProcessedBytes_*`
    pub(super) const fn bytes(self) -> Metric {
        match self {
            Self::Tcp => Metric::ProcessedBytesTcp,
            Self::Tls => Metric::ProcessedBytesTls,
            Self::Udp => Metric::ProcessedBytesUdp,
        }
    }
}
