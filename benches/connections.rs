//! Live connections by the ten thousand: how fast they come to stand and what the fabric keeps for each, beside the same
//! through the kernel's own translation: `cargo bench --bench connections`.
//!
//! Clients with explicit source ports (the kernel's own choice of the last free ports is what it is, on both ways) connect
//! to one port, and a server accepts and holds. Once they cross an emulated network balancer between TUN devices, once a
//! router with veth pairs, an nftables DNAT and conntrack; rounds of both alternate and the median counts. Threads have the
//! scheduler's policy that programs have there: in a lab the one that gives way to the fabric. Sockets are
//! spread over threads with tables of descriptors of their own, as RLIMIT_NOFILE may be lower than what is held.
//! Memory is what the process has grown by, which includes the fabric, whose records of packets are limited to few here,
//! and neither the kernel's sockets nor the bench's own lists, which are there before. It needs what labs need, `ip` and `nft`. Numbers as arguments are other sizes; with
//! `BENCH_JSON` the rows go into that file.

use hairpin::cli::allocator::{Allocator, keep_large_apart};
use hairpin::plan::{self, HostId, Plan};
use hairpin::world::builders::Site;
use hairpin::world::namespace::{Namespace, Place};
use hairpin::world::program::give_way_when_woken;
use hairpin::world::{World, socket, supervise};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, getpeername, socket as new_socket,
};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// As the program's.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Connections held at once.
const SIZES: [usize; 2] = [55_000, 200_000];
const ROUNDS: usize = 3;
/// Explicit source ports of one client.
const PORTS: usize = 50_000;
const FIRST_PORT: usize = 10_000;
/// Sockets of one thread.
const HELD: usize = 15_000;
/// Connections of one thread that are under way at once.
const WINDOW: usize = 64;
/// Longer than this nothing waits.
const LIMIT: Duration = Duration::from_secs(60);
/// Packets that the fabric keeps records of.
const RECORDS: usize = 1_000;

/// The router's rules.
const RULES: &str = "nft -f - <<RULES
table ip lab {
  chain pre {
    type nat hook prerouting priority dstnat
    ip daddr 10.99.0.80 tcp dport 80 dnat to 10.99.1.2
  }
}
RULES
";

/// What one round came to.
#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    bytes_each: f64,
}

/// Where a round happens: clients with their namespaces, whom they dial, and the server's listening socket.
struct Scene {
    clients: Vec<Place>,
    /// What each thread does first.
    begin: fn(),
    to: SocketAddrV4,
    listener: TcpListener,
}

fn main() {
    // As the program does.
    keep_large_apart();
    let asked: Vec<usize> = std::env::args().flat_map(|word| word.parse()).collect();
    let sizes = if asked.is_empty() {
        SIZES.to_vec()
    } else {
        asked
    };
    let status = supervise::enter(|_| {
        raise_limit();
        measure(&sizes);
        0
    });
    match status {
        Ok(0) => {}
        Ok(status) => std::process::exit(status.into()),
        Err(error) => {
            eprintln!("this machine cannot run labs: {error}");
            std::process::exit(3);
        }
    }
}

