//! Components byte by byte, and read back at random.

use proptest::prelude::*;
use serde_json::json;

use crate::text::{Text, testing};

#[test]
fn a_component_is_always_an_object() {
    let table = [
        ("", json!({"text": ""})),
        ("plain", json!({"text": "plain"})),
        (
            "§6§lgenkan",
            json!({"text": "genkan", "color": "gold", "bold": true}),
        ),
        (
            "§x§b§2§3§a§4§8hex\n§k§m§n§oall§r none",
            json!({"text": "", "extra": [
                {"text": "hex\n", "color": "#b23a48"},
                {"text": "all", "color": "#b23a48", "obfuscated": true, "strikethrough": true,
                 "underlined": true, "italic": true},
                {"text": " none"},
            ]}),
        ),
    ];
    for (legacy, component) in table {
        assert_eq!(
            Text::from_legacy(legacy).to_component(),
            component,
            "{legacy}"
        );
    }
}

proptest! {
    #[test]
    fn a_component_reads_back_as_the_same_text(text in testing::text()) {
        prop_assert_eq!(Text::from_component(&text.to_component()), text);
    }
}
