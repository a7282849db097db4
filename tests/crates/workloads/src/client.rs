//! A client in the same process, which sends one request after another and keeps its cookies.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use http::header::{COOKIE, HOST, SET_COOKIE};
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use tower::Service;

use crate::work::Work;

/// The cookie that a router without sessions is sent: as long as the one of this library.
const SOME_COOKIE: HeaderValue = HeaderValue::from_static(
    "SESSION_ID=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyzAB",
);

/// Sends requests to one router, as the browsers of several users.
pub struct Client {
    app: Router,
    cookies: Vec<HeaderValue>,
}

impl Client {
    /// A client of this router, with as many sessions, each of which holds the sample of the data.
    pub fn of(app: Router, sessions: usize) -> Self {
        let mut client = Self { app, cookies: Vec::new() };
        client.cookies.resize_with(sessions, || SOME_COOKIE);
        for session in 0..sessions {
            client.send(Work::New, session);
        }
        client
    }

    /// A client of this router, with the cookies of sessions that are there.
    pub fn with_cookies(app: Router, cookies: Vec<HeaderValue>) -> Self {
        Self { app, cookies }
    }

    /// Sends a request of one user, and takes the cookie of the answer for the next one.
    pub fn send(&mut self, work: Work, session: usize) {
        let request = self.request(work, session);
        let response = self.call(request);
        self.keep_cookie(session, &response);
        end(response);
    }

    pub fn request(&self, work: Work, session: usize) -> Request<Body> {
        let cookie = self.cookies.get(session).filter(|_| work.sends_a_cookie());
        request(work.path(), cookie)
    }

    pub fn call(&mut self, request: Request<Body>) -> Response<Body> {
        measured_call(&mut self.app, request)
    }

    /// Takes the session's cookie of an answer, if it sets one.
    pub fn keep_cookie(&mut self, session: usize, response: &Response<Body>) {
        assert!(response.status().is_success(), "the answer is {}", response.status());
        if let Some(cookie) = session_cookie(response) {
            self.cookies[session] = pair_of(cookie);
        }
    }

    /// Takes what [`session_cookie`] found in an answer before.
    pub fn set_cookie(&mut self, session: usize, cookie: &HeaderValue) {
        self.cookies[session] = pair_of(cookie);
    }

    pub fn app(&self) -> &Router {
        &self.app
    }

    pub fn cookies(&self) -> &[HeaderValue] {
        &self.cookies
    }
}

pub fn request(path: &'static str, cookie: Option<&HeaderValue>) -> Request<Body> {
    let mut request = Request::get(path).header(HOST, "example.com");
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    request.body(Body::empty()).expect("a request")
}

/// The cookie that an answer sets, and not one that it removes.
pub fn session_cookie(response: &Response<Body>) -> Option<&HeaderValue> {
    let sets = |cookie: &&HeaderValue| !name_and_value(cookie).ends_with(b"=");
    response.headers().get_all(SET_COOKIE).iter().find(sets)
}

/// What a browser sends back for a `Set-Cookie`.
pub fn pair_of(cookie: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(name_and_value(cookie)).expect("a cookie")
}

fn name_and_value(cookie: &HeaderValue) -> &[u8] {
    cookie.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default()
}

/// What is counted, first part: from the request to the response. Instructions are collected only within functions of this name.
#[inline(never)]
pub fn measured_call(app: &mut Router, request: Request<Body>) -> Response<Body> {
    at_once(app.call(request)).unwrap_or_else(|never| match never {})
}

/// Reads the body to its end, and drops the response.
pub fn end(response: Response<Body>) {
    measured_end(response);
}

/// What is counted, second part.
#[inline(never)]
fn measured_end(mut response: Response<Body>) {
    while let Poll::Ready(Some(frame)) = Pin::new(response.body_mut()).poll_frame(&mut Context::from_waker(Waker::noop())) {
        drop(frame);
    }
}

/// The result of a future that waits for nothing, or for another thread only.
pub fn at_once<R>(future: impl Future<Output = R>) -> R {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
    }
}
