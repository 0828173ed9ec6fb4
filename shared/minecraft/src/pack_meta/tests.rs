//! The game's rules by table, and at random.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn parse(pack: &Value) -> Result<PackMeta, MetaError> {
    PackMeta::parse(json!({"pack": pack}).to_string().as_bytes())
}

/// The formats of a `pack` section as the API shows them, after a description is added.
fn formats(mut pack: Value) -> Result<(String, String), MetaError> {
    pack["description"] = json!("");
    parse(&pack).map(|meta| {
        (
            meta.formats.min().to_string(),
            meta.formats.max().to_string(),
        )
    })
}

/// The `pack` section with these fields, as in `pack_format: 34, supported_formats: [34, 64]`.
fn pack(fields: &str) -> Value {
    let mut json = format!("{{{fields}}}");
    for key in [
        "pack_format:",
        "supported_formats:",
        "min_format:",
        "max_format:",
        "min_inclusive:",
        "max_inclusive:",
    ] {
        json = json.replace(key, &format!("\"{}\":", key.trim_end_matches(':')));
    }
    serde_json::from_str(&json).unwrap()
}

fn accepts(table: &[(&str, &str, &str)]) {
    for (fields, min, max) in table {
        assert_eq!(
            formats(pack(fields)),
            Ok(((*min).to_owned(), (*max).to_owned())),
            "{fields}"
        );
    }
}

fn refuses<const N: usize>(table: [(&str, MetaError); N]) {
    for (fields, error) in table {
        assert_eq!(formats(pack(fields)), Err(error), "{fields}");
    }
}

#[test]
fn the_old_kind_declares_formats_up_to_64() {
    accepts(&[
        ("pack_format: 34", "34", "34"),
        ("pack_format: 1", "1", "1"),
        ("pack_format: 64", "64", "64"),
        ("pack_format: 34.0", "34", "34"),
        ("pack_format: 34, supported_formats: 34", "34", "34"),
        ("pack_format: 34, supported_formats: [34, 64]", "34", "64"),
        (
            "pack_format: 46, supported_formats: {min_inclusive: 34, max_inclusive: 55}",
            "34",
            "55",
        ),
        ("pack_format: 15, supported_formats: [9, 34]", "9", "34"),
        ("pack_format: 9, supported_formats: [9, 9]", "9", "9"),
    ]);
}

#[test]
fn the_new_kind_declares_formats_above_64() {
    accepts(&[
        ("min_format: 69, max_format: 69", "69.0", "69"),
        ("min_format: 69.0, max_format: 75.0", "69.0", "75"),
        ("min_format: [69], max_format: [69]", "69.0", "69"),
        ("min_format: [69, 0], max_format: [69, 0]", "69.0", "69.0"),
        ("min_format: [69, 1], max_format: 84", "69.1", "84"),
        (
            "min_format: 65, max_format: 2147483647",
            "65.0",
            "2147483647",
        ),
        (
            "min_format: 69, max_format: 75, pack_format: 75",
            "69.0",
            "75",
        ),
        (
            "min_format: 69, max_format: 75, supported_formats: null",
            "69.0",
            "75",
        ),
    ]);
}

#[test]
fn a_pack_for_both_kinds_of_client_says_both() {
    accepts(&[
        (
            "min_format: 34, max_format: 69, pack_format: 34, supported_formats: [34, 64]",
            "34",
            "69",
        ),
        (
            "min_format: 34, max_format: 69, pack_format: 34, supported_formats: [34, 69]",
            "34",
            "69",
        ),
        (
            "min_format: 34, max_format: 46, pack_format: 34, supported_formats: [34, 46]",
            "34",
            "46",
        ),
        (
            "min_format: 34, max_format: 46, pack_format: 34, supported_formats: [34, 64]",
            "34",
            "46",
        ),
        (
            "min_format: 34, max_format: [69, 0], pack_format: 69, supported_formats: [34, 64]",
            "34",
            "69.0",
        ),
        (
            "min_format: 9, max_format: 75, pack_format: 15, supported_formats: [9, 64]",
            "9",
            "75",
        ),
        (
            "min_format: [34, 0], max_format: [64, 0], pack_format: 34, supported_formats: [34, 64]",
            "34",
            "64",
        ),
    ]);
}

