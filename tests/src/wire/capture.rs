//! The raw packet socket under a tap. The only raw system calls of the taps are here.

use std::io::{Error, ErrorKind, IoSliceMut, Result};
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use nix::{cmsg_space, libc};

use super::Direction;

/// Room for over ten thousand packets that wait to be read.
const BUFFER_BYTES: libc::c_int = 64 << 20;

/// What came besides the bytes of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// How many bytes.
    pub length: usize,
    /// Which way it went.
    pub direction: Direction,
    /// When it passed, by the kernel's clock: the reader may come to it later.
    pub time: SystemTime,
}

/// A packet socket bound to one interface of the namespace it was opened in.
pub struct Capture {
    socket: OwnedFd,
}

impl Capture {
    /// Opens it on the interface `name` of the current namespace.
    pub fn open(name: &str) -> Result<Self> {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: a plain system call without pointers.
        let raw = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, i32::from(protocol)) };
        if raw < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: `raw` was just opened and belongs to nobody else.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        let capture = Self { socket };
        capture.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &BUFFER_BYTES)?;
        setsockopt(&capture.socket, ReceiveTimestampns, &true)?;
        let index = nix::net::if_::if_nametoindex(name)?;
        // SAFETY: all-zero bytes are a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = i32::try_from(index).map_err(|_| Error::from(ErrorKind::InvalidInput))?;
        // SAFETY: the pointer and the length describe `address`.
        let bound =
            unsafe { libc::bind(capture.socket.as_raw_fd(), (&raw const address).cast(), size_of_u32(&address)) };
        if bound < 0 {
            return Err(Error::last_os_error());
        }
        Ok(capture)
    }

    /// Sets how long `receive` waits.
    pub fn set_timeout(&self, timeout: Duration) -> Result<()> {
        let value = libc::timeval { tv_sec: 0, tv_usec: i64::from(timeout.subsec_micros()) };
        self.set(libc::SOL_SOCKET, libc::SO_RCVTIMEO, &value)
    }

    /// The next frame, which is put into `buffer`; nothing after the timeout.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Option<Frame>> {
        let mut parts = [IoSliceMut::new(buffer)];
        let mut control = cmsg_space!(TimeSpec);
        let socket = self.socket.as_raw_fd();
        let received = match recvmsg::<LinkAddr>(socket, &mut parts, Some(&mut control), MsgFlags::empty()) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let time = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(since) => Some(UNIX_EPOCH + Duration::from(since)),
            _ => None,
        });
        let left = received.address.is_some_and(|from| from.pkttype() == libc::PACKET_OUTGOING);
        Ok(Some(Frame {
            length: received.bytes,
            direction: if left { Direction::Out } else { Direction::In },
            time: time.ok_or_else(|| Error::other("the kernel gave no time with a packet"))?,
        }))
    }

    /// Packets the kernel could not queue here since the last call.
    pub fn lost(&self) -> Result<u32> {
        // SAFETY: all-zero bytes are a valid tpacket_stats.
        let mut stats: libc::tpacket_stats = unsafe { mem::zeroed() };
        let mut length = size_of_u32(&stats);
        // SAFETY: the pointers describe `stats` and its length.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut length,
            )
        };
        if result < 0 { Err(Error::last_os_error()) } else { Ok(stats.tp_drops) }
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> Result<()> {
        // SAFETY: the pointer and the length describe `value`.
        let result = unsafe {
            libc::setsockopt(self.socket.as_raw_fd(), level, option, (&raw const *value).cast(), size_of_u32(value))
        };
        if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
    }
}

fn size_of_u32<T>(_value: &T) -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}
