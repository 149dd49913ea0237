//! A name server for tests, over UDP.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// What to say of a name.
#[derive(Clone, Debug)]
pub enum Say {
    /// These addresses, with a TTL in seconds; those of the record type asked for.
    Addresses(Vec<&'static str>, u32),
    /// An alias of another name, whose addresses follow.
    Alias(&'static str, Vec<&'static str>),
    /// This code.
    Code(ResponseCode),
    /// Nothing at all.
    Silence,
}

/// The server; names it was not told of do not exist.
pub struct Server {
    pub address: SocketAddr,
    names: Arc<Mutex<HashMap<String, Say>>>,
    is_open: Arc<Mutex<bool>>,
}

impl Server {
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let address = socket.local_addr().unwrap();
        let names = Arc::new(Mutex::new(HashMap::new()));
        let is_open = Arc::new(Mutex::new(true));
        let (told, open) = (Arc::clone(&names), Arc::clone(&is_open));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while *open.lock().unwrap() {
                let Ok((len, from)) = socket.recv_from(&mut bytes) else { continue };
                let answer = answer(&Message::from_vec(&bytes[..len]).unwrap(), &told.lock().unwrap());
                if let Some(answer) = answer {
                    socket.send_to(&answer.to_vec().unwrap(), from).unwrap();
                }
            }
        });
        Self { address, names, is_open }
    }

    pub fn now_says(&self, name: &str, say: Say) {
        self.names.lock().unwrap().insert(format!("{name}."), say);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        *self.is_open.lock().unwrap() = false;
    }
}

fn answer(question: &Message, names: &HashMap<String, Say>) -> Option<Message> {
    let query = question.queries[0].clone();
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    let addresses = |name: &Name, texts: &[&str], ttl: u32| -> Vec<Record> {
        let all = texts.iter().map(|text| text.parse::<IpAddr>().unwrap());
        all.filter(|address| address.is_ipv4() == (query.query_type() == RecordType::A))
            .map(|address| Record::from_rdata(name.clone(), ttl, RData::from(address)))
            .collect()
    };
    match names.get(&query.name().to_string().to_lowercase()) {
        None => answer.metadata.response_code = ResponseCode::NXDomain,
        Some(Say::Silence) => return None,
        Some(Say::Code(code)) => answer.metadata.response_code = *code,
        Some(Say::Addresses(texts, ttl)) => {
            answer.add_answers(addresses(query.name(), texts, *ttl));
        }
        Some(Say::Alias(to, texts)) => {
            let to = Name::from_utf8(format!("{to}.")).unwrap();
            answer.add_answer(Record::from_rdata(query.name().clone(), 1, RData::CNAME(CNAME(to.clone()))));
            answer.add_answers(addresses(&to, texts, 3600));
        }
    }
    Some(answer)
}
