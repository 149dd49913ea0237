//! What the programs may cost.

use crate::frames::{Path, UDP4};
use crate::rig::{Ask, Rig};

#[test]
fn the_verifier_has_room_to_spare() {
    let rig = Rig::new();
    let [ingress, egress] = rig.run.costs().unwrap();
    println!("ingress {ingress:?}\negress {egress:?}");
    // Of a million. Verifiers differ: docs/kernel-support.md says what each walks.
    assert!((1..550_000).contains(&ingress.verified_instructions), "{ingress:?}");
    assert!((1..400_000).contains(&egress.verified_instructions), "{egress:?}");
    assert!(ingress.translated_bytes < 60_000 && egress.translated_bytes < 60_000);
}

#[test]
fn media_costs_hardly_more_than_nothing() {
    let rig = Rig::new();
    let message = UDP4.arriving(b"\r\n\r\n");
    let media = Path { local_port: 12_000, ..UDP4 };
    let (arriving, leaving) = (media.arriving(&[0x80; 172]), media.leaving(&[0x80; 172]));
    let median = |time: &dyn Fn() -> u128| {
        let mut times: Vec<_> = (0..15).map(|_| time()).collect();
        times.sort_unstable();
        times[7]
    };
    let inspected = median(&|| rig.run.time_ingress(&message, 20_000).unwrap().as_nanos());
    let arrives = median(&|| rig.run.time_ingress(&arriving, 20_000).unwrap().as_nanos());
    let leaves = median(&|| rig.run.time_egress(&leaving, 20_000).unwrap().as_nanos());
    println!("keep-alive: {inspected} ns, media arriving: {arrives} ns, leaving: {leaves} ns");
    // It asks for no rule set, let alone for a source: a fifth when alone on the machine, the harness's share included.
    assert!(2 * arrives < inspected && 2 * leaves < inspected, "{arrives} ns and {leaves} ns against {inspected} ns");
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
