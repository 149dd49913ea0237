//! Filters of the kernel's traffic control on an interface.

use std::fmt;
use std::io;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcFilterBpfOption, TcHandle, TcMessage, TcOption};

use super::Interface;
use super::netlink::dump;

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Filters with lower numbers come first.
    pub priority: u16,
    /// Such as `bpf` or `flower`.
    pub kind: String,
    /// Name of its BPF program.
    pub name: Option<String>,
    /// Number of its BPF program.
    pub program: Option<u32>,
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { priority, kind, name, .. } = self;
        write!(f, "tc filter {kind}")?;
        if let Some(name) = name {
            write!(f, " \"{name}\"")?;
        }
        write!(f, " (priority {priority})")
    }
}

/// The filters (clsact) for what leaves an interface, or for what arrives there, in the order in which packets meet them.
///
/// # Errors
///
/// When the kernel does not list them.
pub fn filters(interface: &Interface, leaving: bool) -> io::Result<Vec<Filter>> {
    let mut request = TcMessage::default();
    request.header.index = i32::try_from(interface.index).map_err(io::Error::other)?;
    let minor = if leaving { TcHandle::MIN_EGRESS } else { TcHandle::MIN_INGRESS };
    request.header.parent = TcHandle { major: TcHandle::CLSACT.major, minor };
    let listed = dump(RouteNetlinkMessage::GetTrafficFilter(request))?;
    let filter = |message| match message {
        RouteNetlinkMessage::NewTrafficFilter(message) => filter(message),
        _ => None,
    };
    let mut filters: Vec<Filter> = listed.into_iter().filter_map(filter).collect();
    filters.sort_by_key(|filter| filter.priority);
    Ok(filters)
}

/// None for the head of a priority, which the kernel lists before its filters.
fn filter(message: TcMessage) -> Option<Filter> {
    let (mut kind, mut options) = (String::new(), None);
    let priority = (message.header.info >> 16) as u16;
    for attribute in message.attributes {
        match attribute {
            TcAttribute::Kind(name) => kind = name,
            TcAttribute::Options(found) => options = Some(found),
            _ => {}
        }
    }
    let mut filter = Filter { priority, kind, name: None, program: None };
    for option in options? {
        match option {
            TcOption::Bpf(TcFilterBpfOption::ProgName(name)) => filter.name = Some(name),
            TcOption::Bpf(TcFilterBpfOption::ProgId(id)) => filter.program = Some(id),
            _ => {}
        }
    }
    Some(filter)
}
