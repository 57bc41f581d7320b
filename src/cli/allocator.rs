//! How memory is had: small pieces by the system's allocator, those of tables with very many entries in huge pages.
//!
//! By itself glibc learns from every large piece that is given back to keep pieces of that size among the small ones, where a
//! list that grows has to be copied to where there is room and leaves a hole behind. Of the tables of many flows a third was
//! holes.
//!
//! A table of a million flows is so large that the processor finds hardly any of its pages in its own list of addresses, and
//! where the machine is virtual it reads up to two dozen places in memory for each that is missing. In huge pages it finds
//! them (docs/performance/fabric.md).

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{self, NonNull};

/// Pieces from this size on are mapped by themselves, bytes: what glibc begins with before it learns. They grow without being
/// copied, and leave nothing behind.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 * 1024;

/// Pieces from this size on are had in huge pages, bytes: the last page of each is not full, and of a piece this size that
/// is a fourth in the mean.
const HUGE_FROM: usize = 4 << 20;
/// Bytes of a huge page of x86-64, and of aarch64 with small pages of 4 KiB. Where they are larger, these pieces have none.
const HUGE: usize = 2 << 20;

/// Keeps large pieces of memory apart from now on. Other allocators than glibc's are left as they are.
pub fn keep_large_apart() {
    // SAFETY: the call takes two numbers. When it refuses them, everything stays as it was.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// The system's allocator, and for pieces of 4 MiB and more mappings at the boundaries of huge pages, for which the kernel is asked
/// to use such pages where it has them free. They grow without being copied.
#[derive(Debug)]
pub struct Allocator;

// SAFETY: every piece is had, grown and given back by the one of the two that its size tells, and keeps its bytes.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match is_huge(layout) {
            true => map(layout.size()),
            // SAFETY: the caller's promise.
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match is_huge(layout) {
            // What was never written is zero.
            true => map(layout.size()),
            // SAFETY: the caller's promise.
            false => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        match is_huge(layout) {
            // SAFETY: it was mapped with this size, and nobody uses it any more.
            true => unsafe { unmap(piece, whole(layout.size())) },
            // SAFETY: the caller's promise.
            false => unsafe { System.dealloc(piece, layout) },
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, old: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size that has a layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, old.align()) };
        match (is_huge(old), is_huge(new)) {
            // SAFETY: the caller's promise.
            (false, false) => unsafe { System.realloc(piece, old, size) },
            // SAFETY: it was mapped with this size.
            (true, true) => unsafe { resize(piece, whole(old.size()), whole(size)) },
            (false, true) | (true, false) => {
                // SAFETY: the new piece is another one, and both have room for what is copied.
                unsafe {
                    let other = self.alloc(new);
                    if !other.is_null() {
                        ptr::copy_nonoverlapping(piece, other, old.size().min(size));
                        self.dealloc(piece, old);
                    }
                    other
                }
            }
        }
    }
}

/// Mapped by itself. Nothing here needs to stand at a larger boundary than a huge page's.
fn is_huge(layout: Layout) -> bool {
    layout.size() >= HUGE_FROM && layout.align() <= HUGE
}

/// Bytes of the huge pages that have room for so many.
fn whole(size: usize) -> usize {
    size.next_multiple_of(HUGE)
}

/// A piece of so many bytes; null: there is no room.
fn map(size: usize) -> *mut u8 {
    reserve(whole(size)).map_or(ptr::null_mut(), NonNull::as_ptr)
}

/// A mapping of so many bytes, which are whole huge pages, at the boundary of one.
fn reserve(len: usize) -> Option<NonNull<u8>> {
    let (protection, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    );
    let room = len.checked_add(HUGE)?;
    // SAFETY: a new mapping, where the kernel has room.
    let found = unsafe { libc::mmap(ptr::null_mut(), room, protection, flags, -1, 0) };
    if found == libc::MAP_FAILED {
        return None;
    }
    let found = found.cast::<u8>();
    let before = found.align_offset(HUGE);
    // SAFETY: all three parts are of the mapping that was just made, and the two that are given back are nobody's.
    unsafe {
        let start = found.add(before);
        unmap(found, before);
        unmap(start.add(len), HUGE - before);
        // Refused where the kernel has no huge pages: then they are small.
        libc::madvise(start.cast(), len, libc::MADV_HUGEPAGE);
        NonNull::new(start)
    }
}

/// Gives so many bytes back.
///
/// # Safety
/// They are whole pages of a mapping, and nobody uses them.
unsafe fn unmap(start: *mut u8, len: usize) {
    if len > 0 {
        // SAFETY: the caller's promise.
        unsafe { libc::munmap(start.cast(), len) };
    }
}

