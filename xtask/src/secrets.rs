//! Local secrets: `.dev.vars` beside each wrangler configuration, made once, with random tokens.
//!
//! The workers know only the SHA-256 of a token; what they stand for is in comment lines of the
//! root's file, so that every run prints the same tokens.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use types::token::{Action, Scope, TokenEntry, TokenHash};

use crate::project::{Project, Worker};

const FILE: &str = ".dev.vars";
const ROUTER_HOST: &str = "home.example.com";
/// What the `ddns` worker's file says until somebody has providers to name.
const PROVIDERS: &str = "# The accounts that `credentials` of [[vars.hosts.providers]] names:\n\
    # PROVIDERS='{\"home\":{\"id\":\"mydns000000\",\"password\":\"…\"},\"zone\":{\"token\":\"…\"}}'\n";

/// The tokens of local development, as their holders know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// May do everything.
    pub operator: String,
    /// May report the address of `home.example.com`.
    pub router: String,
}

/// Reads the tokens, or makes them; then every worker's `.dev.vars` has them.
pub fn ensure(project: &Project) -> Result<Tokens> {
    let root = project.path(FILE);
    if !root.exists() {
        let (operator, router) = (random()?, random()?);
        write_private(&root, &Tokens { operator, router }.file()?)?;
    }
    let tokens = Tokens::read(&fs::read_to_string(&root)?).context(
        ".dev.vars has no `# operator:` and `# router:` lines; delete it to get new tokens",
    )?;
    for worker in Worker::ALL {
        let path = project.path(worker.config_dir()).join(FILE);
        let before = fs::read_to_string(&path).unwrap_or_default();
        let example = match worker {
            Worker::Ddns if before.is_empty() => PROVIDERS,
            _ => "",
        };
        let after = tokens.put_into(&format!("{example}{before}"))?;
        if after != before {
            write_private(&path, &after)?;
        }
    }
    Ok(tokens)
}

/// Puts the worker's secrets beside its generated configuration.
pub fn copy(project: &Project, worker: Worker, folder: &Path) -> Result<()> {
    let secrets = fs::read_to_string(project.path(worker.config_dir()).join(FILE))?;
    write_private(&folder.join(FILE), &secrets)
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

impl Tokens {
    fn read(text: &str) -> Option<Self> {
        let token = |name: &str| {
            let line = text.lines().find_map(|line| {
                line.strip_prefix("# ")?
                    .strip_prefix(name)?
                    .strip_prefix(": ")
            });
            line.map(|token| token.trim().to_owned())
                .filter(|token| !token.is_empty())
        };
        Some(Self {
            operator: token("operator")?,
            router: token("router")?,
        })
    }

    /// The root's `.dev.vars`.
    fn file(&self) -> Result<String> {
        Ok(format!(
            "# Tokens of local development, made by `cargo xtask dev`. Delete this file to get new ones.\n\
             # operator: {}\n# router: {}\n{}\n",
            self.operator,
            self.router,
            self.line()?
        ))
    }

    /// The text of a `.dev.vars` with these tokens in it and all else left alone.
    fn put_into(&self, text: &str) -> Result<String> {
        let line = self.line()?;
        if text.lines().any(|present| present == line) {
            return Ok(text.to_owned());
        }
        let others = text
            .lines()
            .filter(|present| !present.starts_with("TOKENS="));
        Ok(others
            .chain([line.as_str()])
            .fold(String::new(), |all, line| all + line + "\n"))
    }

    fn line(&self) -> Result<String> {
        let everything = Action::ALL.map(|action| Scope {
            action,
            resource: None,
        });
        let one_host = Scope {
            action: Action::DdnsUpdate,
            resource: Some(ROUTER_HOST.to_owned()),
        };
        let tokens = [
            entry("operator", &self.operator, &everything),
            entry("router", &self.router, &[one_host]),
        ];
        Ok(format!("TOKENS='{}'", serde_json::to_string(&tokens)?))
    }
}

fn entry(name: &str, token: &str, scopes: &[Scope]) -> TokenEntry {
    TokenEntry {
        name: name.to_owned(),
        sha256: TokenHash::of(token),
        scopes: scopes.to_vec(),
    }
}

/// 256 random bits in hex.
fn random() -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    Ok(hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use types::token::Presented;

    use super::*;

    fn tokens() -> Tokens {
        Tokens {
            operator: "abc".to_owned(),
            router: "def".to_owned(),
        }
    }

    #[test]
    fn the_file_gives_back_the_tokens_and_the_workers_only_their_hashes() {
        let file = tokens().file().unwrap();
        assert_eq!(Tokens::read(&file), Some(tokens()));

        let line = file.lines().last().unwrap();
        let secret = line
            .strip_prefix("TOKENS='")
            .unwrap()
            .strip_suffix('\'')
            .unwrap();
        let known = types::token::Tokens::parse(secret).unwrap();
        let name = |token| {
            known
                .find(&Presented::new(token))
                .map(|entry| entry.name.as_str())
        };
        assert_eq!(
            (name("abc"), name("def"), name("")),
            (Some("operator"), Some("router"), None)
        );
        assert!(!secret.contains("\"abc\""));
    }

    #[test]
    fn the_example_of_providers_is_a_comment_that_would_work() {
        let (about, example) = PROVIDERS.trim_end().split_once('\n').unwrap();
        let secret = example.strip_prefix("# PROVIDERS='").unwrap();
        let secret: serde_json::Value =
            serde_json::from_str(secret.strip_suffix('\'').unwrap()).unwrap();
        assert!(about.starts_with("# "));
        assert!(secret["home"]["password"].is_string() && secret["zone"]["token"].is_string());
        let after = tokens().put_into(PROVIDERS).unwrap();
        assert!(after.starts_with(PROVIDERS) && after.ends_with("'\n"));
    }

    #[test]
    fn other_secrets_survive_new_tokens() {
        let line = tokens().line().unwrap();
        let after = tokens().put_into("OTHER=1\nTOKENS='[]'\n").unwrap();
        assert_eq!(after, format!("OTHER=1\n{line}\n"));
        assert_eq!(tokens().put_into(&after).unwrap(), after);
    }

    #[test]
    fn a_file_without_tokens_is_not_taken_for_one_with_empty_ones() {
        assert_eq!(
            Tokens::read("TOKENS='[]'\n# operator: \n# router: x\n"),
            None
        );
    }
}
