//! What an error means: whether what was asked for ran, and whether the connections are still good. Whatever decides by an error asks here.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Whether what was asked for was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    /// Certainly not.
    No,
    /// It may have been, in whole or in part, or may yet be.
    Perhaps,
    /// The server would do it but for what is stored under the key, or for what was to be stored.
    NotOnThisData,
}

/// What is left of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Sound,
    /// This one is over.
    Over,
    /// All of them are: the server does not play the role any more for which it was connected to, or it is gone.
    AllOver,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) ran: Ran,
    pub(super) connection: Connection,
}

impl Verdict {
    const fn new(ran: Ran, connection: Connection) -> Self {
        Self { ran, connection }
    }

    /// Whether it is sent once more, on a new connection: what certainly did not run, and what may run twice.
    pub(super) const fn again(self, may_run_twice: bool) -> bool {
        self.is_harmless(may_run_twice) && !matches!(self.connection, Connection::Sound)
    }

    /// Whether it may be sent again, wherever that is.
    pub(super) const fn is_harmless(self, may_run_twice: bool) -> bool {
        match self.ran {
            Ran::No => true,
            Ran::Perhaps => may_run_twice,
            Ran::NotOnThisData => false,
        }
    }
}

/// What to do with a call to a cluster that its node refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// The slot is that node's now.
    Moved(String),
    /// This key is that node's already.
    Ask(String),
    /// The cluster is changing; a little later somebody has the slot.
    Later,
}

/// An error, and what it means.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    pub(super) error: RedisError,
    pub(super) verdict: Verdict,
}

impl Failed {
    /// Nothing of it was sent, and the connection is over.
    pub(super) fn unsent(error: RedisError) -> Self {
        Self { error, verdict: Verdict::new(Ran::No, Connection::AllOver) }
    }

    /// What this means for a call that waited for the same connection: nothing of it was sent, and no more is over than this one says.
    pub(super) fn of_those_behind(&self) -> Self {
        Self { error: self.error.clone(), verdict: Verdict::new(Ran::No, self.verdict.connection) }
    }

    /// The connection ended after it was sent, for this reason, whatever that is.
    pub(super) fn cut_off(error: RedisError) -> Self {
        Self { error, verdict: Verdict::new(Ran::Perhaps, Connection::AllOver) }
    }

    /// There is no connection to be had: nothing was sent, and another attempt has just failed.
    pub(super) fn unreachable(error: RedisError) -> Self {
        Self { error, verdict: Verdict::new(Ran::No, Connection::Sound) }
    }

    /// Whether it is the connection that failed, and not the server that refused.
    pub(super) fn is_of_the_connection(&self) -> bool {
        self.error.code().is_none()
    }

    /// Whether the server does not know the script that was named by its hash.
    pub(super) fn is_of_an_unknown_script(&self) -> bool {
        self.error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
    }

    /// Where in a cluster it has to go instead.
    pub(super) fn elsewhere(&self) -> Option<Elsewhere> {
        // One that does not know its own host says none: whoever is asked for the topology knows from where the answer came.
        let has_host = |node: &&str| node.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty());
        let node = || self.error.redirect_node().map(|(node, _)| node).filter(has_host).map(str::to_owned);
        match self.error.code()? {
            "MOVED" => Some(node().map_or(Elsewhere::Later, Elsewhere::Moved)),
            "ASK" => Some(node().map_or(Elsewhere::Later, Elsewhere::Ask)),
            "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "READONLY" => Some(Elsewhere::Later),
            _ => None,
        }
    }
}

/// What a server is by its refusal of a command that a store needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fitness {
    /// It would do it at another time: it is full, or its replicas are late.
    Fit,
    Replica,
    OfCluster,
    /// The user may not use these keys.
    OtherKeys,
    /// The user may not run this command, or the server does not know it.
    NoCommand,
    /// It cannot be told.
    Unknown,
}

