//! Reads pcap and pcapng files block by block. Every block is kept as its bytes, so that a capture can be split
//! without a change to any packet.

use std::fs::File;
use std::io::{Read, Seek};
use std::ops::Range;
use std::path::Path;

use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};

use super::ReplayError;
use super::frame::Link;

/// Bytes read at once.
const BUFFER_BYTES: usize = 1 << 20;
/// The largest block that is read; a longer one is damage. Captures of loopback have packets of 256 KiB.
const BLOCK_BYTES_MAX: usize = 1 << 24;
/// Bytes of a pcapng block that holds nothing: type, length, length again.
const BLOCK_BYTES_MIN: u32 = 12;
/// What a pcapng file begins with, in either order of bytes.
const PCAPNG: &[u8] = &[0x0a, 0x0d, 0x0d, 0x0a];
const SECOND_NS: u128 = 1_000_000_000;

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A packet.
    Packet(Packet),
    /// Anything else: headers, interfaces, statistics.
    Other,
    /// The file ends here, in the middle of a block.
    CutOff,
}

/// A packet of the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When, in nanoseconds since 1970; None where the format has no time.
    pub time_ns: Option<u64>,
    /// What its bytes begin with.
    pub link: Link,
    /// Where its bytes are in [`Capture::raw`].
    pub data: Range<usize>,
    /// The capture holds only its first bytes.
    pub is_cut: bool,
}

/// How an interface of the capture writes its packets.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: i32,
    units_per_second: u64,
    offset_seconds: i64,
    snap_bytes: u32,
}

/// An open capture.
pub struct Capture {
    name: String,
    reader: Box<dyn PcapReaderIterator + Send>,
    interfaces: Vec<Interface>,
    raw: Vec<u8>,
    buffer_bytes: usize,
    is_pcapng: bool,
    /// Length of the file; 0 for what has none.
    pub file_bytes: u64,
}

impl Capture {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no capture.
    pub fn open(path: &Path) -> Result<Self, ReplayError> {
        let name = path.display().to_string();
        let unreadable = |error| ReplayError::Unreadable { file: name.clone(), error };
        let mut file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(ReplayError::NoCapture { file: name, found: "a folder".to_owned() });
        }
        if metadata.is_file() {
            let mut start = Vec::new();
            file.by_ref().take(4).read_to_end(&mut start).map_err(unreadable)?;
            file.rewind().map_err(unreadable)?;
            if let Some(found) = no_capture(&start) {
                return Err(ReplayError::NoCapture { file: name, found });
            }
        }
        let file_bytes = if metadata.is_file() { metadata.len() } else { 0 };
        Ok(Self { file_bytes, ..Self::from_reader(&name, file)? })
    }

    /// Reads the header of a capture from wherever it comes; `name` is for faults.
    ///
    /// # Errors
    ///
    /// When it is no capture.
    pub fn from_reader(name: &str, source: impl Read + Send + 'static) -> Result<Self, ReplayError> {
        let reader = create_reader(BUFFER_BYTES, source).map_err(|error| {
            let found = match error {
                PcapError::Eof => "an empty file",
                PcapError::Incomplete(_) | PcapError::UnexpectedEof => "a file that ends within its header",
                _ => "a damaged header",
            };
            ReplayError::NoCapture { file: name.to_owned(), found: found.to_owned() }
        })?;
        let (interfaces, raw) = (Vec::new(), Vec::new());
        let is_pcapng = reader.data().starts_with(PCAPNG);
        let name = name.to_owned();
        Ok(Self { name, reader, interfaces, raw, buffer_bytes: BUFFER_BYTES, is_pcapng, file_bytes: 0 })
    }

    /// The bytes of the block read last.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Bytes of the file read so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.reader.consumed() as u64
    }

    /// The next block; None at the end.
    ///
    /// # Errors
    ///
    /// When the file is damaged or cannot be read, or has packets of a kind that is not known.
    pub fn next_item(&mut self) -> Result<Option<Item>, ReplayError> {
        loop {
            if let Some(fault) = self.too_short() {
                return Err(self.damaged(self.position(), fault));
            }
            let problem = match self.reader.next() {
                Ok((len, block)) => {
                    let item = read(block, len, &mut self.interfaces);
                    self.raw.clear();
                    self.raw.extend_from_slice(self.reader.data().get(..len).unwrap_or_default());
                    let at = self.position();
                    self.reader.consume(len);
                    return item.map(Some).map_err(|fault| self.damaged(at, fault));
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::UnexpectedEof) => return Ok(Some(Item::CutOff)),
                Err(PcapError::Incomplete(_)) => Problem::MoreNeeded,
                Err(PcapError::BufferTooSmall) => Problem::TooSmall,
                Err(PcapError::ReadError) => Problem::Damaged("it cannot be read"),
                Err(_) => Problem::Damaged("no block of this format begins there, or its two lengths differ"),
            };
            let at = self.position();
            match problem {
                Problem::MoreNeeded => {}
                Problem::TooSmall if self.buffer_bytes < BLOCK_BYTES_MAX => {
                    self.buffer_bytes *= 2;
                    self.reader.grow(self.buffer_bytes);
                }
                Problem::TooSmall => {
                    let what = format!("a block longer than {BLOCK_BYTES_MAX} bytes, the most that is allowed");
                    return Err(self.damaged(at, what));
                }
                Problem::Damaged(what) => return Err(self.damaged(at, what.to_owned())),
            }
            if self.reader.refill().is_err() {
                return Err(self.damaged(at, "it cannot be read".to_owned()));
            }
        }
    }

    /// What is wrong with a pcapng block that is shorter than what is around its content.
    fn too_short(&self) -> Option<String> {
        let bytes = block_bytes(self.reader.data()).filter(|bytes| self.is_pcapng && *bytes < BLOCK_BYTES_MIN)?;
        Some(format!("a block of {bytes} bytes, at least {BLOCK_BYTES_MIN} are needed"))
    }

    fn damaged(&self, at: u64, what: String) -> ReplayError {
        ReplayError::Damaged { file: self.name.clone(), at, what }
    }
}

