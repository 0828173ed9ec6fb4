//! The security headers that an answer gets when its upstream did not set them itself.

use types::config::{Frame, GatewayConfig, Protection};

/// What pages may not use unless the route says otherwise.
const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";

/// A header and its value.
pub type Line<'a> = (&'static str, std::borrow::Cow<'a, str>);

/// The headers of a route's answers, over HTTPS or not. `X-Frame-Options` is last: an answer whose
/// `Content-Security-Policy` has `frame-ancestors` does without.
pub fn headers<'a>(
    protection: &'a Protection,
    config: &GatewayConfig,
    https: bool,
) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = vec![
        ("x-content-type-options", "nosniff".into()),
        ("referrer-policy", "strict-origin-when-cross-origin".into()),
    ];
    if https && !config.local && config.hsts_seconds > 0 {
        let below = if config.hsts_subdomains {
            "; includeSubDomains"
        } else {
            ""
        };
        let value = format!("max-age={}{below}", config.hsts_seconds);
        lines.push(("strict-transport-security", value.into()));
    }
    let permissions = protection.permissions.as_deref().unwrap_or(PERMISSIONS);
    lines.push(("permissions-policy", permissions.into()));
    if let Some(csp) = &protection.csp {
        lines.push(("content-security-policy", csp.as_str().into()));
    }
    match protection.frame {
        Frame::Sameorigin => lines.push((FRAME, "SAMEORIGIN".into())),
        Frame::Deny => lines.push((FRAME, "DENY".into())),
        Frame::Any => {}
    }
    lines
}

const FRAME: &str = "x-frame-options";

#[cfg(test)]
mod tests {
    use serde_json::json;
    use types::config::Config as _;

    use super::*;

    fn lines(vars: serde_json::Value, protection: &Protection, https: bool) -> String {
        let config = GatewayConfig::parse(vars).unwrap();
        let lines = headers(protection, &config, https);
        lines.iter().fold(String::new(), |all, (name, value)| {
            format!("{all}{name}: {value}\n")
        })
    }

    fn protection() -> Protection {
        Protection {
            csp: None,
            permissions: None,
            frame: Frame::Sameorigin,
        }
    }

    #[test]
    fn the_default_is_pinned() {
        assert_eq!(
            lines(json!({"routes": []}), &protection(), true),
            "x-content-type-options: nosniff\n\
             referrer-policy: strict-origin-when-cross-origin\n\
             strict-transport-security: max-age=31536000\n\
             permissions-policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\n\
             x-frame-options: SAMEORIGIN\n"
        );
    }

    #[test]
    fn a_route_and_the_configuration_say_otherwise() {
        let own = Protection {
            csp: Some("default-src 'self'; frame-ancestors 'none'".to_owned()),
            permissions: Some("microphone=(self)".to_owned()),
            frame: Frame::Any,
        };
        let vars = json!({"routes": [], "HSTS_SECONDS": 60, "HSTS_SUBDOMAINS": true});
        assert_eq!(
            lines(vars, &own, true),
            "x-content-type-options: nosniff\n\
             referrer-policy: strict-origin-when-cross-origin\n\
             strict-transport-security: max-age=60; includeSubDomains\n\
             permissions-policy: microphone=(self)\n\
             content-security-policy: default-src 'self'; frame-ancestors 'none'\n"
        );
    }

    #[test]
    fn nothing_says_https_over_http_or_in_local_development_or_when_it_is_switched_off() {
        for (vars, https) in [
            (json!({"routes": []}), false),
            (json!({"routes": [], "LOCAL": true}), true),
            (json!({"routes": [], "HSTS_SECONDS": 0}), true),
        ] {
            assert!(!lines(vars, &protection(), https).contains("strict-transport"));
        }
    }
}
