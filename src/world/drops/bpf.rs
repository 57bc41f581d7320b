//! The program that counts, instruction by instruction, and the system call that puts it in place.
//!
//! Encoding: RFC 9669. Numbers of commands and helpers: Linux `include/uapi/linux/bpf.h`.

use super::btf::Layout;
use nix::errno::Errno;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Inode number of a network namespace.
pub type Key = u32;

/// One instruction.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u8,
    /// Source in the upper half, destination in the lower.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP: libc::c_int = 1;
const MAP_UPDATE: libc::c_int = 2;
const MAP_DELETE: libc::c_int = 3;
const PROG_LOAD: libc::c_int = 5;
const RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const HASH: u32 = 1;
/// Memory for an entry is taken when it is made.
const NO_PREALLOC: u32 = 1;
const RAW_TRACEPOINT: u32 = 17;
/// Namespaces of running cases at a time, of a process: those of four of the largest labs. Where one more has no place, it is told.
pub const ENTRIES: u32 = 16_384;
/// `bpf_probe_read_kernel` may be called by programs that say that they are free.
const LICENSE: &std::ffi::CStr = c"Dual MIT/GPL";

const LOOKUP: i32 = 1;
const PROBE_READ_KERNEL: i32 = 113;

/// Places on the stack: a pointer, the key.
const POINTER: i16 = -8;
const KEY: i16 = -16;
/// The frame pointer.
const FRAME: u8 = 10;

fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    let registers = if cfg!(target_endian = "little") {
        from << 4 | to
    } else {
        to << 4 | from
    };
    Instruction {
        code,
        registers,
        offset,
        immediate,
    }
}

fn set(to: u8, immediate: i32) -> Instruction {
    instruction(0xb7, to, 0, 0, immediate)
}

fn copy(to: u8, from: u8) -> Instruction {
    instruction(0xbf, to, from, 0, 0)
}

fn add(to: u8, immediate: i32) -> Instruction {
    instruction(0x07, to, 0, 0, immediate)
}

/// `to = *(u64 *)(from + offset)`
fn load_long(to: u8, from: u8, offset: i16) -> Instruction {
    instruction(0x79, to, from, offset, 0)
}

fn call(helper: i32) -> Instruction {
    instruction(0x85, 0, 0, 0, helper)
}

/// Skips so many instructions when the register is not 0.
fn skip_if_some(register: u8, count: i16) -> Instruction {
    instruction(0x55, register, 0, count, 0)
}

fn skip_if_none(register: u8, count: i16) -> Instruction {
    instruction(0x15, register, 0, count, 0)
}

fn skip(count: i16) -> Instruction {
    instruction(0x05, 0, 0, count, 0)
}

/// Copies `size` bytes from the kernel's `*(register + offset)` to a place on the stack; zeros when it cannot be read.
/// Six instructions.
fn fetch(place: i16, size: i32, register: u8, offset: i32) -> [Instruction; 6] {
    [
        copy(1, FRAME),
        add(1, place.into()),
        set(2, size),
        copy(3, register),
        add(3, offset),
        call(PROBE_READ_KERNEL),
    ]
}

/// Where the reason's count is among those of a namespace, into the ninth register. Five instructions.
fn place_of_reason(others: u32) -> [Instruction; 5] {
    [
        load_long(1, 6, 16),
        // `w9 = w1`: it has 32 bits.
        instruction(0xbc, 9, 1, 0, 0),
        // Skips one when it is smaller.
        instruction(0xa5, 9, 0, 1, others.cast_signed()),
        set(9, others.cast_signed()),
        // `r9 *= 8`
        instruction(0x67, 9, 0, 0, 3),
    ]
}