/// The length that a pcapng block says of itself. Read in the wrong order of bytes it is far longer than any block may be.
fn block_bytes(data: &[u8]) -> Option<u32> {
    let length: [u8; 4] = data.get(4..8)?.try_into().ok()?;
    Some(u32::from_le_bytes(length).min(u32::from_be_bytes(length)))
}

enum Problem {
    MoreNeeded,
    TooSmall,
    Damaged(&'static str),
}

/// What a file is that begins so; None for a capture.
fn no_capture(start: &[u8]) -> Option<String> {
    match start {
        [] => Some("an empty file".to_owned()),
        PCAPNG
        | [0xd4, 0xc3, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0xc3, 0xd4]
        | [0x4d, 0x3c, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0x3c, 0x4d]
        | [0x34, 0xcd, 0xb2, 0xa1] => None,
        [0x1f, 0x8b, ..] => Some("a gzip file, unpack it first (gunzip)".to_owned()),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("a zstd file, unpack it first (unzstd)".to_owned()),
        [0xfd, b'7', b'z', b'X'] => Some("an xz file, unpack it first (unxz)".to_owned()),
        _ => {
            let bytes: Vec<String> = start.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(format!("a file that begins with the bytes {}", bytes.join(" ")))
        }
    }
}

/// What a block says, or what is wrong with it.
fn read(block: PcapBlockOwned<'_>, len: usize, interfaces: &mut Vec<Interface>) -> Result<Item, String> {
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let units_per_second = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
            // The upper bits may hold the length of a checksum behind each frame.
            let link = header.network.0 & 0xffff;
            *interfaces = vec![Interface { link, units_per_second, offset_seconds: 0, snap_bytes: header.snaplen }];
            Ok(Item::Other)
        }
        PcapBlockOwned::Legacy(frame) => {
            let interface = interface(interfaces, 0)?;
            let ticks = u128::from(frame.ts_sec) * u128::from(interface.units_per_second) + u128::from(frame.ts_usec);
            let is_cut = frame.caplen < frame.origlen;
            packet(&interface, Some(ticks), len - frame.data.len()..len, is_cut)
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            Ok(Item::Other)
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(described)) => {
            interfaces.push(Interface {
                link: described.linktype.0,
                units_per_second: described.ts_resolution().filter(|units| *units > 0).unwrap_or(1_000_000),
                offset_seconds: described.ts_offset(),
                snap_bytes: described.snaplen,
            });
            Ok(Item::Other)
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(frame)) => {
            const HEADER: usize = 28;
            let interface = interface(interfaces, frame.if_id)?;
            let ticks = u128::from(frame.ts_high) << 32 | u128::from(frame.ts_low);
            let range = HEADER..HEADER + frame.packet_data().len();
            packet(&interface, Some(ticks), range, frame.caplen < frame.origlen)
        }
        PcapBlockOwned::NG(Block::SimplePacket(frame)) => {
            const HEADER: usize = 12;
            let interface = interface(interfaces, 0)?;
            let limit = if interface.snap_bytes == 0 { u32::MAX } else { interface.snap_bytes };
            let held = len.saturating_sub(HEADER + 4).min(frame.origlen as usize).min(limit as usize);
            packet(&interface, None, HEADER..HEADER + held, held < frame.origlen as usize)
        }
        PcapBlockOwned::NG(_) => Ok(Item::Other),
    }
}

