//! The table of a service as it is written, and how it becomes a [`Service`].

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    Check, DdnsCheck, DnsCheck, HeaderValue, HeartbeatCheck, HttpCheck, JsonPath, Limit, Method,
    SecretName, Service, ServiceKind, StatusPattern, TcpCheck,
};
use crate::{
    AlertName, RecordType, ServiceId,
    config::{Address, HostName, WebhookUrl},
};

/// The longest that one check may take, in milliseconds: it must not outlast a cron run.
const MAX_TIMEOUT_MS: u32 = 10_000;
/// A year.
const MAX_MINUTES: u32 = 366 * 24 * 60;
const MAX_TEXT: usize = 4096;
const MAX_LIST: usize = 32;

/// All keys of all kinds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flat {
    id: ServiceId,
    name: Option<String>,
    group: Option<String>,
    kind: ServiceKind,
    remind_minutes: Option<u32>,
    #[serde(default)]
    depends_on: Vec<ServiceId>,
    #[serde(default)]
    public: bool,
    critical: Option<bool>,
    alerts: Option<Vec<AlertName>>,
    #[serde(default)]
    paused: bool,
    // http
    url: Option<WebhookUrl>,
    method: Option<Method>,
    headers: Option<BTreeMap<String, String>>,
    body: Option<String>,
    status: Option<Vec<StatusPattern>>,
    keyword: Option<String>,
    keyword_absent: Option<String>,
    json_path: Option<JsonPath>,
    json_equals: Option<Value>,
    header: Option<BTreeMap<String, String>>,
    redirect: Option<Redirect>,
    // http, tcp, minecraft, dns
    interval_minutes: Option<u32>,
    timeout_ms: Option<u32>,
    failures: Option<u32>,
    successes: Option<u32>,
    max_latency_ms: Option<u32>,
    // tcp, minecraft
    address: Option<Address>,
    send: Option<String>,
    // tcp, dns
    expect: Option<Texts>,
    // dns, ddns
    host: Option<String>,
    record: Option<RecordType>,
    // heartbeat, ddns
    period_minutes: Option<u32>,
    grace_minutes: Option<u32>,
    min_size_bytes: Option<u64>,
    min_duration_ms: Option<u64>,
    max_duration_ms: Option<u64>,
    limits: Option<Vec<Limit>>,
    key: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Redirect {
    Follow,
    Manual,
}

/// One text, or a list of them.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
struct Texts(Vec<String>);

impl TryFrom<Value> for Texts {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let texts = match value {
            Value::String(text) => Some(vec![text]),
            Value::Array(list) => list
                .into_iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        let good = texts.filter(|texts| !texts.is_empty() && texts.len() <= MAX_LIST);
        good.map(Self)
            .ok_or_else(|| "not a text or a list of texts".to_owned())
    }
}

impl TryFrom<Flat> for Service {
    type Error = String;

    fn try_from(mut flat: Flat) -> Result<Self, String> {
        let check = flat.take_check()?;
        // Only what is asked has these; what lets hear of itself is judged at once.
        let mut taken = |key: fn(&mut Flat) -> &mut Option<u32>| {
            let is_active = flat.kind.is_active();
            key(&mut flat).take_if(|_| is_active)
        };
        let max_latency_ms = taken(|flat| &mut flat.max_latency_ms);
        let interval_minutes = taken(|flat| &mut flat.interval_minutes).unwrap_or(1);
        let timeout_ms = taken(|flat| &mut flat.timeout_ms).unwrap_or(5000);
        let successes = taken(|flat| &mut flat.successes).unwrap_or(1);
        let failures = taken(|flat| &mut flat.failures);
        let failures = failures.unwrap_or(if flat.kind.is_active() { 2 } else { 1 });
        flat.nothing_left()?;
        let name = flat.name.unwrap_or_else(|| flat.id.to_string());
        let group = flat.group.as_deref();
        for (key, text) in [("name", Some(name.as_str())), ("group", group)] {
            let good = |text: &str| {
                (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
            };
            if text.is_some_and(|text| !good(text)) {
                return Err(format!("{key}: must be 1 to 64 printable characters"));
            }
        }
        let minutes = |key, value| within(key, value, 1, MAX_MINUTES);
        if let Some(remind) = flat.remind_minutes {
            minutes("remind_minutes", remind)?;
        }
        Ok(Self {
            id: flat.id,
            name,
            group: flat.group,
            check,
            interval_minutes: minutes("interval_minutes", interval_minutes)?,
            max_latency_ms: max_latency_ms
                .map(|limit| within("max_latency_ms", limit, 1, MAX_TIMEOUT_MS))
                .transpose()?,
            timeout_ms: within("timeout_ms", timeout_ms, 100, MAX_TIMEOUT_MS)?,
            failures: within("failures", failures, 1, 60)?,
            successes: within("successes", successes, 1, 60)?,
            remind_minutes: flat.remind_minutes,
            depends_on: flat.depends_on,
            public: flat.public,
            critical: flat.critical.unwrap_or(true),
            alerts: flat.alerts,
            paused: flat.paused,
        })
    }
}

impl Flat {
    /// Takes the keys that this kind has.
    fn take_check(&mut self) -> Result<Check, String> {
        match self.kind {
            ServiceKind::Http => self.take_http().map(Box::new).map(Check::Http),
            ServiceKind::Tcp => self.take_tcp().map(Check::Tcp),
            ServiceKind::Minecraft => {
                let address = needed("address", self.address.take())?;
                Ok(Check::Minecraft { address })
            }
            ServiceKind::Dns => self.take_dns().map(Check::Dns),
            ServiceKind::Heartbeat => self.take_heartbeat().map(Check::Heartbeat),
            ServiceKind::Ddns => {
                let host: HostName = needed("host", self.host.take())?
                    .parse()
                    .map_err(|error| format!("host: {error}"))?;
                let period_minutes = self.take_period()?;
                Ok(Check::Ddns(DdnsCheck {
                    host,
                    period_minutes,
                }))
            }
        }
    }

