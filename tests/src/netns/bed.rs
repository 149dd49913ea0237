//! The whole bed: five hosts around a switch.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::namespace::sweep_stale;
use super::{Host, Namespace};
use crate::family::{Family, WORLD_FIRST};

/// The hosts by name; the position is the number of the host's network.
const HOSTS: [&str; 5] = ["pbx", "office", "attacker", "spoofer", "carrier"];
const CARRIER: u16 = 4;

static BEDS: AtomicU32 = AtomicU32::new(0);

/// Five hosts around a switch; everything is removed when it is dropped.
#[derive(Debug)]
pub struct Bed {
    /// Name of this bed, unique on the machine: `sfw<pid>-<n>`.
    pub name: String,
    /// The host that is protected.
    pub pbx: Host,
    /// Where the good phones are.
    pub office: Host,
    /// Who guesses passwords from an own address.
    pub attacker: Host,
    /// Who sends packets in other people's names.
    pub spoofer: Host,
    /// An upstream of the pbx, and the router to the rest of the world.
    pub carrier: Host,
    switch: Namespace,
}

impl Bed {
    /// Builds a bed of its own.
    pub fn new() -> Result<Self> {
        sweep_stale();
        let name = format!("sfw{}-{}", std::process::id(), BEDS.fetch_add(1, Ordering::Relaxed));
        let switch = Namespace::create(format!("{name}-switch"))?;
        switch.sysctl(&[("net/ipv6/conf/all/disable_ipv6", "1"), ("net/ipv6/conf/default/disable_ipv6", "1")])?;
        switch.ip_batch("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\nlink set br0 up\n")?;
        let host = |network: usize| build_host(&name, &switch, network);
        Ok(Self {
            pbx: host(0)?,
            office: host(1)?,
            attacker: host(2)?,
            spoofer: host(3)?,
            carrier: host(4)?,
            name: name.clone(),
            switch,
        })
    }

    /// The namespace of the switch, where a tap sees what is really on the wire.
    pub const fn switch(&self) -> &Namespace {
        &self.switch
    }

    /// The switch's own end of the cable to `host`.
    pub fn port_of(&self, host: &Host) -> String {
        format!("s-{}", host.interface)
    }
}

fn build_host(bed: &str, switch: &Namespace, network: usize) -> Result<Host> {
    let host = HOSTS[network];
    let namespace = Namespace::create(format!("{bed}-{host}"))?;
    namespace.sysctl(&[
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/default/rp_filter", "0"),
        ("net/ipv6/conf/all/accept_dad", "0"),
        ("net/ipv6/conf/default/accept_dad", "0"),
        ("net/ipv6/conf/default/accept_ra", "0"),
        ("net/ipv6/ip_nonlocal_bind", "1"),
    ])?;
    let interface = format!("{host}0");
    switch.ip_batch(&format!(
        "link add s-{interface} type veth peer name {interface} netns {}\nlink set s-{interface} master br0 up\n",
        namespace.name()
    ))?;
    let network = u16::try_from(network)?;
    namespace.ip_batch(&addresses_and_routes(&interface, network)?)?;
    Ok(Host { namespace, interface, network })
}

fn addresses_and_routes(interface: &str, own: u16) -> Result<String> {
    let first = |family: Family, network: u16| family.address(network, 1);
    let mut batch = String::new();
    writeln!(batch, "link set lo up\nlink set {interface} up")?;
    writeln!(batch, "addr add {}/32 dev {interface}", first(Family::V4, own))?;
    writeln!(batch, "addr add {}/128 dev {interface} nodad", first(Family::V6, own))?;
    writeln!(batch, "route add local 10.98.{own}.0/24 dev lo\nroute add local fd98:{own:x}::/64 dev lo")?;
    for other in (0..u16::try_from(HOSTS.len())?).filter(|other| *other != own) {
        writeln!(
            batch,
            "route add 10.98.{other}.0/24 via {} dev {interface} onlink src {}",
            first(Family::V4, other),
            first(Family::V4, own)
        )?;
        writeln!(
            batch,
            "route add fd98:{other:x}::/64 via {} dev {interface} onlink src {}",
            first(Family::V6, other),
            first(Family::V6, own)
        )?;
    }
    if own != CARRIER {
        writeln!(
            batch,
            "route add 10.98.{WORLD_FIRST}.0/17 via {} dev {interface} onlink",
            first(Family::V4, CARRIER)
        )?;
        writeln!(batch, "route add fd98:8000::/17 via {} dev {interface} onlink", first(Family::V6, CARRIER))?;
    }
    Ok(batch)
}
