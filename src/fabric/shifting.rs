//! Segments of flows that carry a PROXY protocol header, on their way through a balancer, and the header's own.
//!
//! Not here: which numbers move and when the header goes (see `proxy_header`).

use super::passage::{Passage, Transient, tuple};
use super::record::{FlowId, Party};
use super::{Fabric, Output};
use crate::packet::{Headers, VnetHeader, stream, tcp};
use std::time::Duration;

impl Fabric {
    /// Moves a segment of a flow that carries a PROXY protocol header; the header goes before it when it is time.
    pub(super) fn shift(
        &mut self,
        at: Duration,
        flow: FlowId,
        sender: Party,
        transient: &mut Transient<'_>,
        out: &mut impl Output,
    ) {
        let Transient {
            passage,
            vnet,
            headers,
            packet,
        } = transient;
        match sender {
            Party::Client => {
                let endpoint = self.balancers.table().endpoint(flow);
                let id = endpoint.map(|(id, _)| &*self.config.endpoints[usize::from(id.0)].id);
                let streams = self.balancers.proxy_headers_mut();
                // The header is the first of the stream, so a SYN may carry none of it (TCP Fast Open): the target
                // acknowledges the SYN alone, and the client sends the rest again, as RFC 7413 has it do.
                if headers.flags & tcp::SYN != 0 && headers.payload_len() > 0 && streams.has(flow) {
                    let whole = std::mem::take(packet);
                    *packet = stream::bare(whole, headers);
                    *vnet = VnetHeader::default();
                }
                let real = |end| self.stand_ins.end(end);
                let toward = streams.toward_target(at, flow, headers, id, real);
                if toward.by == 0 {
                    return;
                }
                stream::advance(packet, headers, toward.by);
                passage.shifted = toward.by;
                streams.remember(flow, packet, headers);
                if toward.header_first {
                    self.send_proxy_header(at, flow, out);
                }
            }
            Party::Server => {
                let isn = self.balancers.table().entry(flow).isn();
                let streams = self.balancers.proxy_headers_mut();
                if let Some(back) = streams.toward_client(flow, isn, headers) {
                    stream::acknowledge(packet, headers, |number| back.map(number));
                }
            }
            Party::Fabric => {}
        }
    }

    /// Sends a flow's PROXY protocol header to its target.
    pub(super) fn send_proxy_header(&mut self, at: Duration, flow: FlowId, out: &mut impl Output) {
        let Some(mut packet) = self.balancers.proxy_headers().segment(flow) else {
            return;
        };
        let vnet = VnetHeader::default();
        let Ok(headers) = Headers::parse(&vnet, &packet) else {
            return;
        };
        let mut transient = Transient {
            passage: Passage {
                flow: Some(flow),
                ..Passage::new(self.ledger.originated(), None, tuple(&headers))
            },
            vnet,
            headers,
            packet: &mut packet,
        };
        self.toward_host(at, &mut transient, flow, Party::Client, out);
    }
}
