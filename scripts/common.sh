# Shared by the scripts beside it: finds cargo (under sudo too) and installs the few system packages that are missing.
# To be sourced; the sourcing script has done `set -eu` and stands in the project's folder.

say() { printf '%s\n' "== $*" >&2; }

# Under sudo the toolchain is usually the calling user's: use it, and give what was built back to that user.
use_cargo() {
    if [ "$(id -u)" = 0 ] && [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
        user_home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
        if [ -x "$user_home/.cargo/bin/cargo" ]; then
            export CARGO_HOME="${CARGO_HOME:-$user_home/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$user_home/.rustup}"
            PATH="$user_home/.cargo/bin:$PATH"
        fi
        trap give_back EXIT
        # Some shells (dash) leave out the trap of EXIT when a signal ends them.
        trap 'exit 129' HUP
        trap 'exit 130' INT
        trap 'exit 143' TERM
    fi
    [ -x "${HOME:-}/.cargo/bin/cargo" ] && PATH="$HOME/.cargo/bin:$PATH"
    export PATH
    if ! command -v cargo >/dev/null; then
        say "cargo is not installed: see https://rustup.rs"
        exit 3
    fi
}

# What root built and fetched becomes the calling user's.
give_back() {
    for folder in target "${CARGO_TARGET_DIR:-target}" "${CARGO_HOME:-$user_home/.cargo}/registry"; do
        chown -R "$SUDO_USER" "$folder" 2>/dev/null || true
    done
}

# need PROGRAM PACKAGE...: installs the packages when the program is not there.
need() {
    program=$1
    shift
    PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null && return 0
    say "installing $* (for $program)"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        as_root=sudo
        command -v sudo >/dev/null || { say "please install as root: apt-get install $*"; exit 3; }
    fi
    $as_root env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends "$@"' sh "$@" >&2
}

# need_unpacked PROGRAM PACKAGE: as `need`, for a package that would start a service when installed. It is unpacked into
# target/programs, with the libraries that are missing here, and a script of the program's name goes first on the path.
need_unpacked() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null && return 0
    folder=$PWD/target/programs/$2
    if [ ! -x "$folder/run/$1" ]; then
        say "unpacking $2 (for $1)"
        need_package_lists
        mkdir -p "$folder/partial" "$folder/run"
        (
            cd "$folder"
            apt-get -qq -y --no-install-recommends --download-only -o APT::Sandbox::User=root -o Dir::Cache::archives="$folder" install "$2" >&2
            for package in *.deb; do dpkg-deb -x "$package" .; done
        )
        binary=$(find "$folder/usr" -path "*bin/$1" | head -n 1)
        [ -n "$binary" ] || { say "there is no $1 in the package $2"; exit 3; }
        libraries=$(find "$folder/usr/lib" -maxdepth 1 -mindepth 1 -type d | tr '\n' ':')
        printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$(quoted "$libraries")" "$(quoted "$binary")" > "$folder/run/$1"
        chmod +x "$folder/run/$1"
    fi
    PATH="$folder/run:$PATH"
}

# One word for a shell, whatever is in it.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

# What apt-get needs to find a package that is only to be unpacked; a fresh machine may not have it.
need_package_lists() {
    ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 && return 0
    [ "$(id -u)" = 0 ] && apt-get -qq update >&2 || true
}

# The device that every lab needs; present wherever the module is loaded.
need_tun() {
    [ -e /dev/net/tun ] && return 0
    if [ "$(id -u)" = 0 ]; then
        modprobe tun 2>/dev/null || true
        [ -e /dev/net/tun ] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200 && chmod 0666 /dev/net/tun; } || true
    fi
}
