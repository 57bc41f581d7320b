//! What has AWS attributes: load balancers of three kinds, target groups, and listeners.

/// Whose an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Balancer,
    Application,
    Classic,
    Group,
    Listener,
}

impl Holder {
    pub(super) fn name(self) -> &'static str {
        match self {
            Holder::Balancer => "network load balancer",
            Holder::Application => "application load balancer",
            Holder::Classic => "classic load balancer",
            Holder::Group => "target group",
            Holder::Listener => "listener",
        }
    }

    /// With its article.
    pub(super) fn one(self) -> String {
        let article = match self {
            Holder::Application => "an",
            Holder::Balancer | Holder::Classic | Holder::Group | Holder::Listener => "a",
        };
        format!("{article} {}", self.name())
    }

    /// The `type` of a balancer; none: it is no balancer.
    pub(super) fn kind(self) -> Option<&'static str> {
        match self {
            Holder::Balancer => Some("network"),
            Holder::Application => Some("application"),
            Holder::Classic => Some("classic"),
            Holder::Group | Holder::Listener => None,
        }
    }
}
