//! Signatures of outgoing webhooks.
//!
//! Spec: Standard Webhooks 1.0 (standardwebhooks.com): the HMAC-SHA-256 of
//! `<id>.<timestamp>.<body>` with a key that is written `whsec_<base64>`.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header `webhook-signature`. The error says what is wrong with the secret, not what it is.
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> Result<String, &'static str> {
    let key = secret.strip_prefix("whsec_").unwrap_or(secret);
    let key = BASE64_STANDARD.decode(key.trim());
    let key = key.map_err(|_| "is not whsec_<base64>")?;
    if key.len() < 16 {
        return Err("has fewer than 16 bytes");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| "is no key")?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    Ok(format!("v1,{signature}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specifications_example() {
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature.unwrap(), expected);
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        for secret in ["", "whsec_", "whsec_AAAA", "not base64 at all!"] {
            assert!(sign(secret, "msg_1", 0, "").is_err(), "{secret:?}");
        }
    }
}
