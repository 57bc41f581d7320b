//! Whoever keeps a lab up: builds its world, answers on its control socket, and ends it.

use super::act::Actor;
use super::capture;
use super::state::{Description, Place};
use super::wire::{Answer, Ask, LONGEST, Question, VERSION, line, send_with};
use crate::cli::room::Room;
use crate::cli::{Status, count, terminal, worker};
use crate::plan::{HostId, Plan};
use crate::report::plan::standing;
use crate::report::{self, CaseInfo, Outcome};
use crate::run::{self, Live, Witness, need};
use crate::spec::hand::ByHand;
use crate::world::{Error, World, probe};
use nix::sys::socket::{getsockopt, sockopt};
use std::fmt::Write as _;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// From a connection that the machine refused to the next attempt.
const PAUSE: Duration = Duration::from_millis(20);

/// Whoever connects asks within this time.
const QUESTION_LIMIT: Duration = Duration::from_secs(5);

/// What was asked when a lab ends is answered within this time: who follows a capture gets its end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Connections that programs started by hand may have at once, at least, in the tables of hosts.
const CONNECTIONS: usize = 4096;

/// Records of packets that are kept from the beginning on; of those that follow, as many of the latest as the capture holds.
pub const RECORDS: usize = 50_000;

/// What is to be kept up.
#[derive(Debug)]
pub struct Serving {
    /// Its folder.
    pub place: Place,
    /// What is told of it.
    pub description: Description,
    /// Why this case; empty: it was named.
    pub why: &'static str,
    /// The case.
    pub plan: Arc<Plan>,
    /// The same, with the steps that are done instead of its story.
    pub hand: ByHand,
    /// Bytes of packets that are kept.
    pub keep: usize,
    /// Where to say that it is ready; none: on standard output.
    pub ready: Option<OwnedFd>,
}

impl Serving {
    /// Says that it cannot be put up.
    pub fn failed(&self, why: &str, status: Status) -> u8 {
        say_failed(self.ready.as_ref(), why, status)
    }
}

/// Says to whoever waits why a lab cannot be put up; without anybody, on standard error.
pub fn say_failed(ready: Option<&OwnedFd>, why: &str, status: Status) -> u8 {
    match ready {
        None => terminal::complain(why),
        Some(ready) => say(
            ready,
            &Answer::Refused {
                why: why.to_owned(),
                status: status as u8,
            },
        ),
    }
    status as u8
}

fn say(to: &OwnedFd, answer: &Answer) {
    let written = to
        .try_clone()
        .and_then(|to| std::fs::File::from(to).write_all(&line(answer)));
    tracing::debug!(?written, "said to who put the lab up");
}

/// Does the worker's part, and gives the exit status.
pub fn work(serving: Serving, cancel: OwnedFd) -> u8 {
    worker::raise_descriptor_limit();
    if let Err(error) = probe::least() {
        return serving.failed(&worker::unable(&error), Status::Unable);
    }
    let runtime = match worker::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            return serving.failed(
                &format!("cannot start the runtime: {error}"),
                Status::Unable,
            );
        }
    };
    let (cancelled, unfinished) = worker::watch_cancel(cancel);
    let status = runtime.block_on(keep(serving, cancelled));
    drop(unfinished);
    runtime.shutdown_background();
    terminal::settled(status as u8)
}