    fn take_http(&mut self) -> Result<HttpCheck, String> {
        let method = self.method.take().unwrap_or_default();
        let url = needed("url", self.url.take())?;
        let status = self.status.take();
        let status = status.unwrap_or_else(|| vec![StatusPattern::Class(2)]);
        if status.is_empty() || status.len() > MAX_LIST {
            return Err(format!("status: must be 1 to {MAX_LIST} statuses"));
        }
        let headers = self.headers.take().unwrap_or_default();
        let mut check = HttpCheck {
            headers: headers
                .into_iter()
                .map(|(name, value)| Ok((header_name("headers", &name)?, header_value(value)?)))
                .collect::<Result<_, String>>()?,
            body: text("body", self.body.take())?,
            status,
            keyword: text("keyword", self.keyword.take())?,
            keyword_absent: text("keyword_absent", self.keyword_absent.take())?,
            json_path: self.json_path.take(),
            json_equals: self.json_equals.take(),
            header: self.take_header()?,
            follow: false,
            url,
            method,
        };
        // What carries a secret is for one address only.
        let has_secret = |value: &HeaderValue| matches!(value, HeaderValue::Secret(_));
        let is_secret = check.headers.values().any(has_secret);
        check.follow = match self.redirect.take() {
            Some(Redirect::Follow) if is_secret => {
                return Err("redirect: headers with a secret are not sent elsewhere".to_owned());
            }
            Some(redirect) => redirect == Redirect::Follow,
            None => !is_secret,
        };
        if check.body.is_some() && !method.takes_body() {
            return Err(format!("body: {} has none", method.as_str()));
        }
        if check.reads_body() && method == Method::Head {
            return Err("method: the answer to HEAD has no body to look at".to_owned());
        }
        match &check.json_equals {
            Some(_) if check.json_path.is_none() => {
                Err("json_path: json_equals needs it".to_owned())
            }
            Some(Value::Object(_) | Value::Array(_)) => {
                Err("json_equals: must be a text, a number or a boolean".to_owned())
            }
            _ => Ok(check),
        }
    }

    fn take_header(&mut self) -> Result<BTreeMap<String, String>, String> {
        let header = self.header.take().unwrap_or_default();
        let named = |(name, value): (String, _)| Ok((header_name("header", &name)?, value));
        header.into_iter().map(named).collect()
    }

    fn take_tcp(&mut self) -> Result<TcpCheck, String> {
        let address = needed("address", self.address.take())?;
        let port = address.port.ok_or("address: needs a port: host:port")?;
        let mut expect = self.expect.take().map_or_else(Vec::new, |texts| texts.0);
        if expect.len() > 1 {
            return Err("expect: one text is looked for".to_owned());
        }
        Ok(TcpCheck {
            host: address.host,
            port,
            send: text("send", self.send.take())?,
            expect: text("expect", expect.pop())?,
        })
    }

    fn take_dns(&mut self) -> Result<DnsCheck, String> {
        let host = needed("host", self.host.take())?;
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let labels = || host.split('.').all(|label| (1..=63).contains(&label.len()));
        if host.len() > 253 || !host.bytes().all(good) || !labels() {
            return Err("host: not a name to ask DNS for".to_owned());
        }
        Ok(DnsCheck {
            host,
            record: self.record.take().unwrap_or(RecordType::A),
            expect: self.expect.take().map_or_else(Vec::new, |texts| texts.0),
        })
    }

