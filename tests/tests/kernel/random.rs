//! Messages and packets from a seed: the same in every run.

/// Bytes of a UDP payload on a link of 1,500.
pub const PAYLOAD_MAX: usize = 1472;

/// xorshift64*: the same messages in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

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
            message[at] = random.next() as u8;
        }
    }
    message.truncate(PAYLOAD_MAX);
    message
}
