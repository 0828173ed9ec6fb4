//! The query of a request.

use worker::{Request, url::form_urlencoded};

/// The pairs of a request's query, decoded (URL Standard, `application/x-www-form-urlencoded`).
///
/// The runtime has already parsed the URL. Parsing it again would bring the tables of
/// internationalised host names into the worker.
pub fn query(request: &Request) -> Vec<(String, String)> {
    let url = request.inner().url();
    let url = url.split('#').next().unwrap_or_default();
    let query = url.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}
