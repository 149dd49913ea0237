//! The first line that matches decides, whatever is the longer prefix; `off` lines decide nothing.

use std::net::IpAddr;

use sip_fw_e2e::{Family, Host, over_both_families};

use crate::stage::{Fate, Stage, access, policy};

over_both_families!(the_first_line_that_matches_decides, an_off_line_does_nothing_until_it_is_switched_on);

/// All orders of three overlapping lines, held against the rule in plain words.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

fn the_first_line_that_matches_decides(family: Family) {
    let Some(stage) = Stage::set(&policy("allow", String::new())) else { return };
    let bed = &stage.scene.bed;
    let (phone, office) = (bed.office.nth(family, 7).to_string(), bed.office.net(family));
    // From the narrowest to the widest; the attacker is only in the last.
    let lines = [("phone", phone, "deny"), ("office", office, "allow"), ("bed", family.all_nets(), "deny")];
    let sources: [(&Host, IpAddr, &[usize]); 4] = [
        (&bed.office, bed.office.nth(family, 7), &[0, 1, 2]),
        (&bed.office, bed.office.nth(family, 8), &[1, 2]),
        (&bed.attacker, bed.attacker.nth(family, 7), &[2]),
        (&bed.attacker, bed.attacker.address(family), &[2]),
    ];
    for order in ORDERS {
        let text = |line: usize| access(lines[line].0, &[&lines[line].1], "sip", lines[line].2);
        stage.scene.agent.configure(&policy("allow", order.map(text).concat())).unwrap();
        let outcome = stage.scene.agent.apply(&[]).unwrap();
        assert_eq!(outcome.code, 0, "{order:?}: {}", outcome.stderr);
        let numbers: Vec<_> =
            stage.scene.agent.rules().unwrap().into_iter().map(|rule| (rule.order, rule.name)).collect();
        let expected: Vec<_> = (1..).zip(order).map(|(n, line)| (Some(n), lines[line].0.to_owned())).collect();
        assert_eq!(numbers[..3], expected);
        assert_eq!(numbers[3], (None, "others".to_owned()));
        for (host, from, matching) in sources {
            let deciding = order.into_iter().find(|line| matching.contains(line)).unwrap();
            let (name, _, action) = &lines[deciding];
            let expected = if *action == "deny" { Fate::Dropped } else { Fate::Passes };
            assert_eq!(stage.fate(host, from), expected, "{from} under {order:?}");
            assert_eq!(
                stage.explained(from, "sip"),
                ((*name).to_owned(), (*action).to_owned()),
                "{from} under {order:?}"
            );
        }
    }
    // In the last order the widest line is the first: the others can never match, and `rules` says so.
    let rules = stage.scene.agent.rules().unwrap();
    let warned: Vec<_> = rules.iter().filter(|rule| rule.warning.is_some()).map(|rule| rule.name.as_str()).collect();
    assert_eq!(warned, ["office", "phone"]);
    assert!(rules[1].warning.as_ref().unwrap().contains("never matches"), "{rules:#?}");
}

fn an_off_line_does_nothing_until_it_is_switched_on(family: Family) {
    let with = |action| policy("allow", access("guests", &[&family.net(2)], "sip", action));
    let Some(stage) = Stage::set(&with("off")) else { return };
    let bed = &stage.scene.bed;
    let attacker = bed.attacker.address(family);
    assert_eq!(stage.fate(&bed.attacker, attacker), Fate::Passes);
    assert_eq!(stage.explained(attacker, "sip"), ("others".to_owned(), "allow".to_owned()));
    let off = stage.rule("guests", "sip");
    assert_eq!((off.action.as_str(), off.packets, off.last_match), ("off", 0, None));

    for (action, fate) in [("deny", Fate::Dropped), ("off", Fate::Passes), ("deny", Fate::Dropped)] {
        stage.scene.agent.configure(&with(action)).unwrap();
        let outcome = stage.scene.agent.apply(&[]).unwrap();
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(stage.fate(&bed.attacker, attacker), fate, "{action}");
        assert_eq!(stage.rule("guests", "sip").action, action);
        assert_eq!(stage.fate_of(&bed.office, family), Fate::Passes);
    }
    assert_eq!(stage.explained(attacker, "sip"), ("guests".to_owned(), "deny".to_owned()));
}
