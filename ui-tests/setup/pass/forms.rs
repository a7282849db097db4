//! Every way to write `session!`.
#![allow(unused_parens)]

use axum::response::Html;
use session_runtime::{OnStoreError, OnUndecodable, SameSite, SessionError, SessionLayer, session};
use std::time::Duration;

#[derive(Clone, Default)]
struct Visit;

mod shop {
    #[derive(Clone, Default)]
    pub struct Cart<T>(pub Vec<T>);
}

trait Owns {
    type Data;
}

impl Owns for Visit {
    type Data = Visit;
}

const NAME: &str = "visit";
const SITE: SameSite = SameSite::Strict;
const ANSWER: OnStoreError = OnStoreError::Anonymous;
const LIMIT: Duration = Duration::from_secs(60);
const HOURS: u32 = 2;
const SECONDS: i64 = 90;
const FAST: bool = false;

fn page(error: SessionError) -> Html<String> {
    Html(error.to_string())
}

fn main() {
    let shop::Cart(goods) = shop::Cart(vec![1_u8]);
    assert_eq!(goods, [1]);
    let _: [SessionLayer<Visit>; 8] = [
        session!(<Visit>),
        session!(<Visit>,),
        session!(Visit),
        session!(Visit,),
        session! { Visit, secure = true },
        session![<Visit>, secure = true,],
        session!(<Visit as Owns>::Data),
        session!(<<Visit as Owns>::Data>),
    ];
    let _: SessionLayer<shop::Cart<Vec<u8>>> = session!(<shop::Cart<Vec<u8>>>, persistent = true);
    let _: SessionLayer<shop::Cart<u8>> = session!(shop::Cart<u8>, default_data = shop::Cart(vec![1]));
    let _: SessionLayer<(u8, String)> = session!(<(u8, String)>);
    let _: SessionLayer<()> = session!(());
    let _ = [
        session!(<Visit>, same_site = Strict, on_store_error = Fail),
        session!(<Visit>, same_site = lax, on_store_error = ANONYMOUS),
        session!(<Visit>, same_site = None),
        session!(<Visit>, same_site = SameSite::None, on_store_error = OnStoreError::Fail),
        session!(<Visit>, same_site = SITE, on_store_error = ANSWER),
        session!(<Visit>, same_site = if FAST { SameSite::Lax } else { SameSite::Strict }),
        session!(<Visit>, same_site = if cfg!(debug_assertions) { Lax } else if FAST { None } else { Strict }),
        session!(<Visit>, on_store_error = match HOURS { 0 => Fail, 1 => (Anonymous), _ => { ANSWER } }),
        session!(<Visit>, cookie_name = NAME, path = concat!("/", "shop"), domain = "example.com"),
        session!(<Visit>, cookie_name = "__Host-visit", path = "/"),
        session!(<Visit>, cookie_name = "__Secure-visit", secure = true, partitioned = !FAST),
        session!(<Visit>, secure = false, persistent = FAST),
        session!(<Visit>, namespace = "shop", on_undecodable = Discard),
        session!(<Visit>, error_response = page),
        session!(<Visit>, error_response = |error: SessionError| error.to_string()),
        session!(<Visit>, namespace = NAME, on_undecodable = fail),
        session!(<Visit>, namespace = concat!("shop", " too"), on_undecodable = OnUndecodable::Fail),
    ];
    let _ = [
        session!(<Visit>, session_expire = 24h, absolute_expire = 7d, store_timeout = 2s),
        session!(<Visit>, session_expire = 3600, absolute_expire = 7 * 24h, store_timeout = 1 + 1s),
        session!(<Visit>, session_expire = 1h + 30m, absolute_expire = HOURS * 1h, store_timeout = SECONDS),
        session!(<Visit>, session_expire = LIMIT, absolute_expire = LIMIT.saturating_mul(HOURS)),
        session!(<Visit>, session_expire = Duration::from_secs(7d), store_timeout = Duration::from_millis(500)),
        session!(<Visit>, session_expire = if FAST { 5m } else { 24h }),
        session!(<Visit>, session_expire = if cfg!(debug_assertions) { 300 } else { 86_400 }),
        session!(<Visit>, session_expire = { let hours = 3; hours * 1h }),
        session!(<Visit>, session_expire = 100_000 * 1d),
        session!(<Visit>, session_expire = 60u8, absolute_expire = 3600usize),
    ];
}
