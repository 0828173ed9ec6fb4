//! Text components by table, by size and at random.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn legacy(component: &Value) -> String {
    Text::from_component(component).to_legacy()
}

#[test]
fn every_shape_of_component_is_read() {
    let table = [
        (json!("§aold"), "§aold"),
        (json!(["one ", 2, " ", true, null]), "one 2 true"),
        (json!([]), ""),
        (json!({}), ""),
        (
            json!({"text": "a", "extra": ["b", {"text": "c"}, ["d"]]}),
            "abcd",
        ),
        (
            json!({"extra": [{"text": "no text of its own"}]}),
            "no text of its own",
        ),
        (
            json!({"text": "a", "extra": {"text": "no list"}}),
            "ano list",
        ),
        (json!({"text": 12}), "12"),
        (json!({"": "from NBT", "bold": 1}), "§lfrom NBT"),
        (json!({"keybind": "key.jump"}), "key.jump"),
        (
            json!({"score": {"name": "*", "objective": "o", "value": "7"}}),
            "7",
        ),
        (json!({"selector": "@p", "separator": ", "}), "@p"),
        (json!({"score": {"name": "*", "objective": "o"}}), ""),
        (
            json!({"nbt": "Name", "block": "0 0 0", "interpret": true, "extra": ["!"]}),
            "!",
        ),
        (json!({"object": "atlas", "sprite": "block/stone"}), ""),
        (
            json!({"type": "text", "text": "a", "font": "uniform", "shadow_color": -1, "insertion": "b"}),
            "a",
        ),
        (json!({"text": "nul \0 \u{fffd}"}), "nul \0 \u{fffd}"),
        (
            json!({"text": "a", "extra": [["b", ["c"]], 1.5, false]}),
            "abc1.5false",
        ),
        (json!({"text": null, "extra": ["a"]}), "a"),
        (
            json!({"text": "hi", "clickEvent": {"action": "open_url"}, "unknown": [[{}]]}),
            "hi",
        ),
    ];
    for (component, expected) in table {
        assert_eq!(legacy(&component), expected, "{component}");
    }
}

#[test]
fn children_inherit_colour_and_decorations() {
    let table = [
        (
            json!({"text": "a", "color": "red", "extra": [{"text": "b", "bold": true, "extra": ["c"]}, "d"]}),
            "§ca§lbc§cd",
        ),
        (
            json!({"text": "a", "bold": true, "extra": [{"text": "b", "bold": false}]}),
            "§la§rb",
        ),
        (
            json!({"text": "a", "color": "#b23a48", "extra": [{"text": "b", "color": "reset"}]}),
            "§x§b§2§3§a§4§8a§rb",
        ),
        (
            json!([{"text": "first is parent ", "color": "gold"}, "of the rest"]),
            "§6first is parent of the rest",
        ),
        (json!([[{"text": "a", "italic": true}, "b"], "c"]), "§oabc"),
        (
            json!({"text": "", "color": "red", "extra": [{"text": "junk keeps it", "color": "re<d"}]}),
            "§cjunk keeps it",
        ),
        (json!({"text": "a", "bold": "true", "italic": {}}), "§la"),
        (
            json!({"text": "", "bold": true, "extra": [
                {"text": "g", "color": "#ff0000"}, {"text": "e", "color": "#ee0000"}, {"text": "n", "color": "#ee0000"}]}),
            "§x§f§f§0§0§0§0§lg§x§e§e§0§0§0§0§len",
        ),
        (
            json!({"text": "§x§b§2§3§a§4§8hex", "extra": [{"text": "#b23a48", "color": "#b23a48"}]}),
            "§x§b§2§3§a§4§8hex#b23a48",
        ),
    ];
    for (component, expected) in table {
        assert_eq!(legacy(&component), expected, "{component}");
    }
}

#[test]
fn codes_inside_a_component_end_with_it_and_reset_to_its_style() {
    let component = json!({"text": "§cred§r base", "color": "gold", "extra": ["§lbold", " gold"]});
    assert_eq!(legacy(&component), "§cred§6 base§lbold§6 gold");
}

#[test]
fn a_translation_shows_its_fallback_or_key_with_its_arguments() {
    let table = [
        (
            json!({"translate": "multiplayer.title"}),
            "multiplayer.title",
        ),
        (
            json!({"translate": "k", "fallback": "%s and %s, 100%%", "with": ["a", {"text": "b"}]}),
            "a and b, 100%",
        ),
        (
            json!({"translate": "k", "fallback": "%2$s %1$s %1$s", "with": [1, "b"]}),
            "b 1 1",
        ),
        (
            json!({"translate": "chat.type", "with": ["Steve", "hi"]}),
            "chat.type Steve hi",
        ),
        (
            json!({"translate": "k", "fallback": "%s %9$s %0$s %d %", "with": []}),
            "  %0$s %d %",
        ),
        (
            json!({"translate": "a", "color": "red", "with": [{"text": "b", "bold": true}], "extra": ["c"]}),
            "§ca §lb§cc",
        ),
    ];
    for (component, expected) in table {
        assert_eq!(legacy(&component), expected, "{component}");
    }
}

