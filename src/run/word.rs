//! Error words: how labs name what went wrong with a connection.

use nix::errno::Errno;
use std::io;

/// An error as results carry it. The default is no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// One of [`ERRORS`](crate::plan::vocabulary::ERRORS). `timeout` is the kernel giving up (ETIMEDOUT), `deadline`
    /// the step's own limit.
    pub word: &'static str,
    /// The kernel's number; 0 when the kernel said nothing.
    pub errno: i64,
}

impl Fault {
    /// A word without errno.
    pub const fn word(word: &'static str) -> Self {
        Self { word, errno: 0 }
    }

    /// The step's own limit passed.
    pub const DEADLINE: Self = Self::word("deadline");
    /// The peer closed.
    pub const EOF: Self = Self::word("eof");
    /// The resolver has no address for the name, or is silent (EAI_NONAME, EAI_AGAIN of getaddrinfo).
    pub const NO_ADDRESS: Self = Self::word("no-address");
    /// There is no connection to work on.
    pub const NOT_CONNECTED: Self = Self::word("not-connected");

    /// What the other side said is no TLS, or not what TLS has there.
    pub const TLS: Self = Self::word("tls");

    /// No error.
    pub fn is_none(&self) -> bool {
        self.word.is_empty()
    }
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        let word = match errno {
            Errno::ECONNREFUSED => "refused",
            Errno::ECONNRESET => "reset",
            Errno::ETIMEDOUT => "timeout",
            Errno::EHOSTUNREACH | Errno::ENETUNREACH | Errno::ENETDOWN | Errno::EHOSTDOWN => {
                "unreachable"
            }
            Errno::EADDRNOTAVAIL | Errno::EADDRINUSE => "no-port",
            Errno::EPIPE | Errno::ESHUTDOWN | Errno::EBADF => "closed",
            Errno::ENOTCONN => "not-connected",
            _ => "failed",
        };
        Self {
            word,
            errno: errno as i64,
        }
    }
}

impl From<&io::Error> for Fault {
    fn from(error: &io::Error) -> Self {
        let inner = error.get_ref();
        match (error.raw_os_error(), error.kind()) {
            (Some(code), _) => Errno::from_raw(code).into(),
            (None, io::ErrorKind::UnexpectedEof) => Self::EOF,
            (None, _) if inner.is_some_and(|inner| inner.is::<rustls::Error>()) => Self::TLS,
            (None, _) => Self::word("failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::vocabulary::ERRORS;

    #[test]
    fn every_errno_has_a_word_that_expressions_know() {
        for code in 1..=133 {
            let fault = Fault::from(Errno::from_raw(code));
            assert!(ERRORS.contains(&fault.word), "{fault:?}");
        }
        for fault in [
            Fault::DEADLINE,
            Fault::EOF,
            Fault::NOT_CONNECTED,
            Fault::NO_ADDRESS,
            Fault::TLS,
            Fault::default(),
        ] {
            assert!(ERRORS.contains(&fault.word), "{fault:?}");
        }
    }
}
