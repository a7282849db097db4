//! Calls that are ready at the same time leave together: one write and one read of the connection for all of them, and one command
//! for all that read and one for all that replace.

use redis::{Cmd, ErrorKind, Pipeline, RedisResult, Value, cmd};
use tokio::sync::oneshot;

use super::scripts::{By, Lists, Replacement};
use super::verdict::Failed;

/// What a call asks for.
pub(super) enum Ask {
    /// What is kept at this key.
    Read(String),
    /// What is kept at these keys, and the milliseconds until each goes.
    ReadShared([String; 2]),
    Change(Replacement),
    Alone(Cmd),
    /// Of a node of a cluster to which the key is just moving.
    Asking(Cmd),
}

/// A server's answer to one call; to [`Ask::ReadShared`] an array of what is kept at the one and the other key and of their times.
pub(super) struct Answer {
    pub(super) value: Value,
    /// For what was read, the server's clock just after it, in milliseconds; else 0.
    pub(super) now: u64,
}

/// Who waits for the answer to a call.
pub(super) type Asker = oneshot::Sender<Result<Answer, Failed>>;

/// The calls of one departure, by what they ask for.
#[derive(Default)]
pub(super) struct Batch {
    alone: (Vec<Cmd>, Vec<Asker>),
    asking: (Vec<Cmd>, Vec<Asker>),
    changes: (Vec<Replacement>, Vec<Asker>),
    reads: (Vec<String>, Vec<Asker>),
    shared: (Vec<[String; 2]>, Vec<Asker>),
}

impl Batch {
    pub(super) fn add(&mut self, ask: Ask, asker: Asker) {
        let askers = match ask {
            Ask::Asking(command) => {
                self.asking.0.push(command);
                &mut self.asking.1
            }
            Ask::Alone(command) => {
                self.alone.0.push(command);
                &mut self.alone.1
            }
            Ask::Change(change) => {
                self.changes.0.push(change);
                &mut self.changes.1
            }
            Ask::Read(key) => {
                self.reads.0.push(key);
                &mut self.reads.1
            }
            Ask::ReadShared(keys) => {
                self.shared.0.push(keys);
                &mut self.shared.1
            }
        };
        askers.push(asker);
    }

    pub(super) fn commands(&mut self) -> Pipeline {
        let single = self.alone.0.len() + 2 * self.asking.0.len();
        let mut commands = Pipeline::with_capacity(single + 2 * self.shared.0.len() + 4);
        for command in self.alone.0.drain(..) {
            commands.add_command(command);
        }
        for command in self.asking.0.drain(..) {
            commands.add_command(cmd("ASKING"));
            commands.add_command(command);
        }
        if !self.changes.0.is_empty() {
            commands.add_command(Replacement::command(By::Hash, &self.changes.0, Lists::Here));
        }
        // Where a key holds no string, which this store never made, there is no session.
        if !self.reads.0.is_empty() {
            commands.cmd("MGET").arg(&self.reads.0);
        }
        if !self.shared.0.is_empty() {
            let keys = self.shared.0.as_flattened();
            commands.cmd("MGET").arg(keys);
            for key in keys {
                commands.cmd("PTTL").arg(key);
            }
        }
        if self.reads() {
            // Last, so that a time that is left is told too short rather than too long.
            commands.add_command(cmd("TIME"));
        }
        commands
    }

    const fn reads(&self) -> bool {
        !self.reads.1.is_empty() || !self.shared.1.is_empty()
    }

    /// Tells all of them the same.
    pub(super) fn fail(self, failed: &Failed) {
        let all = [self.alone.1, self.asking.1, self.changes.1, self.reads.1, self.shared.1].into_iter().flatten();
        // Nobody listens where the caller gave up.
        all.for_each(|asker| drop(asker.send(Err(failed.clone()))));
    }

    /// Hands the answers out, which are in the order of the commands.
    pub(super) fn answer(self, answers: Vec<Value>) {
        let with_time = self.reads();
        let mut answers = answers.into_iter().map(refused);
        let mut next = || answers.next().unwrap_or_else(|| Err(unexpected()));
        for asker in self.alone.1 {
            tell(asker, next().and_then(Value::extract_error), 0);
        }
        for asker in self.asking.1 {
            let _asking = next();
            tell(asker, next().and_then(Value::extract_error), 0);
        }
        if !self.changes.1.is_empty() {
            deal(self.changes.1, next(), Ok(0));
        }
        let read = if self.reads.1.is_empty() { Ok(Value::Nil) } else { next() };
        let shared = if self.shared.1.is_empty() {
            Ok(Value::Nil)
        } else {
            let values = next();
            // All of them, also where one is an error: the time comes behind.
            let times: Vec<_> = (0..2 * self.shared.1.len()).map(|_| next()).collect();
            together(values, times.into_iter().collect())
        };
        if with_time {
            let now = next().and_then(clock);
            deal(self.reads.1, read, now.clone());
            deal(self.shared.1, shared, now);
        }
    }
}

