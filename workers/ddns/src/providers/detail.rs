//! What others say, made fit for a log: one line, bounded, and without credentials.

use edge::fetch;

/// The longest quotation, in characters.
const MAX_CHARS: usize = 200;

/// Credentials that are not to be quoted, in every form in which they may come back.
pub struct Discretion {
    hidden: Vec<String>,
}

impl Discretion {
    pub fn new(credentials: &[&str]) -> Self {
        let mut hidden: Vec<String> = credentials
            .iter()
            .flat_map(|secret| forms(secret))
            .collect();
        hidden.retain(|form| !form.is_empty());
        // Longer ones first: one may be a part of another.
        hidden.sort_by_key(|form| std::cmp::Reverse(form.len()));
        hidden.dedup();
        Self { hidden }
    }

    /// A quotation. Tags are left out, white space is one space.
    pub fn quote(&self, text: &str) -> String {
        let plain = without_tags(&self.hide(text));
        let words: Vec<&str> = plain.split_whitespace().collect();
        // What was apart may be together by this.
        let line = self.hide(&words.join(" "));
        if self.hidden.iter().any(|form| line.contains(form)) {
            return "(not shown)".to_owned();
        }
        let mut short: String = line.chars().take(MAX_CHARS).collect();
        if short.len() < line.len() {
            short.push('…');
        }
        short
    }

    fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in &self.hidden {
            text = text.replace(form, "[hidden]");
        }
        text
    }
}

/// As it is, in a form or a URL, in JSON, and in HTML.
fn forms(secret: &str) -> [String; 5] {
    let form = fetch::form(&[("", secret)]);
    let form = form.trim_start_matches('=').to_owned();
    let json = serde_json::Value::from(secret).to_string();
    let html = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;");
    [
        secret.to_owned(),
        form.replace('+', "%20"),
        form,
        json.trim_matches('"').to_owned(),
        html,
    ]
}

/// The text of a page: what is between `<` and `>` is left out, and so are control characters.
fn without_tags(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut inside = false;
    for char in text.chars() {
        match char {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                plain.push(' ');
            }
            _ if inside => {}
            char if char.is_control() => plain.push(' '),
            char => plain.push(char),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_one_line_of_text() {
        let quote = Discretion::new(&[])
            .quote("<HTML>\n<TITLE>Under  maintenance</TITLE><BR\n>Back\tsoon\0");
        assert_eq!(quote, "Under maintenance Back soon");
        let long = Discretion::new(&[]).quote(&"ä".repeat(9000));
        assert_eq!(long.chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn credentials_are_hidden_in_every_form() {
        let discretion = Discretion::new(&["mydns000000", "p&ss <w\"rd"]);
        for text in [
            "mydns000000: no",
            "PWD=p%26ss+%3Cw%22rd&x",
            "PWD=p%26ss%20%3Cw%22rd",
            r#"{"PWD":"p&ss <w\"rd"}"#,
            "p&amp;ss &lt;w&quot;rd",
            "p&ss <w\"rd",
            "myd<b>ns000000",
        ] {
            let quote = discretion.quote(text);
            for part in ["mydns000000", "ss <w", "ss%20", "ss+", "ss &lt;"] {
                assert!(!quote.contains(part), "{quote}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_brings_a_credential_back(
            secret in "[a-z<>&\" ]{1,8}",
            texts in prop::collection::vec("[a-z<>&\" ]{0,6}|\\PC{0,6}", 0..6),
        ) {
            let text = texts.join(&secret);
            let quote = Discretion::new(&[&secret]).quote(&text);
            prop_assert!(quote.chars().count() <= MAX_CHARS + 1);
            prop_assert!(!quote.contains(&secret) || "(not shown)".contains(&secret), "{quote:?}");
        }
    }
}