async fn keep(mut serving: Serving, mut cancelled: run::Cancel) -> Status {
    let ready = serving.ready.take();
    let built = build(&serving, &mut cancelled).await;
    let Built {
        room,
        world,
        up,
        live,
        witness,
    } = match built {
        Ok(built) => built,
        Err(_) if *cancelled.borrow() => return Status::Interrupted,
        Err(error) => {
            say_failed(ready.as_ref(), &worker::unable(&error), Status::Unable);
            return Status::Unable;
        }
    };
    let listener = match listen(&serving) {
        Ok(listener) => listener,
        Err(why) => {
            say_failed(ready.as_ref(), &why, Status::Unable);
            return Status::Unable;
        }
    };
    let text = told(&serving);
    let answer = Answer::Ready { text };
    let Serving { plan, hand, .. } = serving;
    let (end, ended) = watch::channel(false);
    let keeper = Arc::new(Keeper {
        world,
        actor: Mutex::new(Some(Actor::new(Arc::clone(&plan), hand, live, up))),
        plan,
        witness,
        entered: AtomicBool::new(false),
        stop: watch::Sender::new(false),
        end,
    });
    match (&ready, answer) {
        (Some(ready), answer) => say(ready, &answer),
        (None, Answer::Ready { text }) => terminal::print(&text),
        (None, _) => {}
    }
    drop(ready);
    let status = serve(&keeper, listener, cancelled, ended).await;
    drop(room);
    status
}

/// A lab that is ready.
struct Built {
    room: Room,
    world: Arc<World>,
    /// How long building it took.
    up: Duration,
    live: Live,
    witness: Witness,
}

/// The world, as `run` builds it.
async fn build(serving: &Serving, cancelled: &mut run::Cancel) -> Result<Built, Error> {
    let plan = &serving.plan;
    let interrupted = || Error::other("put the lab up", "interrupted");
    let room = Room::new(std::iter::once(&**plan))?;
    let part = room.take(plan, cancelled).await?.ok_or_else(interrupted)?;
    let connections = need::connections(plan).max(CONNECTIONS);
    let began = Instant::now();
    let building = World::build(plan, connections, Some(serving.keep));
    let built = run::unless_stopped(cancelled, "build the world", building).await?;
    let (world, up) = (Arc::new(built), began.elapsed());
    let start = super::act::start(&serving.hand, plan)?;
    let mut live = Live::begin(&start, Arc::clone(&world), part.sockets, cancelled.clone()).await?;
    let witness = live.stay();
    Ok(Built {
        room,
        world,
        up,
        live,
        witness,
    })
}

fn listen(serving: &Serving) -> Result<UnixListener, String> {
    let bind = || {
        let (_folder, path) = serving.place.control()?;
        let listener = StdListener::bind(path)?;
        listener.set_nonblocking(true)?;
        UnixListener::from_std(listener)
    };
    let listener = bind().map_err(|error| format!("cannot listen on a control socket: {error}"))?;
    let hosts = serving.plan.hosts.iter().map(|host| host.name.clone());
    let description = Description {
        hosts: hosts.collect(),
        ..serving.description.clone()
    };
    let described = serving.place.describe(&description);
    described.map_err(|error| error.to_string())?;
    Ok(listener)
}

/// What is there, and what to type next.
fn told(serving: &Serving) -> String {
    let (plan, name) = (&serving.plan, &serving.description.name);
    let why = match serving.why {
        "" => String::new(),
        why => format!(" ({why})"),
    };
    let mut text = format!(
        "{name} is up: {}/{}{why}, process {}\n",
        plan.lab, plan.case, serving.description.pid
    );
    text.push_str(&standing(plan));
    let host = &plan.hosts[beginning(plan).0 as usize].name;
    let names = serving.hand.story();
    let steps = names.len();
    let step = names.flatten().next();
    // A string takes everything.
    let _ = write!(
        text,
        "\nNEXT\n  hairpin shell {name} {host}\n  hairpin exec {name} {host} -- ss -tan\n"
    );
    if let Some(step) = step {
        let _ = writeln!(text, "  hairpin do {name} {step}");
    }
    if steps > 0 {
        let _ = writeln!(
            text,
            "  hairpin do {name} --all -e        the story, {}",
            count(steps, "step")
        );
    }
    let _ = write!(
        text,
        "  hairpin capture {name} --follow | wireshark -k -i -\n  hairpin down {name} --evidence DIR\n"
    );
    text
}

