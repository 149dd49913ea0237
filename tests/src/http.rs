//! One HTTP request, as Prometheus makes it, inside the namespace of a host.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::netns::Host;
use crate::wait::PATIENCE;

const CONNECT: Duration = Duration::from_secs(2);

/// A connection to a server on `host`, from there.
pub fn connect(host: &Host, address: SocketAddr) -> Result<TcpStream> {
    let stream = host.namespace().within(|| TcpStream::connect_timeout(&address, CONNECT))??;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The answer to a GET: its header in lower case, and its body.
pub fn get(host: &Host, address: SocketAddr, path: &str) -> Result<(String, String)> {
    let mut stream = connect(host, address)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: Prometheus/3.0.0\r\n\
         Accept: application/openmetrics-text;version=1.0.0\r\nAccept-Encoding: gzip\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (header, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no HTTP: {answer}"))?;
    Ok((header.to_lowercase(), body.to_owned()))
}
