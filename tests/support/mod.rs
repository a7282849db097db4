//! What the black-box tests share: a client that keeps cookies, and a store that counts its calls.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod counting;
pub mod log;
pub mod visit;
pub mod wire;
pub mod yielding;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use tower::ServiceExt;

/// A client of a router, which sends the cookies that it was given, as a browser does.
#[derive(Clone)]
pub struct Client {
    app: Router,
    pub cookie: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Client {
    pub fn of(app: Router) -> Self {
        Self { app, cookie: None }
    }

    /// The same router, with this `Cookie` header.
    pub fn with_cookie(&self, cookie: impl Into<String>) -> Self {
        Self { app: self.app.clone(), cookie: Some(cookie.into()) }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path).await
    }

    pub async fn post(&mut self, path: &str) -> Answer {
        self.send(Method::POST, path).await
    }

    async fn send(&mut self, method: Method, path: &str) -> Answer {
        let answer = self.send_as_it_is(method, path).await;
        if let Some(set) = answer.set_cookie() {
            let pair = set.split(';').next().unwrap_or_default().to_owned();
            let removed = set.contains("Max-Age=0");
            self.cookie = (!removed).then_some(pair);
        }
        answer
    }

    /// Sends the cookie, and does not take what the response sets.
    pub async fn send_as_it_is(&self, method: Method, path: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "example.com");
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        self.request(request.body(Body::empty()).unwrap()).await
    }

    pub async fn request(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }
}

impl Answer {
    /// The only `Set-Cookie`, if there is one.
    pub fn set_cookie(&self) -> Option<&str> {
        let all: Vec<_> = self.headers.get_all("set-cookie").iter().collect();
        assert!(all.len() < 2, "more than one Set-Cookie: {all:?}");
        all.first().map(|value| value.to_str().unwrap())
    }

    /// The id in the only `Set-Cookie`.
    pub fn id(&self) -> Option<&str> {
        self.set_cookie()?.split(';').next()?.split_once('=').map(|(_, id)| id)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