/// Where the story begins: the host that opens the first connection, or the first one that there is.
pub fn beginning(plan: &Plan) -> HostId {
    let dials = plan.steps.iter().flat_map(|step| step.verb.dials());
    dials.map(|dial| dial.from).next().unwrap_or(HostId(0))
}

/// A lab that is up.
struct Keeper {
    plan: Arc<Plan>,
    world: Arc<World>,
    witness: Witness,
    /// None: it has ended.
    actor: Mutex<Option<Actor>>,
    /// Somebody went into a host: `exec`, `shell`.
    entered: AtomicBool,
    /// Whoever does a step gives it up.
    stop: watch::Sender<bool>,
    end: watch::Sender<bool>,
}

async fn serve(
    keeper: &Arc<Keeper>,
    listener: UnixListener,
    mut cancelled: run::Cancel,
    mut ended: watch::Receiver<bool>,
) -> Status {
    let mut talks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // Without a descriptor for it, it stays at the head of the queue.
                    sleep(PAUSE).await;
                    continue;
                };
                let keeper = Arc::clone(keeper);
                talks.spawn(async move { keeper.talk(stream).await });
            }
            Some(_) = talks.join_next() => {}
            _ = ended.wait_for(|ended| *ended) => break,
            // Ctrl-C in front of it, or the machine goes down: how a lab that is up ends.
            _ = cancelled.wait_for(|cancelled| *cancelled) => break,
        }
    }
    keeper.stop.send_replace(true);
    keeper.end.send_replace(true);
    let farewell = async { while talks.join_next().await.is_some() {} };
    let all = timeout(FAREWELL, farewell).await;
    tracing::debug!(?all, "whoever asked something has the end of it");
    Status::Held
}

/// Only who put the lab up, and root, may ask.
fn may_ask(stream: &UnixStream) -> bool {
    let peer = getsockopt(stream, sockopt::PeerCredentials);
    peer.is_ok_and(|peer| peer.uid() == 0 || peer.uid() == nix::unistd::geteuid().as_raw())
}

