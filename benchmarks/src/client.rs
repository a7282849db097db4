//! A client in the same process, which sends one request after another and keeps its cookie.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use http::header::{COOKIE, HOST, SET_COOKIE};
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use tower::Service;

use crate::contender::Contender;
use crate::work::Work;

/// The cookie that a router without sessions is sent: as long as the one of this library.
const SOME_COOKIE: HeaderValue = HeaderValue::from_static(
    "SESSION_ID=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyzAB",
);

/// Sends one kind of request to one contender.
pub struct Client {
    app: Router,
    work: Work,
    cookie: Option<HeaderValue>,
}

impl Client {
    /// A client of a new router, whose session is there if the work needs one.
    pub fn of(contender: Contender, work: Work) -> Self {
        let mut client = Self { app: contender.router(), work: Work::New, cookie: None };
        if work.sends_a_cookie() {
            client.send();
            client.cookie.get_or_insert(SOME_COOKIE);
        }
        client.work = work;
        client
    }

    /// Sends a request, and takes the cookie of the answer for the next one.
    pub fn send(&mut self) {
        let request = self.request();
        let response = self.call(request);
        self.keep_cookie(&response);
        end(response);
    }

    pub fn request(&self) -> Request<Body> {
        let mut request = Request::get(self.work.path()).header(HOST, "example.com");
        if let Some(cookie) = self.cookie.as_ref().filter(|_| self.work.sends_a_cookie()) {
            request = request.header(COOKIE, cookie);
        }
        request.body(Body::empty()).expect("a request")
    }

    pub fn call(&mut self, request: Request<Body>) -> Response<Body> {
        measured_call(&mut self.app, request)
    }

    pub fn keep_cookie(&mut self, response: &Response<Body>) {
        assert!(response.status().is_success(), "{} answers {}", self.work.path(), response.status());
        if let Some(cookie) = response.headers().get(SET_COOKIE) {
            let pair = cookie.as_bytes().split(|byte| *byte == b';').next().expect("a first part");
            self.cookie = Some(HeaderValue::from_bytes(pair).expect("a cookie"));
        }
    }

    /// Whether the answers ever had a cookie.
    pub fn has_cookie(&self) -> bool {
        self.cookie.is_some()
    }
}

/// What is counted, first part: from the request to the response. Instructions are collected only within functions of this name.
#[inline(never)]
fn measured_call(app: &mut Router, request: Request<Body>) -> Response<Body> {
    let mut response = pin!(app.call(request));
    loop {
        if let Poll::Ready(Ok(response)) = response.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return response;
        }
    }
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