/// The answer to a command, unless the server has refused the whole of it. An error inside of an array is the answer to one call, of which
/// the others must not hear: their changes were made.
fn refused(answer: Value) -> RedisResult<Value> {
    match answer {
        Value::ServerError(error) => Err(error.into()),
        answer => Ok(answer),
    }
}

/// Of what is kept at the two keys of each session, and of their times, an array for each.
fn together(values: RedisResult<Value>, times: RedisResult<Vec<Value>>) -> RedisResult<Value> {
    let Value::Array(values) = values? else { return Err(unexpected()) };
    let mut keys = values.into_iter().zip(times?);
    let mut sessions = Vec::with_capacity(keys.len() / 2);
    while let Some(((value, left), (beside, beside_left))) = keys.next().zip(keys.next()) {
        sessions.push(Value::Array(vec![value, beside, left, beside_left]));
    }
    Ok(Value::Array(sessions))
}

/// Hands out the answers to a command that is of several calls.
fn deal(askers: Vec<Asker>, answers: RedisResult<Value>, now: RedisResult<u64>) {
    let answers = match (answers, now) {
        (Ok(Value::Array(answers)), Ok(now)) if answers.len() == askers.len() => Ok((answers, now)),
        (Err(error), _) | (_, Err(error)) => Err(error),
        _ => Err(unexpected()),
    };
    match answers {
        Ok((answers, now)) => {
            for (asker, answer) in askers.into_iter().zip(answers) {
                tell(asker, answer.extract_error(), now);
            }
        }
        Err(error) => askers.into_iter().for_each(|asker| tell(asker, Err(error.clone()), 0)),
    }
}

fn tell(asker: Asker, answer: RedisResult<Value>, now: u64) {
    // Nobody listens where the caller gave up.
    let _ = asker.send(answer.map(|value| Answer { value, now }).map_err(Failed::from));
}

/// The answer to `TIME`, in milliseconds.
fn clock(answer: Value) -> RedisResult<u64> {
    let (seconds, micros): (u64, u64) = redis::from_redis_value(answer)?;
    Ok(seconds.saturating_mul(1000).saturating_add(micros / 1000))
}