#[test]
fn contradictions_of_the_old_kind_are_refused() {
    let newer = |start, end| MetaError::NeedsBounds {
        start,
        end,
        drop_supported: false,
    };
    refuses([
        ("", MetaError::NoFormat),
        ("pack_format: null", MetaError::NoFormat),
        (r#"pack_format: "34""#, MetaError::BadPackFormat),
        ("pack_format: -1", MetaError::BadPackFormat),
        ("pack_format: true", MetaError::BadPackFormat),
        ("pack_format: 65", newer(65, 65)),
        (
            "pack_format: 34, supported_formats: [34, 69]",
            newer(34, 69),
        ),
        (
            "supported_formats: [34, 64]",
            MetaError::NoPackFormat { add: 34 },
        ),
        (
            "supported_formats: [9, 64]",
            MetaError::NoPackFormat { add: 15 },
        ),
        ("supported_formats: 9", MetaError::NoPackFormat { add: 9 }),
        (
            "pack_format: 34, supported_formats: [64, 34]",
            MetaError::SupportedReversed { start: 64, end: 34 },
        ),
        (
            "pack_format: 34, supported_formats: [34]",
            MetaError::BadSupported,
        ),
        (
            "pack_format: 34, supported_formats: {min_inclusive: 34}",
            MetaError::BadSupported,
        ),
        (
            r#"pack_format: 34, supported_formats: "34""#,
            MetaError::BadSupported,
        ),
        (
            "pack_format: 33, supported_formats: [34, 64]",
            outside(33, 34, 64),
        ),
        (
            "pack_format: 14, supported_formats: [9, 34]",
            MetaError::PackFormatTooOld { pack_format: 14 },
        ),
    ]);
}

#[test]
fn contradictions_of_the_new_kind_are_refused() {
    let min_only = MetaError::OneBound {
        present: "min_format",
        missing: "max_format",
    };
    let max_only = MetaError::OneBound {
        present: "max_format",
        missing: "min_format",
    };
    let reversed = |min, max| MetaError::BoundsReversed {
        min: format(min),
        max: format(max),
    };
    refuses([
        ("min_format: 69", min_only),
        ("max_format: 69, pack_format: 34", max_only),
        (
            r#"min_format: "69", max_format: 69"#,
            MetaError::BadVersion("min_format"),
        ),
        (
            "min_format: 69, max_format: []",
            MetaError::BadVersion("max_format"),
        ),
        (
            r#"min_format: 69, max_format: [69, "0"]"#,
            MetaError::BadVersion("max_format"),
        ),
        (
            "min_format: [69, -1], max_format: 69",
            MetaError::BadVersion("min_format"),
        ),
        (
            "min_format: 75, max_format: 69",
            reversed((75, 0), (69, PackFormat::ANY_MINOR)),
        ),
        (
            "min_format: [69, 1], max_format: [69, 0]",
            reversed((69, 1), (69, 0)),
        ),
        (
            "min_format: 69, max_format: 75, pack_format: 64",
            outside(64, 69, 75),
        ),
        (
            "min_format: 69, max_format: 75, pack_format: 69, supported_formats: [69, 75]",
            MetaError::SupportedNotAllowed { min: 69 },
        ),
    ]);
}

#[test]
fn contradictions_between_the_kinds_are_refused() {
    refuses([
        (
            "min_format: 34, max_format: 69, pack_format: 34",
            MetaError::NoSupported { min: 34, max: 64 },
        ),
        (
            "min_format: 34, max_format: 46, pack_format: 34",
            MetaError::NoSupported { min: 34, max: 46 },
        ),
        (
            "min_format: 34, max_format: 69, supported_formats: [34, 64]",
            MetaError::NoPackFormat { add: 34 },
        ),
        (
            "min_format: 34, max_format: 69, pack_format: 34, supported_formats: [42, 64]",
            MetaError::SupportedStart { start: 42, min: 34 },
        ),
        (
            "min_format: 34, max_format: 69, pack_format: 34, supported_formats: [34, 63]",
            MetaError::SupportedEnd { end: 63, max: 69 },
        ),
        (
            "min_format: 34, max_format: 69, pack_format: 70, supported_formats: [34, 64]",
            outside(70, 34, 69),
        ),
        (
            "min_format: 9, max_format: 69, pack_format: 9, supported_formats: [9, 64]",
            MetaError::PackFormatTooOld { pack_format: 9 },
        ),
    ]);
}

fn outside(pack_format: u32, min: u32, max: u32) -> MetaError {
    MetaError::PackFormatOutside {
        pack_format,
        min,
        max,
    }
}

#[test]
fn a_description_is_required_and_may_be_any_text_component() {
    let with = |description: Value| parse(&json!({"pack_format": 34, "description": description}));
    assert_eq!(
        parse(&json!({"pack_format": 34})),
        Err(MetaError::NoDescription)
    );
    assert_eq!(with(json!(null)), Err(MetaError::NoDescription));
    for no_text in [json!(5), json!(true), json!([])] {
        assert_eq!(with(no_text), Err(MetaError::BadDescription));
    }
    for text in [
        json!("§6gold"),
        json!({"text": "gold", "color": "gold"}),
        json!([{"text": "go", "color": "gold"}, "ld"]),
    ] {
        assert_eq!(with(text).unwrap().description, Text::from_legacy("§6gold"));
    }
}

#[test]
fn the_file_is_json_with_a_pack_section() {
    let error = |bytes: &[u8]| PackMeta::parse(bytes).unwrap_err();
    for broken in [&b""[..], b"{", b"pack_format: 34", b"{\"pack\":{},}"] {
        assert!(
            matches!(error(broken), MetaError::NotJson(_)),
            "{}",
            broken.escape_ascii()
        );
    }
    assert!(matches!(
        error(&b"[".repeat(100_000)),
        MetaError::NotJson(_)
    ));
    assert_eq!(error(b"[]"), MetaError::NotAnObject);
    assert_eq!(error(b"{}"), MetaError::NoPack);
    assert_eq!(error(b"{\"pack\": 34}"), MetaError::PackNotAnObject);
}

#[test]
fn a_byte_order_mark_and_bytes_of_another_encoding_are_accepted() {
    let file = b"\xef\xbb\xbf{\"pack\": {\"pack_format\": 34, \"description\": \"caf\xe9\"}}";
    assert_eq!(
        PackMeta::parse(file).unwrap().description.to_plain(),
        "caf\u{fffd}"
    );
}

#[test]
fn the_message_names_the_fix() {
    let message = |pack| formats(pack).unwrap_err().to_string();
    assert_eq!(
        message(json!({"pack_format": 75})),
        "formats above 64 need both bounds: add \"min_format\": 75 and \"max_format\": 75"
    );
    assert_eq!(
        message(json!({"min_format": 34, "max_format": 75, "pack_format": 34})),
        "clients up to format 64 need \"supported_formats\": add \"supported_formats\": [34, 64]"
    );
}

fn any_pack() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        (0..90_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!("1"))
    ];
    let value = prop_oneof![
        3 => number.clone(),
        2 => prop::collection::vec(number.clone(), 0..4).prop_map(Value::from),
        1 => (number.clone(), number).prop_map(|(a, b)| json!({"min_inclusive": a, "max_inclusive": b})),
        1 => Just(Value::Null),
    ];
    let key = prop::sample::select(vec![
        "pack_format",
        "supported_formats",
        "min_format",
        "max_format",
    ]);
    prop::collection::vec((key, value), 0..5).prop_map(|fields| {
        fields
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
    })
}

