//! A capture as pcapng (draft-ietf-opsawg-pcapng), over anything that can be written to.
//!
//! Raw IP packets, one interface for each attachment, timestamps in nanoseconds since 1970, a comment on each packet.
//! Not here: where files go (see `store`), and what a comment says.

use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::{
    InterfaceStatisticsBlock, InterfaceStatisticsOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, PcapError};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

/// The files of a case's capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The file of the whole case.
    pub case: String,
    /// The file of each attachment that had packets, by name: `web1`, `front/a`.
    pub attachments: BTreeMap<String, String>,
    /// Packets that are no longer in it for want of room; none when that is not known.
    pub cut: Option<u64>,
}

/// One attachment in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// `web1`, `front/a`
    pub name: String,
    /// What it is, when its name does not tell; may be empty.
    pub description: String,
    /// Packets that passed, as its kernel handed them over.
    pub packets: u64,
    /// Of those, the ones that the file does not have.
    pub cut: u64,
}

/// One packet as a wire carries it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Index of its interface.
    pub interface: usize,
    /// Since 1970.
    pub at: Duration,
    /// The attachment got it, rather than sent it.
    pub inbound: bool,
    /// From the IP header on.
    pub bytes: &'a [u8],
    /// What became of it.
    pub comment: &'a str,
}

/// Bit of `epb_flags`: inbound, outbound.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
/// `if_tsresol`: ten to the minus nine.
const NANOSECONDS: u8 = 9;
/// The largest packet, bytes; what a file without a snap length of its own says.
const LARGEST: u32 = 65_575;

/// A file being written.
pub struct Writer<W: Write> {
    out: PcapNgWriter<W>,
    snaplen: Option<u32>,
    statistics: Vec<Interface>,
}

impl<W: Write> Writer<W> {
    /// Begins a file. `snaplen`: bytes kept of each packet, none: all of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(
        out: W,
        comment: &str,
        kernel: &str,
        interfaces: &[Interface],
        snaplen: Option<u32>,
    ) -> io::Result<Self> {
        let header = SectionHeaderBlock {
            // Most significant byte first: the format writes a time as two words, the high one first, and the crate
            // writes it as one number.
            endianness: Endianness::Big,
            options: vec![
                SectionHeaderOption::Comment(Cow::Owned(comment.to_owned())),
                SectionHeaderOption::OS(Cow::Owned(format!("Linux {kernel}"))),
                SectionHeaderOption::UserApplication(Cow::Borrowed(concat!(
                    "hairpin ",
                    env!("CARGO_PKG_VERSION")
                ))),
            ],
            ..SectionHeaderBlock::default()
        };
        let mut out = PcapNgWriter::with_section_header(out, header).map_err(plain)?;
        for interface in interfaces {
            let mut options = vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(&interface.name)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ];
            if !interface.description.is_empty() {
                let told = Cow::Borrowed(interface.description.as_str());
                options.push(InterfaceDescriptionOption::IfDescription(told));
            }
            let block = InterfaceDescriptionBlock {
                linktype: DataLink::RAW,
                snaplen: snaplen.unwrap_or(LARGEST),
                options,
            };
            out.write_block(&block.into_block()).map_err(plain)?;
        }
        Ok(Self {
            out,
            snaplen,
            statistics: interfaces.to_vec(),
        })
    }

    /// The interfaces' counts, as the end of the file will tell them.
    pub fn recount(&mut self, interfaces: &[Interface]) {
        self.statistics = interfaces.to_vec();
    }

    /// What is written to.
    pub fn out(&mut self) -> &mut W {
        self.out.get_mut()
    }

    /// Adds a packet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn frame(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let kept = match self.snaplen {
            Some(snaplen) => frame.bytes.len().min(snaplen as usize),
            None => frame.bytes.len(),
        };
        let block = EnhancedPacketBlock {
            interface_id: frame.interface as u32,
            timestamp: frame.at,
            original_len: frame.bytes.len() as u32,
            data: Cow::Borrowed(&frame.bytes[..kept]),
            options: vec![
                EnhancedPacketOption::Comment(Cow::Borrowed(frame.comment)),
                EnhancedPacketOption::Flags(if frame.inbound { INBOUND } else { OUTBOUND }),
            ],
        };
        self.out.write_block(&block.into_block()).map_err(plain)?;
        Ok(())
    }

    /// Ends the file with each interface's counts, and gives back what was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, at: Duration) -> io::Result<W> {
        for (number, interface) in self.statistics.iter().enumerate() {
            let block = InterfaceStatisticsBlock {
                interface_id: number as u32,
                timestamp: at.as_nanos() as u64,
                options: vec![
                    InterfaceStatisticsOption::IsbIfRecv(interface.packets),
                    InterfaceStatisticsOption::IsbIfDrop(interface.cut),
                ],
            };
            self.out.write_block(&block.into_block()).map_err(plain)?;
        }
        Ok(self.out.into_inner())
    }
}

fn plain(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
