//! Which packets a ban drops, and which never.

use sip_fw_agent::kernel::{Action, DryRun};
use sip_fw_common::abi::{Ban, BanOrigin, UNTIL_LIFTED_NS};
use sip_fw_common::reason::Reason;

use crate::frames::{EVERY_WAY, Path, UDP4, UDP6, offsets, with_extensions};
use crate::rig::{MINUTE, Rig, SIZES, source};

const DROPPED: (Action, Reason) = (Action::Drop, Reason::Banned);

pub fn ban(until_ns: u64) -> Ban {
    Ban::new(BanOrigin::Operator, 1, until_ns)
}

fn banned(path: Path) -> Rig {
    let mut rig = Rig::new();
    let until = rig.now_ns() + MINUTE;
    rig.run.tables.put_ban(source(path), &ban(until)).unwrap();
    rig
}

#[test]
fn on_every_way_with_up_to_two_tags() {
    let mut rig = banned(UDP4);
    let until = rig.now_ns() + MINUTE;
    for path in EVERY_WAY {
        rig.run.tables.put_ban(source(path), &ban(until)).unwrap();
        for vlan_tags in 0..=2 {
            let path = Path { vlan_tags, ..path };
            for payload in [&b""[..], b"\r\n\r\n", b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"\x80\x00junk"] {
                assert_eq!(rig.arrive(&path.arriving(payload)), DROPPED, "{path:?} {payload:?}");
            }
            let others = path.from(8).arriving(b"\r\n\r\n");
            assert_eq!(rig.arrive(&others), (Action::Pass, Reason::KeepAlive));
        }
    }
}

