//! What a process has from whoever started it and cannot leave as it is.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Signals as this program goes by them. Handlers are not handed down to programs of labs as ignoring would be: exec(2) gives
/// them the default.
pub fn settle() {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // Where they were ignored, the kernel tells nobody of children that end.
    set(Signal::SIGCHLD, SigHandler::SigDfl);
    // A file that would be larger than is allowed (`ulimit -f`) is an error of whoever writes it.
    set(Signal::SIGXFSZ, SigHandler::Handler(nothing));
}

fn set(signal: Signal, handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler touches nothing, and there is no other thread.
    let set = unsafe { sigaction(signal, &action) };
    debug_assert!(set.is_ok(), "these signals can be handled");
}
