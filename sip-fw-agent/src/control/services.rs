//! The services and their ports, as `status` shows them.

use sip_fw_common::abi::ServiceKind;

use super::protocol::Failure;
use super::view::ServiceView;
use crate::exit_code::ExitCode;

/// Groups ports by service, and neighbouring ports into ranges. Services are named by their number.
#[must_use]
pub fn views(ports: &[(bool, u16, u8)], kinds: &[ServiceKind], names: &[String]) -> Vec<ServiceView> {
    let mut ports = ports.to_vec();
    ports.sort_by_key(|(tcp, port, number)| (*number, *tcp, *port));
    let mut services: Vec<(u8, ServiceView)> = Vec::new();
    let mut rest = ports.as_slice();
    while let [(tcp, first, number), ..] = rest {
        let same = |(port, found): (u32, &(bool, u16, u8))| {
            (found.0, found.2) == (*tcp, *number) && u32::from(found.1) == port
        };
        let len = (u32::from(*first)..).zip(rest).take_while(|pair| same(*pair)).count();
        let (run, after) = rest.split_at(len);
        rest = after;
        if services.last().is_none_or(|(last, _)| last != number) {
            services.push((*number, service_view(*number, kinds, names)));
        }
        if let (Some((_, view)), Some((_, last, _))) = (services.last_mut(), run.last()) {
            view.listen.push(range(*tcp, *first, *last));
        }
    }
    services.into_iter().map(|(_, view)| view).collect()
}

/// The service of this name.
pub(super) fn find(services: Vec<ServiceView>, name: &str) -> Result<ServiceView, Failure> {
    let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
    let unknown = format!("there is no service \"{name}\"; there is: {}", names.join(", "));
    services.into_iter().find(|service| service.name == name).ok_or_else(|| Failure::new(ExitCode::Usage, unknown))
}

fn service_view(number: u8, kinds: &[ServiceKind], names: &[String]) -> ServiceView {
    let number = usize::from(number);
    let inspected = kinds.get(number) == Some(&ServiceKind::Sip);
    ServiceView {
        name: names.get(number).cloned().unwrap_or_else(|| format!("#{number}")),
        kind: if inspected { "sip" } else { "opaque" }.to_owned(),
        listen: Vec::new(),
    }
}

fn range(tcp: bool, first: u16, last: u16) -> String {
    let protocol = if tcp { "tcp" } else { "udp" };
    if first == last { format!("{protocol}/{first}") } else { format!("{protocol}/{first}-{last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_by_service() {
        let (sip, web) = (0, 1);
        let ports = [
            (true, 443, web),
            (false, 5060, sip),
            (true, 5060, sip),
            (false, 5061, sip),
            (false, 5070, sip),
            (false, u16::MAX, web),
        ];
        let said = |names: &[String]| {
            let views = views(&ports, &[ServiceKind::Sip, ServiceKind::Opaque], names).into_iter();
            views.map(|view| format!("{} {} {}", view.name, view.kind, view.listen.join(","))).collect::<Vec<_>>()
        };
        let expected = ["sip sip udp/5060-5061,udp/5070,tcp/5060", "#1 opaque udp/65535,tcp/443"];
        assert_eq!(said(&["sip".to_owned()]), expected);
    }
}
