//! Whether the programs are on their interfaces, and what else is there.

use super::finding::{Finding, Group, State, unknown};
use super::interfaces::{Hook, Interface, named};

/// What is to be said of an interface.
#[must_use]
pub fn judge(interface: &Interface) -> Vec<Finding> {
    let mut findings = vec![attached(interface)];
    if interface.link.is_some() {
        findings.push(others(interface));
    }
    findings
}

fn attached(interface: &Interface) -> Finding {
    let name = &interface.name;
    let problem = |text: String| Finding::new(Group::Attachment, "attached", State::Problem, text).of(name);
    let Some(link) = &interface.link else {
        return problem(format!("there is no interface {name}"))
            .advise("correct `interfaces`; one that comes later is attached then, if the agent runs already");
    };
    let (ingress, egress) = (interface.ingress(), interface.egress());
    let how = format!("ingress {ingress}, egress {egress}");
    let again = "restart the agent: sip-fw run, or systemctl restart sip-fw";
    match &interface.attachment {
        Err(error) => return unknown(Group::Attachment, "attached", error).of(name),
        Ok(Some(attachment)) if attachment.dead => {
            let why = "its links lead nowhere any more: it was replaced, or somebody detached the programs";
            return problem(format!("{name}: {why}; nothing is dropped there")).advise(again);
        }
        Ok(_) => {}
    }
    match (ingress, egress) {
        ("none", "none") => {
            return problem(format!("nothing is attached to {name}: nothing is dropped there")).advise(again);
        }
        ("none", _) => return problem(format!("{name}: {how}: nothing is dropped there")).advise(again),
        (_, "none") => return problem(format!("{name}: {how}: no failure is seen there")).advise(again),
        _ => {}
    }
    match &interface.ours {
        Ok(Some(ours)) if !link.xdp.contains(ours) => {
            return problem(format!("{name}: the kernel does not run sip-fw's program there")).advise(again);
        }
        Err(error) => return unknown(Group::Attachment, "attached", error).of(name),
        Ok(_) => {}
    }
    if !link.up {
        return Finding::new(Group::Attachment, "attached", State::Warning, format!("{name}: {how}, but it is down"))
            .of(name)
            .advise(format!("ip link set {name} up"));
    }
    if !link.carrier {
        let text = format!("{name}: {how}, but nobody is at its other end (no carrier)");
        return Finding::new(Group::Attachment, "attached", State::Warning, text).of(name);
    }
    Finding::ok(Group::Attachment, "attached", format!("{name}: {how}")).of(name)
}

fn others(interface: &Interface) -> Finding {
    let name = &interface.name;
    let found = |state, text: String| Finding::new(Group::Attachment, "other-programs", state, text).of(name);
    let (arriving, leaving) = match (&interface.arriving, &interface.leaving) {
        (Ok(arriving), Ok(leaving)) => (arriving, leaving),
        (Err(error), _) | (_, Err(error)) => return unknown(Group::Attachment, "other-programs", error).of(name),
    };
    let Ok(ours) = interface.ours else {
        return unknown(Group::Attachment, "other-programs", "which programs are sip-fw's").of(name);
    };
    let mut xdp = interface.xdp.iter().filter(|program| Some(program.id) != ours);
    if let (Some(program), None) = (xdp.next(), ours) {
        return found(State::Problem, format!("{name}: XDP {} is in the place of sip-fw's", named(program)))
            .advise("take it off, as an interface takes one XDP program, and restart the agent");
    }
    let before: Vec<_> = leaving.iter().take_while(|hook| !hook.ours).collect();
    if interface.egress() != "none" && !before.is_empty() {
        let text =
            format!("{name}: {} comes before sip-fw: answers that it takes or ends are never judged", list(&before));
        return found(State::Warning, text).advise("let it come later, or make sure that it passes every packet on");
    }
    let rest: Vec<_> = arriving.iter().chain(leaving).filter(|hook| !hook.ours).collect();
    if rest.is_empty() {
        return found(State::Ok, format!("{name}: no other XDP or tc program"));
    }
    found(State::Note, format!("{name}: {} as well, which sip-fw comes before", list(&rest)))
}

