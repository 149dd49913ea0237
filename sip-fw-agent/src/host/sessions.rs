//! TCP sessions of this host, from the kernel's socket table.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;

use procfs_core::net::{TcpNetEntries, TcpState};
use procfs_core::{ExplicitSystemInfo, FromBufReadSI};

/// The tables of the network namespace that this thread is in.
const TABLES: [&str; 2] = ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"];

/// An established TCP session. IPv4-mapped addresses are IPv4 addresses here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// The end of this host.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
}

/// Established sessions of others with these ports of this host: is it TCP, and its number. Each session once.
///
/// UDP has no sessions, so its ports are passed over, and so are peers at a loopback address.
///
/// # Errors
///
/// When the table cannot be read: then nobody knows who is connected.
pub fn management_sessions(ports: &[(bool, u16)]) -> io::Result<Vec<Session>> {
    let ports = ports.iter().filter(|(tcp, _)| *tcp).map(|(_, port)| *port).collect();
    let mut sessions = BTreeSet::new();
    for table in TABLES {
        match File::open(table) {
            Ok(file) => sessions.extend(established(BufReader::new(file))?.filter(|s| is_management(s, &ports))),
            // A kernel without IPv6 has no table for it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && table.ends_with('6') => {}
            Err(error) => return Err(io::Error::new(error.kind(), format!("{table}: {error}"))),
        }
    }
    Ok(sessions.into_iter().collect())
}

fn is_management(session: &Session, ports: &BTreeSet<u16>) -> bool {
    ports.contains(&session.local.port()) && !session.peer.ip().is_loopback()
}

/// The established sessions of a table.
fn established(table: impl BufRead) -> io::Result<impl Iterator<Item = Session>> {
    let TcpNetEntries(entries) = TcpNetEntries::from_buf_read(table, &byte_order()).map_err(io::Error::other)?;
    let open = entries.into_iter().filter(|entry| entry.state == TcpState::Established);
    Ok(open.map(|entry| Session { local: canonical(entry.local_address), peer: canonical(entry.remote_address) }))
}

/// The order of bytes is all of a system that matters to the socket tables.
pub(super) fn byte_order() -> ExplicitSystemInfo {
    ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: 0,
        page_size: 0,
        is_little_endian: cfg!(target_endian = "little"),
    }
}

pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 10771 1 0000000000000000 100 0 0 10 0
   1: 0A0200C0:0016 097100CB:C35A 01 00000000:00000000 02:000A5F4C 00000000     0        0 21312 4 0000000000000000 20 4 30 10 -1
   2: 0A0200C0:0016 087100CB:C35B 06 00000000:00000000 03:000013B0 00000000     0        0 0 3 0000000000000000
   3: 0100007F:0016 0100007F:C35C 01 00000000:00000000 00:00000000 00000000     0        0 21313 1 0000000000000000 20 4 30 10 -1
   4: 0A0200C0:C35D 077100CB:0016 01 00000000:00000000 00:00000000 00000000     0        0 21314 1 0000000000000000 20 4 30 10 -1
";
    const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 10782 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF00000A0200C0:0016 0000000000000000FFFF0000097100CB:C35A 01 00000000:00000000 00:00000000 00000000     0        0 21315 1 0000000000000000 20 4 30 10 -1
   2: B80D0120000000000000000001000000:01BB B80D0120000000000000000002000000:C35A 01 00000000:00000000 00:00000000 00000000     0        0 21316 1 0000000000000000 20 4 30 10 -1
";

    fn sessions(table: &str, ports: &[u16]) -> Vec<(String, String)> {
        let ports = ports.iter().copied().collect();
        let all = established(table.as_bytes()).unwrap().filter(|session| is_management(session, &ports));
        all.map(|session| (session.local.to_string(), session.peer.to_string())).collect()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn established_sessions_of_others() {
        let expected = |local: &str, peer: &str| (local.to_owned(), peer.to_owned());
        let ssh = expected("192.0.2.10:22", "203.0.113.9:50010");
        assert_eq!(sessions(TCP, &[22, 443]), std::slice::from_ref(&ssh));
        assert_eq!(sessions(TCP, &[443]), []);
        assert_eq!(sessions(TCP6, &[22, 443]), [ssh, expected("[2001:db8::1]:443", "[2001:db8::2]:50010")]);
        assert!(established(&b"head\nnonsense\n"[..]).is_err());
    }

    #[test]
    fn a_real_session() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let (local, client) = (server.local_addr().unwrap(), TcpStream::connect(server.local_addr().unwrap()).unwrap());
        let _accepted = server.accept().unwrap();
        let session = Session { local, peer: client.local_addr().unwrap() };
        let mut all = established(BufReader::new(File::open(TABLES[0]).unwrap())).unwrap();
        assert!(all.any(|found| found == session), "{session:?}");
        assert_eq!(management_sessions(&[(true, local.port())]).unwrap(), [], "a loopback peer");
    }
}
