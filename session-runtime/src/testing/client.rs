//! A client that keeps cookies.

use std::convert::Infallible;
use std::fmt;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Method};
use tower::{Service, ServiceExt as _};

/// A client of a router, for tests of handlers: it keeps the cookies that responses set and sends them with the next request, as a browser does.
///
/// It calls the router itself: no port is opened, and nothing is sent over a network. A clone is another browser with the same cookies.
///
/// Of a cookie's attributes it heeds `Max-Age=0`, which removes it, and `Path`. It sends cookies to any host, over any scheme.
///
/// ```
/// use axum::{Router, http::StatusCode, routing::{get, post}};
/// use session_runtime::{SessionData, SessionError, session, standard, testing::Client};
///
/// #[derive(Clone, Default)]
/// struct Visit { user: Option<String> }
///
/// async fn log_in(session: SessionData<Visit>) -> Result<(), SessionError> {
///     session.rotate_with(|visit| visit.user = Some("Ada".into())).await
/// }
///
/// async fn page(session: SessionData<Visit>) -> String {
///     session.user.clone().unwrap_or_else(|| "nobody".into())
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let app = Router::new()
///     .route("/", get(page))
///     .route("/log-in", post(log_in))
///     .route("/log-out", post(async |session: SessionData<Visit>| session.destroy().await))
///     .layer(session!(<Visit>, middleware = standard::lazy_session_middleware));
///
/// let mut client = Client::new(app);
/// assert_eq!(client.get("/").await.text(), "nobody");
/// assert_eq!(client.post("/log-in", "").await.status(), StatusCode::OK);
/// assert_eq!(client.get("/").await.text(), "Ada");
/// client.post("/log-out", "").await;
/// assert_eq!(client.cookie("SESSION_ID"), None);
/// assert_eq!(client.get("/").await.text(), "nobody");
/// # }
/// ```
#[derive(Clone)]
pub struct Client<S = Router> {
    service: S,
    cookies: Vec<Cookie>,
}

#[derive(Clone)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

impl<S> Client<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
{
    /// A client of `service`, a [`Router`] usually, without cookies.
    pub const fn new(service: S) -> Self {
        Self { service, cookies: Vec::new() }
    }

    /// Sends a `GET` request.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.request(Method::GET, path, Body::empty()).await
    }

    /// Sends a `POST` request with this body.
    pub async fn post(&mut self, path: &str, body: impl Into<Body>) -> Answer {
        self.request(Method::POST, path, body.into()).await
    }

    /// # Panics
    ///
    /// If `path` is no path.
    async fn request(&mut self, method: Method, path: &str, body: Body) -> Answer {
        let request = http::Request::builder().method(method).uri(path).header("host", "localhost").body(body);
        self.send(request.unwrap_or_else(|error| panic!("`{path}`: {error}"))).await
    }

    /// Sends any request. The client's cookies are added to those that it has.
    ///
    /// # Panics
    ///
    /// If the body of the response ends with an error.
    pub async fn send(&mut self, mut request: Request) -> Answer {
        if let Some(cookies) = self.cookies_for(request.uri().path()) {
            request.headers_mut().append(COOKIE, cookies);
        }
        let path = request.uri().path().to_owned();
        let Ok(response) = self.service.clone().oneshot(request).await;
        for cookie in response.headers().get_all(SET_COOKIE) {
            self.keep(cookie, &path);
        }
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_else(|error| panic!("the body of the response failed: {error}"));
        Answer(Response::from_parts(head, body))
    }

    /// The value of the cookie of this name, if the client has one.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|cookie| cookie.name == name).map(|cookie| &*cookie.value)
    }

    /// Gives the client a cookie for every path, that of a [`seed`](super::seed)ed session, say.
    pub fn set_cookie(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        self.put(Cookie { name, value, path: "/".to_owned() });
    }

    /// Forgets all cookies, as a browser that is closed.
    pub fn clear_cookies(&mut self) {
        self.cookies.clear();
    }

    fn put(&mut self, cookie: Cookie) {
        self.cookies.retain(|kept| (&kept.name, &kept.path) != (&cookie.name, &cookie.path));
        self.cookies.push(cookie);
    }

    /// RFC 6265, section 5.4: those whose path is that of the request or above it, the longest path first.
    fn cookies_for(&self, path: &str) -> Option<HeaderValue> {
        let mut sent: Vec<&Cookie> = self.cookies.iter().filter(|cookie| is_within(path, &cookie.path)).collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> = sent.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        HeaderValue::try_from(pairs.join("; ")).ok().filter(|_| !pairs.is_empty())
    }

    /// RFC 6265, section 5.2.
    fn keep(&mut self, header: &HeaderValue, request_path: &str) {
        let text = String::from_utf8_lossy(header.as_bytes());
        let mut parts = text.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let mut cookie = Cookie { name: name.to_owned(), value: value.to_owned(), path: default_path(request_path).to_owned() };
        let mut is_removed = false;
        for (attribute, value) in parts.filter_map(|part| part.split_once('=')) {
            if attribute.eq_ignore_ascii_case("path") && value.starts_with('/') {
                value.clone_into(&mut cookie.path);
            } else if attribute.eq_ignore_ascii_case("max-age") {
                is_removed = value.parse::<i64>().is_ok_and(|seconds| seconds <= 0);
            }
        }
        let (name, path) = (cookie.name.clone(), cookie.path.clone());
        self.put(cookie);
        if is_removed {
            self.cookies.retain(|kept| (&kept.name, &kept.path) != (&name, &path));
        }
    }
}

