//! Every reply of every PBX, as a transaction through the kernel programs.

use sip_fw_common::abi::SourceState;

use crate::frames::EVERY_WAY;
use crate::rig::{Ask, Reply, Rig};

const PJSIP: &str = "1795309616/760f0d8e5a4b4c3d2e1f0a9b8c7d6e5f";
const PJSIP_NEW: &str = "1795309617/00000d8e5a4b4c3d2e1f0a9b8c7d6e5f";
const UUID: &str = "d2f0a3e4-5a4b-4c3d-8e1f-0a9b8c7d6e5f";
const UUID_NEW: &str = "00000000-5a4b-4c3d-8e1f-0a9b8c7d6e5f";
const SHORT: &str = "6f5a1b2c";
const SHORT_NEW: &str = "00001b2c";

struct Row {
    pbx: &'static str,
    case: &'static str,
    steps: Vec<(Ask<'static>, Reply<'static>)>,
    /// challenges, proven failures, unproven failures, stale, successes
    expected: [u64; 5],
}

fn row(pbx: &'static str, case: &'static str, steps: &[(Ask<'static>, Reply<'static>)], expected: [u64; 5]) -> Row {
    Row { pbx, case, steps: steps.to_vec(), expected }
}

fn rows() -> Vec<Row> {
    let register = Ask::plain("REGISTER");
    let invite = Ask::plain("INVITE");
    let with = |nonce| Ask::attempt("REGISTER", nonce);
    let call = |nonce| Ask::attempt("INVITE", nonce);
    let ok = Reply::plain(200);
    let c401 = |nonce| Reply::challenge(401, nonce);
    let c407 = |nonce| Reply::challenge(407, nonce);
    let stale = |nonce| Reply::stale(401, nonce);
    let forbidden = Reply::plain(403);
    let missing = Reply::plain(404);
    vec![
        // chan_pjsip (22 and 16)
        row("pjsip", "good REGISTER", &[(register, c401(PJSIP)), (with(PJSIP), ok)], [1, 0, 0, 0, 1]),
        row("pjsip", "wrong password", &[(register, c401(PJSIP)), (with(PJSIP), c401(PJSIP_NEW))], [1, 1, 0, 0, 0]),
        row("pjsip", "unknown user", &[(register, c401(PJSIP)), (with(PJSIP), c401(PJSIP))], [1, 1, 0, 0, 0]),
        row(
            "pjsip",
            "wrong nonce, right password",
            &[(register, c401(PJSIP)), (with("junk"), stale(PJSIP_NEW)), (with(PJSIP_NEW), ok)],
            [1, 0, 0, 1, 1],
        ),
        row("pjsip", "wrong nonce, wrong password", &[(with("junk"), c401(PJSIP))], [0, 0, 1, 0, 0]),
        row(
            "pjsip",
            "expired nonce, wrong password",
            &[(register, c401(PJSIP)), (with(PJSIP), ok), (with(PJSIP), c401(PJSIP_NEW))],
            [1, 1, 0, 0, 1],
        ),
        row(
            "pjsip",
            "three wrong passwords in one dialog",
            &[
                (register, c401(PJSIP)),
                (with(PJSIP), c401(PJSIP_NEW)),
                (with(PJSIP_NEW), c401(PJSIP)),
                (with(PJSIP), c401(PJSIP_NEW)),
            ],
            [1, 3, 0, 0, 0],
        ),
        row("pjsip", "other's AOR in To", &[(register, c401(PJSIP)), (with(PJSIP), missing)], [1, 0, 0, 0, 0]),
        row("pjsip", "contacts full", &[(register, c401(PJSIP)), (with(PJSIP), forbidden)], [1, 0, 0, 0, 0]),
        row("pjsip", "endpoint ACL", &[(register, c401(PJSIP)), (with(PJSIP), c401(PJSIP_NEW))], [1, 1, 0, 0, 0]),
        row("pjsip", "global ACL", &[(register, forbidden), (invite, forbidden)], [0, 0, 0, 0, 0]),
        row("pjsip", "INVITE, good, answered", &[(invite, c401(PJSIP)), (call(PJSIP), ok)], [1, 0, 0, 0, 1]),
        row("pjsip", "INVITE, good, no such number", &[(invite, c401(PJSIP)), (call(PJSIP), missing)], [1, 0, 0, 0, 0]),
        row("pjsip", "INVITE, wrong", &[(invite, c401(PJSIP)), (call(PJSIP), c401(PJSIP_NEW))], [1, 1, 0, 0, 0]),
        row("pjsip", "INVITE of an IP trunk", &[(invite, ok)], [0, 0, 0, 0, 0]),
        row("pjsip", "OPTIONS of a known user", &[(Ask::plain("OPTIONS"), c401(PJSIP))], [1, 0, 0, 0, 0]),
        row("pjsip", "SUBSCRIBE without credentials", &[(Ask::plain("SUBSCRIBE"), c401(PJSIP))], [1, 0, 0, 0, 0]),
        row("pjsip", "MESSAGE without credentials", &[(Ask::plain("MESSAGE"), c401(PJSIP))], [1, 0, 0, 0, 0]),
        row("pjsip", "stray BYE", &[(Ask::plain("BYE"), Reply::plain(481))], [0, 0, 0, 0, 0]),
        // chan_sip (16)
        row("chan_sip", "good REGISTER", &[(register, c401(SHORT)), (with(SHORT), ok)], [1, 0, 0, 0, 1]),
        row("chan_sip", "wrong password", &[(register, c401(SHORT)), (with(SHORT), forbidden)], [1, 1, 0, 0, 0]),
        row("chan_sip", "unknown user", &[(register, c401(SHORT)), (with(SHORT), forbidden)], [1, 1, 0, 0, 0]),
        row("chan_sip", "unknown user, alwaysauthreject=no", &[(register, missing)], [0, 0, 0, 0, 0]),
        row(
            "chan_sip",
            "single-use nonce again, right password",
            &[(register, c401(SHORT)), (with(SHORT), ok), (with(SHORT), stale(SHORT_NEW)), (with(SHORT_NEW), ok)],
            [1, 0, 0, 1, 2],
        ),
        row("chan_sip", "INVITE, wrong", &[(invite, c401(SHORT)), (call(SHORT), forbidden)], [1, 1, 0, 0, 0]),
        row("chan_sip", "MESSAGE, wrong", &[(Ask::attempt("MESSAGE", "junk"), forbidden)], [0, 0, 1, 0, 0]),
        // FreeSWITCH
        row("freeswitch", "good REGISTER", &[(register, c401(UUID)), (with(UUID), ok)], [1, 0, 0, 0, 1]),
        row("freeswitch", "wrong password", &[(register, c401(UUID)), (with(UUID), forbidden)], [1, 1, 0, 0, 0]),
        row("freeswitch", "unknown nonce", &[(with("junk"), stale(UUID)), (with(UUID), ok)], [0, 0, 0, 1, 1]),
        row(
            "freeswitch",
            "nonce count repeated",
            &[(register, c401(UUID)), (with(UUID), ok), (with(UUID), stale(UUID_NEW))],
            [1, 0, 0, 1, 1],
        ),
        row("freeswitch", "INVITE, wrong", &[(invite, c407(UUID)), (call(UUID), forbidden)], [1, 1, 0, 0, 0]),
        row("freeswitch", "INVITE, good", &[(invite, c407(UUID)), (call(UUID), ok)], [1, 0, 0, 0, 1]),
        row("freeswitch", "register ACL", &[(register, forbidden)], [0, 0, 0, 0, 0]),
        row("freeswitch", "SUBSCRIBE, presence off", &[(Ask::plain("SUBSCRIBE"), Reply::plain(405))], [0, 0, 0, 0, 0]),
        // Kamailio
        row("kamailio", "good REGISTER", &[(register, c401("kam-one..")), (with("kam-one.."), ok)], [1, 0, 0, 0, 1]),
        row(
            "kamailio",
            "wrong password, same nonce",
            &[(register, c401("kam-one..")), (with("kam-one.."), c401("kam-one.."))],
            [1, 1, 0, 0, 0],
        ),
        row(
            "kamailio",
            "wrong password, V403",
            &[(register, c401("kam-one..")), (with("kam-one.."), forbidden)],
            [1, 1, 0, 0, 0],
        ),
        row(
            "kamailio",
            "expired nonce, right password",
            &[
                (register, c401("kam-one..")),
                (with("kam-one.."), ok),
                (with("kam-one.."), c401("kam-two..")),
                (with("kam-two.."), ok),
            ],
            [1, 1, 0, 0, 2],
        ),
        row(
            "kamailio",
            "foreign nonce",
            &[(with("other"), c401("kam-one..")), (with("kam-one.."), ok)],
            [0, 0, 1, 0, 1],
        ),
        row(
            "kamailio",
            "INVITE, wrong",
            &[(invite, c407("kam-one..")), (call("kam-one.."), c407("kam-two.."))],
            [1, 1, 0, 0, 0],
        ),
        row(
            "kamailio",
            "INVITE, good, callee absent",
            &[(invite, c407("kam-one..")), (call("kam-one.."), missing)],
            [1, 0, 0, 0, 0],
        ),
        row("kamailio", "OPTIONS", &[(Ask::plain("OPTIONS"), ok), (Ask::attempt("OPTIONS", "x"), ok)], [0, 0, 0, 0, 0]),
        row(
            "kamailio",
            "PUBLISH, wrong",
            &[(Ask::plain("PUBLISH"), c407("kam-one..")), (Ask::attempt("PUBLISH", "kam-one.."), c407("kam-two.."))],
            [1, 1, 0, 0, 0],
        ),
        row("kamailio", "ACLDENY", &[(register, forbidden), (invite, forbidden)], [0, 0, 0, 0, 0]),
        // OpenSIPS
        row(
            "opensips",
            "wrong password",
            &[(register, c401("open-one..")), (with("open-one.."), c401("open-two.."))],
            [1, 1, 0, 0, 0],
        ),
        row(
            "opensips",
            "expired nonce",
            &[(with("old"), stale("open-one..")), (with("open-one.."), ok)],
            [0, 0, 0, 1, 1],
        ),
        row(
            "opensips",
            "INVITE, wrong",
            &[(invite, c407("open-one..")), (call("open-one.."), c407("open-two.."))],
            [1, 1, 0, 0, 0],
        ),
        // 3CX
        row("3cx", "good REGISTER", &[(register, c407("3cx..")), (with("3cx.."), ok)], [1, 0, 0, 0, 1]),
        row("3cx", "wrong auth ID", &[(register, c407("3cx..")), (with("3cx.."), missing)], [1, 1, 0, 0, 0]),
        // anybody
        row("any", "overload", &[(register, c401("any..")), (with("any.."), Reply::plain(503))], [1, 0, 0, 0, 0]),
        row("any", "trying, then busy", &[(call("x"), Reply::plain(486))], [0, 0, 0, 0, 0]),
    ]
}