impl Fitness {
    /// By an error that it answered with.
    pub(super) fn of_answer(code: &str, detail: &str) -> Self {
        match code {
            "MOVED" | "ASK" | "CROSSSLOT" | "CLUSTERDOWN" => Self::OfCluster,
            "NOPERM" if is_about_keys(detail) => Self::OtherKeys,
            "NOPERM" => Self::NoCommand,
            "OOM" | "MISCONF" | "NOREPLICAS" => Self::Fit,
            "ERR" if detail.starts_with("unknown command") => Self::NoCommand,
            _ => Self::Unknown,
        }
    }

    /// By what a script was told when it ran the command. Redis 6 puts other words before the error.
    pub(super) fn in_script(said: &str) -> Self {
        if said.contains("READONLY") {
            Self::Replica
        } else if ["OOM", "MISCONF", "NOREPLICAS"].iter().any(|code| said.contains(code)) {
            Self::Fit
        } else if is_about_keys(said) {
            Self::OtherKeys
        } else {
            Self::NoCommand
        }
    }
}

/// By words that the name of a command or of a user, which newer servers quote, cannot have.
fn is_about_keys(said: &str) -> bool {
    said.contains("access a key") || said.contains("one of the keys")
}

impl From<RedisError> for Failed {
    fn from(error: RedisError) -> Self {
        let verdict = verdict(&error);
        Self { error, verdict }
    }
}

/// What this error means.
pub(super) fn verdict(error: &RedisError) -> Verdict {
    use Connection::{AllOver, Over, Sound};
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {
            of_answer(error.code().unwrap_or_default(), error.detail().unwrap_or_default())
        }
        ErrorKind::Io => of_io(io_kind(error)),
        // Only while connecting.
        ErrorKind::AuthenticationFailed | ErrorKind::ClusterConnectionNotFound => Verdict::new(Ran::No, AllOver),
        ErrorKind::InvalidClientConfig | ErrorKind::Client | ErrorKind::RESP3NotSupported => Verdict::new(Ran::No, Sound),
        // An answer that cannot be read, or is not the one to the question: what comes after it cannot be told apart any more.
        _ => Verdict::new(Ran::Perhaps, Over),
    }
}

/// An error that the server answered with: its first word, and the rest.
fn of_answer(code: &str, detail: &str) -> Verdict {
    use Connection::{AllOver, Over, Sound};
    let (ran, connection) = match code {
        // It is not, or not yet, the primary; or it does not know this user any more.
        "READONLY" | "MASTERDOWN" | "LOADING" | "UNBLOCKED" | "NOAUTH" | "WRONGPASS" => (Ran::No, AllOver),
        // It may have been left behind by a failover, which a new connection tells. Or its replicas are late, and whatever it is asked but to write it does.
        "NOREPLICAS" => (Ran::No, Over),
        // Refused before it began: a script may write beyond the memory limit once it has written.
        "NOPERM" | "OOM" | "MISCONF" | "BUSY" | "NOSCRIPT" | "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "CROSSSLOT" => {
            (Ran::No, Sound)
        }
        // The last one is what the scripts of this crate answer to bytes that are another program's.
        "WRONGTYPE" | "FOREIGN" => (Ran::NotOnThisData, Sound),
        "ERR" if detail.starts_with("max number of clients") => (Ran::No, Over),
        // It reads no further.
        "ERR" if detail.starts_with("Protocol error") => (Ran::Perhaps, Over),
        "ERR" if detail.starts_with("string exceeds maximum allowed size") => (Ran::NotOnThisData, Sound),
        "ERR" => match raised(detail) {
            Some(raised) => return of_answer(raised, ""),
            None => (Ran::Perhaps, Sound),
        },
        _ => (Ran::Perhaps, Sound),
    };
    Verdict::new(ran, connection)
}

/// The first word of what a command in a script was refused with, by Redis 6: `Error running script (..): @user_script:1: -READONLY ..`.
/// Those alone that the first write of a script meets.
fn raised(detail: &str) -> Option<&'static str> {
    let (_, raised) = detail.strip_prefix("Error running script")?.split_once(": -")?;
    let code = raised.split(' ').next()?;
    ["READONLY", "MASTERDOWN", "NOREPLICAS", "OOM", "MISCONF", "WRONGTYPE", "FOREIGN"].into_iter().find(|known| *known == code)
}

