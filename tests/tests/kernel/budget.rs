//! What the programs may cost.

use crate::frames::UDP4;
use crate::rig::{Ask, Rig};

#[test]
fn the_verifier_has_room_to_spare() {
    let rig = Rig::new();
    let [ingress, egress] = rig.run.costs().unwrap();
    println!("ingress {ingress:?}\negress {egress:?}");
    // Of a million. Verifiers differ: docs/kernel-support.md has what each kernel walks; 6.1 walks most of ingress.
    assert!((1..500_000).contains(&ingress.verified_instructions), "{ingress:?}");
    assert!((1..600_000).contains(&egress.verified_instructions), "{egress:?}");
    assert!(ingress.translated_bytes < 60_000 && egress.translated_bytes < 60_000);
}

#[test]
fn a_whole_register_is_read_in_little_time() {
    let rig = Rig::new();
    let register = UDP4.arriving(Ask::attempt("REGISTER", "abcdefghijklmnopqrstuvwxyz").text("z9hG4bK-1").as_bytes());
    let passed = UDP4.arriving(b"\r\n\r\n");
    let median = |frame: &[u8]| {
        let mut times: Vec<_> = (0..15).map(|_| rig.run.time_ingress(frame, 20_000).unwrap().as_nanos()).collect();
        times.sort_unstable();
        times[7]
    };
    let (full, floor) = (median(&register), median(&passed));
    println!("REGISTER of {} bytes: {full} ns, keep-alive: {floor} ns", register.len() - 42);
    assert!(full < 40 * floor.max(20), "{full} ns against {floor} ns");
}
