//! Several pages in Prometheus' text format (0.0.4) as one: every family once, with its HELP and TYPE,
//! and the samples of all.
//!
//! What a worker says beyond that format is left out, so that one worker's mistake does not make the
//! whole page unreadable.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::Part;

/// All samples of one name, with what is said of it.
struct Family<'a> {
    name: &'a str,
    help: Option<&'a str>,
    kind: &'a str,
    samples: Vec<&'a str>,
}

/// One page of all that answered, and who did.
pub fn joined(parts: &[Part]) -> String {
    let mut families: Vec<Family> = Vec::new();
    let mut seen = HashSet::new();
    for part in parts {
        for line in part.text.as_deref().unwrap_or_default().lines() {
            add(&mut families, &mut seen, line);
        }
    }
    let mut page = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        family.write(&mut page);
    }
    page += "# HELP genkan_worker_up Whether the worker gave its metrics (1) or not (0).\n\
             # TYPE genkan_worker_up gauge\n";
    for part in parts {
        let up = u8::from(part.text.is_some());
        let _ = writeln!(page, "genkan_worker_up{{worker=\"{}\"}} {up}", part.worker);
    }
    page
}

impl Family<'_> {
    fn write(&self, page: &mut String) {
        let Self { name, kind, .. } = self;
        let help = self.help.unwrap_or("(nothing is said about it)");
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for sample in &self.samples {
            let _ = writeln!(page, "{sample}");
        }
    }

    /// Whether a sample of this name is one of the family: a histogram has three more names, a summary
    /// two.
    fn has(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.name);
        matches!(
            (self.kind, rest),
            (_, Some(""))
                | ("histogram", Some("_bucket"))
                | ("histogram" | "summary", Some("_sum" | "_count"))
        )
    }
}

fn add<'a>(families: &mut Vec<Family<'a>>, seen: &mut HashSet<&'a str>, line: &'a str) {
    if let Some(rest) = line.strip_prefix("# HELP ") {
        if let Some((name, help)) = rest.split_once(' ')
            && let Some(family) = family(families, name)
        {
            family.help.get_or_insert(help);
        }
    } else if let Some(rest) = line.strip_prefix("# TYPE ") {
        if let Some((name, kind)) = rest.split_once(' ')
            && let Some(family) = family(families, name)
            && family.samples.is_empty()
        {
            family.kind = kind.trim();
        }
    } else if let Some((name, identity)) = sample(line)
        && seen.insert(identity)
    {
        match families.iter_mut().rev().find(|family| family.has(name)) {
            Some(family) => family.samples.push(line),
            None => {
                if let Some(family) = family(families, name) {
                    family.samples.push(line);
                }
            }
        }
    }
}

/// The family of this name, made if it is not there; `None` if that is no name.
fn family<'f, 'a>(families: &'f mut Vec<Family<'a>>, name: &'a str) -> Option<&'f mut Family<'a>> {
    let index = match families.iter().position(|family| family.name == name) {
        Some(index) => index,
        None if is_name(name) => {
            families.push(Family {
                name,
                help: None,
                kind: "untyped",
                samples: Vec::new(),
            });
            families.len() - 1
        }
        None => return None,
    };
    families.get_mut(index)
}

/// The name of a sample, and the part of the line that no other may have: name and labels.
fn sample(line: &str) -> Option<(&str, &str)> {
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let identity = match rest.strip_prefix('{') {
        Some(_) => line.get(..=end_of_labels(line, end)?)?,
        None => name,
    };
    let value = line.get(identity.len()..)?.strip_prefix(' ')?;
    let number = value.split(' ').next()?;
    let good = is_name(name) && (number == "NaN" || number.parse::<f64>().is_ok());
    good.then_some((name, identity))
}

/// Where the brace is that closes the labels: one in quotes does not.
fn end_of_labels(line: &str, open: usize) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in line.bytes().enumerate().skip(open + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !name.is_empty()
        && name.bytes().all(good)
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(texts: &[(&'static str, Option<&str>)]) -> Vec<Part> {
        let part = |(worker, text): &(&'static str, Option<&str>)| Part {
            worker,
            text: text.map(str::to_owned),
        };
        texts.iter().map(part).collect()
    }

    #[test]
    fn families_of_several_workers_stand_together_with_one_head() {
        let page = joined(&parts(&[
            (
                "pack",
                Some(
                    "# HELP up Is it.\n# TYPE up gauge\nup{a=\"1\"} 1\n# HELP b B.\n# TYPE b counter\nb 2\n",
                ),
            ),
            (
                "status",
                Some("# HELP up Another text.\n# TYPE up gauge\nup{a=\"2\"} 0\nup{a=\"1\"} 9\n"),
            ),
            ("ddns", None),
        ]));
        assert_eq!(
            page,
            "# HELP up Is it.\n# TYPE up gauge\nup{a=\"1\"} 1\nup{a=\"2\"} 0\n\
             # HELP b B.\n# TYPE b counter\nb 2\n\
             # HELP genkan_worker_up Whether the worker gave its metrics (1) or not (0).\n\
             # TYPE genkan_worker_up gauge\n\
             genkan_worker_up{worker=\"pack\"} 1\n\
             genkan_worker_up{worker=\"status\"} 1\n\
             genkan_worker_up{worker=\"ddns\"} 0\n"
        );
    }

    #[test]
    fn a_histogram_keeps_its_three_names_together() {
        let histogram =
            "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n";
        let page = joined(&parts(&[("pack", Some(histogram))]));
        assert!(page.starts_with(histogram), "{page}");
    }

    #[test]
    fn a_label_may_hold_a_brace_a_quote_and_a_space() {
        let line = r#"m{a="x } \" y {",b="\\"} 1.5e3"#;
        assert_eq!(sample(line), Some(("m", r#"m{a="x } \" y {",b="\\"}"#)));
    }

    #[test]
    fn what_is_no_metric_is_left_out() {
        let page = "{\"type\":\"about:blank\"}\n<html>\n9x 1\nm one\nm{a=\"b 1\n# a comment\n\n ok 1\nok 1 1700000000\n# HELP bad-name x\n";
        let joined = joined(&parts(&[("pack", Some(page))]));
        let own = joined
            .lines()
            .filter(|line| !line.contains("genkan_worker_up"));
        assert_eq!(
            own.collect::<Vec<_>>(),
            [
                "# HELP ok (nothing is said about it)",
                "# TYPE ok untyped",
                "ok 1 1700000000"
            ]
        );
    }

    proptest! {
        #[test]
        fn every_family_has_one_head_whatever_the_workers_say(
            pages in proptest::collection::vec("(# (HELP|TYPE) [ab]{1,2} (gauge|counter|histogram)\n|[ab]{1,2}(_sum)?(\\{l=\"[xy}\\\\\"]{0,3}\"\\})? [0-9]{1,2}\n|\\PC{0,20}\n){0,12}", 1..4),
        ) {
            let texts: Vec<_> = pages.iter().map(|page| ("pack", Some(page.as_str()))).collect();
            let page = joined(&parts(&texts));
            let mut heads = HashSet::new();
            let mut samples = HashSet::new();
            prop_assert!(page.ends_with('\n'));
            for line in page.lines() {
                if let Some(rest) = line.strip_prefix("# ") {
                    let head = rest.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
                    prop_assert!(heads.insert(head), "{}", page);
                } else if !line.starts_with("genkan_worker_up") {
                    let (_, identity) = sample(line).unwrap();
                    prop_assert!(samples.insert(identity), "{}", page);
                }
            }
        }
    }
}
