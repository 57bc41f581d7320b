//! The proxy with invented surroundings, and targets that say what a test wants them to.

use super::*;

/// Long enough for a machine that does other things.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// None of them ends anything while a test is patient.
pub const LIMITS: Limits = Limits {
    idle: Duration::from_secs(60),
    client_keep_alive: Some(Duration::from_secs(60)),
    connect: Duration::from_secs(5),
    retry: None,
};

/// Targets that are there, in turn, and everything that was counted.
pub struct Fake {
    pub targets: Vec<SocketAddrV4>,
    pub turn: AtomicUsize,
    pub told: Arc<Mutex<Vec<Event>>>,
    /// Who got which answer of the proxy's own.
    pub own: Arc<Mutex<Vec<(SocketAddrV4, u16)>>>,
    pub connects: bool,
    /// How many more may wait.
    pub room: Arc<AtomicUsize>,
    pub limits: Limits,
    pub forwarded_for: ForwardedFor,
    pub gone: watch::Receiver<bool>,
    pub tasks: Arc<Tasks>,
    /// How many clients are over.
    pub left: AtomicUsize,
}

/// A place among those that wait.
pub struct Place(pub Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Surroundings for Fake {
    type Waits = Place;

    /// A cookie is the port of a target.
    fn bound(&self, headers: &HeaderMap) -> Option<SocketAddrV4> {
        let port = headers.get(COOKIE)?.to_str().ok()?.parse().ok()?;
        Some(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
    }

    fn binds(&self, choice: Choice, bound: Option<SocketAddrV4>) -> Option<HeaderValue> {
        let address = choice.address;
        (bound != Some(address)).then(|| address.port().into())
    }

    async fn choose(
        &self,
        _: &Outstanding,
        bound: Option<SocketAddrV4>,
        tried: &[usize],
    ) -> Option<Choice> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let wanted = self.targets.iter().position(|one| Some(*one) == bound);
        let untried: Vec<usize> = (0..self.targets.len())
            .filter(|target| !tried.contains(target))
            .collect();
        // Whoever tries again has another turn, and is not helped by it.
        let first = match tried {
            [] if self.limits.retry.is_none() => turn.checked_rem(untried.len())?,
            _ => 0,
        };
        let target = wanted.or_else(|| untried.get(first).copied())?;
        Some(Choice {
            group: GroupId(0),
            target,
            address: self.targets[target],
            fail_open: false,
            cookie: None,
        })
    }

    async fn connect(&self, target: SocketAddrV4) -> io::Result<TcpStream> {
        if !self.connects {
            std::future::pending::<()>().await;
        }
        TcpStream::connect(target).await
    }

    fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }

    async fn gone(&self, _: Choice) {
        let mut gone = self.gone.clone();
        if gone.wait_for(|gone| *gone).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn wait(&self) -> Option<Place> {
        let one_less = |room: usize| room.checked_sub(1);
        let room = self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        room.ok().map(|_| Place(Arc::clone(&self.room)))
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn refuses(&self, request: &Parts) -> Option<Failure> {
        (request.method == Method::CONNECT).then_some(Failure::Malformed)
    }

    fn mistrusts(&self, answer: &response::Parts) -> Option<Failure> {
        (answer.headers.contains_key("x-wrong")).then_some(Failure::Unreadable)
    }

    fn forwarded_for(&self) -> ForwardedFor {
        self.forwarded_for
    }

    fn status(&self, failure: Failure) -> u16 {
        match failure {
            Failure::Malformed => 400,
            // Told apart from the others.
            Failure::CutShort => 418,
            Failure::Newer => 505,
            Failure::NotTaken(status) => status,
            Failure::Unfinished => 408,
            Failure::Left => 460,
            Failure::Refused | Failure::Closed | Failure::Gone => 502,
            // Told apart from the others.
            Failure::Unreadable => 520,
            Failure::NoTarget | Failure::Full => 503,
            Failure::Silent | Failure::Slow => 504,
        }
    }

    fn carries(&self, _: SocketAddrV4, _: Choice, _: SocketAddrV4) -> Arc<Bytes> {
        Arc::default()
    }

    fn answered(&self, client: SocketAddrV4, _: Instant, status: u16) {
        let mut own = self.own.lock().expect("no holder of this lock panics");
        own.push((client, status));
    }

    fn left(&self, _: SocketAddrV4) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    fn tell(&self, event: Event) {
        let mut told = self.told.lock().expect("no holder of this lock panics");
        told.push(event);
    }
}

/// A proxy with an address of its own.
pub struct Stand {
    pub address: SocketAddrV4,
    pub told: Arc<Mutex<Vec<Event>>>,
    /// Who got which answer of the proxy's own.
    pub own: Arc<Mutex<Vec<(SocketAddrV4, u16)>>>,
    pub gone: watch::Sender<bool>,
    pub proxy: Arc<Proxy<Fake>>,
}

impl Stand {
    pub async fn with(targets: Vec<SocketAddrV4>, limits: Limits) -> Self {
        Self::new(targets, limits, true).await
    }

    pub async fn new(targets: Vec<SocketAddrV4>, limits: Limits, connects: bool) -> Self {
        Self::under(targets, limits, connects, None).await
    }

    pub async fn under(
        targets: Vec<SocketAddrV4>,
        limits: Limits,
        connects: bool,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        Self::telling((targets, limits, connects), tls, ForwardedFor::default()).await
    }

    pub async fn telling(
        (targets, limits, connects): (Vec<SocketAddrV4>, Limits, bool),
        tls: Option<TlsAcceptor>,
        forwarded_for: ForwardedFor,
    ) -> Self {
        let (gone, told, own) = (watch::Sender::new(false), Arc::default(), Arc::default());
        let fake = Fake {
            targets,
            turn: AtomicUsize::new(0),
            told: Arc::clone(&told),
            own: Arc::clone(&own),
            connects,
            room: Arc::new(AtomicUsize::new(1)),
            limits,
            forwarded_for,
            gone: gone.subscribe(),
            tasks: Arc::default(),
            left: AtomicUsize::new(0),
        };
        let proxy = Arc::new(Proxy::new(fake, 8080, tls));
        let (listener, address) = listen().await;
        let serving = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((stream, client)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).serve(stream, v4(client)));
            }
        });
        Self {
            address,
            told,
            own,
            gone,
            proxy,
        }
    }

    /// A client at the other end of this.
    pub fn carry(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let (proxy, client) = (&self.proxy, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));
        tokio::spawn(Arc::clone(proxy).carry(stream, client, proxy.closed()));
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    pub fn count(&self, what: impl Fn(&Event) -> bool) -> usize {
        let told = self.told.lock().expect("no holder of this lock panics");
        told.iter().filter(|event| what(event)).count()
    }

    pub async fn wait_for(&self, event: Event) {
        let found = async {
            while self.count(|told| *told == event) == 0 {
                tokio::task::yield_now().await;
            }
        };
        let found = timeout(PATIENCE, found).await;
        assert!(found.is_ok(), "no {event:?} in {:?}", self.told);
    }
}

