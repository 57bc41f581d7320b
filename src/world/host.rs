//! One host of a world: its namespace, and what it is given when it first needs it.

use super::error::Error;
use super::namespace::Namespace;
use super::netlink::Netlink;
use super::program::Inside;
use super::sysctl::{self, Settings};
use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};

/// A live host.
#[derive(Debug)]
pub struct Host {
    /// Its name in the lab.
    pub name: String,
    /// Its network namespace.
    pub namespace: Namespace,
    /// It has an IPv6 address.
    pub has_ipv6: bool,
    /// Whom it asks for the address of a name.
    pub resolver: Ipv4Addr,
    /// Kernel settings of IPv6 are as programs should find them.
    pub(super) is_settled: bool,
    /// Its kernel has the machine's limits of connections.
    pub(super) has_limits: bool,
    /// `lo` is up.
    pub(super) reaches_itself: OnceLock<()>,
    pub(super) names: Arc<str>,
    pub(super) inside: OnceLock<Inside>,
}

impl Host {
    /// Brings up `lo`, without which a host reaches everybody but itself. To be called before the host may speak to itself:
    /// most never do, and it is a seventh of the work on a host.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn reach_itself(&self) -> Result<(), Error> {
        if self.reaches_itself.get().is_some() {
            return Ok(());
        }
        let up = || Netlink::open()?.bring_up_loopback();
        let done = self.namespace.run(up);
        done.map_err(|error| error.on(&self.name))?;
        self.reaches_itself.get_or_init(|| ());
        Ok(())
    }

    /// What programs need to run in this host; prepared at the first use, since most hosts never run one.
    ///
    /// # Errors
    /// The operation that failed.
    pub fn inside(&self) -> Result<&Inside, Error> {
        if let Some(inside) = self.inside.get() {
            return Ok(inside);
        }
        self.reach_itself()?;
        let (is_settled, has_limits) = (self.is_settled, self.has_limits);
        if !is_settled || !has_limits {
            let has_ipv6 = self.has_ipv6;
            let settled: Result<(), Error> = self.namespace.run(move || {
                if !is_settled {
                    sysctl::settle_ipv6(has_ipv6)?;
                }
                if !has_limits {
                    sysctl::limits_of_the_machine(&mut Settings::default())?;
                }
                Ok(())
            });
            settled.map_err(|error| error.on(&self.name))?;
        }
        let prepared = Inside::prepare(&self.name, &self.namespace, &self.names, self.resolver)?;
        Ok(self.inside.get_or_init(|| prepared))
    }
}
