//! `peers`: who authenticated here lately, and whom this host itself asked.

use super::{CliError, Site};
use crate::clock;
use crate::control::protocol::Request;
use crate::control::view::{PeerView, PeersView};
use crate::report::table::{Column, ago, or_dash, table};
use sip_fw_core::time::Timestamp;

/// Arguments of `peers`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Asks and prints.
pub fn run(site: &Site, _: &Args) -> Result<(), CliError> {
    site.show(&Request::Peers, |view| render(view, clock::wall())).map(drop)
}

fn render(view: &PeersView, now: Timestamp) -> String {
    if view.peers.is_empty() {
        return "no known peers\n".to_owned();
    }
    let columns = [
        Column::Text("SOURCE"),
        Column::Text("KIND"),
        Column::Text("USER"),
        Column::Text("SERVICE"),
        Column::Text("TRANSPORT"),
        Column::Text("FIRST SEEN"),
        Column::Text("LAST SEEN"),
        Column::Text("LEARNED"),
    ];
    let row = |peer: &PeerView| {
        [
            peer.source.clone(),
            peer.kind.clone(),
            or_dash(peer.user.as_deref()),
            or_dash(peer.service.as_deref()),
            peer.transport.clone(),
            ago(peer.first_seen, now),
            ago(peer.last_seen, now),
            peer.learned.clone(),
        ]
    };
    table(columns, &view.peers.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rendering() {
        let view = json!({"schema": 1, "peers": [{
            "source": "203.0.113.9", "kind": "upstream", "user": null, "first_seen": "1970-01-01T00:00:00.000Z",
            "last_seen": "1970-01-01T00:00:00.000Z", "transport": "udp", "service": "sip", "learned": "answered our OPTIONS"
        }]});
        assert_eq!(
            render(&serde_json::from_value(view).unwrap(), Timestamp { unix_ms: 60_000 }),
            "SOURCE       KIND      USER  SERVICE  TRANSPORT  FIRST SEEN  LAST SEEN  LEARNED\n\
             203.0.113.9  upstream  -     sip      udp        1m ago      1m ago     answered our OPTIONS\n"
        );
        assert_eq!(render(&PeersView { schema: 1, peers: Vec::new() }, Timestamp { unix_ms: 0 }), "no known peers\n");
    }
}
