//! The control protocol: any line gives a request that says the same when it is sent again, or a failure of usage, on a line.

use sip_fw_agent::control::protocol::{Reply, Request};
use sip_fw_agent::exit_code::ExitCode;

use crate::lists::tabled;

/// Checks one line, or what is no line.
pub fn check(bytes: &[u8]) {
    match Request::parse(bytes) {
        Ok(request) => {
            if let Request::Import { bans, .. } = &request {
                bans.iter().for_each(tabled);
            }
            let again = format!("{}\n", serde_json::to_string(&request).unwrap());
            assert_eq!(Request::parse(again.as_bytes()), Ok(request), "{again}");
        }
        Err(failure) => {
            assert_eq!(failure.exit, ExitCode::Usage, "{failure}");
            assert!(!failure.message.is_empty());
            one_line(&Reply::Error(failure));
        }
    }
    if let Ok(reply) = serde_json::from_slice::<Reply>(bytes) {
        one_line(&reply);
    }
}

/// A reply is a line, and can be read.
fn one_line(reply: &Reply) {
    let line = reply.line();
    assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
    let again: Reply = serde_json::from_str(&line).unwrap();
    if let (Reply::Error(sent), Reply::Error(read)) = (reply, &again) {
        assert_eq!(sent, read);
    }
}
