//! The programs that are built.

pub struct App {
    pub name: &'static str,
    /// Beside axum and tokio; `SESSION_RUNTIME` is the folder of this library.
    pub dependencies: &'static str,
    pub source: &'static str,
}

macro_rules! program {
    ($uses:literal, $handler:literal, $layer:literal) => {
        concat!(
            $uses,
            "\n#[tokio::main]\nasync fn main() -> std::io::Result<()> {\n",
            "    let app = axum::Router::new().route(\"/\", axum::routing::get(page))",
            $layer,
            ";\n    let listener = tokio::net::TcpListener::bind(\"127.0.0.1:3000\").await?;\n    axum::serve(listener, app).await\n}\n\n",
            $handler,
            "\n"
        )
    };
}

/// What every program needs.
pub const BASE: &str = "axum = \"0.8\"\ntokio = { version = \"1\", features = [\"macros\", \"net\", \"rt-multi-thread\"] }\n";

/// The first is what the others are compared with.
pub const APPS: [App; 4] = [
    App { name: "no sessions", dependencies: "", source: program!("", "async fn page() -> String {\n    1.to_string()\n}", "") },
    App {
        name: "session-runtime",
        dependencies: "session-runtime = { path = \"SESSION_RUNTIME\" }",
        source: program!(
            "use session_runtime::{SessionData, SessionError, session};\n\n#[derive(Clone, Default)]\nstruct Visit {\n    pages: u32,\n}\n",
            "async fn page(session: SessionData<Visit>) -> Result<String, SessionError> {\n    \
             let pages = session.update(|visit| { visit.pages += 1; visit.pages }).await?;\n    Ok(pages.to_string())\n}",
            ".layer(session!(<Visit>))"
        ),
    },
    App {
        name: "tower-sessions",
        dependencies: "tower-sessions = \"0.15\"",
        source: program!(
            "use tower_sessions::{MemoryStore, Session, SessionManagerLayer};\n",
            "async fn page(session: Session) -> String {\n    let pages: u32 = session.get(\"pages\").await.unwrap().unwrap_or_default();\n    \
             session.insert(\"pages\", pages + 1).await.unwrap();\n    (pages + 1).to_string()\n}",
            ".layer(SessionManagerLayer::new(MemoryStore::default()))"
        ),
    },
    App {
        name: "axum_session",
        dependencies: "axum_session = \"0.22\"",
        source: program!(
            "use axum_session::{Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};\n",
            "async fn page(session: Session<SessionNullPool>) -> String {\n    let pages: u32 = session.get(\"pages\").unwrap_or_default();\n    \
             session.set(\"pages\", pages + 1);\n    (pages + 1).to_string()\n}",
            ".layer(SessionLayer::new(SessionStore::<SessionNullPool>::new(None, SessionConfig::default()).await.unwrap()))"
        ),
    },
];
