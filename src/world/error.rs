//! What can go wrong with the machine: the operation, where, errno, and what to do about it.
//!
//! Not here: a refused connection or a lost packet; those are evidence.

use nix::errno::Errno;
use std::fmt;

/// An operation that this machine did not allow or could not do.
#[derive(Clone, Debug)]
pub struct Error {
    /// What was tried, as `open /dev/net/tun`.
    pub operation: String,
    /// The host (namespace) it was tried for; empty outside of any.
    pub host: String,
    /// What the kernel said; none when it is not about a system call.
    pub errno: Option<Errno>,
    /// The kernel's extended answer, or a program's output; may be empty.
    pub detail: String,
    /// What the user can do; may be empty.
    pub hint: String,
}

impl Error {
    /// A system call that failed.
    pub fn system(operation: impl Into<String>, errno: Errno) -> Self {
        Self {
            operation: operation.into(),
            host: String::new(),
            errno: Some(errno),
            detail: String::new(),
            hint: String::new(),
        }
    }

    /// An I/O error of the standard library.
    pub fn io(operation: impl Into<String>, error: &std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Self::system(operation, Errno::from_raw(code)),
            None => Self::other(operation, error.to_string()),
        }
    }

    /// Anything else, in words.
    pub fn other(operation: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            host: String::new(),
            errno: None,
            detail: detail.into(),
            hint: String::new(),
        }
    }

    /// For which host.
    #[must_use]
    pub fn on(mut self, host: &str) -> Self {
        if self.host.is_empty() {
            self.host = host.to_owned();
        }
        self
    }

    /// What the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if !self.host.is_empty() {
            write!(f, " (host {})", self.host)?;
        }
        if let Some(errno) = self.errno {
            write!(f, ": {} ({errno:?})", errno.desc())?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail.trim_end())?;
        }
        if !self.hint.is_empty() {
            write!(f, "\n  help: {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
