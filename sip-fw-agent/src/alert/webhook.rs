//! An alert as the body of a POST.

use std::time::Duration;

use ureq::http::header::{CONTENT_TYPE, RETRY_AFTER};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::channel::{Again, Channel, Patience, Trouble};
use super::message::Alert;
use super::template::Template;
use crate::config::WebhookRules;
use crate::http::{self, Bounds, Roots};

/// Where alerts are posted.
pub struct Webhook {
    url: String,
    template: Template,
    headers: Vec<(String, String)>,
    roots: Roots,
    bounds: Bounds,
    /// Kept while it works: it holds the certificates of the system.
    agent: Option<Agent>,
}

impl Webhook {
    /// By the rules of a `[[webhook]]`.
    pub fn new(rules: &WebhookRules) -> Self {
        Self {
            url: rules.url.clone(),
            template: rules.template.clone(),
            headers: rules.headers.clone(),
            roots: Roots::System,
            // Where a redirect leads is not where the operator wants his tokens.
            bounds: Bounds { connect_max: rules.timeout, whole_max: rules.timeout, redirects_max: 0 },
            agent: None,
        }
    }

    fn post(&self, agent: &Agent, alert: &Alert) -> Result<(), Trouble> {
        let mut request = agent.post(&self.url).header(CONTENT_TYPE, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match request.send(self.template.fill(alert)) {
            Ok(response) => judge(&response),
            Err(error) => Err(Trouble::for_now(http::shown(&error))),
        }
    }
}

impl Channel for Webhook {
    fn deliver(&mut self, alert: &Alert, _patience: &Patience<'_>) -> Result<(), Trouble> {
        let agent = match self.agent.take() {
            Some(agent) => agent,
            None => {
                http::agent(&self.url, &self.roots, self.bounds).map_err(|error| Trouble::for_now(error.to_string()))?
            }
        };
        self.post(&agent, alert)?;
        self.agent = Some(agent);
        Ok(())
    }
}

/// Only where the receiver is at fault, or too busy, the same alert is worth another try.
fn judge(response: &Response<Body>) -> Result<(), Trouble> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    let again = if busy || status.is_server_error() { Again::Later(retry_after(response)) } else { Again::Never };
    Err(Trouble { reason: format!("the receiver answers {status}"), again })
}

/// A number of seconds; a date is as if there were none.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::super::message::tests::ban;
    use super::super::sink::Sink;
    use super::super::sink::tests::{HURRY, all, view_when};
    use super::*;
    use crate::http::test_server::{Server, answer};
    use crate::report::queue::QUEUE_RECORDS_MAX;

    fn rules(url: String) -> WebhookRules {
        WebhookRules {
            name: "chat".to_owned(),
            url,
            template: Template::Slack,
            headers: vec![("Authorization".to_owned(), "Bearer t".to_owned())],
            selection: all(100),
            timeout: Duration::from_millis(300),
        }
    }

    fn start(webhook: Webhook) -> Sink {
        Sink::start("webhook", "chat", &all(100), webhook, HURRY)
    }

    #[test]
    fn a_post_with_its_headers() {
        let server = Server::https(|_| answer("204 No Content", "", ""));
        let mut webhook = Webhook::new(&rules(server.url("/in?x=y")));
        webhook.roots = Roots::Only(server.certificate.clone());
        let sink = start(webhook);
        for user in ["1000", "1001"] {
            sink.tell(&ban(user, 0).record);
        }
        let view = view_when(&sink, |view| view.sent == 2);
        assert_eq!((view.state.as_str(), view.last_error, view.dropped), ("ok", None, 0));
        let requests = server.requests();
        assert!(requests[0].starts_with("post /in?x=y http/1.1\r\n"), "{requests:?}");
        for header in ["content-type: application/json", "authorization: bearer t"] {
            assert!(requests[0].contains(&format!("\r\n{header}\r\n")), "{header}: {requests:?}");
        }
        assert_eq!(server.bodies(), ["1000", "1001"].map(|user| Template::Slack.fill(&ban(user, 0))));
    }

    #[test]
    fn a_receiver_that_comes_back_gets_what_it_missed() {
        let mut answers = ["500 Internal Server Error", "429 Too Many Requests", "200 OK"].into_iter();
        // Longer than the pace lets it be.
        let server = Server::http(move |_| answer(answers.next().unwrap_or("200 OK"), "Retry-After: 3600\r\n", ""));
        let mut sink = start(Webhook::new(&rules(server.url("/"))));
        sink.tell(&ban("1000", 0).record);
        let view = view_when(&sink, |view| view.sent == 1);
        assert_eq!((view.state.as_str(), view.dropped), ("ok", 0));
        assert_eq!(view.last_error.as_deref(), Some("the receiver answers 429 Too Many Requests"));
        assert_eq!(server.bodies(), vec![Template::Slack.fill(&ban("1000", 0)); 3]);
        assert_eq!(sink.news(), None, "it was never known to fail");
    }

    #[test]
    fn what_is_refused_is_not_tried_again_and_said_once() {
        let server = Server::http(|_| answer("302 Found", "Location: /elsewhere\r\n", ""));
        let mut sink = start(Webhook::new(&rules(server.url("/"))));
        sink.tell(&ban("1000", 0).record);
        let view = view_when(&sink, |view| view.dropped == 1);
        assert_eq!((view.state.as_str(), view.sent, server.bodies().len()), ("failing", 0, 1));
        let said = |record: Option<sip_fw_core::record::Record>| record.and_then(|record| record.reason);
        let fails = "webhook \"chat\" fails: the receiver answers 302 Found; sip-fw status says when it works again";
        assert_eq!(said(sink.news()).as_deref(), Some(fails));
        assert_eq!(said(sink.news()), None);
        server.now_says(|_| answer("200 OK", "", ""));
        sink.tell(&ban("1001", 0).record);
        view_when(&sink, |view| view.sent == 1);
        let works = "webhook \"chat\" works again; alerts dropped since it started: 1";
        assert_eq!(said(sink.news()).as_deref(), Some(works));
        assert_eq!(server.bodies()[1], Template::Slack.fill(&ban("1001", 1)), "and one more");
    }

    #[test]
    fn a_receiver_that_never_answers_holds_up_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let mut sink = start(Webhook::new(&rules(url)));
        let began = Instant::now();
        let record = ban("1000", 0).record;
        (0..2 * QUEUE_RECORDS_MAX).for_each(|_| sink.tell(&record));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let view = view_when(&sink, |view| view.state == "failing");
        assert!(view.dropped >= QUEUE_RECORDS_MAX as u64 - 2, "{view:?}");
        assert!(view.last_error.is_some_and(|error| error.starts_with("no complete answer in time")));
        let began = Instant::now();
        sink.close();
        sink.wait_until(began + Duration::from_secs(10));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
