//! Labs without root: the runner makes a user namespace and needs nothing else but the TUN device.

mod common;

use common::{can_run_labs, everything};
use std::process::Command;

/// Becomes `nobody` in a mount namespace where the device is open to users, as distributions ship it.
const SCRIPT: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs /mnt
mknod /mnt/tun c 10 200
chmod 0666 /mnt/tun
mount --bind /mnt/tun /dev/net/tun
cp "$1" /mnt/hairpin
cp -r "$2" /mnt/labs
chmod -R a+rX /mnt
cd /mnt
mkdir /mnt/state
chown 65534:65534 /mnt/state
export XDG_RUNTIME_DIR=/mnt/state
exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs sh -ec "$3"
"#;

#[test]
fn labs_run_as_an_ordinary_user() {
    as_nobody("./hairpin run nlb/source-port-collision nlb/loopback-timeout");
}

#[test]
fn a_lab_is_worked_by_hand_as_an_ordinary_user() {
    as_nobody(
        "./hairpin up nlb/source-port-collision --name web
         ./hairpin do web old 2
         test \"$(./hairpin exec web client -- bash -c 'exec 3<>/dev/tcp/front/80; echo hi >&3; head -c2 <&3')\" = hi
         ./hairpin capture web | grep -q 'step old'
         ./hairpin down web
         test -z \"$(ls /mnt/state/hairpin)\"",
    );
}

#[test]
fn where_few_threads_are_allowed_that_is_said() {
    as_nobody(
        "for limit in 6 12 16 18 20 21 22 23 24 28 40; do
             for words in 'run nlb/source-port-collision/another-client' doctor; do
                 status=0
                 timeout -k 1 50 prlimit --nproc=$limit ./hairpin $words > /mnt/state/said 2>&1 || status=$?
                 case $status in 0|3) ;; *) echo \"$limit: $status\"; cat /mnt/state/said; exit 1 ;; esac
                 if grep panicked /mnt/state/said; then cat /mnt/state/said; exit 1; fi
             done
         done",
    );
}

/// Runs shell text that must succeed.
fn as_nobody(text: &str) {
    if !can_run_labs() {
        return;
    }
    // SAFETY: a plain system call.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!(
            "SKIPPED: only root can become another user; as an ordinary user every other test is this test"
        );
        return;
    }
    let labs = concat!(env!("CARGO_MANIFEST_DIR"), "/labs");
    let output = Command::new("unshare")
        .args([
            "--mount",
            "sh",
            "-c",
            SCRIPT,
            "sh",
            env!("CARGO_BIN_EXE_hairpin"),
            labs,
            text,
        ])
        .env("NO_COLOR", "1")
        .output()
        .expect("util-linux is there");
    assert_eq!(output.status.code(), Some(0), "{}", everything(&output));
}