#[test]
fn every_reply_of_every_pbx() {
    for path in EVERY_WAY {
        let mut rig = Rig::new();
        for (row, peer) in rows().into_iter().zip(1..) {
            let Row { pbx, case, steps, expected } = row;
            let path = path.from(peer);
            rig.suffix = u32::from(peer);
            let attempts = steps.iter().filter(|(ask, _)| ask.nonce.is_some()).count() as u64;
            for (ask, reply) in &steps {
                rig.exchange(path, *ask, *reply);
            }
            let SourceState {
                requests,
                attempts: tried,
                challenges,
                failures_proven,
                failures_unproven,
                stale,
                successes,
                ..
            } = rig.state(path);
            // Over TCP the connection itself is the proof.
            let [challenged, proven, unproven, old, good] = expected;
            let expected = if path.tcp { [challenged, proven + unproven, 0, old, good] } else { expected };
            assert_eq!(
                [challenges, failures_proven, failures_unproven, stale, successes],
                expected,
                "{pbx}: {case}, {path:?}"
            );
            assert_eq!((requests, tried), (steps.len() as u64, attempts), "{pbx}: {case}");
        }
    }
}

#[test]
fn the_dialect_can_be_configured() {
    for (refusal, nonce, failures) in [(1, UUID, 0), (2, PJSIP, 1), (0, PJSIP, 0), (0, UUID, 1)] {
        let mut rig = Rig::new();
        rig.plan.services[0].refusal = refusal;
        rig.apply();
        rig.fetch(crate::frames::UDP4, nonce);
        rig.exchange(crate::frames::UDP4, Ask::attempt("REGISTER", nonce), Reply::plain(403));
        assert_eq!(rig.state(crate::frames::UDP4).failures_proven, failures, "refusal {refusal}, nonce {nonce}");
    }
}