fn of_io(kind: io::ErrorKind) -> Verdict {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, NotFound, PermissionDenied,
    };
    match kind {
        // Only while connecting.
        ConnectionRefused | NotFound | AddrNotAvailable | PermissionDenied | HostUnreachable | NetworkUnreachable
        | NetworkDown => Verdict::new(Ran::No, Connection::AllOver),
        _ => Verdict::new(Ran::Perhaps, Connection::AllOver),
    }
}

fn io_kind(error: &RedisError) -> io::ErrorKind {
    let Some(source) = error.source() else { return io::ErrorKind::Other };
    if let Some(error) = source.downcast_ref::<io::Error>() {
        return error.kind();
    }
    let shared = source.downcast_ref::<Arc<dyn Error + Send + Sync>>();
    shared.and_then(|error| error.downcast_ref::<io::Error>()).map_or(io::ErrorKind::Other, io::Error::kind)
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::Connection::{AllOver, Over, Sound};
    use super::*;

    fn answered(line: &str) -> RedisError {
        parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap().extract_error().unwrap_err()
    }

    #[test]
    fn what_the_server_answers_with_means_this() {
        for (line, ran, connection) in [
            ("READONLY You can't write against a read only replica.", Ran::No, AllOver),
            ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Ran::No, AllOver),
            ("LOADING Redis is loading the dataset in memory", Ran::No, AllOver),
            ("UNBLOCKED force unblock from blocking operation, instance state changed", Ran::No, AllOver),
            ("NOAUTH Authentication required.", Ran::No, AllOver),
            ("WRONGPASS invalid username-password pair or user is disabled.", Ran::No, AllOver),
            ("NOREPLICAS Not enough good replicas to write.", Ran::No, Over),
            ("NOPERM this user has no permissions to run the 'eval' command", Ran::No, Sound),
            ("OOM command not allowed when used memory > 'maxmemory'.", Ran::No, Sound),
            ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist", Ran::No, Sound),
            ("BUSY Redis is busy running a script.", Ran::No, Sound),
            ("NOSCRIPT No matching script. Please use EVAL.", Ran::No, Sound),
            ("MOVED 3999 127.0.0.1:6381", Ran::No, Sound),
            ("ASK 3999 127.0.0.1:6381", Ran::No, Sound),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Ran::No, Sound),
            ("CLUSTERDOWN The cluster is down", Ran::No, Sound),
            ("CROSSSLOT Keys in request don't hash to the same slot", Ran::No, Sound),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Ran::NotOnThisData, Sound),
            ("FOREIGN another program has stored a value under this key", Ran::NotOnThisData, Sound),
            ("ERR string exceeds maximum allowed size (proto-max-bulk-len)", Ran::NotOnThisData, Sound),
            ("ERR max number of clients reached", Ran::No, Over),
            ("ERR Protocol error: invalid bulk length", Ran::Perhaps, Over),
            ("ERR attempt to perform arithmetic on a nil value script: f00, on @user_script:1.", Ran::Perhaps, Sound),
            ("EXECABORT Transaction discarded because of previous errors.", Ran::Perhaps, Sound),
            ("NEWCODE that nobody knows yet", Ran::Perhaps, Sound),
            (
                "ERR Error running script (call to f_a): @user_script:2: -READONLY You can't write against a read only replica.",
                Ran::No,
                AllOver,
            ),
            ("ERR Error running script (call to f_a): @user_script:2: -OOM command not allowed", Ran::No, Sound),
            ("ERR Error running script (call to f_a): @user_script:2: -NOPERM no", Ran::Perhaps, Sound),
            ("ERR Error running script (call to f_a): @user_script:2: -WRONGTYPE a list", Ran::NotOnThisData, Sound),
        ] {
            assert_eq!(verdict(&answered(line)), Verdict::new(ran, connection), "{line}");
        }
    }

    #[test]
    fn what_the_connection_ends_with_means_this() {
        use io::ErrorKind as Kind;
        for (kind, ran) in [
            (Kind::ConnectionRefused, Ran::No),
            (Kind::NotFound, Ran::No),
            (Kind::AddrNotAvailable, Ran::No),
            (Kind::PermissionDenied, Ran::No),
            (Kind::HostUnreachable, Ran::No),
            (Kind::NetworkUnreachable, Ran::No),
            (Kind::NetworkDown, Ran::No),
            (Kind::BrokenPipe, Ran::Perhaps),
            (Kind::ConnectionReset, Ran::Perhaps),
            (Kind::ConnectionAborted, Ran::Perhaps),
            (Kind::UnexpectedEof, Ran::Perhaps),
            (Kind::NotConnected, Ran::Perhaps),
            (Kind::TimedOut, Ran::Perhaps),
            (Kind::WouldBlock, Ran::Perhaps),
            (Kind::Other, Ran::Perhaps),
        ] {
            assert_eq!(verdict(&io::Error::from(kind).into()), Verdict::new(ran, AllOver), "{kind:?}");
        }
    }

    #[test]
    fn what_the_client_says_itself_means_this() {
        for (kind, ran, connection) in [
            (ErrorKind::Parse, Ran::Perhaps, Over),
            (ErrorKind::UnexpectedReturnType, Ran::Perhaps, Over),
            (ErrorKind::AuthenticationFailed, Ran::No, AllOver),
            (ErrorKind::ClusterConnectionNotFound, Ran::No, AllOver),
            (ErrorKind::InvalidClientConfig, Ran::No, Sound),
            (ErrorKind::Client, Ran::No, Sound),
            (ErrorKind::RESP3NotSupported, Ran::No, Sound),
            (ErrorKind::Io, Ran::Perhaps, AllOver),
        ] {
            assert_eq!(verdict(&(kind, "said by the client").into()), Verdict::new(ran, connection), "{kind:?}");
        }
    }

    #[test]
    fn what_did_not_run_or_may_run_twice_is_sent_again_where_the_connection_is_over() {
        for connection in [Over, AllOver] {
            for (ran, once, twice) in [(Ran::No, true, true), (Ran::Perhaps, false, true), (Ran::NotOnThisData, false, false)] {
                let verdict = Verdict::new(ran, connection);
                assert_eq!((verdict.again(false), verdict.again(true)), (once, twice), "{verdict:?}");
            }
        }
        for ran in [Ran::No, Ran::Perhaps, Ran::NotOnThisData] {
            assert!(!Verdict::new(ran, Sound).again(true), "{ran:?}");
        }
    }

    #[test]
    fn what_is_known_of_the_connection_counts_before_what_the_error_says() {
        let error = || RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(Failed::unsent(error()).verdict.again(false));
        assert!(!Failed::cut_off(error()).verdict.again(false) && Failed::cut_off(error()).verdict.again(true));
        assert!(!Failed::unreachable(error()).verdict.again(true));
        assert_eq!(Failed::from(error()).verdict, verdict(&error()));
    }

    #[test]
    fn what_a_server_refuses_to_one_call_is_no_more_to_those_behind_it() {
        for (line, connection) in [
            ("NOREPLICAS Not enough good replicas to write.", Over),
            ("ERR max number of clients reached", Over),
            ("ERR Protocol error: invalid bulk length", Over),
            ("READONLY You can't write against a read only replica.", AllOver),
        ] {
            let behind = Failed::from(answered(line)).of_those_behind();
            assert_eq!(behind.verdict, Verdict::new(Ran::No, connection), "{line}");
            assert!(behind.verdict.again(false), "{line}");
        }
    }

    #[test]
    fn a_script_that_the_server_does_not_know_is_told_from_what_it_was_refused() {
        for (line, expected) in [
            ("NOSCRIPT No matching script. Please use EVAL.", true),
            ("NOPERM this user has no permissions to run the 'evalsha' command", false),
            ("ERR NOSCRIPT", false),
        ] {
            let failed = Failed::from(answered(line));
            assert_eq!((failed.is_of_an_unknown_script(), failed.is_of_the_connection()), (expected, false), "{line}");
        }
        assert!(Failed::from(RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe))).is_of_the_connection());
    }

    #[test]
    fn what_a_server_refuses_says_what_it_is() {
        for (code, detail, fitness) in [
            ("MOVED", "1 127.0.0.1:7000", Fitness::OfCluster),
            ("ASK", "1 127.0.0.1:7000", Fitness::OfCluster),
            ("CROSSSLOT", "Keys in request don't hash to the same slot", Fitness::OfCluster),
            ("CLUSTERDOWN", "Hash slot not served", Fitness::OfCluster),
            ("NOPERM", "this user has no permissions to run the 'eval' command", Fitness::NoCommand),
            ("NOPERM", "No permissions to access one of the keys used as arguments", Fitness::OtherKeys),
            ("NOPERM", "No permissions to access a key", Fitness::OtherKeys),
            ("NOPERM", "User keysuser has no permissions to run the 'eval' command", Fitness::NoCommand),
            ("OOM", "command not allowed", Fitness::Fit),
            ("MISCONF", "Redis is configured to save RDB snapshots", Fitness::Fit),
            ("NOREPLICAS", "Not enough good replicas to write.", Fitness::Fit),
            ("ERR", "unknown command 'EVALSHA'", Fitness::NoCommand),
            ("ERR", "something else", Fitness::Unknown),
            ("LOADING", "Redis is loading the dataset in memory", Fitness::Unknown),
        ] {
            assert_eq!(Fitness::of_answer(code, detail), fitness, "{code} {detail}");
        }
        for (said, fitness) in [
            ("READONLY You can't write against a read only replica.", Fitness::Replica),
            ("@user_script: 9: -READONLY You can't write against a read only replica.", Fitness::Replica),
            ("OOM command not allowed when used memory > 'maxmemory'.", Fitness::Fit),
            ("MISCONF Redis is configured to save RDB snapshots", Fitness::Fit),
            ("NOREPLICAS Not enough good replicas to write.", Fitness::Fit),
            ("ERR The user executing the script can't access at least one of the keys mentioned", Fitness::OtherKeys),
            ("ERR ACL failure in script: No permissions to access a key", Fitness::OtherKeys),
            ("ERR ACL failure in script: No permissions to access one of the keys used as arguments", Fitness::OtherKeys),
            ("ERR ACL failure in script: User keysuser has no permissions to run the 'hset' command", Fitness::NoCommand),
            ("ERR The user executing the script can't run this command or subcommand", Fitness::NoCommand),
            ("", Fitness::NoCommand),
        ] {
            assert_eq!(Fitness::in_script(said), fitness, "{said}");
        }
    }

    #[test]
    fn a_node_that_refuses_says_where_to_go() {
        for (line, elsewhere) in [
            ("MOVED 3999 127.0.0.1:6381", Some(Elsewhere::Moved("127.0.0.1:6381".to_owned()))),
            ("ASK 3999 127.0.0.1:6381", Some(Elsewhere::Ask("127.0.0.1:6381".to_owned()))),
            ("MOVED", Some(Elsewhere::Later)),
            ("MOVED 3999 :6381", Some(Elsewhere::Later)),
            ("MOVED 3999 ::1:6381", Some(Elsewhere::Moved("::1:6381".to_owned()))),
            ("ASK 3999 ::1:6381", Some(Elsewhere::Ask("::1:6381".to_owned()))),
            ("TRYAGAIN Multiple keys", Some(Elsewhere::Later)),
            ("CLUSTERDOWN The cluster is down", Some(Elsewhere::Later)),
            ("LOADING Redis is loading", Some(Elsewhere::Later)),
            ("MASTERDOWN Link", Some(Elsewhere::Later)),
            ("READONLY You can't", Some(Elsewhere::Later)),
            ("OOM command", None),
            ("ERR no", None),
        ] {
            assert_eq!(Failed::from(answered(line)).elsewhere(), elsewhere, "{line}");
        }
        assert_eq!(Failed::unsent(io::Error::from(io::ErrorKind::BrokenPipe).into()).elsewhere(), None);
    }
}
