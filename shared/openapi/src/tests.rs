use std::collections::BTreeMap;

use super::*;

const YAML: &str = include_str!("../../../openapi.yaml");
const WORKERS: [&str; 3] = ["pack", "status", "ddns"];

/// The operations of a part as `GET /packs/{}`: what stands for a part of a path has no name.
fn operations(part: &Value) -> BTreeMap<String, &Value> {
    let paths = part["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = METHODS.iter().filter(|method| item.get(**method).is_some());
        methods.map(move |method| {
            let name = format!("{} {}", method.to_uppercase(), unnamed(path, ['{', '}']));
            (name, &item[*method])
        })
    });
    operations.collect()
}

fn unnamed(path: &str, [open, close]: [char; 2]) -> String {
    let mut pieces = path.split(open);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("{}");
        out.push_str(piece.split_once(close).unwrap().1);
    }
    out
}

/// The names of the routes in a worker's sources, as its `Route::name` has them for the log.
fn routes(worker: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../workers")
        .join(worker)
        .join("src");
    let mut folders = vec![folder];
    let mut names = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                names.extend(fs::read_to_string(path).unwrap().lines().filter_map(route));
            }
        }
    }
    names
}

/// `Self::Pack(_) => "GET /api/packs/<pack>",`; one without a method is of several methods, and for
/// what is below it as well.
fn route(line: &str) -> Option<String> {
    let (_, name) = line.trim().strip_prefix("Self::")?.split_once("=> \"")?;
    let name = name.strip_suffix("\",")?;
    if name.starts_with('/') {
        return Some(unnamed(name, ['<', '>']));
    }
    let (method, path) = name.split_once(' ')?;
    let is_method = METHODS.contains(&method.to_lowercase().as_str());
    (is_method && path.starts_with('/')).then(|| format!("{method} {}", unnamed(path, ['<', '>'])))
}

#[test]
fn every_route_is_in_the_contract_and_nothing_else() {
    for worker in WORKERS {
        let part = part(YAML, worker).unwrap();
        let documented: BTreeSet<String> = operations(&part).into_keys().collect();
        let served = routes(worker);
        assert!(served.len() > 5, "{served:?}");
        let is_of = |name: &str, route: &str| {
            let path = name.split_once(' ').unwrap().1;
            path == route || path.starts_with(&format!("{route}/"))
        };
        let is_documented = |route: &&String| {
            route.starts_with('/') && documented.iter().any(|name| is_of(name, route))
        };
        let missing: Vec<_> = served
            .difference(&documented)
            .filter(|route| !is_documented(route))
            .collect();
        assert!(
            missing.is_empty(),
            "{worker} serves, and openapi.yaml has not: {missing:?}"
        );
        // HEAD is served as GET.
        let surplus = documented.difference(&served);
        let is_served = |name: &str| served.iter().any(|route| is_of(name, route));
        let surplus: Vec<_> = surplus
            .filter(|name| !name.starts_with("HEAD ") && !is_served(name))
            .collect();
        assert!(
            surplus.is_empty(),
            "openapi.yaml has, and {worker} does not serve: {surplus:?}"
        );
    }
}

#[test]
fn every_operation_belongs_to_a_worker() {
    let document = yaml::read(YAML).unwrap();
    let declared: Vec<&Value> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    for (name, operation) in operations(&document) {
        let tags = operation["tags"].as_array().unwrap();
        assert!(
            !tags.is_empty() && tags.iter().all(|tag| declared.contains(&tag)),
            "{name}: {tags:?}"
        );
    }
}

/// Everything that `$ref` points to, anywhere.
fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().flat_map(references).collect(),
        Value::Object(values) => values
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value.as_str()) {
                ("$ref", Some(target)) => vec![target],
                _ => references(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn each_part_is_a_document_of_its_own() {
    for worker in WORKERS {
        let part = part(YAML, worker).unwrap();
        assert_eq!(part["openapi"], "3.1.0");
        for key in ["title", "version"] {
            assert!(part["info"][key].is_string(), "{key}");
        }
        assert_eq!(part["tags"][0]["name"], worker);
        for target in references(&part) {
            let pointer = target.strip_prefix('#').unwrap();
            assert!(part.pointer(pointer).is_some(), "{worker}: {target}");
        }
        let mut ids = BTreeSet::new();
        for (name, operation) in operations(&part) {
            assert_eq!(operation["tags"], json!([worker]), "{name}");
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap()),
                "{name}"
            );
            let responses = operation["responses"].as_object().unwrap();
            assert!(!responses.is_empty(), "{name}");
            // A number, or all of a hundred: `4XX`.
            let is_status = |code: &String| match code.as_bytes() {
                b"default" | [b'1'..=b'5', b'X', b'X'] => true,
                digits => digits.len() == 3 && digits.iter().all(u8::is_ascii_digit),
            };
            assert!(responses.keys().all(is_status), "{name}");
            for way in operation["security"].as_array().into_iter().flatten() {
                for scheme in way.as_object().unwrap().keys() {
                    assert!(
                        part["components"]["securitySchemes"][scheme].is_object(),
                        "{name}"
                    );
                }
            }
        }
        parameters_are_declared(&part);
    }
}

