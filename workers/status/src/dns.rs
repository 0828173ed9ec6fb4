//! What the answers of a name server mean for a target: does its name exist, and where is it?
//!
//! Spec: RFC 2782 (SRV).

use std::fmt;

use edge::doh::{self, NOERROR, NXDOMAIN, Srv};
use types::{RecordType, status::SrvRecord};

/// What a name server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether there is such a name at all.
    pub exists: bool,
    /// As in a zone file; only what can be read again.
    pub records: Vec<String>,
    pub ttl_seconds: i64,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsError {
    /// The server that was asked does not do its work: the next question would fare no better.
    Server(String),
    /// It does, but has no answer for this name: the response code (RFC 1035, section 4.1.1).
    Name(u16),
}

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(what) => f.write_str(what),
            Self::Name(code) => write!(f, "response code {code}"),
        }
    }
}

/// Reads an answer to a question of this kind.
pub fn read(body: &str, kind: RecordType) -> Result<Answer, DnsError> {
    let answer = doh::read(body, kind).map_err(|error| DnsError::Server(error.to_string()))?;
    if ![NOERROR, NXDOMAIN].contains(&answer.code) {
        return Err(DnsError::Name(answer.code));
    }
    let records = answer.records.into_iter();
    Ok(Answer {
        exists: answer.code == NOERROR,
        records: records.map(|record| record.data).collect(),
        ttl_seconds: answer.ttl_seconds.into(),
    })
}

/// Where a service is.
pub fn chosen(records: &[String]) -> Option<SrvRecord> {
    let best = Srv::chosen(records)?;
    Some(SrvRecord {
        host: best.target,
        port: best.port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_exist_is_an_answer_and_a_server_that_fails_is_told_from_a_name_that_does()
     {
        let read = |body: &str| read(body, RecordType::A);
        assert!(!read(r#"{"Status":3}"#).unwrap().exists);
        assert!(read(r#"{"Status":0}"#).unwrap().exists);
        assert_eq!(read(r#"{"Status":2}"#), Err(DnsError::Name(2)));
        assert!(matches!(read("<html>"), Err(DnsError::Server(_))));
    }

    #[test]
    fn the_lowest_priority_is_chosen_then_the_largest_weight_then_always_the_same() {
        let host = |list: &[&str]| {
            let records: Vec<_> = list.iter().map(|&record| record.to_owned()).collect();
            chosen(&records).map(|srv| format!("{}:{}", srv.host, srv.port))
        };
        assert_eq!(host(&["10 90 1 b", "5 1 2 a"]).as_deref(), Some("a:2"));
        assert_eq!(host(&["5 1 1 a", "5 90 2 b"]).as_deref(), Some("b:2"));
        assert_eq!(host(&["5 1 2 b", "5 1 9 a"]).as_deref(), Some("a:9"));
        assert_eq!(host(&["5 1 9 a", "5 1 2 b"]).as_deref(), Some("a:9"));
        assert_eq!(host(&["garbage"]), None);
        assert_eq!(host(&[]), None);
    }
}