fn interface(interfaces: &[Interface], number: u32) -> Result<Interface, String> {
    let found = interfaces.get(number as usize).copied();
    found.ok_or_else(|| format!("a packet of interface {number}, but only {} are described", interfaces.len()))
}

fn packet(interface: &Interface, ticks: Option<u128>, data: Range<usize>, is_cut: bool) -> Result<Item, String> {
    let link = Link::from_number(interface.link)
        .ok_or_else(|| format!("packets of link type {}; allowed are {}", interface.link, Link::ALLOWED))?;
    let time_ns = ticks.map(|ticks| {
        let units = u128::from(interface.units_per_second);
        let ns = i128::try_from(ticks / units * SECOND_NS + ticks % units * SECOND_NS / units).unwrap_or(i128::MAX);
        let moved = ns.saturating_add(i128::from(interface.offset_seconds) * SECOND_NS as i128);
        u64::try_from(moved.max(0)).unwrap_or(u64::MAX)
    });
    Ok(Item::Packet(Packet { time_ns, link, data, is_cut }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn open(bytes: &[u8]) -> Result<Capture, String> {
        let path = std::env::temp_dir().join(format!("sip-fw-capture-{}-{}", std::process::id(), bytes.len()));
        File::create(&path).and_then(|mut file| file.write_all(bytes)).unwrap();
        let capture = Capture::open(&path).map_err(|error| error.to_string());
        std::fs::remove_file(&path).unwrap();
        capture
    }

    fn pcap(magic: u32, link: u32, records: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [magic, 0x0004_0002, 0, 0, 65_535, link] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for (seconds, fraction, data) in records {
            for word in [*seconds, *fraction, data.len() as u32, data.len() as u32] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            bytes.extend_from_slice(data);
        }
        bytes
    }

    fn times(bytes: &[u8]) -> Vec<Option<u64>> {
        let mut capture = open(bytes).unwrap();
        let mut times = Vec::new();
        while let Some(item) = capture.next_item().unwrap() {
            if let Item::Packet(packet) = item {
                times.push(packet.time_ns);
            }
        }
        times
    }

    #[test]
    fn both_precisions() {
        assert_eq!(times(&pcap(0xa1b2_c3d4, 1, &[(7, 5, b"x")])), [Some(7_000_005_000)]);
        assert_eq!(times(&pcap(0xa1b2_3c4d, 1, &[(7, 5, b"x")])), [Some(7_000_000_005)]);
    }

    #[test]
    fn what_is_no_capture_is_named() {
        let says = |bytes: &[u8]| open(bytes).map(|_| ()).unwrap_err();
        assert!(says(b"").contains("an empty file"));
        assert!(says(b"hello").contains("begins with the bytes 68 65 6c 6c"), "{}", says(b"hello"));
        assert!(says(&[0x1f, 0x8b, 8, 0, 0]).contains("gunzip"));
        assert!(says(&pcap(0xa1b2_c3d4, 1, &[])[..10]).contains("ends within its header"));
    }

    #[test]
    fn a_block_shorter_than_its_own_frame_is_damage_with_its_place() {
        let find = include_bytes!("../../../fuzz/corpus/pcap/pcapng-block-of-four-bytes");
        let mut capture = open(find).unwrap();
        let fault = std::iter::from_fn(|| capture.next_item().transpose()).take(9).find_map(Result::err).unwrap();
        assert!(fault.to_string().contains("a block of 4 bytes, at least 12 are needed"), "{fault}");
    }

    #[test]
    fn a_cut_off_file_is_read_to_its_end() {
        let bytes = pcap(0xa1b2_c3d4, 1, &[(1, 0, b"abcd"), (2, 0, b"efgh")]);
        let mut capture = open(&bytes[..bytes.len() - 1]).unwrap();
        let items: Vec<_> = std::iter::from_fn(|| capture.next_item().unwrap()).take(3).collect();
        assert_eq!(items[0], Item::Other);
        assert!(matches!(&items[1], Item::Packet(packet) if packet.time_ns == Some(1_000_000_000)));
        assert_eq!(items[2], Item::CutOff);
    }

    #[test]
    fn unknown_links_are_an_error_with_the_place() {
        let mut capture = open(&pcap(0xa1b2_c3d4, 127, &[(1, 0, b"abcd")])).unwrap();
        assert_eq!(capture.next_item().unwrap(), Some(Item::Other));
        let message = capture.next_item().unwrap_err().to_string();
        assert!(message.contains("at byte 24") && message.contains("link type 127; allowed are"), "{message}");
    }
}
