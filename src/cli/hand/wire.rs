//! What is said on a lab's control socket: one question for each connection, one JSON value on a line each.
//!
//! Answers come until one that is the last; behind [`Answer::Packets`] come bytes instead, and with [`Answer::Doors`]
//! descriptors. Not here: what is answered (see `serve`).

use super::state::Place;
use crate::cli::{Mistake, Refusal};
use crate::evidence::Evidence;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// Of what is said here. A question of another one is refused.
pub const VERSION: u32 = 2;

/// Bytes of a question, at most.
pub const LONGEST: usize = 2 << 20;

/// A question.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    /// Of what is said here.
    pub version: u32,
    /// What is wanted.
    pub ask: Ask,
}

/// What is wanted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// The way into a host; none: into the one that the story begins at.
    Enter {
        /// By name.
        host: Option<String>,
    },
    /// Steps to be done, in order.
    Do {
        /// Of the story by name or number, or as a lab has them.
        steps: Vec<String>,
        /// The whole story instead.
        all: bool,
        /// How to tell what came of them.
        style: Told,
    },
    /// What passed.
    Capture {
        /// And what will pass.
        follow: bool,
    },
    /// What CloudWatch would show until now.
    Metrics {
        /// For machines.
        json: bool,
    },
    /// The end of it.
    End {
        /// With what was recorded.
        evidence: bool,
    },
}

/// How to tell something to who asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Told {
    /// With terminal colours.
    pub colour: bool,
    /// Columns of a line.
    pub width: usize,
    /// Everything.
    pub explain: bool,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The lab is up: said to who put it up.
    Ready {
        /// What is there.
        text: String,
    },
    /// What was asked for, in words.
    Said {
        /// In lines.
        text: String,
    },
    /// Not what was asked for.
    Refused {
        /// Why.
        why: String,
        /// What the command's exit status is to be.
        status: u8,
    },
    /// Descriptors of a host's namespaces come with this line, in the order of [`crate::world::program::Doors`].
    Doors {
        /// The host.
        host: String,
    },
    /// A capture follows, in pieces, to an empty one: each its length, four bytes in network order, and so many bytes.
    Packets,
    /// What was recorded.
    Recorded(Box<Record>),
    /// All is said.
    Done,
}

/// What a lab leaves.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    /// The lab's file.
    pub file: String,
    /// A lab whose story is what was done, or what stands for it.
    pub text: String,
    /// Why what was done is no lab by itself: then `text` is the lab with the story of the case, and claims nothing.
    pub apart: Option<String>,
    /// It is no run: something else was done than the whole story.
    pub by_hand: bool,
    /// What was recorded.
    pub evidence: Evidence,
}

/// One answer as a line.
pub fn line(answer: &Answer) -> Vec<u8> {
    let mut line = serde_json::to_vec(answer).expect("answers are plain data");
    line.push(b'\n');
    line
}

/// A connection on which something was asked.
#[derive(Debug)]
pub struct Asked {
    stream: BufReader<UnixStream>,
    name: String,
}

/// Asks something of a lab that is up.
///
/// # Errors
/// When it does not listen.
pub fn ask(place: &Place, ask: Ask) -> Result<Asked, Refusal> {
    let name = place.name();
    let connect = || -> io::Result<UnixStream> {
        let (_folder, path) = place.control()?;
        let mut stream = UnixStream::connect(path)?;
        let question = Question {
            version: VERSION,
            ask,
        };
        let mut line = serde_json::to_vec(&question)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        Ok(stream)
    };
    match connect() {
        Ok(stream) => Ok(Asked {
            stream: BufReader::new(stream),
            name,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Mistake(format!(
            "the lab `{name}` is not up yet: it is being built, or it ends"
        ))
        .into()),
        Err(error) => Err(failed(&name, &error)),
    }
}

impl Asked {
    /// The next answer.
    ///
    /// # Errors
    /// When the lab ended in the middle of it, or speaks another language.
    pub fn next(&mut self) -> Result<Answer, Refusal> {
        read(&mut self.stream)?.ok_or_else(|| has_ended(&self.name).into())
    }

    /// Everything behind the latest answer.
    pub fn rest(self) -> impl io::Read {
        self.stream
    }

    /// An answer with the descriptors that came with it.
    ///
    /// # Errors
    /// As [`Asked::next`].
    pub fn with_descriptors(self) -> Result<(Answer, Vec<OwnedFd>), Refusal> {
        let stream = self.stream.into_inner();
        let mut buffer = vec![0; 1 << 16];
        let mut descriptors = Vec::new();
        let mut length = 0;
        // A refusal may come in pieces.
        while !buffer[..length].ends_with(b"\n") {
            let mut room = nix::cmsg_space!([RawFd; 8]);
            let mut parts = [IoSliceMut::new(&mut buffer[length..])];
            let fd = stream.as_raw_fd();
            let flags = MsgFlags::MSG_CMSG_CLOEXEC;
            let got = recvmsg::<()>(fd, &mut parts, Some(&mut room), flags)
                .map_err(|errno| failed(&self.name, &errno.into()))?;
            for message in got.cmsgs().into_iter().flatten() {
                if let ControlMessageOwned::ScmRights(fds) = message {
                    // SAFETY: the kernel just made them for us.
                    descriptors.extend(
                        fds.into_iter()
                            .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
                    );
                }
            }
            if got.bytes == 0 {
                break;
            }
            length += got.bytes;
        }
        match read(&mut &buffer[..length])? {
            Some(answer) => Ok((answer, descriptors)),
            None => Err(has_ended(&self.name).into()),
        }
    }
}

/// Nobody is at the other end any more.
fn breaks_off(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
    )
}

/// What is said where its socket fails.
fn failed(name: &str, error: &io::Error) -> Refusal {
    match breaks_off(error) {
        true => has_ended(name).into(),
        false => Refusal::unable(format!("the lab `{name}` does not answer: {error}")),
    }
}

/// Who named it named one that is not up any more.
fn has_ended(name: &str) -> Mistake {
    Mistake(format!("the lab `{name}` has ended meanwhile"))
}

/// What is said of an answer to another question.
pub fn another_answer() -> Refusal {
    Refusal::unable("the lab answers something else".to_owned())
}

/// The next answer; none at the end.
///
/// # Errors
/// When it is no answer.
pub fn read(from: &mut impl BufRead) -> Result<Option<Answer>, Refusal> {
    let mut line = String::new();
    let broken =
        |why: String| Refusal::unable(format!("the lab answers what cannot be understood: {why}"));
    match from.read_line(&mut line) {
        Ok(0) => Ok(None),
        Err(error) if breaks_off(&error) => Ok(None),
        Err(error) => Err(broken(error.to_string())),
        Ok(_) => serde_json::from_str(&line)
            .map(Some)
            .map_err(|error| broken(error.to_string())),
    }
}

/// Sends an answer with descriptors, which must be few.
///
/// # Errors
/// When nobody takes it.
pub fn send_with(stream: &UnixStream, answer: &Answer, descriptors: &[RawFd]) -> io::Result<()> {
    let line = line(answer);
    let parts = [IoSlice::new(&line)];
    let rights = [ControlMessage::ScmRights(descriptors)];
    let sent = sendmsg::<()>(
        stream.as_raw_fd(),
        &parts,
        &rights,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    (&*stream).write_all(&line[sent..])
}
