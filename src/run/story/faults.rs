//! Faults of a story, carried out: on servers and sockets here, on the network by the fabric.

use super::{Story, locked};
use crate::evidence::Detail;
use crate::fabric::change::Change;
use crate::fabric::config::PortId;
use crate::plan::{Attachment, Fault, HostId};
use crate::run::client::Ending;
use crate::run::server::Order;
use crate::run::word::Fault as Word;

impl Story {
    /// Breaks or mends something. What a `drop` took is filled in when evidence is collected.
    pub(super) async fn fault(&self, step: usize, fault: &Fault) -> (Word, Detail) {
        let driver = self.world.driver();
        let port = |host: &HostId| PortId(host.0);
        match fault {
            Fault::Freeze(hosts) => {
                for host in hosts {
                    self.servers[host.0 as usize].freeze(true).await;
                }
            }
            Fault::PowerOff(hosts) => {
                for host in hosts {
                    // The link first: what the kernel says while its sockets go must not get out.
                    driver.apply(Change::LinkDown(port(host))).await;
                }
                for client in self.clients() {
                    if hosts.contains(&client.from) && client.stands() {
                        let aborted = client.end(Ending::Abort).await;
                        tracing::trace!(?aborted, "a client without power");
                    }
                }
                return (self.order(hosts, Order::Vanish).await, Detail::Plain);
            }
            Fault::LinkDown(hosts) => {
                for host in hosts {
                    driver.apply(Change::LinkDown(port(host))).await;
                }
            }
            Fault::Drop(rule) => {
                locked(&self.memory.rules).push(step);
                driver.apply(Change::Drop(Box::new(rule.clone()))).await;
                return (Word::default(), Detail::Drop { dropped: 0 });
            }
            Fault::Heal { hosts, drops } => {
                for drop in drops {
                    if let Some(rule) = self.rule_of(drop.0 as usize) {
                        driver.apply(Change::EndDrop(rule)).await;
                    }
                }
                for host in hosts {
                    if self.plan.hosts[host.0 as usize].attachment == Attachment::Fabric {
                        driver.apply(Change::LinkUp(port(host))).await;
                    }
                    self.servers[host.0 as usize].freeze(false).await;
                }
            }
        }
        (Word::default(), Detail::Plain)
    }

    /// The number in the fabric of the rule that a `drop` step made, if it has come to it.
    pub(in crate::run) fn rule_of(&self, step: usize) -> Option<usize> {
        let rules = locked(&self.memory.rules);
        rules.iter().position(|made_by| *made_by == step)
    }
}