pub fn v4(address: std::net::SocketAddr) -> SocketAddrV4 {
    match address {
        std::net::SocketAddr::V4(address) => address,
        std::net::SocketAddr::V6(address) => panic!("{address} is no IPv4 address"),
    }
}

pub async fn listen() -> (TcpListener, SocketAddrV4) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a port of the loopback interface");
    let address = v4(listener.local_addr().expect("it is bound"));
    (listener, address)
}

/// What a target does with its requests, one after the other, over whichever connections they come.
#[derive(Clone, Copy)]
pub enum Say {
    /// These bytes.
    Text(&'static str),
    /// These bytes, and it closes.
    Last(&'static str),
    /// RST.
    Reset,
    /// Nothing.
    Silence,
}

pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A target: its address, the connections it accepted, the requests it got.
pub async fn target(script: Vec<Say>) -> (SocketAddrV4, Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>) {
    let (listener, address) = listen().await;
    let (accepted, asked) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let script = Arc::new(Mutex::new(VecDeque::from(script)));
    let (count, heard) = (Arc::clone(&accepted), Arc::clone(&asked));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let (script, heard) = (Arc::clone(&script), Arc::clone(&heard));
            tokio::spawn(async move {
                while let Some(head) = head(&mut stream).await {
                    let say = script.lock().expect("no panic").pop_front();
                    heard.lock().expect("no panic").push(head);
                    let (text, last) = match say.unwrap_or(Say::Text(OK)) {
                        Say::Text(text) => (text, false),
                        Say::Last(text) => (text, true),
                        Say::Reset => {
                            crate::world::socket::reset_on_close(std::os::fd::AsFd::as_fd(&stream))
                                .expect("a socket");
                            return;
                        }
                        Say::Silence => {
                            std::future::pending::<()>().await;
                            return;
                        }
                    };
                    if stream.write_all(text.as_bytes()).await.is_err() || last {
                        return;
                    }
                }
            });
        }
    });
    (address, accepted, asked)
}

/// The next head without body; none at the end.
pub async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(text).ok()
}

pub const GET: &str = "GET /page HTTP/1.1\r\nHost: shop.example\r\n\r\n";

/// Waits until a target has been asked something.
pub async fn arrival(asked: &Mutex<Vec<String>>) {
    let arrived = async {
        while asked.lock().expect("no panic").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, arrived).await.expect("a request");
}

/// Asks, and gives the answer's head; its body of known length is read away.
pub async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), text: &str) -> String {
    stream.write_all(text.as_bytes()).await.expect("it is open");
    answer(stream).await
}

pub async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let head = timeout(PATIENCE, head(stream)).await.expect("an answer");
    let head = head.expect("a whole head").to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    stream
        .read_exact(&mut vec![0; length])
        .await
        .expect("a body");
    head
}
