//! The page that a browser gets when the gateway itself answers: closed, down, refused, not there.
//! It stands alone: no script, nothing to load.

use types::{Code, config::Maintenance};

use crate::visitor::Language;

/// What there is to say.
#[derive(Debug, Clone, Copy)]
pub enum Say<'a> {
    Maintenance(&'a Maintenance),
    Problem(Code),
}

/// What the page may load: nothing but its own style.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Say<'_> {
    /// A heading and a sentence.
    fn words(&self, language: Language) -> (&str, &str) {
        match (self, language) {
            (Self::Maintenance(closed), language) => maintenance(closed, language),
            (Self::Problem(code), Language::English) => english(*code),
            (Self::Problem(code), Language::Japanese) => japanese(*code),
        }
    }
}

/// A heading, and the operator's message or a sentence in its place.
pub fn maintenance(closed: &Maintenance, language: Language) -> (&str, &str) {
    let (heading, message, sentence) = match language {
        Language::English => (
            "Under maintenance",
            &closed.en,
            "This service is being worked on. Please try again later.",
        ),
        Language::Japanese => (
            "メンテナンス中です",
            &closed.ja,
            "ただいまメンテナンスを行っています。しばらくしてからもう一度お試しください。",
        ),
    };
    (heading, message.as_deref().unwrap_or(sentence))
}

/// What a problem says of an upstream that is down or late, where it is not said in English.
pub fn detail(code: Code, language: Language) -> Option<&'static str> {
    let is_translated = matches!(code, Code::BadGateway | Code::GatewayTimeout);
    (language == Language::Japanese && is_translated).then(|| japanese(code).1)
}

fn english(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::BadGateway => (
            "Cannot be reached",
            "The service behind this address cannot be reached. Please try again in a moment.",
        ),
        Code::GatewayTimeout => (
            "No answer in time",
            "The service behind this address did not answer in time. Please try again in a moment.",
        ),
        Code::NotFound => ("Not found", "There is nothing at this address."),
        Code::Unauthorized => ("Sign in", "This address asks for a token."),
        Code::Forbidden => ("Not allowed", "Your token does not allow this."),
        Code::RateLimited => ("Too many requests", "Please wait a minute and try again."),
        Code::Unavailable => (
            "Not available",
            "This service is not available at the moment. Please try again later.",
        ),
        Code::Internal => ("Something failed", "Something failed on our side."),
        _ => ("Bad request", "This address cannot be understood."),
    }
}

fn japanese(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::BadGateway => (
            "接続できません",
            "サービスに接続できませんでした。しばらくしてからもう一度お試しください。",
        ),
        Code::GatewayTimeout => (
            "応答がありません",
            "サービスが時間内に応答しませんでした。しばらくしてからもう一度お試しください。",
        ),
        Code::NotFound => ("見つかりません", "このアドレスには何もありません。"),
        Code::Unauthorized => ("認証が必要です", "このアドレスにはトークンが必要です。"),
        Code::Forbidden => (
            "許可されていません",
            "お使いのトークンでは許可されていません。",
        ),
        Code::RateLimited => (
            "リクエストが多すぎます",
            "1分ほど待ってからもう一度お試しください。",
        ),
        Code::Unavailable => (
            "利用できません",
            "ただいまサービスを利用できません。しばらくしてからもう一度お試しください。",
        ),
        Code::Internal => ("エラーが発生しました", "サーバー側でエラーが発生しました。"),
        _ => ("不正なリクエスト", "このアドレスを解釈できませんでした。"),
    }
}

/// The whole page.
pub fn html(say: Say<'_>, status: u16, language: Language) -> String {
    let (heading, text) = say.words(language);
    let (heading, text) = (escaped(heading), escaped(text));
    let lang = language.tag();
    format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex\">\n<title>{heading}</title>\n\
         <style>\n:root {{ color-scheme: light dark; font-family: system-ui, sans-serif }}\n\
         body {{ display: grid; place-content: center; min-height: 100vh; margin: 0; padding: 0 1rem; \
         box-sizing: border-box; text-align: center }}\n\
         p {{ max-width: 40rem; white-space: pre-line }}\nsmall {{ opacity: .6 }}\n</style>\n</head>\n\
         <body>\n<main>\n<h1>{heading}</h1>\n<p>{text}</p>\n<small>{status}</small>\n</main>\n</body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CODES: [Code; 17] = [
        Code::BadRequest,
        Code::BadJson,
        Code::Unauthorized,
        Code::Forbidden,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::Conflict,
        Code::LengthRequired,
        Code::PreconditionFailed,
        Code::TooLarge,
        Code::RangeNotSatisfiable,
        Code::Unprocessable,
        Code::RateLimited,
        Code::Internal,
        Code::BadGateway,
        Code::Unavailable,
        Code::GatewayTimeout,
    ];

    #[test]
    fn every_problem_has_words_in_both_languages() {
        for code in CODES {
            let english = html(Say::Problem(code), 500, Language::English);
            let japanese = html(Say::Problem(code), 500, Language::Japanese);
            assert!(
                english.contains("<html lang=\"en\">") && english.is_ascii(),
                "{code:?}"
            );
            assert!(
                japanese.contains("<html lang=\"ja\">") && !japanese.is_ascii(),
                "{code:?}"
            );
        }
    }

    #[test]
    fn the_operators_message_stands_in_the_page_of_its_language() {
        let maintenance = Maintenance {
            en: Some("until <six> & \"later\"".to_owned()),
            ja: Some("六時まで".to_owned()),
        };
        let page = |language| html(Say::Maintenance(&maintenance), 503, language);
        assert!(
            page(Language::English).contains("<p>until &lt;six&gt; &amp; &quot;later&quot;</p>")
        );
        assert!(page(Language::Japanese).contains("<p>六時まで</p>"));
        let plain = html(
            Say::Maintenance(&Maintenance::default()),
            503,
            Language::Japanese,
        );
        assert!(plain.contains("メンテナンスを行っています"));
    }

    proptest! {
        #[test]
        fn a_message_is_text_and_nothing_else(message in "[<>&\"'/a-z ]{0,40}") {
            let maintenance = Maintenance { en: Some(message.clone()), ja: None };
            let page = html(Say::Maintenance(&maintenance), 503, Language::English);
            let empty = html(Say::Maintenance(&Maintenance { en: Some(String::new()), ja: None }), 503, Language::English);
            let count = |text: &str, char| text.matches(char).count();
            for char in ['<', '>', '"', '\''] {
                prop_assert_eq!(count(&page, char), count(&empty, char));
            }
        }
    }
}
