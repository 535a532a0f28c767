//! What the tests share: the cases, the resolver they assume, and the dump they are compared with.

use lvs_cf::keyword::{Entry, Keyed};
use lvs_cf::{Config, Resolver, Server, Text, Value, Virtual};
use serde_json::{json, Map, Value as Json};
use std::net::Ipv4Addr;

/// The system on which the cases were observed: one host name, a handful of services.
pub struct CaseResolver;

impl Resolver for CaseResolver {
    fn host(&self, name: &[u8]) -> Option<Ipv4Addr> {
        (name == b"localhost").then_some(Ipv4Addr::LOCALHOST)
    }

    fn tcp_port(&self, service: &[u8]) -> Option<u16> {
        let table: &[(&[u8], u16)] =
            &[(b"http", 80), (b"www", 80), (b"https", 443), (b"smtp", 25), (b"ftp", 21), (b"domain", 53)];
        table.iter().find(|(name, _)| *name == service).map(|(_, port)| *port)
    }
}

/// One observed case.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub input: Vec<u8>,
    /// The dump of an accepted file.
    pub parsed: Option<Json>,
    /// Line, kind, code and text of a refusal.
    pub error: Option<Json>,
}

/// The observed cases.
pub fn cases() -> Vec<Case> {
    include_str!("data/cases.jsonl").lines().map(case).collect()
}

fn case(line: &str) -> Case {
    let json: Json = serde_json::from_str(line).expect("a case is JSON");
    let text = |key: &str| json[key].as_str().expect("a string").to_owned();
    Case {
        name: text("name"),
        input: text("input").into_bytes(),
        parsed: json.get("parsed").cloned(),
        error: json.get("error").cloned(),
    }
}

/// A configuration in the form of the cases.
pub fn dump(config: &Config) -> Json {
    let mut out = block(config);
    out.insert("virtual".into(), config.virtuals.iter().map(service).collect());
    out.insert("failover".into(), config.failovers.iter().map(service).collect());
    Json::Object(out)
}

fn service(service: &Virtual) -> Json {
    let mut out = block(service);
    out.insert("index".into(), json!(service.index));
    out.insert("name".into(), text(&service.name));
    let server = |server: &Server| {
        let mut out = block(server);
        out.insert("name".into(), text(&server.name));
        Json::Object(out)
    };
    out.insert("servers".into(), service.servers.iter().map(server).collect());
    Json::Object(out)
}

fn block<T: Keyed>(block: &T) -> Map<String, Json> {
    let mut out = Map::new();
    for entry in T::entries() {
        insert(entry, block, &mut out);
    }
    out
}

fn insert<T>(entry: &Entry<T>, block: &T, out: &mut Map<String, Json>) {
    let name = entry.keyword.name;
    let value = match entry.value(block) {
        Value::Int(value) => json!(value),
        Value::Flag(value) => json!(u8::from(value)),
        Value::Address(value) => json!(value),
        Value::Host(host) => {
            out.insert(format!("{name}_name"), host.name.as_ref().map_or(Json::Null, text));
            json!(host.address)
        }
        Value::AddressOn(address, device) => {
            let key = if name == "address" { "device".into() } else { format!("{name}_device") };
            out.insert(key, device.map_or(Json::Null, text));
            json!(address)
        }
        Value::Text(value) | Value::Quoted(value) => value.map_or(Json::Null, text),
        Value::Word(value) => json!(value),
        Value::List(value) => value.map_or(Json::Null, |items| items.iter().map(text).collect()),
    };
    out.insert(name.into(), value);
}

fn text(text: &Text) -> Json {
    json!(text.to_string_lossy())
}
