//! Host names: their A and AAAA records.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};
use ipnet::IpNet;
use tokio::time::timeout;

use super::aside::{self, AsideError};
use super::net::aggregated;
use super::pace::Pace;

/// Addresses of one name that are taken; a pool of servers has a few, and names are for people's own hosts.
const HOST_ADDRESSES_MAX: usize = 64;
/// How long what the hosts file says is taken as given, in seconds: it has no TTL, and people edit it.
const HOSTS_FILE_TTL: u32 = 60;

/// Addresses of a name.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Aggregated.
    pub nets: Vec<IpNet>,
    /// How long they are good.
    pub ttl: Duration,
    /// What was not taken.
    pub note: Option<String>,
}

/// Why there are no addresses.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// It cannot be asked for.
    #[error("is no host name: {0}")]
    Name(String),
    /// `/etc/resolv.conf` cannot be read, or names nobody.
    #[error("no name servers: {0}; name them in /etc/resolv.conf, or in the configuration")]
    NoServers(NetError),
    /// There is no such name.
    #[error("the name does not exist, say the name servers (NXDOMAIN)")]
    NoSuchName,
    /// The name has other records.
    #[error("the name has neither A nor AAAA records")]
    NoRecords,
    /// No answer in time.
    #[error("no answer from the name servers in {} s", .0.as_secs())]
    Timeout(Duration),
    /// Another failure.
    #[error("the name servers cannot say: {0}")]
    Failed(NetError),
    /// No thread.
    #[error("{0}")]
    Aside(#[from] AsideError),
}

/// Answer for one record type.
enum Family {
    Addresses(Vec<IpAddr>, u32),
    None { name_exists: bool },
    Failed(NetError),
}

/// What the system says of name servers and names, read anew for each look-up, because people change it.
struct System {
    config: ResolverConfig,
    options: ResolverOpts,
    hosts: Hosts,
}

/// Asks for both record types of a name. Where only one can be had, the `previous` addresses of the other stay.
///
/// # Errors
///
/// When neither can be had, or the name has no addresses.
pub async fn look_up(
    name: &str,
    servers: &Arc<[SocketAddr]>,
    previous: &[IpNet],
    pace: &Pace,
) -> Result<Found, HostError> {
    let mut full = Name::from_str_relaxed(name).map_err(|error| HostError::Name(error.to_string()))?;
    // A name with a dot must not be looked for in the search domains: what answers there is somebody else.
    full.set_fqdn(full.is_fqdn() || full.num_labels() > 1);
    let servers = Arc::clone(servers);
    let System { config, options, hosts } = aside::run("dns", move || system(&servers)).await??;
    let (v4, v6) = match (in_hosts_file(&hosts, &full, RecordType::A), in_hosts_file(&hosts, &full, RecordType::AAAA)) {
        (None, None) => {
            let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
                .with_options(options)
                .build()
                .map_err(HostError::Failed)?;
            let both =
                async { tokio::join!(ask(&resolver, &full, RecordType::A), ask(&resolver, &full, RecordType::AAAA)) };
            timeout(pace.lookup_max, both).await.map_err(|_| HostError::Timeout(pace.lookup_max))?
        }
        (v4, v6) => {
            let family = |addresses: Option<Vec<IpAddr>>| {
                addresses.map_or(Family::None { name_exists: true }, |found| Family::Addresses(found, HOSTS_FILE_TTL))
            };
            (family(v4), family(v6))
        }
    };
    merge(v4, v6, previous, pace)
}

fn system(servers: &[SocketAddr]) -> Result<System, HostError> {
    let hosts = Hosts::from_system().unwrap_or_default();
    let (config, mut options) = if servers.is_empty() {
        system_conf::read_system_conf().map_err(HostError::NoServers)?
    } else {
        let servers = servers.iter().map(|server| {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            config.connections.iter_mut().for_each(|connection| connection.port = server.port());
            config
        });
        (ResolverConfig::from_name_servers(servers.collect()), ResolverOpts::default())
    };
    // The keeper waits for the TTL itself.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    Ok(System { config, options, hosts })
}

fn in_hosts_file(hosts: &Hosts, name: &Name, record: RecordType) -> Option<Vec<IpAddr>> {
    let mut name = name.clone();
    name.set_fqdn(true);
    let found = hosts.lookup_static_host(&Query::query(name, record))?;
    Some(addresses(found.answers()))
}

fn addresses(records: &[Record]) -> Vec<IpAddr> {
    records.iter().filter_map(|record| record.data.ip_addr()).collect()
}

async fn ask(resolver: &TokioResolver, name: &Name, record: RecordType) -> Family {
    match resolver.lookup(name.clone(), record).await {
        Ok(found) => {
            let addresses = addresses(found.answers());
            // Those of aliases count, too.
            let ttl = found.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
            if addresses.is_empty() { Family::None { name_exists: true } } else { Family::Addresses(addresses, ttl) }
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(found))) => match found.response_code {
            ResponseCode::NoError => Family::None { name_exists: true },
            ResponseCode::NXDomain => Family::None { name_exists: false },
            code => Family::Failed(NetError::Dns(DnsError::ResponseCode(code))),
        },
        Err(error) => Family::Failed(error),
    }
}

