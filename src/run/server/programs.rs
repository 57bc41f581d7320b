//! Real programs as servers.

use crate::plan::Server;
use crate::world::program::Running;
use crate::world::{Error, Host, proc};
use std::time::Duration;
use tokio::time::Instant;

/// How long a real program may take until it listens.
const READY_LIMIT: Duration = Duration::from_secs(15);

/// Starts a program and waits until its port listens, or until it says the line.
///
/// # Errors
/// It cannot be started, ends, or is not ready in time.
pub(super) async fn start(
    host: &Host,
    server: &Server,
    command: &str,
    ready: Option<&str>,
) -> Result<Running, Error> {
    let mut program = host.inside()?.spawn(command, ready)?;
    let until = Instant::now() + READY_LIMIT;
    loop {
        let (port, udp) = (server.port, server.udp);
        let is_ready = match ready {
            None => {
                host.namespace
                    .call(move || proc::listens(port, udp))
                    .await?
            }
            Some(_) => program.has_said(),
        };
        if is_ready {
            return Ok(program);
        }
        let what = match program.ended() {
            Some(status) => format!("it ended with {status}"),
            None if Instant::now() > until => format!("not ready after {READY_LIMIT:?}"),
            None => {
                // The kernel tells nobody when a port starts to listen; this asks for it, with the deadline above.
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
        };
        let said = program.last_words();
        let operation = format!("start `{command}` for port {port}");
        return Err(Error::other(operation, format!("{what}\n{said}")).on(&host.name));
    }
}
