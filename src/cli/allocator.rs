//! How the system's allocator keeps what is large.
//!
//! By itself glibc learns from every large piece that is given back to keep pieces of that size among the small ones, where a
//! list that grows has to be copied to where there is room and leaves a hole behind. Of the tables of many flows a third was
//! holes.

/// Pieces from this size on are mapped by themselves, bytes: what glibc begins with before it learns. They grow without being
/// copied, and leave nothing behind.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 * 1024;

/// Keeps large pieces of memory apart from now on. Other allocators than glibc's are left as they are.
pub fn keep_large_apart() {
    // SAFETY: the call takes two numbers. When it refuses them, everything stays as it was.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}