/// Each `{…}` of a path has its parameter, and the other way round.
fn parameters_are_declared(part: &Value) {
    for (path, item) in part["paths"].as_object().unwrap() {
        let named: BTreeSet<&str> = path
            .split('{')
            .skip(1)
            .map(|piece| piece.split_once('}').unwrap().0)
            .collect();
        for operation in METHODS.iter().filter_map(|method| item.get(method)) {
            let all = [item, operation].into_iter();
            let all = all.flat_map(|of| of["parameters"].as_array().into_iter().flatten());
            let all = all.map(|parameter| match parameter["$ref"].as_str() {
                Some(target) => part.pointer(&target[1..]).unwrap(),
                None => parameter,
            });
            let of_path = all.filter(|parameter| parameter["in"] == "path");
            let declared: BTreeSet<&str> = of_path
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            assert_eq!(declared, named, "{path}");
        }
    }
}

#[test]
fn a_part_has_what_it_uses_and_no_more() {
    let yaml = r"
openapi: 3.1.0
info: { title: all, version: '1', description: long }
tags: [{ name: a }, { name: b }]
security: []
paths:
  /both:
    parameters: [{ $ref: '#/components/parameters/P' }]
    get: { tags: [a, b], responses: { '200': { $ref: '#/components/responses/R' } } }
    put: { tags: [b], security: [{ token: [] }], responses: {} }
  /other:
    get: { tags: [b], responses: {} }
components:
  parameters: { P: { name: p, in: query, schema: { type: number, default: 1.5 } } }
  responses: { R: { content: { x: { schema: { $ref: '#/components/schemas/S' } } } } }
  schemas: { S: { items: { $ref: '#/components/schemas/S' } }, Unused: {} }
  securitySchemes: { token: { type: http } }
";
    let a = part(yaml, "a").unwrap();
    let json = concat!(
        r##"{"components":{"parameters":{"P":{"in":"query","name":"p","schema":{"default":1.5,"type":"number"}}},"##,
        r##""responses":{"R":{"content":{"x":{"schema":{"$ref":"#/components/schemas/S"}}}}},"##,
        r##""schemas":{"S":{"items":{"$ref":"#/components/schemas/S"}}}},"##,
        r##""info":{"title":"genkan: a","version":"1"},"openapi":"3.1.0","##,
        r##""paths":{"/both":{"get":{"responses":{"200":{"$ref":"#/components/responses/R"}},"tags":["a"]},"##,
        r##""parameters":[{"$ref":"#/components/parameters/P"}]}},"security":[],"servers":[{"url":"/"}],"tags":[{"name":"a"}]}"##,
    );
    assert_eq!(a.to_string(), json);
    let b = part(yaml, "b").unwrap();
    assert_eq!(operations(&b).len(), 3);
    assert!(b["components"]["securitySchemes"]["token"].is_object());
    assert_eq!(part(yaml, "c").unwrap()["paths"], json!({}));
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |yaml: &str| part(yaml, "a").unwrap_err().to_string();
    assert!(wrong("a: [").starts_with("openapi.yaml: "));
    assert!(wrong("").contains("0 documents"));
    assert_eq!(wrong("a: 1"), "openapi.yaml: paths is not an object");
    let dangling = "
info: {}
paths: { /a: { get: { tags: [a], x: { $ref: '#/components/schemas/Gone' } } } }";
    assert_eq!(
        wrong(dangling),
        "openapi.yaml: there is no #/components/schemas/Gone"
    );
    assert!(wrong("paths: { 1: 2 }").contains("put it in quotes"));
}
