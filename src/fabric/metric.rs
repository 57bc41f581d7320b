//! The metrics of load balancers as CloudWatch publishes them: one table of names, what they measure, in which namespaces
//! and for which dimensions they exist and when they are reported.
//!
//! Sources: "CloudWatch metrics for your Network Load Balancer", "... for your Classic Load Balancer", "... for your
//! Application Load Balancer". Left out are billing (`ConsumedLCUs`), QUIC, zonal shift (`ActiveZonalShiftHostCount`), what
//! an application balancer says of its groups' state (`HealthyStateDNS` and the like) and of the connections it has no room for
//! (`RejectedConnectionCount`). Not here: the counting (see `meter`).

use super::config::Kind;

/// How a metric comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Events, counted. Over several zonal addresses: the sum.
    Sum,
    /// Something that is more or less at a time. Over several zonal addresses: average, most and least.
    Level,
    /// The largest average over ten seconds of the cloud's time. Over several zonal addresses: the largest.
    Peak,
    /// How long something took, each time it happened, in seconds of real time: what kernels and links do is not scaled.
    /// Over several zonal addresses: average, shortest and longest.
    Time,
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

/// Where CloudWatch has the metrics of one kind of load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// `AWS/NetworkELB`
    Network,
    /// `AWS/ELB`
    Classic,
    /// `AWS/ApplicationELB`
    Application,
}

impl Namespace {
    /// CloudWatch's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "AWS/NetworkELB",
            Self::Classic => "AWS/ELB",
            Self::Application => "AWS/ApplicationELB",
        }
    }

    /// The metrics it has, in the order of [`TABLE`].
    pub fn rows(self) -> impl Iterator<Item = &'static Row> {
        TABLE
            .iter()
            .filter(move |row| row.namespaces.contains(&self))
    }

    /// Those of them that are whole numbers: all but times.
    pub fn counts(self) -> impl Iterator<Item = &'static Row> {
        self.rows().filter(|row| row.measure != Measure::Time)
    }
}

impl From<&Kind> for Namespace {
    fn from(kind: &Kind) -> Self {
        match kind {
            Kind::Network => Self::Network,
            Kind::Classic(_) => Self::Classic,
            Kind::Application(_) => Self::Application,
        }
    }
}

/// Metrics of network balancers alone, and so on.
const N: &[Namespace] = &[Namespace::Network];
const C: &[Namespace] = &[Namespace::Classic];
const A: &[Namespace] = &[Namespace::Application];
const ALL: &[Namespace] = &[
    Namespace::Network,
    Namespace::Classic,
    Namespace::Application,
];

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
    /// Where it exists.
    pub namespaces: &'static [Namespace],
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
    ($($metric:ident = $name:literal, $namespaces:ident, $measure:ident, $criterion:ident, $dimensions:ident, $unit:literal;)*) => {
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
                namespaces: $namespaces,
                measure: Measure::$measure,
                criterion: Criterion::$criterion,
                dimensions: Dimensions::$dimensions,
                unit: $unit,
            },)*
        ];
    };
}