fn measure(sizes: &[usize]) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!(
        "{:>8} {:>14} {:>14} {:>7} {:>12}",
        "held", "fabric conn/s", "kernel conn/s", "ratio", "bytes/flow"
    );
    let mut rows = Vec::new();
    for held in sizes {
        let (mut fabric, mut kernel) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            fabric.push(runtime.block_on(through_fabric(*held)));
            kernel.push(runtime.block_on(through_kernel(*held)));
        }
        let rate = |rounds: &[Round]| median(rounds.iter().map(|round| round.per_second));
        let bytes = median(fabric.iter().map(|round| round.bytes_each));
        let (fabric, kernel) = (rate(&fabric), rate(&kernel));
        println!(
            "{held:>8} {fabric:>14.0} {kernel:>14.0} {:>7.2} {bytes:>12.0}",
            fabric / kernel
        );
        rows.push(serde_json::json!({
            "held": held, "fabric_per_s": fabric, "kernel_per_s": kernel, "ratio": fabric / kernel, "bytes_per_flow": bytes,
        }));
    }
    runtime.shutdown_background();
    if let Ok(file) = std::env::var("BENCH_JSON") {
        let report = serde_json::json!({ "bench": "connections", "rows": rows });
        fs::write(&file, format!("{report:#}\n")).expect("the file of BENCH_JSON can be written");
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn through_fabric(held: usize) -> Round {
    let plan = plan_of(held.div_ceil(PORTS));
    let world = World::build(&plan, held, None).await.expect("a world");
    let mut clients = Vec::new();
    for host in &world.hosts()[1..] {
        clients.push(host.namespace.place().await);
    }
    let zonal = &plan.fabric.balancers[0].zonal[0];
    let to = SocketAddrV4::new(zonal.private, 80);
    let server = &world.host(HostId(0)).namespace;
    let scene = Scene {
        clients,
        begin: give_way_when_woken,
        to,
        listener: listener(server),
    };
    let round = scene.hold(held);
    // The next one measures its own growth; what goes of this one late would be taken off that.
    thread::spawn(move || drop(world))
        .join()
        .expect("a world goes");
    round
}

/// One server, and clients that dial an internal network balancer before it.
fn plan_of(clients: usize) -> Plan {
    let text = format!(
        "title: connections\nhosts:\n  web: {{ zone: a, serve: {{ 80: echo }} }}\n  client: {{ zone: a, count: {clients} }}\n\
         target_groups:\n  web: {{ targets: [web] }}\nload_balancers:\n  front: {{ scheme: internal, zones: [a], listeners: {{ 80: web }} }}\n\
         steps:\n  - connect: {{ as: one, from: client-1, to: front }}\nworks: [one.ok]\ncases:\n  only: {{ kind: control }}\n"
    );
    let mut plans = plan::read(text.as_bytes(), "bench/connections.yaml")
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut plan = plans.remove(0);
    plan.fabric.record_limit = RECORDS;
    plan
}

/// The same with a router that translates in the kernel.
async fn through_kernel(held: usize) -> Round {
    let bare = |name: &str| {
        let (namespace, made) = Site::one(name, held, || Ok(())).expect("a namespace");
        made.wait().expect("a namespace");
        namespace
    };
    let (router, web) = (bare("router"), bare("web"));
    let clients: Vec<Namespace> = (0..held.div_ceil(PORTS)).map(|_| bare("client")).collect();
    let mut script = format!(
        "ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward\n{}",
        wire(0, thread_of(&web.place().await))
    );
    let mut places = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        let place = client.place().await;
        script.push_str(&wire(number + 1, thread_of(&place)));
        places.push(place);
    }
    script.push_str(RULES);
    router.run(move || sh(&script));
    for (number, namespace) in std::iter::once(&web).chain(&clients).enumerate() {
        let net = number + 1;
        let script = format!(
            "ip link set lo up; ip addr add 10.99.{net}.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.99.{net}.1"
        );
        namespace.run(move || sh(&script));
    }
    let scene = Scene {
        clients: places,
        begin: || {},
        to: "10.99.0.80:80".parse().expect("an address"),
        listener: listener(&web),
    };
    scene.hold(held)
}

/// A veth pair from the router to the namespace of a thread.
fn wire(number: usize, thread: String) -> String {
    let net = number + 1;
    format!(
        "ip link add v{number} type veth peer name eth0 netns {thread}; ip addr add 10.99.{net}.1/24 dev v{number}; ip link set v{number} up\n"
    )
}

fn thread_of(place: &Place) -> String {
    let path = place.path();
    path.split('/')
        .nth(4)
        .expect("a thread's number")
        .to_owned()
}

