//! Datagrams: each peer is one client, for as long as the server is there.

use super::life::Life;
use super::served::Served;
use super::{Order, Shared, no_port, unwatched};
use crate::plan::App;
use crate::run::slot::Slot;
use crate::world::{Error, Host, socket};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Answers at every address of a host.
///
/// # Errors
/// A port that cannot be had.
pub(super) fn start(
    shared: &Arc<Shared>,
    life: &Arc<Life>,
    host: &Host,
    addresses: &[IpAddr],
    port: u16,
    app: &App,
) -> Result<Vec<JoinHandle<()>>, Error> {
    let mut tasks = Vec::with_capacity(addresses.len());
    for address in addresses {
        let local = SocketAddr::new(*address, port);
        let socket =
            socket::datagram(&host.namespace, local).map_err(|errno| no_port(host, port, errno))?;
        let socket = UdpSocket::from_std(socket).map_err(|error| unwatched(host, port, &error))?;
        let serving = serve(
            Arc::clone(shared),
            Arc::clone(life),
            socket,
            local,
            app.clone(),
        );
        tasks.push(shared.tasks.spawn(serving));
    }
    Ok(tasks)
}

async fn serve(
    shared: Arc<Shared>,
    life: Arc<Life>,
    socket: UdpSocket,
    local: SocketAddr,
    app: App,
) {
    let mut peers: HashMap<SocketAddr, Arc<Served>> = HashMap::new();
    let mut orders = shared.orders.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        tokio::select! {
            () = async { drop(orders.wait_for(|order| *order != Order::Serve).await) } => return,
            got = life.unfrozen(socket.recv_from(&mut buffer)) => {
                let Ok((count, peer)) = got else { continue };
                let served = peers.entry(peer).or_insert_with(|| shared.begin(local, peer, Slot::new(None), false, false));
                served.received.fetch_add(count as u64, Ordering::Relaxed);
                let sent = match app {
                    App::Name => socket.send_to(format!("{}\n", shared.name).as_bytes(), peer).await,
                    App::Echo { .. } | App::Banner { .. } | App::Http(_) | App::Https { .. } => socket.send_to(&buffer[..count], peer).await,
                    App::Sink | App::Source { .. } | App::NeverAccept { .. } | App::Command { .. } => Ok(0),
                };
                tracing::trace!(?sent, "answered a datagram");
            }
        }
    }
}