metrics! {
    ActiveFlowCount = "ActiveFlowCount", N, Level, Always, BalancerAndGroup, "Count";
    ActiveFlowCountTcp = "ActiveFlowCount_TCP", N, Level, Nonzero, BalancerAndGroup, "Count";
    ActiveFlowCountTls = "ActiveFlowCount_TLS", N, Level, Nonzero, BalancerAndGroup, "Count";
    ActiveFlowCountUdp = "ActiveFlowCount_UDP", N, Level, Nonzero, BalancerAndGroup, "Count";
    NewFlowCount = "NewFlowCount", N, Sum, Always, BalancerAndGroup, "Count";
    NewFlowCountTcp = "NewFlowCount_TCP", N, Sum, Nonzero, BalancerAndGroup, "Count";
    NewFlowCountTls = "NewFlowCount_TLS", N, Sum, Nonzero, BalancerAndGroup, "Count";
    NewFlowCountUdp = "NewFlowCount_UDP", N, Sum, Nonzero, BalancerAndGroup, "Count";
    ProcessedBytes = "ProcessedBytes", N, Sum, Always, Balancer, "Bytes";
    ProcessedBytesTcp = "ProcessedBytes_TCP", N, Sum, Nonzero, Balancer, "Bytes";
    ProcessedBytesTls = "ProcessedBytes_TLS", N, Sum, Nonzero, Balancer, "Bytes";
    ProcessedBytesUdp = "ProcessedBytes_UDP", N, Sum, Nonzero, Balancer, "Bytes";
    ProcessedPackets = "ProcessedPackets", N, Sum, Always, Balancer, "Count";
    PeakBytesPerSecond = "PeakBytesPerSecond", N, Peak, Always, Balancer, "Bytes/Second";
    PeakPacketsPerSecond = "PeakPacketsPerSecond", N, Peak, Always, Balancer, "Count/Second";
    HealthyHostCount = "HealthyHostCount", ALL, Level, Registered, Group, "Count";
    UnHealthyHostCount = "UnHealthyHostCount", ALL, Level, Registered, Group, "Count";
    UnhealthyRoutingFlowCount = "UnhealthyRoutingFlowCount", N, Sum, Nonzero, BalancerAndGroup, "Count";
    ZonalHealthStatus = "ZonalHealthStatus", N, Level, Always, Balancer, "Count";
    TcpClientResetCount = "TCP_Client_Reset_Count", N, Sum, Always, Balancer, "Count";
    TcpTargetResetCount = "TCP_Target_Reset_Count", N, Sum, Always, Balancer, "Count";
    TcpElbResetCount = "TCP_ELB_Reset_Count", N, Sum, Always, Balancer, "Count";
    PortAllocationErrorCount = "PortAllocationErrorCount", N, Sum, Always, Balancer, "Count";
    RejectedFlowCount = "RejectedFlowCount", N, Sum, Always, Balancer, "Count";
    RejectedFlowCountTcp = "RejectedFlowCount_TCP", N, Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedInboundTcp = "SecurityGroupBlockedFlowCount_Inbound_TCP", N, Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedInboundUdp = "SecurityGroupBlockedFlowCount_Inbound_UDP", N, Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedInboundIcmp = "SecurityGroupBlockedFlowCount_Inbound_ICMP", N, Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedOutboundTcp = "SecurityGroupBlockedFlowCount_Outbound_TCP", N, Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedOutboundUdp = "SecurityGroupBlockedFlowCount_Outbound_UDP", N, Sum, Nonzero, Balancer, "Count";
    SecurityGroupBlockedOutboundIcmp = "SecurityGroupBlockedFlowCount_Outbound_ICMP", N, Sum, Nonzero, Balancer, "Count";
    ClientTlsNegotiationErrorCount = "ClientTLSNegotiationErrorCount", N, Sum, Nonzero, Balancer, "Count";
    TargetTlsNegotiationErrorCount = "TargetTLSNegotiationErrorCount", N, Sum, Nonzero, Balancer, "Count";
    RequestCount = "RequestCount", C, Sum, Nonzero, Balancer, "Count";
    BackendConnectionErrors = "BackendConnectionErrors", C, Sum, Nonzero, Balancer, "Count";
    SpilloverCount = "SpilloverCount", C, Sum, Nonzero, Balancer, "Count";
    SurgeQueueLength = "SurgeQueueLength", C, Level, Nonzero, Balancer, "Count";
    HttpCodeOwn4xx = "HTTPCode_ELB_4XX", C, Sum, Nonzero, Balancer, "Count";
    HttpCodeOwn5xx = "HTTPCode_ELB_5XX", C, Sum, Nonzero, Balancer, "Count";
    HttpCodeBackend2xx = "HTTPCode_Backend_2XX", C, Sum, Nonzero, Balancer, "Count";
    HttpCodeBackend3xx = "HTTPCode_Backend_3XX", C, Sum, Nonzero, Balancer, "Count";
    HttpCodeBackend4xx = "HTTPCode_Backend_4XX", C, Sum, Nonzero, Balancer, "Count";
    HttpCodeBackend5xx = "HTTPCode_Backend_5XX", C, Sum, Nonzero, Balancer, "Count";
    Latency = "Latency", C, Time, Nonzero, Balancer, "Seconds";
    EstimatedActiveConnectionCount = "EstimatedALBActiveConnectionCount", C, Level, Always, Balancer, "Count";
    EstimatedNewConnectionCount = "EstimatedALBNewConnectionCount", C, Sum, Always, Balancer, "Count";
    EstimatedProcessedBytes = "EstimatedProcessedBytes", C, Sum, Always, Balancer, "Bytes";
    ActiveConnectionCount = "ActiveConnectionCount", A, Level, Nonzero, Balancer, "Count";
    NewConnectionCount = "NewConnectionCount", A, Sum, Nonzero, Balancer, "Count";
    ForwardedRequestCount = "RequestCount", A, Sum, Nonzero, BalancerAndGroup, "Count";
    UnhealthyRoutingRequestCount = "UnhealthyRoutingRequestCount", A, Sum, Nonzero, BalancerAndGroup, "Count";
    TargetConnectionErrorCount = "TargetConnectionErrorCount", A, Sum, Nonzero, BalancerAndGroup, "Count";
    TargetResponseTime = "TargetResponseTime", A, Time, Nonzero, BalancerAndGroup, "Seconds";
    HttpCodeElb3xx = "HTTPCode_ELB_3XX_Count", A, Sum, Nonzero, Balancer, "Count";
    HttpCodeElb4xx = "HTTPCode_ELB_4XX_Count", A, Sum, Nonzero, Balancer, "Count";
    HttpCodeElb5xx = "HTTPCode_ELB_5XX_Count", A, Sum, Nonzero, Balancer, "Count";
    HttpCodeElb500 = "HTTPCode_ELB_500_Count", A, Sum, Nonzero, Balancer, "Count";
    HttpCodeElb502 = "HTTPCode_ELB_502_Count", A, Sum, Nonzero, Balancer, "Count";
    HttpCodeElb503 = "HTTPCode_ELB_503_Count", A, Sum, Nonzero, Balancer, "Count";
    HttpCodeElb504 = "HTTPCode_ELB_504_Count", A, Sum, Nonzero, Balancer, "Count";
    HttpCodeTarget2xx = "HTTPCode_Target_2XX_Count", A, Sum, Nonzero, BalancerAndGroup, "Count";
    HttpCodeTarget3xx = "HTTPCode_Target_3XX_Count", A, Sum, Nonzero, BalancerAndGroup, "Count";
    HttpCodeTarget4xx = "HTTPCode_Target_4XX_Count", A, Sum, Nonzero, BalancerAndGroup, "Count";
    HttpCodeTarget5xx = "HTTPCode_Target_5XX_Count", A, Sum, Nonzero, BalancerAndGroup, "Count";
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
