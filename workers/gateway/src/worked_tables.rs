//! The worked tables of `fixtures/gateway/`: each URL of their lists takes the route that is named
//! there.

use std::{fs, path::Path};

use types::config::{Config as _, GatewayConfig};

use crate::routes::Table;

fn table(text: &str) -> Table {
    let file: toml::Table = text.parse().unwrap();
    let vars = serde_json::to_value(&file["vars"]).unwrap();
    Table::new(GatewayConfig::parse(vars).unwrap().routes)
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
            let (authority, rest) = url
                .strip_prefix("https://")
                .unwrap()
                .split_once('/')
                .unwrap();
            let pathname = format!("/{}", rest.split('?').next().unwrap());
            let found = table.find(authority, &pathname);
            let label = found.map_or("-".to_owned(), |route| {
                format!("{}{}", route.host, route.path)
            });
            assert_eq!(label, expected, "{}: {url}", path.display());
            looked_up += 1;
        }
    }
    assert!(looked_up > 70, "{looked_up}");
}
