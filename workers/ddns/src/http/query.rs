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
