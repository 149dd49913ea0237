//! Who listens on this host, from the kernel's socket tables and the open files of every process.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::net::SocketAddr;

use procfs_core::FromBufReadSI;
use procfs_core::net::{TcpNetEntries, TcpState, UdpNetEntries, UdpState};

use sip_fw_core::text::escape;

use super::sessions::{byte_order, canonical};

/// A socket that takes what anybody sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// TCP, else UDP.
    pub tcp: bool,
    /// Where.
    pub local: SocketAddr,
    /// Names of the processes that hold it, each once; none where they cannot be told.
    pub owners: BTreeSet<String>,
}

/// Every such socket of the network namespace that this thread is in.
///
/// # Errors
///
/// When the tables cannot be read.
pub fn listeners() -> io::Result<Vec<Listener>> {
    let mut found = Vec::new();
    for table in ["udp", "udp6"] {
        let entries = read::<UdpNetEntries>(table)?.map_or_else(Vec::new, |UdpNetEntries(entries)| entries);
        let open = entries.into_iter().filter(|entry| entry.state == UdpState::Close);
        found.extend(open.map(|entry| (false, entry.local_address, entry.inode)));
    }
    for table in ["tcp", "tcp6"] {
        let entries = read::<TcpNetEntries>(table)?.map_or_else(Vec::new, |TcpNetEntries(entries)| entries);
        let open = entries.into_iter().filter(|entry| entry.state == TcpState::Listen);
        found.extend(open.map(|entry| (true, entry.local_address, entry.inode)));
    }
    let owners = owners();
    let listener = |(tcp, local, inode): (bool, SocketAddr, u64)| Listener {
        tcp,
        local: canonical(local),
        owners: owners.get(&inode).cloned().unwrap_or_default(),
    };
    let mut listeners: Vec<_> = found.into_iter().map(listener).collect();
    listeners.sort();
    Ok(listeners)
}

/// A table; None of IPv6 in a kernel without it.
fn read<T: FromBufReadSI>(table: &str) -> io::Result<Option<T>> {
    let path = format!("/proc/thread-self/net/{table}");
    match File::open(&path) {
        Ok(file) => T::from_buf_read(BufReader::new(file), &byte_order()).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound && table.ends_with('6') => Ok(None),
        Err(error) => Err(io::Error::new(error.kind(), format!("{path}: {error}"))),
    }
}

/// Names of processes by the sockets that they hold. Processes come and go meanwhile, and those of others are closed to
/// whoever is not root: they are left out.
fn owners() -> HashMap<u64, BTreeSet<String>> {
    let mut owners: HashMap<u64, BTreeSet<String>> = HashMap::new();
    let Ok(processes) = fs::read_dir("/proc") else { return owners };
    for process in processes.flatten().map(|entry| entry.path()) {
        let (Ok(files), Ok(name)) = (fs::read_dir(process.join("fd")), fs::read_to_string(process.join("comm"))) else {
            continue;
        };
        for file in files.flatten() {
            let inode = fs::read_link(file.path()).ok().and_then(|target| socket(&target.to_string_lossy()));
            if let Some(inode) = inode {
                owners.entry(inode).or_default().insert(escape(name.trim_end()));
            }
        }
    }
    owners
}

fn socket(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn own_sockets_are_found_with_their_owner() {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
        connected.connect(udp.local_addr().unwrap()).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        let all = listeners().unwrap();
        let find = |tcp, local| all.iter().find(|found| found.tcp == tcp && found.local == local);
        for found in [find(false, udp.local_addr().unwrap()), find(true, tcp.local_addr().unwrap())] {
            assert!(found.unwrap().owners.contains(own.trim_end()), "{found:?}");
        }
        assert_eq!(find(false, connected.local_addr().unwrap()), None, "it takes what one sends");
    }

    #[test]
    fn sockets_among_files() {
        assert_eq!(socket("socket:[1234]"), Some(1234));
        assert_eq!(socket("pipe:[1234]"), None);
        assert_eq!(socket("/dev/null"), None);
    }
}
