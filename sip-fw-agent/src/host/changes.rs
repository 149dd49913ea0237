//! Wakes whoever waits when interfaces or addresses of this host change.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::time::Duration;

use nix::sys::socket::sockopt::RcvBuf;
use nix::sys::socket::{AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, setsockopt, socket};
use tokio::net::UnixDatagram;
use tokio::time::{Instant, sleep_until};

/// RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR (linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// Bytes of messages that wait. A message that finds no room is as good as one that does: both say "look".
const WAITING_BYTES: usize = 16 << 10;
/// Messages taken at once: more than find room, as the kernel counts at least a cache line for each.
const MESSAGES_MAX: usize = 1024;

/// Tells that something changed, and never what: who is told looks.
pub struct InterfaceChanges {
    socket: UnixDatagram,
    not_before: Instant,
}

impl InterfaceChanges {
    /// Listens in the network namespace of this thread; only inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the kernel refuses: a sandbox must allow AF_NETLINK.
    pub fn listen() -> io::Result<Self> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, SockProtocol::NetlinkRoute)?;
        setsockopt(&socket, RcvBuf, &WAITING_BYTES)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        // Tokio waits for datagrams; of which family they are is all the same to it.
        let socket = UnixDatagram::from_std(StdDatagram::from(socket))?;
        Ok(Self { socket, not_before: Instant::now() })
    }

    /// Waits until something changed since the last time, and the pause is over. Cancel safe.
    pub async fn next(&mut self) {
        sleep_until(self.not_before).await;
        let _ = self.socket.readable().await;
        for _ in 0..MESSAGES_MAX {
            match self.socket.try_recv(&mut [0; 1]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Others say that messages were lost (ENOBUFS).
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Tells nothing for a while, however much changes.
    pub fn pause(&mut self, length: Duration) {
        self.not_before = Instant::now() + length;
    }
}
