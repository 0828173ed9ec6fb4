//! What Prometheus scrapes: a page of metrics. Each worker decides what is on its own.
//!
//! Spec: Prometheus text format 0.0.4.

use std::fmt::{Display, Write as _};

/// The media type of a [`Page`].
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Up and down.
    Gauge,
    /// Only up; its name ends in `_total`.
    Counter,
}

/// The text of a page.
#[derive(Debug, Default)]
pub struct Page(String);

/// The samples of one metric, which stand together.
pub struct Metric<'a> {
    page: &'a mut String,
    name: &'a str,
}

impl Page {
    /// Begins a metric. Name and help are this project's own words: one line, nothing to escape.
    pub fn metric<'a>(&'a mut self, kind: Kind, name: &'a str, help: &str) -> Metric<'a> {
        let page = &mut self.0;
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        Metric { page, name }
    }

    /// A metric that has one value and no labels.
    pub fn value(&mut self, kind: Kind, name: &str, help: &str, value: &dyn Display) {
        self.metric(kind, name, help).sample(&[], value);
    }

    pub fn into_text(self) -> String {
        self.0
    }
}

impl Metric<'_> {
    /// Adds a sample; what a label says can be anything.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: &dyn Display) {
        self.page.push_str(self.name);
        for (index, (label, said)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.page, "{open}{label}=\"");
            escape(self.page, said);
            self.page.push('"');
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.page, "{close} {value}");
    }
}

fn escape(page: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '\\' => page.push_str(r"\\"),
            '"' => page.push_str("\\\""),
            '\n' => page.push_str(r"\n"),
            other => page.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_pinned() {
        let mut page = Page::default();
        let mut up = page.metric(Kind::Gauge, "up", "Whether it is there");
        up.sample(&[("target", "main"), ("host", "a\"\\\nb")], &1);
        up.sample(&[("target", "lobby"), ("host", "")], &0.25);
        page.value(Kind::Counter, "seen_total", "How many were seen", &7_u64);
        assert_eq!(
            page.into_text(),
            "# HELP up Whether it is there\n# TYPE up gauge\n\
             up{target=\"main\",host=\"a\\\"\\\\\\nb\"} 1\n\
             up{target=\"lobby\",host=\"\"} 0.25\n\
             # HELP seen_total How many were seen\n# TYPE seen_total counter\nseen_total 7\n"
        );
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_label(text: String) {
            let mut page = Page::default();
            page.metric(Kind::Gauge, "up", "help").sample(&[("a", &text)], &1);
            let page = page.into_text();
            prop_assert_eq!(page.matches('\n').count(), 3);
            let line = page.lines().last().unwrap_or_default();
            let inner = line.strip_prefix("up{a=\"").and_then(|line| line.strip_suffix("\"} 1"));
            let unescaped = inner.unwrap().replace(r"\\", "\0").replace("\\\"", "\"");
            prop_assert_eq!(unescaped.replace(r"\n", "\n").replace('\0', "\\"), text.replace('\0', "\\"));
        }
    }
}
