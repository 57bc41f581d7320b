//! Faults of a story, carried out: on servers and sockets here, on the network by the fabric, inside of hosts by the world.

use super::{Story, locked};
use crate::evidence::Detail;
use crate::fabric::change::Change;
use crate::fabric::config::PortId;
use crate::plan::{Attachment, Fault, HostId};
use crate::run::client::Ending;
use crate::run::server::Order;
use crate::run::word::Fault as Word;
use crate::world::Error;
use std::collections::HashSet;

impl Story {
    /// Breaks or mends something. What a `drop` took is filled in when evidence is collected.
    ///
    /// # Errors
    /// What the machine refused.
    pub(super) async fn fault(&self, step: usize, fault: &Fault) -> Result<(Word, Detail), Error> {
        let driver = self.world.driver();
        let port = |host: &HostId| PortId(host.0);
        match fault {
            Fault::Freeze(hosts) => {
                for host in hosts {
                    self.servers[host.0 as usize].freeze(true).await;
                }
            }
            Fault::PowerOff(machines) => return self.power_off(machines).await,
            Fault::LinkDown(hosts) => {
                for host in hosts {
                    driver.apply(Change::LinkDown(port(host))).await;
                }
            }
            Fault::Drop(rule) => {
                locked(&self.memory.rules).push(step);
                driver.apply(Change::Drop(Box::new(rule.clone()))).await;
                return Ok((Word::default(), Detail::Drop { dropped: 0 }));
            }
            Fault::Heal { hosts, drops } => {
                for drop in drops {
                    if let Some(rule) = self.rule_of(drop.0 as usize) {
                        driver.apply(Change::EndDrop(rule)).await;
                    }
                }
                for host in hosts {
                    self.power_on(*host).await?;
                    if self.plan.hosts[host.0 as usize].attachment == Attachment::Fabric {
                        driver.apply(Change::LinkUp(port(host))).await;
                    }
                    self.servers[host.0 as usize].freeze(false).await;
                }
            }
        }
        Ok((Word::default(), Detail::Plain))
    }

    /// Whatever runs there is gone, and what its kernels say of that gets nowhere: all ways out are cut first.
    async fn power_off(&self, machines: &[HostId]) -> Result<(Word, Detail), Error> {
        for machine in machines {
            let change = Change::PowerOff(PortId(machine.0));
            self.world.driver().apply(change).await;
            self.wire(*machine, false).await?;
        }
        let hosts = self.plan.on_machines(machines);
        self.memory.dead.send_modify(|dead| dead.extend(&hosts));
        for client in self.clients() {
            if hosts.contains(&client.from) && client.stands() {
                let aborted = client.end(Ending::Abort).await;
                tracing::trace!(?aborted, "a client without power");
            }
        }
        let fault = self.order(&hosts, Order::Vanish).await;
        for host in &hosts {
            self.world.end_sockets(*host).await?;
        }
        self.forget(&hosts).await?;
        Ok((fault, Detail::Plain))
    }

    /// Gives a machine its power back, if it has none.
    async fn power_on(&self, machine: HostId) -> Result<(), Error> {
        if !self.is_dead(machine) {
            return Ok(());
        }
        let hosts = self.plan.on_machines(&[machine]);
        // Steps of a host without power send to nobody, and its kernel tracks that all the same. What they opened goes on.
        self.forget(&hosts).await?;
        self.wire(machine, true).await?;
        let keep = |dead: &mut HashSet<HostId>| dead.retain(|host| !hosts.contains(host));
        self.memory.dead.send_modify(keep);
        Ok(())
    }

    async fn forget(&self, hosts: &[HostId]) -> Result<(), Error> {
        for host in hosts {
            self.world.forget_connections(*host).await?;
        }
        Ok(())
    }

    /// Cuts or mends all wires inside a host: with a router's power its bridges go, too.
    async fn wire(&self, parent: HostId, live: bool) -> Result<(), Error> {
        let inside = self.plan.inside_of(parent);
        let veths: Vec<_> = inside.map(|(id, veth)| (id, veth.name.clone())).collect();
        if veths.is_empty() {
            return Ok(());
        }
        self.world.wire(parent, &veths, live).await
    }

    /// True of a host without power.
    pub(super) fn is_dead(&self, host: HostId) -> bool {
        self.memory.dead.borrow().contains(&host)
    }

    /// Waits until a host has power.
    pub(super) async fn lives(&self, host: HostId) {
        let mut dead = self.memory.dead.subscribe();
        dead.wait_for(|dead| !dead.contains(&host))
            .await
            .expect("its sender is the story's");
    }

    /// Waits until a host has no power.
    pub(super) async fn dies(&self, host: HostId) {
        let mut dead = self.memory.dead.subscribe();
        dead.wait_for(|dead| dead.contains(&host))
            .await
            .expect("its sender is the story's");
    }

    /// The number in the fabric of the rule that a `drop` step made, if it has come to it.
    pub(in crate::run) fn rule_of(&self, step: usize) -> Option<usize> {
        let rules = locked(&self.memory.rules);
        rules.iter().position(|made_by| *made_by == step)
    }
}
