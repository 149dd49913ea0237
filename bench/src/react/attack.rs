//! The attack: one source guesses passwords at a fixed rate, whatever is answered, until nothing is answered any more.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sip_fw_e2e::actors::Client;
use sip_fw_e2e::sip::{Challenge, Request, Transport, token};
use sip_fw_e2e::wait::{PATIENCE, check_interrupt};
use sip_fw_e2e::{Bed, Family};

const METHOD: &str = "REGISTER";
/// An account that the PBX has, with a password that nobody guesses here.
const USER: &str = "1001";
/// Whoever hears nothing for so long while he asks is heard no more: fifty attempts at the lowest rate.
const SILENCE: Duration = Duration::from_millis(500);
/// An attack that is let go on for so long is not defended against.
const ENDLESS: Duration = Duration::from_secs(10);

/// Whose nonce the guesses answer. The PBX refuses both alike, and writes the same into its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonce {
    /// One that the source was given: its failures prove that it is itself who guesses.
    Own,
    /// One that another address was given: the source may be forged, so sip-fw leaves the judgement to user space.
    Others,
}

/// An attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Where it comes from: an address of the bed's attacker.
    pub source: IpAddr,
    /// Whose nonce it answers.
    pub nonce: Nonce,
    /// Attempts a second.
    pub rate: u32,
}

impl Attack {
    /// Attacks the bed's PBX over UDP until it has been silent for a while.
    pub fn run(&self, bed: &Bed) -> Result<()> {
        let pbx = bed.pbx.sip(Family::V4);
        let socket = self.open(bed)?;
        let first = Request::new(METHOD, USER, socket.local_addr()?, pbx, Transport::Udp);
        let challenge = self.challenge(bed, pbx)?;
        let mut guess = Guess { last: first, challenge };
        let gap = Duration::from_secs(1) / self.rate;
        let began = Instant::now();
        let (mut due, mut heard) = (began, began);
        while heard.elapsed() < SILENCE {
            check_interrupt()?;
            ensure!(began.elapsed() < ENDLESS, "after {ENDLESS:?} the guesses of {} are still answered", self.source);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            socket.send_to(&guess.next(), pbx).with_context(|| format!("guess from {}", self.source))?;
            due += gap;
            if hears(&socket)? {
                heard = Instant::now();
            }
        }
        Ok(())
    }

    /// Not connected: the ICMP errors with which fail2ban's rules answer do not concern a sender who listens to nobody.
    fn open(&self, bed: &Bed) -> Result<UdpSocket> {
        let socket = bed.attacker.namespace().open(|| UdpSocket::bind((self.source, 0)))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn challenge(&self, bed: &Bed, pbx: SocketAddr) -> Result<Challenge> {
        let asks = match self.nonce {
            Nonce::Own => self.source,
            Nonce::Others => bed.attacker.address(Family::V4),
        };
        let mut client = Client::dial(&bed.attacker, asks, pbx, Transport::Udp)?;
        let request = client.request(METHOD, USER);
        let answer = client.transact(&request, PATIENCE).with_context(|| format!("{pbx} does not answer {asks}"))?;
        answer.challenge().with_context(|| format!("{pbx} does not challenge {asks}: {}", answer.first_line))
    }
}

/// A wrong password after the other, each in a transaction of its own.
struct Guess {
    last: Request,
    challenge: Challenge,
}

impl Guess {
    fn next(&mut self) -> Vec<u8> {
        self.last = self.last.next();
        self.last.extra = vec![self.challenge.answer(USER, &token(), METHOD, &self.last.uri)];
        self.last.bytes()
    }
}

/// Takes what has come; whether anything has.
fn hears(socket: &UdpSocket) -> Result<bool> {
    let mut heard = false;
    loop {
        match socket.recv(&mut [0; 1]) {
            Ok(_) => heard = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(heard),
            Err(error) => return Err(error.into()),
        }
    }
}