fn merge(v4: Family, v6: Family, previous: &[IpNet], pace: &Pace) -> Result<Found, HostError> {
    let mut ttl = pace.ttl_max;
    let mut found = BTreeSet::new();
    let mut kept = Vec::new();
    let mut notes = Vec::new();
    let mut failure = None;
    let mut name_exists = false;
    for (family, record, is_v4) in [(v4, "A", true), (v6, "AAAA", false)] {
        match family {
            Family::Addresses(addresses, seconds) => {
                found.extend(addresses.into_iter().map(|address| address.to_canonical()));
                ttl = ttl.min(Duration::from_secs(seconds.into()));
            }
            Family::None { name_exists: exists } => name_exists |= exists,
            Family::Failed(error) => {
                kept.extend(previous.iter().filter(|net| matches!(net, IpNet::V4(_)) == is_v4).copied());
                ttl = ttl.min(pace.host_retry_max);
                notes.push(format!("no answer for {record}, those known last stay: {error}"));
                failure.get_or_insert(error);
            }
        }
    }
    // Filtering name servers answer 0.0.0.0 for what they block.
    let all = found.len();
    found.retain(|address| !address.is_unspecified() && !address.is_multicast());
    if found.len() < all {
        notes.push(format!("skipped {} addresses that nobody can have", all - found.len()));
    }
    if found.len() > HOST_ADDRESSES_MAX {
        notes.push(format!("{} addresses, only {HOST_ADDRESSES_MAX} are taken", found.len()));
    }
    if found.is_empty() {
        return Err(match failure {
            Some(error) => HostError::Failed(error),
            None if name_exists || all > 0 => HostError::NoRecords,
            None => HostError::NoSuchName,
        });
    }
    let nets = found.into_iter().take(HOST_ADDRESSES_MAX).map(IpNet::from).chain(kept).collect();
    Ok(Found {
        nets: aggregated(nets),
        ttl: ttl.clamp(pace.ttl_min, pace.ttl_max),
        note: (!notes.is_empty()).then(|| notes.join("; ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(addresses: &[&str], ttl: u32) -> Family {
        Family::Addresses(addresses.iter().map(|text| text.parse().unwrap()).collect(), ttl)
    }

    fn shown(v4: Family, v6: Family, previous: &[&str]) -> String {
        let previous: Vec<IpNet> = previous.iter().map(|text| text.parse().unwrap()).collect();
        match merge(v4, v6, &previous, &Pace::USUAL) {
            Ok(Found { nets, ttl, note }) => {
                let nets: Vec<_> = nets.iter().map(ToString::to_string).collect();
                format!(
                    "{} {}s{}",
                    nets.join(" "),
                    ttl.as_secs(),
                    note.map(|note| format!(" | {note}")).unwrap_or_default()
                )
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn both_families_count() {
        let none = || Family::None { name_exists: true };
        let no_name = || Family::None { name_exists: false };
        let failed = || Family::Failed(NetError::Timeout);
        let previous = ["192.0.2.9/32", "2001:db8::9/128"];
        for (v4, v6, expected) in [
            (found(&["192.0.2.1"], 60), found(&["2001:db8::1"], 30), "192.0.2.1/32 2001:db8::1/128 30s"),
            (found(&["192.0.2.1"], 0), none(), "192.0.2.1/32 5s"),
            (none(), found(&["2001:db8::1"], u32::MAX), "2001:db8::1/128 86400s"),
            (none(), found(&["::ffff:192.0.2.1"], 60), "192.0.2.1/32 60s"),
            (
                found(&["192.0.2.1"], 3600),
                failed(),
                "192.0.2.1/32 2001:db8::9/128 300s | no answer for AAAA, those known last stay: request timed out",
            ),
            (failed(), none(), "the name servers cannot say: request timed out"),
            (failed(), failed(), "the name servers cannot say: request timed out"),
            (none(), no_name(), "the name has neither A nor AAAA records"),
            (no_name(), no_name(), "the name does not exist, say the name servers (NXDOMAIN)"),
            (found(&["0.0.0.0"], 60), found(&["::"], 60), "the name has neither A nor AAAA records"),
            (
                found(&["192.0.2.1", "224.0.0.1"], 60),
                none(),
                "192.0.2.1/32 60s | skipped 1 addresses that nobody can have",
            ),
        ] {
            assert_eq!(shown(v4, v6, &previous), expected);
        }
    }

    #[test]
    fn addresses_are_bounded() {
        let many: Vec<String> = (0..HOST_ADDRESSES_MAX + 6).map(|n| format!("192.0.2.{}", n * 2)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let shown = shown(found(&many, 60), Family::None { name_exists: true }, &[]);
        assert_eq!(shown.matches("/32").count(), HOST_ADDRESSES_MAX);
        assert!(shown.ends_with("70 addresses, only 64 are taken"), "{shown}");
    }

    #[test]
    fn the_hosts_file_is_read() {
        let mut hosts = Hosts::default();
        hosts.read_hosts_conf(&b"192.0.2.1 pbx.example pbx\n2001:db8::1 pbx\n"[..]).unwrap();
        let found = |name: &str, record| in_hosts_file(&hosts, &Name::from_str_relaxed(name).unwrap(), record);
        assert_eq!(found("pbx", RecordType::A), Some(vec!["192.0.2.1".parse().unwrap()]));
        assert_eq!(found("PBX.example", RecordType::A), Some(vec!["192.0.2.1".parse().unwrap()]));
        assert_eq!(found("pbx", RecordType::AAAA), Some(vec!["2001:db8::1".parse().unwrap()]));
        assert_eq!(found("other", RecordType::A), None);
    }
}