#[test]
fn depth_is_no_danger() {
    let mut extra = json!("deep");
    let mut list = json!("deep");
    for _ in 0..1_000 {
        extra = Value::Object(Map::from_iter([
            ("extra".into(), vec![extra].into()),
            ("bold".into(), true.into()),
        ]));
        list = vec![list].into();
    }
    assert_eq!(legacy(&extra), "§ldeep");
    assert_eq!(legacy(&list), "deep");
}

/// A component as deep as no JSON text that is parsed here can make it. Dropping one recurses: it is forgotten.
fn nested(levels: usize, level: impl Fn(Value) -> Value) -> std::mem::ManuallyDrop<Value> {
    std::mem::ManuallyDrop::new((0..levels).fold(json!("deep"), |inner, _| level(inner)))
}

#[test]
fn a_hundred_thousand_levels_take_no_stack_and_no_time() {
    let object = |key: &str, inner| Value::Object(Map::from_iter([(key.to_owned(), inner)]));
    let list = |inner| Value::Array(vec![inner]);
    let shapes: [&dyn Fn(Value) -> Value; 7] = [
        &list,
        &|inner| object("extra", list(inner)),
        &|inner| object("extra", inner),
        &|inner| object("text", inner),
        &|inner| Value::Array(vec![inner, json!("after")]),
        &|inner| Value::Array(vec![json!("before"), inner]),
        &|inner| {
            let mut object = Map::from_iter([("with".to_owned(), list(inner))]);
            object.insert("translate".to_owned(), json!("%s"));
            Value::Object(object)
        },
    ];
    for shape in shapes {
        assert_eq!(legacy(&nested(1_000, shape)).matches("deep").count(), 1);
        assert!(!legacy(&nested(100_000, shape)).contains("deep"));
    }
}

#[test]
fn a_list_in_a_list_hands_its_first_style_to_all_that_follow() {
    let component =
        json!([[[{"text": "a", "color": "red"}, "b"], {"text": "c", "bold": true}, "d"], "e"]);
    assert_eq!(legacy(&component), "§cab§lc§cde");
    assert_eq!(
        legacy(&json!([[], {"text": "a", "color": "red"}, "b"])),
        "§ca§rb"
    );
}

#[test]
fn too_much_text_is_cut_at_its_end() {
    let long = "玄".repeat(BUDGET);
    let component = json!([{"text": "start "}, long, " never"]);
    let plain = Text::from_component(&component).to_plain();
    assert!(plain.starts_with("start 玄") && plain.ends_with('玄'));
    assert!(plain.len() <= BUDGET);
    let many = Value::Array(vec![json!("x"); 2 * BUDGET]);
    let kept = Text::from_component(&many).to_plain().len();
    assert_eq!(
        kept,
        (BUDGET - 1) / 2,
        "the list and every element cost one"
    );
}

#[test]
fn arguments_that_repeat_do_not_multiply_without_end() {
    let mut bomb = json!("boom ");
    for _ in 0..60 {
        bomb = json!({"translate": "k", "fallback": "%1$s".repeat(200), "with": [bomb]});
    }
    assert!(Text::from_component(&bomb).to_plain().len() <= BUDGET);
}

fn any_json() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "text",
        "extra",
        "with",
        "translate",
        "fallback",
        "color",
        "bold",
        "score",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[§%$s0-9a-frx#\\PC]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_some_text(component in any_json()) {
        let text = Text::from_component(&component);
        prop_assert!(!text.to_plain().contains('§'));
        prop_assert_eq!(Text::from_legacy(&text.to_legacy()), text);
    }

    #[test]
    fn plain_does_not_depend_on_colour_or_decorations(texts in prop::collection::vec("[^§]*", 0..6), bold: bool) {
        let bare: Vec<Value> = texts.iter().map(|text| json!({"text": text})).collect();
        let styled: Vec<Value> = texts.iter().map(|text| json!({"text": text, "bold": bold, "color": "gold"})).collect();
        prop_assert_eq!(Text::from_component(&json!({"extra": styled})).to_plain(), texts.concat());
        prop_assert_eq!(Text::from_component(&json!({"extra": bare})).to_plain(), texts.concat());
    }
}