/// Runs a script in the namespace of the calling thread.
fn sh(script: &str) {
    let mut child = Command::new("sh")
        .args(["-e"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(script.as_bytes()).expect("sh reads");
    drop(input);
    assert!(child.wait().expect("sh ends").success(), "{script}");
}

fn listener(server: &Namespace) -> TcpListener {
    let like: SocketAddr = "0.0.0.0:80".parse().expect("an address");
    socket::listener(server, like, 4096).expect("port 80")
}

impl Scene {
    /// Opens so many connections and holds them all.
    fn hold(self, held: usize) -> Round {
        let accepted = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let openers: Vec<(Place, usize, usize)> = shares(held, &self.clients);
        let start = Arc::new(Barrier::new(openers.len() + 1));
        let held_by_servers = Arc::new(AtomicUsize::new(0));
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        let acceptors = held.div_ceil(HELD) + 1;
        for turn in 0..acceptors {
            let listener = self.listener.try_clone().expect("a descriptor");
            let (accepted, over) = (Arc::clone(&accepted), Arc::clone(&over));
            let ready = Arc::clone(&held_by_servers);
            threads.push(thread::spawn(move || {
                (self.begin)();
                accept(&listener, turn * HELD, &ready, &accepted, &over)
            }));
        }
        while held_by_servers.load(Ordering::Acquire) < acceptors {
            thread::yield_now();
        }
        let opened = Arc::new(AtomicUsize::new(0));
        for (place, first, count) in openers {
            let (start, over, opened) =
                (Arc::clone(&start), Arc::clone(&over), Arc::clone(&opened));
            let to = self.to;
            threads.push(thread::spawn(move || {
                (self.begin)();
                split_table();
                let door = File::open(place.path()).expect("a namespace");
                setns(&door, CloneFlags::CLONE_NEWNET).expect("a way into it");
                let mut held = list(count);
                // Once to say that the list is there, once to begin.
                start.wait();
                start.wait();
                open(to, first, &mut held, &opened);
                wait_for(|| over.load(Ordering::Acquire));
                drop(held);
            }));
        }
        start.wait();
        let before = resident();
        start.wait();
        let began = Instant::now();
        wait_for(|| {
            opened.load(Ordering::Acquire) == held && accepted.load(Ordering::Acquire) >= held
        });
        let took = began.elapsed().as_secs_f64();
        let grown = resident().saturating_sub(before);
        over.store(true, Ordering::Release);
        for thread in threads {
            thread.join().expect("a thread of the bench");
        }
        Round {
            per_second: held as f64 / took,
            bytes_each: grown as f64 / held as f64,
        }
    }
}

/// Which client opens how many connections from which port on, for each thread.
fn shares(held: usize, clients: &[Place]) -> Vec<(Place, usize, usize)> {
    let mut shares = Vec::new();
    let mut left = held;
    for place in clients {
        let mut own = left.min(PORTS);
        left -= own;
        let mut port = FIRST_PORT;
        while own > 0 {
            let count = own.min(HELD);
            shares.push((*place, port, count));
            port += count;
            own -= count;
        }
    }
    shares
}

/// Accepts and holds until all is over. Each waits for its turn, until `accepted` says that those before it hold all that
/// they may: of several that wait for one listener, every connection would wake all.
fn accept(
    listener: &TcpListener,
    before: usize,
    ready: &AtomicUsize,
    accepted: &AtomicUsize,
    over: &AtomicBool,
) {
    split_table();
    let mut held: Vec<Option<TcpStream>> = list(HELD);
    let mut places = held.iter_mut();
    ready.fetch_add(1, Ordering::AcqRel);
    while !over.load(Ordering::Acquire) {
        if accepted.load(Ordering::Acquire) < before || places.len() == 0 {
            thread::sleep(Duration::from_millis(1));
            continue;
        }
        match listener.accept() {
            Ok((stream, _)) => {
                let place = places.next().expect("room, as was seen");
                *place = Some(stream);
                accepted.fetch_add(1, Ordering::AcqRel);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut one = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
                poll(&mut one, PollTimeout::from(5u8)).expect("poll");
            }
            Err(error) => panic!("accept: {error}"),
        }
    }
}

/// A list of so many places, all of them written, so that its memory is there before anything is measured.
fn list<T>(count: usize) -> Vec<Option<T>> {
    std::iter::repeat_with(|| None).take(count).collect()
}

/// Opens connections from explicit ports, a window at a time.
fn open(to: SocketAddrV4, first: usize, held: &mut [Option<OwnedFd>], opened: &AtomicUsize) {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let to = SockaddrIn::from(to);
    let mut port = first;
    for window in held.chunks_mut(WINDOW) {
        for place in &mut *window {
            let fd =
                new_socket(AddressFamily::Inet, SockType::Stream, flags, None).expect("a socket");
            bind(fd.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, port as u16)).expect("a port");
            let begun = connect(fd.as_raw_fd(), &to);
            assert!(
                matches!(begun, Ok(()) | Err(Errno::EINPROGRESS)),
                "{begun:?}"
            );
            *place = Some(fd);
            port += 1;
        }
        // The last is waited for first: then most of the others stand.
        for fd in window.iter().rev().flatten() {
            if getpeername::<SockaddrIn>(fd.as_raw_fd()) == Err(Errno::ENOTCONN) {
                let mut one = [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)];
                let limit = PollTimeout::try_from(LIMIT).expect("a minute");
                poll(&mut one, limit).expect("poll");
                getpeername::<SockaddrIn>(fd.as_raw_fd()).expect("a connection stands in time");
            }
        }
        opened.fetch_add(window.len(), Ordering::AcqRel);
    }
}

/// This thread's descriptors are its own from here on.
fn split_table() {
    unshare(CloneFlags::CLONE_FILES).expect("a table of descriptors");
}

fn wait_for(mut fact: impl FnMut() -> bool) {
    let until = Instant::now() + LIMIT;
    while !fact() {
        assert!(Instant::now() < until, "not done after {LIMIT:?}");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Memory of this process, bytes.
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").expect("/proc");
    let pages: usize = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number of pages");
    pages * 4096
}

fn raise_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");
}
