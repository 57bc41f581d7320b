//! What a text of the evidence can be, where that follows from the lab or from how the text is made.

use std::sync::Arc;

/// Flags of TCP in the order in which they are printed.
const FLAGS: &str = "FSRP.UEW";

/// What a text can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Limits {
    /// One of these names of the lab.
    Names(Arc<[String]>),
    /// TCP flags as tcpdump prints them; nothing of other protocols.
    Flags,
}

impl Limits {
    /// True for a text that it can be.
    pub fn admit(&self, text: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| name == text),
            Self::Flags => {
                let mut rest = FLAGS.chars();
                text.chars().all(|flag| rest.any(|one| one == flag))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn flags_stand_in_their_order() {
        for printed in [
            "", "S", "S.", ".", "P.", "F.", "FP.", "R", "R.", "SEW", "S.E", ".E", "P.U",
        ] {
            assert!(Limits::Flags.admit(printed), "{printed}");
        }
        for wrong in ["SYN", "SA", "s", ".S", "SS", "RA", "none"] {
            assert!(!Limits::Flags.admit(wrong), "{wrong}");
        }
    }
}
