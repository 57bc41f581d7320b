//! A file of the kernel's, seen where the kernel has it.

use std::fs::File;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::slice;

/// The bytes of a file. BTF may be mapped since Linux 6.16, without copying five megabytes; elsewhere they are read.
pub enum Bytes {
    /// Where the kernel has them.
    Mapped(Mapping),
    /// A copy.
    Read(Vec<u8>),
}

/// A mapping, until it is dropped.
pub struct Mapping {
    begin: *mut libc::c_void,
    length: usize,
}

impl Bytes {
    /// Those of a file that nobody changes while it is looked at.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn of(path: &str) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
        match Mapping::new(&file, length) {
            Some(mapping) => Ok(Self::Mapped(mapping)),
            None => std::fs::read(path).map(Self::Read),
        }
    }
}

impl Mapping {
    fn new(file: &File, length: usize) -> Option<Self> {
        let (access, kind) = (libc::PROT_READ, libc::MAP_PRIVATE);
        // SAFETY: a new mapping of the kernel's choice, which nothing else refers to; zero bytes are refused.
        let begin = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                access,
                kind,
                file.as_raw_fd(),
                0,
            )
        };
        (begin != libc::MAP_FAILED).then_some(Self { begin, length })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            // SAFETY: mapped for so many bytes, readable, until it is dropped; the kernel never changes them.
            Self::Mapped(mapping) => unsafe {
                slice::from_raw_parts(mapping.begin.cast(), mapping.length)
            },
            Self::Read(bytes) => bytes,
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is what was mapped, and nobody has a reference into it any more.
        unsafe { libc::munmap(self.begin, self.length) };
    }
}
