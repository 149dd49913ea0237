//! Clients of the metrics that do not behave: neither the agent nor the next scrape waits for them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sip_fw_e2e::Bed;
use sip_fw_e2e::http::connect;

use super::{LISTEN, agent_with, listen, scrape, scrape_when_served};

/// How soon the agent must answer whatever is done to its metrics.
const SOON: Duration = Duration::from_secs(1);
const IDLE: usize = 100;

#[test]
fn slow_and_idle_clients_delay_nobody() {
    let Some((bed, agent)) = agent_with(&listen(LISTEN)) else { return };
    let address = LISTEN.parse().unwrap();
    scrape_when_served(&bed, address);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| drip(&bed, address, &stop));
        let idle: Vec<_> = (0..IDLE).map(|_| connect(&bed.pbx, address).unwrap()).collect();
        for _ in 0..5 {
            let began = Instant::now();
            assert_eq!(agent.call(&["status"]).unwrap().code, 0);
            assert!(began.elapsed() < SOON, "status took {:?}", began.elapsed());
            let began = Instant::now();
            scrape(&bed.pbx, address).unwrap();
            assert!(began.elapsed() < SOON, "a scrape took {:?}", began.elapsed());
        }
        assert!(idle.len() > idle.iter().filter(|stream| is_open(stream)).count(), "the oldest were let go");
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_is_no_request_is_let_go() {
    let Some((bed, _agent)) = agent_with(&listen(LISTEN)) else { return };
    let address = LISTEN.parse().unwrap();
    scrape_when_served(&bed, address);
    let endless = b"x: y\r\n".repeat(10_000);
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..], b"GET /metrics\r\n\r\n", &endless] {
        let mut stream = connect(&bed.pbx, address).unwrap();
        // It may be let go before all is sent.
        let _ = stream.write_all(garbage);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!String::from_utf8_lossy(&answer).contains("sip_fw"), "{answer:?}");
    }
    scrape(&bed.pbx, address).unwrap();
}

/// A request at some bytes a second, again and again.
fn drip(bed: &Bed, address: SocketAddr, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = connect(&bed.pbx, address) else { continue };
        for byte in b"GET /metrics HTTP/1.1\r\nX: ".iter().chain([b'x'; 1000].iter()) {
            if stop.load(Ordering::Relaxed) || stream.write_all(&[*byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Nothing comes, but the end did not come either.
fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut byte = [0];
    (&*stream).read(&mut byte).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}