fn unexpected() -> redis::RedisError {
    (ErrorKind::UnexpectedReturnType, "the server did not answer every part of a command").into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use redis::parse_redis_value;

    use super::super::row::Next;
    use super::super::row::tests::{answer, field};
    use super::*;
    use crate::random::for_all;
    use crate::store::Version;

    /// What the calls of one departure are told when the server answers its commands with `lines`, in RESP.
    fn told(asks: impl IntoIterator<Item = Ask>, lines: &[&str]) -> Vec<Result<(Value, u64), ErrorKind>> {
        let mut batch = Batch::default();
        let mut listeners = Vec::new();
        for ask in asks {
            let (asker, listener) = oneshot::channel();
            batch.add(ask, asker);
            listeners.push(listener);
        }
        assert_eq!(batch.commands().len(), lines.len(), "an answer for each command");
        batch.answer(lines.iter().map(|line| parse_redis_value(line.as_bytes()).unwrap()).collect());
        let heard = |mut listener: oneshot::Receiver<Result<Answer, Failed>>| listener.try_recv().expect("each call is answered");
        listeners
            .into_iter()
            .map(|listener| heard(listener).map(|Answer { value, now }| (value, now)).map_err(|failed| failed.error.kind()))
            .collect()
    }

    fn read(key: &str) -> Ask {
        Ask::Read(key.to_owned())
    }

    fn shared(key: &str) -> Ask {
        Ask::ReadShared([key.to_owned(), format!("{key}-beside")])
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    const TIME: &str = "*2\r\n$1\r\n7\r\n$6\r\n089000\r\n";

    #[test]
    fn each_call_gets_its_own_answer_whatever_leaves_with_it() {
        let lines = [
            "+PONG\r\n",
            "*2\r\n$1\r\na\r\n$-1\r\n",
            "*4\r\n$1\r\nb\r\n$1\r\nB\r\n$1\r\nc\r\n$1\r\nC\r\n",
            ":1\r\n",
            ":2\r\n",
            ":3\r\n",
            ":4\r\n",
            TIME,
        ];
        let asks = [shared("b"), read("a"), Ask::Alone(cmd("PING")), shared("c"), read("none")];
        let of = |value: &str, beside: &str, times: [i64; 2]| {
            let [left, beside_left] = times.map(Value::Int);
            Ok((Value::Array(vec![bulk(value), bulk(beside), left, beside_left]), 7089))
        };
        assert_eq!(
            told(asks, &lines),
            [
                of("b", "B", [1, 2]),
                Ok((bulk("a"), 7089)),
                Ok((Value::SimpleString("PONG".to_owned()), 0)),
                of("c", "C", [3, 4]),
                Ok((Value::Nil, 7089)),
            ]
        );
    }

    #[test]
    fn an_error_of_one_command_shifts_no_other_answer() {
        let values = "*4\r\n$1\r\nb\r\n$1\r\nB\r\n$1\r\nc\r\n$1\r\nC\r\n";
        let refused = "-NOPERM no permission to run this\r\n";
        let asks = || [read("a"), shared("b"), shared("c"), Ask::Alone(cmd("PING"))];
        let all = ["+PONG\r\n", "*1\r\n$1\r\na\r\n", values, ":1\r\n", ":2\r\n", ":3\r\n", ":4\r\n", TIME];
        // The command that is refused, and the calls that it is for.
        let cases: [(usize, &[usize]); 8] =
            [(0, &[3]), (1, &[0]), (2, &[1, 2]), (3, &[1, 2]), (4, &[1, 2]), (5, &[1, 2]), (6, &[1, 2]), (7, &[0, 1, 2])];
        let sound = told(asks(), &all);
        for (command, calls) in cases {
            let mut lines = all;
            lines[command] = refused;
            for (call, told) in told(asks(), &lines).into_iter().enumerate() {
                if calls.contains(&call) {
                    assert!(matches!(told, Err(ErrorKind::Server(_) | ErrorKind::Extension)), "{command} {call}: {told:?}");
                } else {
                    assert_eq!(told, sound[call], "call {call}, when command {command} was refused");
                }
            }
        }
    }

    #[test]
    fn an_error_of_one_change_is_the_answer_to_no_other() {
        let change = || Ask::Change(Replacement { key: "a".to_owned(), next: Next::after(Version(1)), data: Arc::default() });
        let [before, refused, after] =
            told([change(), change(), change()], &["*3\r\n+1\r\n-WRONGTYPE a list\r\n+3\r\n"]).try_into().unwrap();
        assert_eq!(before, Ok((Value::SimpleString("1".to_owned()), 0)));
        assert!(matches!(refused, Err(ErrorKind::Server(_) | ErrorKind::Extension)), "{refused:?}");
        assert_eq!(after, Ok((Value::SimpleString("3".to_owned()), 0)));
    }

    #[test]
    fn too_few_answers_are_an_error_and_not_anothers_answer() {
        let asks = [read("a"), read("b")];
        assert_eq!(
            told(asks, &["*1\r\n$1\r\na\r\n", TIME]),
            [Err(ErrorKind::UnexpectedReturnType), Err(ErrorKind::UnexpectedReturnType)]
        );
    }
    #[test]
    fn whatever_the_server_answers_each_call_is_answered_once() {
        let ask = || prop::sample::select(vec!['r', 's', 'c', 'a']);
        let time = prop_oneof![
            8 => (any::<u64>(), any::<u64>()).prop_map(|(seconds, micros)| Value::Array([seconds, micros].map(|part| bulk(&part.to_string())).to_vec())),
            1 => answer(field()),
        ];
        for_all(
            (vec(ask(), 0..6), vec(answer(field()), 0..9), prop::option::weighted(0.9, time)),
            |(asks, mut answers, time)| {
                let mut batch = Batch::default();
                let mut listeners = Vec::new();
                for ask in asks {
                    let (asker, listener) = oneshot::channel();
                    let ask = match ask {
                        'r' => read("a"),
                        's' => shared("a"),
                        'c' => {
                            Ask::Change(Replacement { key: "a".to_owned(), next: Next::after(Version(1)), data: Arc::default() })
                        }
                        _ => Ask::Alone(cmd("PING")),
                    };
                    batch.add(ask, asker);
                    listeners.push(listener);
                }
                let commands = batch.commands().len();
                // Mostly as many answers as commands, with a time behind.
                if let Some(time) = time {
                    answers.resize(commands.saturating_sub(1), Value::Array(vec![Value::Nil; listeners.len()]));
                    answers.push(time);
                }
                batch.answer(answers);
                for mut listener in listeners {
                    assert!(listener.try_recv().is_ok(), "each call is answered");
                }
            },
        );
    }

    #[test]
    fn a_time_at_which_arithmetic_ends_is_no_panic() {
        assert_eq!(clock(Value::Array(vec![bulk(&u64::MAX.to_string()), bulk("1")])).unwrap(), u64::MAX);
    }
}
