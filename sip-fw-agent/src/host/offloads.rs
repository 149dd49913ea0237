//! What a network card does by itself, as `ethtool -k` lists it.

use std::io;
use std::pin::pin;
use std::time::Duration;

use ethtool::{EthtoolAttr, EthtoolError, EthtoolFeatureAttr};
use futures_util::StreamExt as _;

/// The kernel answers at once, or something is wrong with it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Names of the offloads that are switched on, such as `rx-lro`.
///
/// # Errors
///
/// When the kernel does not say: it may be built without ethtool's netlink family.
pub fn offloads(interface: &str) -> io::Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer = tokio::time::timeout(PATIENCE, ask(interface));
        answer.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    })
}

async fn ask(interface: &str) -> io::Result<Vec<String>> {
    let (connection, mut handle, _) = ethtool::new_connection()?;
    drop(tokio::spawn(connection));
    let mut answers = pin!(handle.feature().get(Some(interface)).execute().await.map_err(refused)?);
    let mut active = Vec::new();
    while let Some(answer) = answers.next().await {
        for attribute in answer.map_err(refused)?.payload.nlas {
            if let EthtoolAttr::Feature(EthtoolFeatureAttr::Active(bits)) = attribute {
                active.extend(bits.into_iter().filter(|bit| bit.value).map(|bit| bit.name));
            }
        }
    }
    Ok(active)
}

fn refused(error: EthtoolError) -> io::Error {
    match error {
        EthtoolError::NetlinkError(error) => error.to_io(),
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_offloads() {
        let active = offloads("lo").unwrap();
        assert!(active.iter().any(|name| name == "rx-gro"), "{active:?}");
        assert!(offloads("no-such-link").is_err());
    }
}