/// Counts a packet by the reason, where its namespace has an entry. Arguments of the tracepoint, eight bytes each: packet, place,
/// reason, socket.
pub fn program(map: &OwnedFd, layout: &Layout) -> Vec<Instruction> {
    let map = map.as_raw_fd();
    let mut code = vec![copy(6, 1), load_long(8, 6, 0)];
    // The socket first: while a packet waits in a socket's queue, `dev` is used for something else.
    code.push(match layout.has_socket {
        true => load_long(7, 6, 24),
        false => set(7, 0),
    });
    code.push(skip_if_some(7, 8));
    code.extend(fetch(POINTER, 8, 8, layout.skb_sk));
    code.push(load_long(7, FRAME, POINTER));
    code.push(skip_if_none(7, 7));
    // Here with a socket.
    code.extend(fetch(POINTER, 8, 7, layout.sock_net));
    code.push(skip(13));
    // Here without.
    code.extend(fetch(POINTER, 8, 8, layout.skb_dev));
    code.push(load_long(7, FRAME, POINTER));
    code.extend(fetch(POINTER, 8, 7, layout.dev_net));
    // Here with the namespace, or with 0, of which nothing can be read.
    code.push(load_long(7, FRAME, POINTER));
    code.extend(fetch(KEY, 4, 7, layout.net_inum));
    code.extend(place_of_reason(layout.others()));
    // The map, marked as a descriptor; two long.
    code.push(instruction(0x18, 1, 1, 0, map));
    code.push(instruction(0, 0, 0, 0, 0));
    code.extend([copy(2, FRAME), add(2, KEY.into()), call(LOOKUP)]);
    // Nobody follows this namespace.
    code.push(skip_if_none(0, 3));
    // `r0 += r9`
    code.push(instruction(0x0f, 0, 9, 0, 0));
    code.push(set(1, 1));
    // `lock *(u64 *)r0 += r1`
    code.push(instruction(0xdb, 0, 1, 0, 0));
    code.push(set(0, 0));
    code.push(instruction(0x95, 0, 0, 0, 0));
    code
}

/// The system call with the attributes that a command takes, zeros behind them.
fn bpf(command: libc::c_int, attributes: &mut [u64; 16]) -> Result<libc::c_long, Errno> {
    // SAFETY: the kernel reads and writes at most the array; what it points to outlives the call (see the callers).
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes.as_mut_ptr(),
            size_of_val(attributes),
        )
    };
    Errno::result(result)
}

fn descriptor(result: libc::c_long) -> OwnedFd {
    // SAFETY: a descriptor that the kernel has just made and nobody else has.
    unsafe { OwnedFd::from_raw_fd(result as RawFd) }
}

/// Two fields of four bytes each.
fn pair(first: u32, second: u32) -> u64 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}

/// An empty map from [`Key`] to so many counts.
pub fn map(counts: usize) -> Result<OwnedFd, Errno> {
    let mut attributes = [0; 16];
    attributes[0] = pair(HASH, size_of::<Key>() as u32);
    attributes[1] = pair((counts * size_of::<u64>()) as u32, ENTRIES);
    attributes[2] = pair(NO_PREALLOC, 0);
    bpf(MAP_CREATE, &mut attributes).map(descriptor)
}

/// Gives a key these counts; E2BIG when the map is full.
pub fn put(map: &OwnedFd, key: Key, counts: &[u64]) -> Result<(), Errno> {
    on_entry(MAP_UPDATE, map, key, counts.as_ptr() as u64)
}

/// Fills in a key's counts, as many as the map has for each.
pub fn get(map: &OwnedFd, key: Key, counts: &mut [u64]) -> Result<(), Errno> {
    on_entry(MAP_LOOKUP, map, key, counts.as_mut_ptr() as u64)
}

/// Takes a key out.
pub fn remove(map: &OwnedFd, key: Key) -> Result<(), Errno> {
    on_entry(MAP_DELETE, map, key, 0)
}

fn on_entry(command: libc::c_int, map: &OwnedFd, key: Key, counts: u64) -> Result<(), Errno> {
    let mut attributes = [0; 16];
    attributes[0] = pair(map.as_raw_fd() as u32, 0);
    attributes[1] = (&raw const key) as u64;
    attributes[2] = counts;
    bpf(command, &mut attributes).map(drop)
}

/// Gives the program to the kernel, which proves it first.
pub fn load(code: &[Instruction]) -> Result<OwnedFd, Errno> {
    let mut attributes = [0; 16];
    attributes[0] = pair(RAW_TRACEPOINT, code.len() as u32);
    attributes[1] = code.as_ptr() as u64;
    attributes[2] = LICENSE.as_ptr() as u64;
    bpf(PROG_LOAD, &mut attributes).map(descriptor)
}

/// Puts the program on the tracepoint, where it stays as long as the descriptor.
pub fn attach(program: &OwnedFd) -> Result<OwnedFd, Errno> {
    let mut attributes = [0; 16];
    attributes[0] = c"kfree_skb".as_ptr() as u64;
    attributes[1] = pair(program.as_raw_fd() as u32, 0);
    bpf(RAW_TRACEPOINT_OPEN, &mut attributes).map(descriptor)
}