fn list(hooks: &[&Hook]) -> String {
    hooks.iter().map(|hook| hook.text.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;
    use crate::kernel::{Attachment, LoadedProgram};

    fn healthy() -> Interface {
        let link = host::Interface {
            name: "eth0".to_owned(),
            mtu: 1500,
            up: true,
            carrier: true,
            ethernet: true,
            xdp: vec![7],
            ..host::Interface::default()
        };
        let attachment = Attachment { interface: "eth0".to_owned(), ingress: "native", egress: "tcx", dead: false };
        Interface {
            name: "eth0".to_owned(),
            link: Some(link),
            driver: Some("ixgbe".to_owned()),
            attachment: Ok(Some(attachment)),
            ours: Ok(Some(7)),
            xdp: vec![LoadedProgram { id: 7, name: "sip_fw_ingress".to_owned() }],
            arriving: Ok(Vec::new()),
            leaving: Ok(vec![hook("TCX program 8 \"sip_fw_egress\"", true)]),
            offloads: Ok(Vec::new()),
        }
    }

    fn attachment(interface: &mut Interface) -> &mut Attachment {
        interface.attachment.as_mut().unwrap().as_mut().unwrap()
    }

    fn hook(text: &str, ours: bool) -> Hook {
        Hook { text: text.to_owned(), ours }
    }

    fn said(change: impl FnOnce(&mut Interface)) -> Vec<(State, String)> {
        let mut interface = healthy();
        change(&mut interface);
        judge(&interface).into_iter().map(|finding| (finding.state, finding.text)).collect()
    }

    #[test]
    fn where_nothing_is_wrong() {
        let expected = [
            (State::Ok, "eth0: ingress native, egress tcx".to_owned()),
            (State::Ok, "eth0: no other XDP or tc program".to_owned()),
        ];
        assert_eq!(said(|_| {}), expected);
    }

    #[test]
    fn what_is_missing() {
        let attached = |change: fn(&mut Interface)| {
            let (state, text) = said(change).remove(0);
            (state, text.replace("eth0", "it"))
        };
        for (change, state, text) in [
            ((|i| i.link = None) as fn(&mut Interface), State::Problem, "there is no interface it"),
            (|i| i.attachment = Ok(None), State::Problem, "nothing is attached to it: nothing is dropped there"),
            (
                |i| i.link.as_mut().unwrap().xdp.clear(),
                State::Problem,
                "it: the kernel does not run sip-fw's program there",
            ),
            (
                |i| attachment(i).egress = "none",
                State::Problem,
                "it: ingress native, egress none: no failure is seen there",
            ),
            (
                |i| attachment(i).ingress = "none",
                State::Problem,
                "it: ingress none, egress tcx: nothing is dropped there",
            ),
            (
                |i| attachment(i).dead = true,
                State::Problem,
                "it: its links lead nowhere any more: it was replaced, or somebody detached the programs; nothing is dropped there",
            ),
            (|i| i.link.as_mut().unwrap().up = false, State::Warning, "it: ingress native, egress tcx, but it is down"),
            (|i| i.ours = Err("EPERM".to_owned()), State::Note, "cannot be told: EPERM"),
            (|i| i.attachment = Err("EPERM".to_owned()), State::Note, "cannot be told: EPERM"),
        ] {
            assert_eq!(attached(change), (state, text.to_owned()));
        }
    }

    #[test]
    fn who_else_is_there() {
        let other = |change: fn(&mut Interface)| said(change).remove(1);
        let foreign = LoadedProgram { id: 9, name: "xdp_pass".to_owned() };
        let mut taken = healthy();
        taken.ours = Ok(None);
        taken.xdp = vec![foreign];
        let finding = judge(&taken).remove(1);
        assert_eq!(finding.text, "eth0: XDP program 9 \"xdp_pass\" is in the place of sip-fw's");
        assert_eq!(finding.state, State::Problem);
        let before = other(|i| i.leaving.as_mut().unwrap().insert(0, hook("TCX program 3", false)));
        assert_eq!(
            before,
            (
                State::Warning,
                "eth0: TCX program 3 comes before sip-fw: answers that it takes or ends are never judged".to_owned()
            )
        );
        let after = other(|i| i.leaving.as_mut().unwrap().push(hook("tc filter flower (priority 1)", false)));
        assert_eq!(
            after,
            (State::Note, "eth0: tc filter flower (priority 1) as well, which sip-fw comes before".to_owned())
        );
        assert_eq!(other(|i| i.arriving = Ok(vec![hook("TCX program 3", false)])).0, State::Note);
    }
}
