//! What queries say.

use edge::{Failure, not_found};
use types::{
    Code,
    config::{StatusConfig, Target},
};
use worker::Request;

use super::formats::Format;

/// What the query of a reader says.
pub struct Query<'a> {
    pub target: &'a Target,
    pub format: Format,
    pub protocol: Option<i32>,
}

impl<'a> Query<'a> {
    pub fn read(request: &Request, config: &'a StatusConfig) -> Result<Self, Failure> {
        let bad = |detail: &str| Failure::new(Code::BadRequest, detail);
        let asked = parameter(request, "target");
        let mut targets = config.targets.iter();
        let target = match asked.as_deref() {
            None => targets.next(),
            Some(id) => targets.find(|target| target.id.as_str() == id),
        };
        let format = parameter(request, "format").unwrap_or_default();
        let protocol = parameter(request, "protocol").map(|text| {
            let number = text.parse::<i32>().ok().filter(|number| *number >= 0);
            number.ok_or_else(|| bad("protocol: must be a client's protocol number, such as 774"))
        });
        Ok(Self {
            target: target.ok_or_else(|| not_found("such target"))?,
            format: Format::from_name(&format).ok_or_else(|| {
                bad("format: is json, minimessage, legacy, minimotd or maintenance")
            })?,
            protocol: protocol.transpose()?,
        })
    }
}

pub fn parameter(request: &Request, name: &str) -> Option<String> {
    let found = edge::query(request)
        .into_iter()
        .find(|(key, _)| key == name);
    found.map(|(_, value)| value)
}
