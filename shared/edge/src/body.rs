//! Small request bodies, as JSON.

use serde::de::DeserializeOwned;
use types::Code;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::Request;

use crate::Failure;

/// The largest body that is read into memory, in bytes.
const LIMIT: usize = 64 * 1024;

/// The body as a `T`. An empty one reads as `{}`.
///
/// Beside the errors of [`text`]: 400 `bad-json` for what is no JSON object or has a wrong, missing
/// or unknown member, which is named.
pub async fn json<T: DeserializeOwned>(request: &Request) -> Result<T, Failure> {
    let text = text(request).await?;
    let text = if text.trim().is_empty() { "{}" } else { &text };
    parsed(text)
}

/// The same for a body that must not be empty, since `{}` would be a wish of its own.
pub async fn json_required<T: DeserializeOwned>(request: &Request) -> Result<T, Failure> {
    let text = text(request).await?;
    if text.trim().is_empty() {
        return Err(Failure::new(Code::BadJson, "the body is empty"));
    }
    parsed(&text)
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, Failure> {
    parse(text).map_err(|problem| Failure::new(Code::BadJson, format!("the body: {problem}")))
}

/// The body as it is: 411 without a `Content-Length`, 413 above 64 KiB, 400 when it breaks off.
pub async fn text(request: &Request) -> Result<String, Failure> {
    let length = request.headers().get("content-length")?;
    let length = match (length, request.inner().body()) {
        (Some(length), _) => length.parse::<usize>().ok(),
        (None, None) => Some(0),
        (None, Some(_)) => None,
    };
    let length = length.ok_or_else(|| {
        Failure::new(
            Code::LengthRequired,
            "say how long the body is: Content-Length",
        )
    })?;
    if length > LIMIT {
        let detail = format!("the body has {length} bytes; {LIMIT} at most are read here");
        return Err(Failure::new(Code::TooLarge, detail));
    }
    let unreadable = |error: JsValue| {
        let detail = format!("the body could not be read: {error:?}");
        Failure::new(Code::BadRequest, detail)
    };
    let text = JsFuture::from(request.inner().text().map_err(unreadable)?).await;
    Ok(text.map_err(unreadable)?.as_string().unwrap_or_default())
}

/// An object as a `T`. The error names the member that is wrong.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // Serde would take an array for a struct, its items for the members in order.
    if text.trim_start().starts_with('[') {
        return Err("must be a JSON object, not an array".to_owned());
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let problem = error.inner().to_string();
        match error.path().to_string().as_str() {
            // Of the whole, or of no member that is known.
            "." | "?" => problem,
            member => format!("{member}: {problem}"),
        }
    })?;
    json.end().map_err(|error| error.to_string())?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        count: u8,
        deep: Option<Vec<bool>>,
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            (r#"{"count":"1"}"#, "count: invalid type: string"),
            (
                r#"{"count":1,"deep":[true,5]}"#,
                "deep[1]: invalid type: integer `5`",
            ),
            ("{}", "missing field `count`"),
            (r#"{"cuont":1}"#, "cuont: unknown field `cuont`"),
            ("[1, null]", "must be a JSON object"),
            ("null", "invalid type: null"),
            (r#"{"count":1} x"#, "trailing characters"),
            (r#"{"count":1"#, "EOF"),
        ] {
            let error = parse::<Body>(text).unwrap_err();
            assert!(error.starts_with(message), "{text}: {error}");
        }
        let body = parse(r#" {"count":1} "#);
        assert_eq!(
            body,
            Ok(Body {
                count: 1,
                deep: None
            })
        );
    }
}