#[test]
fn behind_extension_headers() {
    let hop_by_hop = (0, vec![0, 1, 4, 0, 0, 0, 0]);
    let destination = (60, vec![1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let routing = (43, vec![0, 0, 0, 0, 0, 0, 0]);
    let first_fragment = (44, vec![0, 0, 1, 0, 0, 0, 9]);
    let authentication = (51, vec![4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let chains: [Vec<(u8, Vec<u8>)>; 5] = [
        vec![hop_by_hop.clone()],
        vec![hop_by_hop.clone(), destination.clone(), routing.clone()],
        vec![first_fragment.clone()],
        vec![authentication],
        vec![hop_by_hop, destination.clone(), routing, first_fragment, destination],
    ];
    let mut rig = banned(UDP6);
    for chain in chains {
        assert_eq!(rig.arrive(&with_extensions(UDP6, &chain, b"\r\n\r\n")), DROPPED, "{chain:?}");
    }
    let endless = vec![(60, vec![0, 1, 4, 0, 0, 0, 0]); 7];
    let frame = with_extensions(UDP6, &endless, b"\r\n\r\n");
    assert_eq!(rig.arrive(&frame), DROPPED, "more than are skipped, which Linux takes all the same");
    let long = [(60, [vec![255, 0x1e, 255], vec![0; 255], vec![0x1e, 255], vec![0; 255]].concat()), (60, vec![0; 7])];
    let long: Vec<_> = long
        .into_iter()
        .map(|(number, mut bytes)| {
            bytes.resize(if bytes.len() > 7 { 2047 } else { 7 }, 0);
            (number, bytes)
        })
        .collect();
    assert_eq!(rig.arrive(&with_extensions(UDP6, &long, b"\r\n\r\n")), DROPPED, "a header of 2,048 bytes");
    let others = with_extensions(UDP6.from(8), &endless, b"\r\n\r\n");
    assert_eq!(rig.arrive(&others), (Action::Pass, Reason::Malformed));
}

#[test]
fn only_ports_of_services_unless_the_scope_is_the_host() {
    let mut rig = banned(UDP4);
    let ssh = Path { tcp: true, local_port: 22, ..UDP4 };
    let web = Path { tcp: true, local_port: 443, ..UDP4 };
    assert_eq!(rig.arrive(&ssh.arriving(b"")), (Action::Pass, Reason::NoService));
    assert_eq!(rig.arrive(&web.arriving(b"")), DROPPED);
    assert_eq!(rig.arrive(&web.from(8).arriving(b"")), (Action::Pass, Reason::Opaque));
    rig.plan.settings.scope_host = 1;
    rig.apply();
    assert_eq!(rig.arrive(&ssh.arriving(b"")), DROPPED);
    assert_eq!(rig.arrive(&ssh.from(8).arriving(b"")), (Action::Pass, Reason::NoService));
}

#[test]
fn prefixes() {
    let mut rig = Rig::new();
    for (path, prefix) in
        [(UDP4, "192.0.2.0/29"), (UDP6, "2001:db8:7::/48"), (UDP4, "0.0.0.0/1"), (UDP4, "192.0.2.0/24")]
    {
        let prefix = prefix.parse().unwrap();
        rig.live.prefix_bans = 0;
        rig.run.tables.write_live(&rig.live).unwrap();
        rig.run.tables.put_prefix_ban(prefix, &ban(UNTIL_LIFTED_NS)).unwrap();
        assert!(!rig.is_dropped(path), "the table is not asked while its count is 0");
        rig.live.prefix_bans = 1;
        rig.run.tables.write_live(&rig.live).unwrap();
        let inside = path.peer_v4()[0] >> 7 == 0 || prefix.prefix_len() != 1;
        assert_eq!(rig.is_dropped(path), inside, "{prefix}");
        assert_eq!(rig.run.tables.prefix_bans().unwrap()[0].0, prefix);
        assert_eq!(rig.run.tables.prefix_bans().unwrap()[0].1.packets, u64::from(inside));
        assert!(rig.run.tables.remove_prefix_ban(prefix).unwrap());
        assert!(!rig.run.tables.remove_prefix_ban(prefix).unwrap());
        assert!(!rig.is_dropped(path));
    }
}

#[test]
fn until_lifted() {
    let mut rig = Rig::new();
    rig.run.tables.put_ban(source(UDP4), &ban(UNTIL_LIFTED_NS)).unwrap();
    rig.wait(400 * 24 * 60 * MINUTE);
    assert!(rig.is_dropped(UDP4));
    rig.run.tables.remove_ban(source(UDP4)).unwrap();
    assert!(!rig.is_dropped(UDP4));
}

#[test]
fn nothing_is_dropped_before_the_agent_wrote_a_rule_set() {
    let run = DryRun::load(&SIZES).unwrap();
    assert_eq!(run.ingress(&UDP4.arriving(b"x")).unwrap(), Action::Pass);
    assert_eq!(run.egress(&UDP4.leaving(b"x")).unwrap(), Action::Pass);
}

#[test]
fn what_cannot_be_read_passes() {
    let whole = UDP4.arriving(b"OPTIONS sip:a SIP/2.0\r\n\r\n");
    let (l3, l4) = offsets(&whole);
    let mut rig = banned(UDP4);
    let change = |at: usize, byte: u8| {
        let mut frame = whole.clone();
        frame[at] = byte;
        frame
    };
    let rows = [
        (change(12, 0x88), Reason::NotIp, "another ethertype"),
        (change(l3, 0x65), Reason::Malformed, "version 6 behind the ethertype of 4"),
        (change(l3, 0x44), Reason::Malformed, "a header of 16 bytes"),
        (change(l3 + 9, 47), Reason::NotIp, "GRE"),
        (change(l3 + 7, 1), Reason::Fragment, "a later fragment"),
        (whole[..l3 + 8].to_vec(), Reason::Malformed, "cut in the IP header"),
    ];
    for (frame, reason, why) in rows {
        assert_eq!(rig.arrive(&frame), (Action::Pass, reason), "{why}");
    }
    let rows = [
        (change(l4 + 5, 7), "a UDP length below its header"),
        (change(l4 + 4, 9), "a UDP length beyond the packet"),
        (whole[..l4 + 3].to_vec(), "cut in the UDP header"),
        (change(l3 + 3, 10), "an IP length below its header"),
    ];
    for (frame, why) in rows {
        assert_eq!(rig.arrive(&frame), DROPPED, "{why}");
    }
    // The first fragment of a TCP segment ends before the data offset; Linux puts it together again.
    let tcp = Path { tcp: true, ..UDP4 }.arriving(b"x");
    let mut tiny = tcp[..l4 + 8].to_vec();
    tiny[l3 + 3] = 28;
    tiny[l3 + 6] = 0x20;
    assert_eq!(rig.arrive(&tiny), DROPPED, "a tiny fragment");
}