impl Keeper {
    async fn talk(&self, stream: UnixStream) {
        if !may_ask(&stream) {
            return;
        }
        let mut stream = BufReader::new(stream);
        let mut text = String::new();
        let mut question = (&mut stream).take(LONGEST as u64);
        let mut ends = self.end.subscribe();
        // Who says nothing keeps no descriptor for long, and no lab from its end.
        let read = tokio::select! {
            read = timeout(QUESTION_LIMIT, question.read_line(&mut text)) => read,
            _ = ends.wait_for(|ended| *ended) => return,
        };
        if !matches!(read, Ok(Ok(1..))) {
            return;
        }
        let question: Question = match serde_json::from_str(&text) {
            Ok(question) => question,
            Err(error) => {
                return refuse(
                    stream.get_mut(),
                    format!("the question cannot be understood: {error}"),
                )
                .await;
            }
        };
        if question.version != VERSION {
            let why = format!(
                "the lab was put up by another release of hairpin (it speaks version {VERSION}, not {})",
                question.version
            );
            return refuse(stream.get_mut(), why).await;
        }
        let mut stream = stream.into_inner();
        match question.ask {
            Ask::Enter { host } => self.enter(stream, host).await,
            Ask::Do { steps, all, style } => {
                let mut actor = self.actor.lock().await;
                let Some(actor) = actor.as_mut() else {
                    return refuse(&mut stream, "the lab ends".to_owned()).await;
                };
                let (mut reader, mut writer) = stream.split();
                let mut byte = [0];
                let mut stopped = self.stop.subscribe();
                // Who asked may go away: then the step is given up.
                tokio::select! {
                    () = actor.act(&mut writer, &steps, all, style) => {}
                    _ = reader.read(&mut byte) => {}
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
                actor.rest();
            }
            Ask::Capture { follow } => {
                capture::serve(&self.witness, stream, follow, self.end.subscribe()).await;
            }
            Ask::Metrics { json } => {
                let evidence = match self.actor.try_lock() {
                    Ok(actor) => match actor.as_ref() {
                        Some(actor) => actor.evidence().await,
                        None => return refuse(&mut stream, "the lab ends".to_owned()).await,
                    },
                    // A step is being done, which may take as long as it likes.
                    Err(_) => self.witness.evidence().await,
                };
                match evidence {
                    Ok(evidence) => {
                        let outcome = Outcome {
                            evidence: Some(evidence),
                            ..Outcome::of(CaseInfo::from(&*self.plan), 1)
                        };
                        let text = match json {
                            true => report::metrics_json(&[outcome]),
                            false => report::metrics(&[outcome]),
                        };
                        let told = stream.write_all(&line(&Answer::Said { text })).await;
                        tracing::debug!(?told, "metrics");
                    }
                    Err(error) => {
                        refuse_with(&mut stream, error.to_string(), Status::Unable).await;
                    }
                }
            }
            Ask::End { evidence } => self.end(stream, evidence).await,
        }
    }

    async fn enter(&self, mut stream: UnixStream, host: Option<String>) {
        let hosts = &self.plan.hosts;
        let id = match host {
            None => beginning(&self.plan),
            Some(name) => match (0..)
                .map(HostId)
                .zip(hosts)
                .find(|(_, host)| host.name == name)
            {
                Some((id, _)) => id,
                None => {
                    let names = hosts.iter().map(|host| host.name.as_str());
                    let near = crate::diag::did_you_mean(&name, names.clone());
                    let help = near.map_or_else(
                        || format!("there is {}", names.take(12).collect::<Vec<_>>().join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    );
                    let why = format!("the lab has no host `{name}`: {help}");
                    return refuse(&mut stream, why).await;
                }
            },
        };
        let live = self.world.host(id);
        let doors = tokio::task::block_in_place(|| live.inside()?.doors());
        let doors = match doors {
            Ok(doors) => doors,
            Err(error) => {
                return refuse_with(&mut stream, error.to_string(), Status::Unable).await;
            }
        };
        let answer = Answer::Doors {
            host: live.name.clone(),
        };
        let descriptors = [&doors.user, &doors.processes, &doors.network, &doors.mounts];
        let descriptors = descriptors.map(|door| door.as_raw_fd());
        let Ok(stream) = stream.into_std() else {
            return;
        };
        self.entered.store(true, Ordering::Relaxed);
        let sent = stream
            .set_nonblocking(false)
            .and_then(|()| send_with(&stream, &answer, &descriptors));
        tracing::debug!(?sent, "the way into a host");
    }

    async fn end(&self, mut stream: UnixStream, evidence: bool) {
        self.stop.send_replace(true);
        let actor = self.actor.lock().await.take();
        if let Some(actor) = actor.filter(|_| evidence) {
            let answer = match actor.end(self.entered.load(Ordering::Relaxed)).await {
                Ok(record) => Answer::Recorded(Box::new(record)),
                Err(error) => Answer::Refused {
                    why: error.to_string(),
                    status: Status::Unable as u8,
                },
            };
            let told = stream.write_all(&line(&answer)).await;
            tracing::debug!(?told, "what was recorded");
        }
        let told = stream.write_all(&line(&Answer::Done)).await;
        tracing::debug!(?told, "the lab ends");
        self.end.send_replace(true);
    }
}

/// Says why not, where it is who asked that has to change something.
pub async fn refuse(stream: &mut (impl AsyncWriteExt + Unpin), why: String) {
    refuse_with(stream, why, Status::Wrong).await;
}

async fn refuse_with(stream: &mut (impl AsyncWriteExt + Unpin), why: String, status: Status) {
    let status = status as u8;
    let answer = Answer::Refused { why, status };
    let told = stream.write_all(&line(&answer)).await;
    tracing::debug!(?told, "refused");
}
