//! Types of DNS records, as a name server is asked for them.

use serde::Deserialize;

/// A type of records (IANA, "Resource Record (RR) TYPEs"). Written in capitals: `AAAA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Srv,
    Txt,
}

impl RecordType {
    pub const ALL: [Self; 7] = [
        Self::A,
        Self::Aaaa,
        Self::Cname,
        Self::Mx,
        Self::Ns,
        Self::Srv,
        Self::Txt,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Srv => "SRV",
            Self::Txt => "TXT",
        }
    }

    /// The number of the type.
    pub const fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Srv => 33,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value};

    use super::*;

    #[test]
    fn a_type_is_read_by_its_name_and_no_other_is() {
        let read = |name: &str| from_value::<RecordType>(Value::from(name)).ok();
        for record in RecordType::ALL {
            assert_eq!(read(record.as_str()), Some(record));
        }
        assert_eq!(read("PTR"), None);
    }
}
