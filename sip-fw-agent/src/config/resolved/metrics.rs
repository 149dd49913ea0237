//! Where metrics are served.

use std::net::SocketAddr;

use super::check::Check;
use crate::config::raw::{RawMetrics, Spot};

impl Check<'_> {
    pub(super) fn metrics(&mut self, raw: &RawMetrics) -> Option<SocketAddr> {
        let Spot { line, value } = raw.listen.as_ref()?;
        let address =
            value.parse().ok().filter(|address: &SocketAddr| address.port() > 0 && !address.ip().is_multicast());
        if address.is_none() {
            let allowed = "an address of this host with a port, such as 127.0.0.1:9469 or [::1]:9469";
            self.fault(*line, "metrics.listen", format!("{value:?}"), allowed);
        }
        address
    }
}
