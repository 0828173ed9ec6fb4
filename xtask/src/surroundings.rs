//! What stands around the gateway's route table in a wrangler configuration: bindings, secrets, and
//! the hosts that requests come in by. And how large a variable may be.

use anyhow::{Context, Result, ensure};
use toml::{Table, Value};
use types::config::{Pattern, Surroundings};

use crate::config;
use crate::project::{Project, Worker};

/// "5 KB" for one variable (Cloudflare, Workers, Limits: "Environment variable size").
const LARGEST_VARIABLE: usize = 5 * 1024;

/// Of one environment of the gateway's configuration, or of its top level.
pub fn of(config: &Table, others: Vec<Pattern>) -> Surroundings {
    let bindings = config.get("unsafe").and_then(|own| own.get("bindings"));
    let limits = tables(bindings).filter(|binding| text(binding, "type") == Some("ratelimit"));
    let limits = tables(config.get("ratelimits")).chain(limits);
    let required = config.get("secrets").and_then(|own| own.get("required"));
    let required = required.and_then(Value::as_array).into_iter().flatten();
    Surroundings {
        services: names(tables(config.get("services")), "binding"),
        rate_limits: names(limits, "name"),
        buckets: names(tables(config.get("r2_buckets")), "binding"),
        secrets: required
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        patterns: patterns(config),
        others,
    }
}

/// What comes to the workers behind the gateway in this environment.
pub fn of_others(project: &Project, environment: &str) -> Result<Vec<Pattern>> {
    let mut all = Vec::new();
    for worker in Worker::ALL {
        let config = config::read(project, worker)?;
        let own = config.get("env").and_then(|all| all.get(environment));
        if let (Some(own), true) = (own.and_then(Value::as_table), worker != Worker::Gateway) {
            all.extend(patterns(own));
        }
    }
    Ok(all)
}

/// `route` and `routes`, each a text or a table with `pattern`.
fn patterns(config: &Table) -> Vec<Pattern> {
    let several = config.get("routes").and_then(Value::as_array);
    let all = config
        .get("route")
        .into_iter()
        .chain(several.into_iter().flatten());
    let pattern = |route: &Value| match route {
        Value::String(text) => Some(Pattern::from(text.as_str())),
        route => route.get("pattern")?.as_str().map(Pattern::from),
    };
    all.filter_map(pattern).collect()
}

fn tables(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(table: &'v Value, key: &str) -> Option<&'v str> {
    table.get(key)?.as_str()
}

fn names<'v>(tables: impl Iterator<Item = &'v Value>, key: &str) -> Vec<String> {
    let named = tables.filter_map(|table| text(table, key));
    named.map(str::to_owned).collect()
}

/// Refuses what Cloudflare would, before anything is uploaded.
pub fn check_sizes(vars: &Table) -> Result<()> {
    for (name, value) in vars {
        let size = match value {
            Value::String(text) => text.len(),
            value => serde_json::to_vec(value)
                .context("a variable is no JSON")?
                .len(),
        };
        ensure!(
            size <= LARGEST_VARIABLE,
            "vars.{name} has {size} bytes as JSON, more than the {LARGEST_VARIABLE} (5 KB) that Cloudflare takes \
             for one variable: shorten it{}",
            match name.as_str() {
                "routes" =>
                    ", by `*.suffix` hosts and common path prefixes, or give some hosts a gateway of their own",
                _ => "",
            }
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_found_wherever_wrangler_has_them() {
        let config: Table = "
            route = 'a.example.com/*'
            routes = ['b.example.com', { pattern = 'c.example.com', custom_domain = true }]
            services = [{ binding = 'PACK', service = 'x' }]
            r2_buckets = [{ binding = 'SITES', bucket_name = 'y' }]
            ratelimits = [{ name = 'A', namespace_id = '1', simple = { limit = 1, period = 10 } }]
            secrets.required = ['TOKENS']
            unsafe.bindings = [{ name = 'B', type = 'ratelimit' }, { name = 'C', type = 'other' }]"
            .parse()
            .unwrap();
        let found = of(&config, Vec::new());
        assert_eq!(found.services, ["PACK"]);
        assert_eq!(found.buckets, ["SITES"]);
        assert_eq!(found.rate_limits, ["A", "B"]);
        assert_eq!(found.secrets, ["TOKENS"]);
        let hosts = ["a.example.com/*", "b.example.com", "c.example.com"];
        assert_eq!(found.patterns, hosts.map(Pattern::from));
    }

    #[test]
    fn a_variable_of_more_than_five_kilobytes_is_refused_by_name() {
        let vars = |size: usize| -> Table {
            let mut vars = Table::new();
            vars.insert("A".to_owned(), Value::String("x".repeat(size)));
            vars
        };
        assert!(check_sizes(&vars(5120)).is_ok());
        let error = check_sizes(&vars(5121)).unwrap_err().to_string();
        assert!(error.starts_with("vars.A has 5121 bytes"), "{error}");
        let routes: Table = format!("routes = [{{ path = '/{}' }}]", "x".repeat(6000))
            .parse()
            .unwrap();
        let error = check_sizes(&routes).unwrap_err().to_string();
        assert!(
            error.contains("vars.routes") && error.contains("suffix"),
            "{error}"
        );
    }

    /// What operators copy has to be right: each table parses, has nothing wrong in it, and can be
    /// deployed.
    #[test]
    fn the_worked_tables_are_good() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/gateway");
        let files = std::fs::read_dir(folder).unwrap().flatten();
        let tables = files.map(|entry| entry.path());
        let tables = tables.filter(|path| path.extension().is_some_and(|end| end == "toml"));
        let mut checked = 0;
        for path in tables {
            let config: Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
            let checks = config::check_vars(Worker::Gateway, &config, &[]);
            assert!(checks.is_ok(), "{}: {checks:?}", path.display());
            let vars = config["vars"].as_table().unwrap();
            assert!(check_sizes(vars).is_ok(), "{}", path.display());
            assert!(!patterns(&config).is_empty(), "{}", path.display());
            checked += 1;
        }
        assert_eq!(checked, 4);
    }
}