/// The same bytes in a piece of another size; null: there is no room, and the piece stays as it was. It is moved from boundary to
/// boundary, because the kernel takes huge pages apart that come to stand anywhere else.
///
/// # Safety
/// `piece` has `old` bytes by [`reserve`]; both sizes are of whole huge pages.
unsafe fn resize(piece: *mut u8, old: usize, new: usize) -> *mut u8 {
    if new == old {
        return piece;
    }
    // SAFETY: the caller's promise; where it cannot be done in place nothing is changed.
    let in_place = unsafe { libc::mremap(piece.cast(), old, new, 0) };
    if in_place != libc::MAP_FAILED {
        return piece;
    }
    let Some(target) = reserve(new) else {
        return ptr::null_mut();
    };
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the target is a mapping of ours of this size, which nobody uses yet; it is replaced.
    let moved = unsafe { libc::mremap(piece.cast(), old, new, flags, target.as_ptr()) };
    if moved == libc::MAP_FAILED {
        // SAFETY: nobody has used it.
        unsafe { unmap(target.as_ptr(), new) };
        return ptr::null_mut();
    }
    moved.cast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A piece, with a byte written into each of its small pages.
    fn piece(size: usize) -> *mut u8 {
        let piece = unsafe { Allocator.alloc(layout(size)) };
        assert!(!piece.is_null());
        (0..size)
            .step_by(4096)
            .for_each(|at| unsafe { *piece.add(at) = (at / 4096) as u8 });
        piece
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 64).expect("a layout")
    }

    fn is_as_written(piece: *mut u8, size: usize) -> bool {
        (0..size)
            .step_by(4096)
            .all(|at| unsafe { *piece.add(at) } == (at / 4096) as u8)
    }

    #[test]
    fn a_piece_keeps_its_bytes_whatever_becomes_of_its_size() {
        let sizes = [
            100_000,
            3 << 20,
            HUGE_FROM,
            HUGE_FROM + 1,
            9 << 20,
            40 << 20,
            9 << 20,
            HUGE_FROM,
            5000,
        ];
        let mut one = piece(sizes[0]);
        // Somebody else behind it, so that it has to move.
        let other = piece(HUGE_FROM);
        for pair in sizes.windows(2) {
            let (old, new) = (pair[0], pair[1]);
            one = unsafe { Allocator.realloc(one, layout(old), new) };
            assert!(!one.is_null());
            assert!(is_as_written(one, old.min(new)), "{old} to {new}");
            assert!(new < HUGE_FROM || one.align_offset(HUGE) == 0, "{new}");
            (0..new)
                .step_by(4096)
                .for_each(|at| unsafe { *one.add(at) = (at / 4096) as u8 });
        }
        assert!(is_as_written(other, HUGE_FROM));
        unsafe {
            Allocator.dealloc(one, layout(sizes[8]));
            Allocator.dealloc(other, layout(HUGE_FROM));
        }
    }

    #[test]
    fn what_was_asked_for_as_zero_is_zero_after_others_were_there() {
        let size = 6 << 20;
        for _ in 0..3 {
            let zeros = unsafe { Allocator.alloc_zeroed(layout(size)) };
            let bytes = unsafe { std::slice::from_raw_parts_mut(zeros, size) };
            assert!(bytes.iter().all(|byte| *byte == 0));
            bytes.fill(7);
            unsafe { Allocator.dealloc(zeros, layout(size)) };
        }
    }

    #[test]
    fn huge_pages_are_asked_for_also_when_a_piece_has_moved() {
        let asks = |piece: *mut u8| {
            let maps = fs::read_to_string("/proc/self/smaps").expect("a list of mappings");
            let mut lines = maps.lines();
            let at = piece as usize;
            lines.find(|line| {
                let ends = line
                    .split_once(' ')
                    .and_then(|(ends, _)| ends.split_once('-'));
                let number = |text| usize::from_str_radix(text, 16).ok();
                ends.is_some_and(|(from, to)| {
                    number(from).is_some_and(|from| from <= at)
                        && number(to).is_some_and(|to| at < to)
                })
            });
            let flags = lines.find(|line| line.starts_with("VmFlags:"));
            flags
                .expect("flags of it")
                .split(' ')
                .any(|flag| flag == "hg")
        };
        if fs::metadata("/sys/kernel/mm/transparent_hugepage").is_err() {
            eprintln!("SKIPPED: this kernel has no transparent huge pages");
            return;
        }
        let first = piece(HUGE_FROM);
        assert!(asks(first));
        let moved = unsafe { Allocator.realloc(first, layout(HUGE_FROM), 64 << 20) };
        assert!(asks(moved) && is_as_written(moved, HUGE_FROM));
        unsafe { Allocator.dealloc(moved, layout(64 << 20)) };
    }
}
