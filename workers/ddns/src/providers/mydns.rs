//! MyDNS.jp: one notice an account, `directip.html`, as a form.
//!
//! The answer's status says nothing: a wrong password is a 200 too. A notice is taken when the body
//! says `login_status = 1` and `IP address notify OK`. What is not told again is forgotten after
//! a week. Spec: <https://www.mydns.jp/?MENU=030>.

use edge::fetch::{self, Answer, FetchError, Request};
use types::{Timestamp, ddns::Addresses};

use super::{Fault, Http, Sent, Wanted, detail::Discretion};

/// For a whole notice, in milliseconds.
const TIMEOUT_MS: u32 = 8_000;
/// The longest answer that is read, in bytes. Theirs are a page of 2 KB.
const MAX_BODY: u32 = 64 * 1024;
/// How long a notice holds, in seconds.
const HOLDS: i64 = 7 * 24 * 3600;

/// The account that records belong to. It has no `Debug`.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    pub id: &'a str,
    pub password: &'a str,
}

/// Tells an account's addresses. An account has one of a family, so hosts that share it share them
/// too: one that asks for others is refused.
pub async fn send<H: Http>(
    http: &H,
    url: &str,
    account: Account<'_>,
    wanted: &[&Wanted<'_>],
    now: Timestamp,
) -> Vec<Sent> {
    let mut told = Addresses::default();
    let fits: Vec<bool> = wanted
        .iter()
        .map(|one| {
            let fits = told.agrees_with(one.addresses);
            if fits {
                told = told.updated(one.addresses);
            }
            fits
        })
        .collect();
    let taken = if told.is_empty() {
        Err(Fault::refused("there is no address to send"))
    } else if http.left() == 0 {
        Err(Fault::Left)
    } else {
        notify(http, url, account, told, now).await
    };
    let each = wanted.iter().zip(fits).map(|(one, fits)| {
        if !fits {
            let host = one.host;
            Err(Fault::refused(format!(
                "{host}: other hosts of the same MyDNS account have other addresses, and an account has one"
            )))
        } else if one.addresses.is_empty() {
            Err(Fault::refused("there is no address to send"))
        } else {
            taken.clone()
        }
    });
    each.map(|outcome| outcome.unwrap_or_else(Sent::from))
        .collect()
}

async fn notify<H: Http>(
    http: &H,
    url: &str,
    account: Account<'_>,
    addresses: Addresses,
    now: Timestamp,
) -> Result<Sent, Fault> {
    let ipv4 = addresses.ipv4.map(|ip| ip.to_string());
    let ipv6 = addresses.ipv6.map(|ip| ip.to_string());
    let mut fields = vec![("MID", account.id), ("PWD", account.password)];
    fields.extend(ipv4.as_deref().map(|ip| ("IPV4ADDR", ip)));
    fields.extend(ipv6.as_deref().map(|ip| ("IPV6ADDR", ip)));
    let body = fetch::form(&fields);
    let answer = http
        .send(Request {
            method: "POST",
            headers: &[
                ("content-type", "application/x-www-form-urlencoded"),
                ("user-agent", "genkan"),
            ],
            body: Some(&body),
            timeout_ms: TIMEOUT_MS,
            limit: MAX_BODY,
            ..Request::get(url)
        })
        .await;
    let sent: Vec<String> = [ipv4, ipv6].into_iter().flatten().collect();
    let discretion = Discretion::new(&[account.id, account.password]);
    read(&answer, &discretion)?;
    Ok(Sent::Done {
        detail: format!("took {}", sent.join(" and ")),
        expires_at: Some(now.plus_seconds(HOLDS)),
    })
}

/// Whether an answer proves that the notice was taken.
fn read(answer: &Result<Answer, FetchError>, discretion: &Discretion) -> Result<(), Fault> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Err(Fault::later(discretion.quote(&error.to_string()))),
    };
    let status = answer.status;
    let quoted = || match discretion.quote(&answer.text) {
        text if text.is_empty() => "nothing".to_owned(),
        text => format!("\"{text}\""),
    };
    if answer.cut {
        let detail = format!("answered {status} with more than {MAX_BODY} bytes");
        return Err(Fault::later(detail));
    }
    if status != 200 {
        return Err(Fault::later(format!("answered {status}: {}", quoted())));
    }
    let login = login_status(&answer.text);
    let notified = answer
        .text
        .to_ascii_lowercase()
        .contains("ip address notify ok");
    match login {
        Login::Accepted if notified => Ok(()),
        Login::Accepted => Err(Fault::later(format!(
            "took the login and not the address: {}",
            quoted()
        ))),
        Login::Refused => Err(Fault::refused(format!(
            "refused the id or the password (login_status = 0): {}",
            quoted()
        ))),
        Login::Unknown => Err(Fault::later(format!(
            "answered 200 without a login_status: {}",
            quoted()
        ))),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Login {
    Accepted,
    Refused,
    /// It is not said, or both ways.
    Unknown,
}

/// Every `login_status = <n>` of a page, whatever the spaces.
fn login_status(page: &str) -> Login {
    let (mut accepted, mut refused) = (0_usize, 0_usize);
    for after in page.split("login_status").skip(1) {
        let Some(value) = after.trim_start().strip_prefix('=') else {
            continue;
        };
        let value = value.trim_start();
        let digits = value.len() - value.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        match value.get(..digits) {
            Some("1") => accepted += 1,
            Some("0") => refused += 1,
            _ => return Login::Unknown,
        }
    }
    match (accepted, refused) {
        (1.., 0) => Login::Accepted,
        (0, 1..) => Login::Refused,
        _ => Login::Unknown,
    }
}

#[cfg(test)]
#[path = "mydns_tests.rs"]
mod tests;
