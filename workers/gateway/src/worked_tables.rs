//! The worked tables of `fixtures/gateway/`: each URL of their lists takes the route that is named
//! there.

use std::{fs, path::Path};

use types::config::{Config as _, GatewayConfig};

use crate::{
    asked::Asked,
    front::{Next, next},
    routes::Table,
};

fn table(text: &str) -> (Table, GatewayConfig) {
    let file: toml::Table = text.parse().unwrap();
    let vars = serde_json::to_value(&file["vars"]).unwrap();
    let config = GatewayConfig::parse(vars).unwrap();
    (Table::new(config.routes.clone()), config)
}

/// What becomes of a GET, as the lists write it.
fn outcome((table, config): &(Table, GatewayConfig), url: &str) -> String {
    let Ok(asked) = Asked::read(url) else {
        return "refused".to_owned();
    };
    match next(table, config, &asked, true) {
        Next::Route(route) => format!("{}{}", route.host, route.path),
        Next::ToFolder(_, path) => format!("to {path}"),
        Next::Nothing => "nothing".to_owned(),
        Next::Ambiguous(..) => "refused".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn each_url_takes_its_route() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/gateway");
    let mut looked_up = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "urls") {
            continue;
        }
        let table = table(&fs::read_to_string(path.with_extension("toml")).unwrap());
        let list = fs::read_to_string(&path).unwrap();
        for line in list.lines().filter(|line| !line.starts_with('#')) {
            let (url, expected) = line.split_once(' ').unwrap();
            assert_eq!(outcome(&table, url), expected, "{}: {url}", path.display());
            looked_up += 1;
        }
    }
    assert!(looked_up > 70, "{looked_up}");
}
