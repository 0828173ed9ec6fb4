//! Keys of a request's query.

use edge::Failure;
use types::Code;
use worker::Request;

/// The first value of a key.
pub fn parameter(request: &Request, name: &str) -> Option<String> {
    let mut pairs = edge::query(request).into_iter();
    pairs.find(|(key, _)| key == name).map(|(_, value)| value)
}

/// A whole number; an empty value is none.
pub fn number(request: &Request, name: &str) -> Result<Option<u32>, Failure> {
    let wrong = |_| {
        let detail = format!("{name} is not a number that this list takes");
        Failure::new(Code::BadRequest, detail)
    };
    let text = parameter(request, name).filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

/// 400 for a key that means nothing here.
pub fn known(request: &Request, names: &[&str]) -> Result<(), Failure> {
    let unknown = |(key, _): &(String, String)| !names.contains(&key.as_str());
    let Some((key, _)) = edge::query(request).into_iter().find(unknown) else {
        return Ok(());
    };
    let key: String = key.chars().take(40).collect();
    let detail = if names.is_empty() {
        format!("{key:?} is not known: this path takes no query")
    } else {
        format!("{key:?} is not known; known are {}", names.join(", "))
    };
    Err(Failure::new(Code::BadRequest, detail))
}
