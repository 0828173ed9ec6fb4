//! Routes, and what tokens may do.

use edge::Route as _;
use serde_json::json;
use types::token::TokenHash;

use super::*;

#[test]
fn routes_are_found_and_methods_checked() {
    let put = parse(&Method::Put, &[]).unwrap();
    assert_eq!(
        (put.name(), put.audience()),
        ("PUT /api/control", Audience::Operator)
    );
    let get = parse(&Method::Get, &[]).unwrap();
    assert_eq!(
        (get.name(), get.audience()),
        ("GET /api/control", Audience::Public)
    );
    assert_eq!(parse(&Method::Post, &["restore"]).unwrap(), Route::Restore);
    let status = |method, path: &[&str]| {
        let (problem, headers) = parse(&method, path).unwrap_err().into_problem();
        (
            problem.status,
            headers.into_iter().map(|(_, value)| value).next(),
        )
    };
    let allow = |methods: &str| Some(methods.to_owned());
    assert_eq!(
        status(Method::Delete, &[]),
        (405, allow("GET, HEAD, PUT, PATCH"))
    );
    assert_eq!(status(Method::Get, &["restore"]), (405, allow("POST")));
    assert_eq!(
        status(Method::Put, &["document"]),
        (405, allow("GET, HEAD"))
    );
    for path in [&["x"][..], &[""], &["document", "x"]] {
        assert_eq!(status(Method::Get, path), (404, None));
    }
}

#[test]
fn a_narrowed_token_changes_its_target_alone() {
    let document = |value| change::replaced(value).unwrap();
    let before = document(json!({"targets": {"lobby": {"icon": null}}}));
    let lobby = document(json!({"targets": {"lobby": {"motd": {"rotate_seconds": 30}}}}));
    let both = document(json!({"targets": {"main": {"icon": null}}}));
    let general =
        document(json!({"motd": {"rotate_seconds": 30}, "targets": {"lobby": {"icon": null}}}));
    let allowed = |scope: &str| {
        let token = TokenEntry {
            name: "x".to_owned(),
            sha256: TokenHash::of("x"),
            scopes: vec![scope.parse().unwrap()],
        };
        [&before, &lobby, &both, &general].map(|after| may(&token, &before, after).is_ok())
    };
    assert_eq!(allowed("status:write"), [true; 4]);
    assert_eq!(allowed("status:write:lobby"), [true, true, false, false]);
    assert_eq!(allowed("status:write:main"), [true, false, false, false]);
    assert_eq!(allowed("pack:write"), [true, false, false, false]);
}

#[test]
fn no_token_is_called_what_the_history_calls_others() {
    for name in ["kv", "auto-end"] {
        let refused = distinct(name).unwrap_err();
        assert_eq!(refused.into_problem().0.code, Code::Forbidden);
    }
    assert!(distinct("ci").is_ok());
}
