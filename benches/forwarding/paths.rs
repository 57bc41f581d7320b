//! The ways between the two: through hairpin's emulated balancer, through the kernel's own NAT, through a real proxy.

use super::peer::Figures;
use std::fmt::Write;
use std::path::{Path as File, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The port that the server listens on, and the balancer.
const PORT: u16 = 5000;
/// The server's second port, for the event-driven client.
const EVENTS: u16 = PORT + 1;

/// A way from the client to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Two veth pairs and a namespace between them, DNAT by nftables with conntrack: the reference.
    KernelDnat,
    /// The emulated NLB with client IP preservation.
    Preserved,
    /// The emulated NLB without: addresses and ports are translated both ways.
    Translated,
    /// As [`Path::Preserved`], with every packet captured into files.
    Captured,
    /// The two veth pairs, and HAProxy in TCP mode in between.
    Haproxy,
}

impl Path {
    /// In the order in which a round goes through them, the reference first.
    pub const ALL: [Self; 5] = [
        Self::KernelDnat,
        Self::Preserved,
        Self::Translated,
        Self::Captured,
        Self::Haproxy,
    ];

    /// As tables print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KernelDnat => "veth + nftables DNAT",
            Self::Preserved => "hairpin NLB, preserved",
            Self::Translated => "hairpin NLB, translated",
            Self::Captured => "hairpin NLB, captured",
            Self::Haproxy => "HAProxy, TCP mode",
        }
    }

    /// One round. None when a program that it needs is not there. `congestion`: what streams have, empty for the machine's.
    pub fn measure(self, mtu: u32, time: Duration, congestion: &str) -> Option<Figures> {
        let result = scratch(&format!("{self:?}-{mtu}.json"));
        // There may be none.
        let _ = std::fs::remove_file(&result);
        let words = format!("{} {} {congestion}", time.as_millis(), result.display());
        match self {
            Self::KernelDnat if !there("nft") => return None,
            Self::Haproxy if !there("haproxy") => return None,
            Self::KernelDnat | Self::Haproxy => self.by_the_kernel(mtu, &words, &result),
            Self::Preserved | Self::Translated | Self::Captured => {
                self.by_hairpin(mtu, &words);
            }
        }
        let text = std::fs::read_to_string(&result).expect("the client wrote its figures");
        Some(serde_json::from_str(&text).expect("figures"))
    }

    /// In namespaces of its own that go with the script's processes.
    fn by_the_kernel(self, mtu: u32, words: &str, result: &File) {
        let mut script = String::from("set -e; mount -t tmpfs tmpfs /run; ip link set lo up\n");
        for (host, own, far) in [
            ("client", "10.1.0.2", "10.1.0.1"),
            ("server", "10.2.0.2", "10.2.0.1"),
        ] {
            writeln!(
                script,
                "ip netns add {host}; ip link add to-{host} type veth peer name eth0 netns {host}
                 ip link set to-{host} mtu {mtu} up; ip addr add {far}/24 dev to-{host}
                 ip -n {host} link set lo up; ip -n {host} link set eth0 mtu {mtu} up
                 ip -n {host} addr add {own}/24 dev eth0; ip -n {host} route add default via {far}"
            )
            .expect("a string takes everything");
        }
        match self {
            Self::Haproxy => {
                let file = scratch("haproxy.cfg");
                std::fs::write(&file, haproxy()).expect("a configuration");
                writeln!(script, "haproxy -db -q -f {} & proxy=$!", file.display())
            }
            Self::KernelDnat | Self::Preserved | Self::Translated | Self::Captured => {
                writeln!(
                    script,
                    "sysctl -qw net.ipv4.ip_forward=1
                     nft 'table ip t {{ chain p {{ type nat hook prerouting priority -100; tcp dport {{ {PORT}, {EVENTS} }} dnat to 10.2.0.2; }}; }}'"
                )
            }
        }
        .expect("a string takes everything");
        let this = this();
        writeln!(
            script,
            "ip netns exec server {this} peer serve {PORT} & server=$!
             ip netns exec server {this} peer serve-by-events {EVENTS} & events=$!
             ip netns exec client {this} peer measure 10.1.0.1:{PORT} {words}
             kill $server $events $proxy"
        )
        .expect("a string takes everything");
        let output = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child"])
            .args(["sh", "-c", &script])
            .env("PATH", path())
            .output()
            .expect("unshare starts");
        assert!(
            result.exists(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// In a lab of one client, one server and the balancer between them, all in the VPC: on the way from the internet packets have
    /// 1,500 bytes at most. Its ports are given out again at once: it is not AWS's
    /// limit of 55,000 connections a minute that is measured.
    fn by_hairpin(self, mtu: u32, words: &str) {
        let preserve = self != Self::Translated;
        let this = this();
        let lab = format!(
            "title: Forwarding\nhosts:\n  client: {{ zone: a, mtu: {mtu} }}\n  server: {{ zone: a, mtu: {mtu}, serve: {{ {PORT}: {{ command: \"exec {this} peer serve {PORT}\" }}, {EVENTS}: {{ command: \"exec {this} peer serve-by-events {EVENTS}\" }} }} }}\n\
             target_groups:\n  threads: {{ targets: [server], port: {PORT}, attributes: {{ preserve_client_ip.enabled: {preserve} }} }}\n\
             \x20 events: {{ targets: [server], port: {EVENTS}, attributes: {{ preserve_client_ip.enabled: {preserve} }} }}\n\
             load_balancers:\n  front: {{ scheme: internal, zones: [a], listeners: {{ {PORT}: threads, {EVENTS}: events }}, emulate: {{ port_reuse: 0s }} }}\n\
             steps:\n  - run: {{ as: traffic, on_host: client, command: \"{this} peer measure front:{PORT} {words}\", timeout: 60s }}\n\
             works:\n  - traffic.exit_code == 0\ncases:\n  only: {{ kind: control }}\n"
        );
        let lab_file = scratch(&format!("{self:?}-{mtu}.yaml"));
        std::fs::write(&lab_file, lab).expect("a lab file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hairpin"));
        command.arg("run").arg(&lab_file);
        if self == Self::Captured {
            command.arg(format!("--capture={}", scratch("captures").display()));
        }
        let output = command.output().expect("the binary starts");
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// As many threads as HAProxy takes by itself.
fn haproxy() -> String {
    format!(
        "global\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         listen threads\n  bind :{PORT}\n  server s 10.2.0.2:{PORT}\n\
         listen events\n  bind :{EVENTS}\n  server s 10.2.0.2:{EVENTS}\n"
    )
}

/// Programs of administrators are not on everybody's path.
fn path() -> String {
    let own = std::env::var("PATH").unwrap_or_default();
    format!("{own}:/usr/sbin:/sbin")
}

fn there(program: &str) -> bool {
    std::env::split_paths(&path()).any(|folder| folder.join(program).exists())
}

fn this() -> String {
    let this = std::env::current_exe().expect("this program's file");
    this.display().to_string()
}

fn scratch(name: &str) -> PathBuf {
    File::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
