//! A TCP segment to a service's port, from its Ethernet header on. The benchmark writes the source into it.

/// The port of the service that is measured.
pub const PORT: u16 = 443;

const ETHERNET: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

/// A segment without payload.
pub fn segment(v4: bool) -> Vec<u8> {
    let mut frame = ETHERNET.to_vec();
    if v4 {
        frame.extend([0x08, 0x00, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0]);
        frame.extend([192, 0, 2, 1, 192, 0, 2, 2]);
    } else {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
        frame.extend([0x20; 32]);
    }
    frame.extend(40_000_u16.to_be_bytes());
    frame.extend(PORT.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0x20, 0, 0, 0, 0, 0]);
    frame.resize(frame.len().max(60), 0);
    frame
}