proptest! {
    #[test]
    fn any_bytes_are_accepted_or_refused(bytes: Vec<u8>) {
        let _ = PackMeta::parse(&bytes);
    }

    #[test]
    fn any_pack_section_is_a_range_or_a_sentence(mut pack in any_pack()) {
        pack["description"] = json!("");
        match parse(&pack) {
            Ok(meta) => prop_assert!(meta.formats.min() <= meta.formats.max()),
            Err(error) => prop_assert!(error.to_string().contains(": ")),
        }
    }

    #[test]
    fn new_bounds_are_taken_as_written(min in 65..200_u32, span in 0..50_u32, minor in 0..5_u32) {
        let max = min + span;
        let open = formats(json!({"min_format": min, "max_format": max}));
        prop_assert_eq!(open, Ok((format!("{min}.0"), format!("{max}"))));
        let exact = formats(json!({"min_format": [min, minor], "max_format": [max, minor]}));
        prop_assert_eq!(exact, Ok((format!("{min}.{minor}"), format!("{max}.{minor}"))));
    }

    #[test]
    fn a_range_across_the_change_needs_and_gets_both_kinds(min in 15..=64_u32, max in 65..200_u32, at in 0..50_u32) {
        let pack = json!({
            "min_format": min, "max_format": max, "supported_formats": [min, 64], "pack_format": (min + at).min(max),
        });
        prop_assert_eq!(formats(pack), Ok((min.to_string(), max.to_string())));
    }
}
