//! `hairpin clean`: ends what is up, and removes what dead labs left.

use super::down;
use super::state::Home;
use crate::cli::{Refusal, Status, count, terminal};

/// Leaves nothing of hairpin behind, and touches nothing else.
pub fn clean() -> Result<u8, Refusal> {
    let (mut ended, mut removed) = (0, 0);
    for place in Home::of_user().remains()? {
        if place.is_alive() {
            if let Err(lost) = down::end(&place, false)? {
                tracing::debug!(?lost, "a lab that did not answer");
            }
            ended += 1;
        } else {
            removed += usize::from(place.remove()?);
        }
    }
    terminal::note(&match (ended, removed) {
        (0, 0) => "nothing to clean: no lab is up, and none left anything".to_owned(),
        (ended, removed) => format!(
            "{} ended, {} of dead ones removed",
            count(ended, "lab"),
            count(removed, "folder")
        ),
    });
    Ok(Status::Held as u8)
}