/// RFC 6265, section 5.1.4.
fn is_within(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'))
}

fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(at) if at > 0 => &path[..at],
        _ => "/",
    }
}

impl<S> fmt::Debug for Client<S> {
    /// Without the cookies' values: who holds a session's id holds the session.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.cookies.iter().map(|cookie| &cookie.name).collect();
        f.debug_struct("Client").field("cookies", &names).finish_non_exhaustive()
    }
}

/// A response with its whole body: what a [`Client`] gets.
#[derive(Debug)]
pub struct Answer(Response<Bytes>);

impl Answer {
    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.0.body()).into_owned()
    }

    /// The response itself, for [`read`](super::read), say.
    #[must_use]
    pub const fn response(&self) -> &Response<Bytes> {
        &self.0
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> http::StatusCode {
        self.0.status()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &http::HeaderMap {
        self.0.headers()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::any;

    use super::*;

    /// Answers with the cookies that came, and sets the ones that the query says, which are separated by `|`.
    fn echo() -> Client {
        Client::new(Router::new().fallback(any(async |request: Request| {
            let came = request.headers().get(COOKIE).map_or("", |value| value.to_str().unwrap()).to_owned();
            let mut response = Response::new(Body::from(came));
            for cookie in request.headers().get_all("x-set") {
                response.headers_mut().append(SET_COOKIE, cookie.clone());
            }
            response
        })))
    }

    async fn set(client: &mut Client, path: &str, cookies: &[&'static str]) {
        let mut request = http::Request::get(path).body(Body::empty()).unwrap();
        for cookie in cookies {
            request.headers_mut().append("x-set", HeaderValue::from_static(cookie));
        }
        client.send(request).await;
    }

    #[tokio::test]
    async fn it_sends_what_it_was_given_until_that_is_removed() {
        let mut client = echo();
        assert_eq!(client.get("/").await.text(), "");
        set(&mut client, "/", &["a=1; Path=/; HttpOnly", "b=2; path=/; Max-Age=10"]).await;
        assert_eq!(client.get("/x").await.text(), "a=1; b=2");
        set(&mut client, "/", &["a=3; Path=/", "b=; Path=/; Max-Age=0"]).await;
        assert_eq!(client.get("/x").await.text(), "a=3");
        assert_eq!((client.cookie("a"), client.cookie("b")), (Some("3"), None));
        client.clear_cookies();
        assert_eq!(client.post("/x", "body").await.text(), "");
    }

    #[tokio::test]
    async fn it_heeds_paths() {
        let mut client = echo();
        set(&mut client, "/shop/cart", &["a=1; Path=/", "b=2", "c=3; Path=/admin"]).await;
        for (path, sent) in
            [("/", "a=1"), ("/shop", "b=2; a=1"), ("/shop/x", "b=2; a=1"), ("/shopping", "a=1"), ("/admin/x", "c=3; a=1")]
        {
            assert_eq!(client.get(path).await.text(), sent, "{path}");
        }
        // The same name under two paths is two cookies, of which each is removed by its own.
        set(&mut client, "/admin", &["a=9; Path=/admin"]).await;
        set(&mut client, "/admin", &["a=; Path=/admin; Max-Age=0"]).await;
        assert_eq!(client.get("/admin").await.text(), "c=3; a=1");
    }

    #[tokio::test]
    async fn a_cookie_that_is_given_goes_beside_those_of_the_request() {
        let mut client = echo();
        client.set_cookie("a", "1");
        let request = http::Request::get("/").header(COOKIE, "b=2").body(Body::empty()).unwrap();
        client.send(request).await;
        assert_eq!(client.cookie("b"), None);
        assert_eq!(format!("{client:?}"), "Client { cookies: [\"a\"], .. }");
    }
}
