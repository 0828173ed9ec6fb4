//! E-mail by a `send_email` binding.
//!
//! Spec: "Send emails from Workers" (developers.cloudflare.com/email-routing). Subject and text are
//! given as they are: the platform writes the message.

use js_sys::Reflect;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use worker::Env;

use crate::stream::words;

#[wasm_bindgen(inline_js = "
export async function mail(binding, from, to, subject, text, milliseconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not taken within ${milliseconds} ms`)), milliseconds);
  });
  try {
    await Promise.race([binding.send({ from, to, subject, text }), late]);
  } finally {
    clearTimeout(timer);
  }
}")]
extern "C" {
    #[wasm_bindgen(catch)]
    async fn mail(
        binding: &JsValue,
        from: &str,
        to: &str,
        subject: &str,
        text: &str,
        milliseconds: u32,
    ) -> Result<JsValue, JsValue>;
}

/// What is written to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mail<'a> {
    pub from: &'a str,
    pub to: &'a str,
    /// One line.
    pub subject: &'a str,
    pub text: &'a str,
}

/// Why a mail was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmailError {
    /// The worker has no such binding.
    NoBinding,
    /// The platform's words, which may name addresses.
    NotTaken(String),
}

/// Whether the worker has this binding.
pub fn is_bound(env: &Env, binding: &str) -> bool {
    bound(env, binding).is_some()
}

fn bound(env: &Env, binding: &str) -> Option<JsValue> {
    let bound = Reflect::get(env, &binding.into()).ok();
    bound.filter(JsValue::is_object)
}

/// Hands a mail to the platform.
pub async fn send(
    env: &Env,
    binding: &str,
    letter: Mail<'_>,
    timeout_ms: u32,
) -> Result<(), EmailError> {
    let bound = bound(env, binding).ok_or(EmailError::NoBinding)?;
    let Mail {
        from,
        to,
        subject,
        text,
    } = letter;
    let sent = mail(&bound, from, to, subject, text, timeout_ms).await;
    sent.map(drop)
        .map_err(|error| EmailError::NotTaken(words(&error)))
}