    fn take_heartbeat(&mut self) -> Result<HeartbeatCheck, String> {
        let key = self.key.take();
        let key = key.map(|key| secret_name("key", &key)).transpose()?;
        let limits = self.limits.take().unwrap_or_default();
        if limits.len() > MAX_LIST {
            return Err(format!("limits: at most {MAX_LIST}"));
        }
        let check = HeartbeatCheck {
            period_minutes: self.take_period()?,
            grace_minutes: self.grace_minutes.take().unwrap_or(5),
            min_size_bytes: self.min_size_bytes.take(),
            min_duration_ms: self.min_duration_ms.take(),
            max_duration_ms: self.max_duration_ms.take(),
            limits,
            key,
        };
        within("grace_minutes", check.grace_minutes, 0, MAX_MINUTES)?;
        match (check.min_duration_ms, check.max_duration_ms) {
            (Some(min), Some(max)) if min > max => {
                Err("max_duration_ms: is less than min_duration_ms".to_owned())
            }
            _ => Ok(check),
        }
    }

    fn take_period(&mut self) -> Result<u32, String> {
        let period = needed("period_minutes", self.period_minutes.take())?;
        within("period_minutes", period, 1, MAX_MINUTES)
    }

    /// Whatever no check has taken does not belong to the kind.
    fn nothing_left(&self) -> Result<(), String> {
        let left = [
            ("url", self.url.is_some()),
            ("method", self.method.is_some()),
            ("headers", self.headers.is_some()),
            ("body", self.body.is_some()),
            ("status", self.status.is_some()),
            ("keyword", self.keyword.is_some()),
            ("keyword_absent", self.keyword_absent.is_some()),
            ("json_path", self.json_path.is_some()),
            ("json_equals", self.json_equals.is_some()),
            ("header", self.header.is_some()),
            ("redirect", self.redirect.is_some()),
            ("interval_minutes", self.interval_minutes.is_some()),
            ("timeout_ms", self.timeout_ms.is_some()),
            ("failures", self.failures.is_some()),
            ("successes", self.successes.is_some()),
            ("max_latency_ms", self.max_latency_ms.is_some()),
            ("address", self.address.is_some()),
            ("send", self.send.is_some()),
            ("expect", self.expect.is_some()),
            ("host", self.host.is_some()),
            ("record", self.record.is_some()),
            ("period_minutes", self.period_minutes.is_some()),
            ("grace_minutes", self.grace_minutes.is_some()),
            ("min_size_bytes", self.min_size_bytes.is_some()),
            ("min_duration_ms", self.min_duration_ms.is_some()),
            ("max_duration_ms", self.max_duration_ms.is_some()),
            ("limits", self.limits.is_some()),
            ("key", self.key.is_some()),
        ];
        match left.into_iter().find(|(_, is_left)| *is_left) {
            Some((key, _)) => Err(format!(
                "{key}: kind \"{}\" has no such key",
                self.kind.as_str()
            )),
            None => Ok(()),
        }
    }
}

fn needed<T>(key: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("{key}: is missing"))
}

fn within(key: &str, value: u32, least: u32, most: u32) -> Result<u32, String> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{key}: must be from {least} to {most}"))
    }
}

fn text(key: &str, text: Option<String>) -> Result<Option<String>, String> {
    match text {
        Some(text) if text.is_empty() || text.len() > MAX_TEXT => {
            Err(format!("{key}: must be 1 to {MAX_TEXT} bytes long"))
        }
        text => Ok(text),
    }
}

/// In lower case, for they are compared without it (RFC 9110, section 5.1).
fn header_name(key: &str, name: &str) -> Result<String, String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
        return Err(format!("{key}: {name:?} is not the name of a header"));
    }
    Ok(name.to_ascii_lowercase())
}

/// `$NAME` names a secret; a value that begins with `$$` begins with one dollar sign.
fn header_value(value: String) -> Result<HeaderValue, String> {
    let good = |byte: u8| (0x20..0x7f).contains(&byte) || byte == b'\t';
    match value.strip_prefix('$') {
        Some(literal) if literal.starts_with('$') => Ok(HeaderValue::Literal(literal.to_owned())),
        Some(_) => secret_name("headers", &value).map(HeaderValue::Secret),
        None if value.len() <= MAX_TEXT && value.bytes().all(good) => {
            Ok(HeaderValue::Literal(value))
        }
        None => Err("headers: a value is not printable ASCII".to_owned()),
    }
}

fn secret_name(key: &str, text: &str) -> Result<SecretName, String> {
    let name = text.strip_prefix('$').unwrap_or_default();
    name.parse()
        .map_err(|_| format!("{key}: must be $ and the name of a value in the secret CHECKS"))
}
