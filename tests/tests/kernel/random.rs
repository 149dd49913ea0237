//! Messages that are mangled from a seed: the same in every run.

use sip_fw_e2e::random::Random;

/// Bytes of a UDP payload on a link of 1,500.
pub const PAYLOAD_MAX: usize = 1472;

/// What means something to the scanner.
const PIECES: [&str; 35] = [
    "\r\n ",
    "\n\t",
    "\r\n",
    "\n",
    "\"",
    "\\\"",
    "\\",
    ",",
    ";",
    "=",
    " = ",
    "nonce=\"x\"",
    "nonce=y",
    "cnonce=\"z\"",
    "Via: ",
    "v:",
    "V : ",
    ";branch=q",
    "; Branch = r",
    "Authorization: Digest ",
    "authorization : DIGEST ",
    "Proxy-Authorization: Digest ",
    "WWW-Authenticate: Digest ",
    "Proxy-Authenticate: Digest ",
    "username=\"u\"",
    "response=\"r\"",
    "stale=true",
    "STALE = \"true\"",
    "CSeq: 1 REGISTER",
    "CSeq:\r\n 7\r\n INVITE",
    "User-Agent: x",
    "aaaaaaaaaaaaaaaaaaaaaaaa",
    "\0",
    "\u{e9}",
    ":",
];

/// A message with pieces put in that mean something to the scanner, and a few random bytes.
pub fn mangle(random: &mut Random, mut message: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.below(12) {
        let at = random.below(message.len() + 1);
        message.splice(at..at, random.pick(&PIECES).bytes());
    }
    for _ in 0..random.below(4) {
        if !message.is_empty() {
            let at = random.below(message.len());
            message[at] = random.number() as u8;
        }
    }
    message.truncate(PAYLOAD_MAX);
    message
}
