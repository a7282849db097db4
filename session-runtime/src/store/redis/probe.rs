//! What a new connection is asked: whether the server is one that a store can work with. What is written for it is taken back.

use redis::{Cmd, Pipeline, Value, cmd};

use super::scripts::{By, PROBE, Script};
use super::slot::{SLOTS, is_one_slot, slot};
use super::verdict::Fitness;

/// Every command that the store's scripts use; of those that write, each in a form that does nothing where there is no such key.
pub(super) struct Probe {
    keys: [String; 2],
    prefix: String,
    /// Whether the keys are known to begin so: else a user who may not is told when it comes to it.
    is_sure: bool,
}

/// Why a server cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

impl Probe {
    /// Of two keys with this prefix, which in a cluster are on different nodes.
    pub(super) fn of(prefix: &str, is_sure: bool) -> Self {
        let keys = ["a", "b"].map(|name| format!("{prefix}probe:{name}"));
        Self { keys, prefix: prefix.to_owned(), is_sure }
    }

    /// The same of two keys in one slot of a cluster, which this node has; and the slot. None if there is no such key with this prefix.
    pub(super) fn on(&self, has: impl Fn(u16) -> bool) -> Option<(u16, Self)> {
        // A node that has one slot of all is found by so many.
        let tries = if is_one_slot(self.prefix.as_bytes()) { 1 } else { 20 * u32::from(SLOTS) };
        (0..tries).find_map(|number| {
            let keys = ["a", "b"].map(|name| format!("{}{{probe{number}}}:{name}", self.prefix));
            let slot = slot(keys[0].as_bytes());
            has(slot).then(|| (slot, Self { keys, prefix: self.prefix.clone(), is_sure: self.is_sure }))
        })
    }

    pub(super) fn commands(&self) -> Pipeline {
        let mut commands = Pipeline::with_capacity(NAMES.len());
        self.all().for_each(|command| {
            commands.add_command(command);
        });
        commands
    }

    /// The commands one by one; what each answers, [`read`](Self::read) takes.
    pub(super) fn all(&self) -> impl Iterator<Item = Cmd> {
        let script = |by| {
            let script: &Script = &PROBE;
            let mut command = script.command(by, self.keys.len());
            command.arg(&self.keys);
            command
        };
        let with = |name: &str, keys: &[String]| {
            let mut command = cmd(name);
            command.arg(keys);
            command
        };
        let mut limit = cmd("CONFIG");
        limit.arg("GET").arg("proto-max-bulk-len");
        [
            script(By::Source),
            script(By::Hash),
            with("MGET", &self.keys),
            with("PTTL", &self.keys[..1]),
            cmd("TIME"),
            cmd("PING"),
            limit,
        ]
        .into_iter()
    }

    /// The longest value that the server at `name` takes, where it tells; or why it cannot be used.
    pub(super) fn read(&self, answers: Vec<Value>, name: &str, user: &str) -> Result<Option<u64>, Refusal> {
        let mut missing = Vec::new();
        let mut limit = None;
        for (command, answer) in NAMES.iter().zip(answers) {
            match answer {
                Value::ServerError(error) if *command == LIMIT => drop(error),
                Value::ServerError(error) => match Fitness::of_answer(error.code(), error.details().unwrap_or_default()) {
                    Fitness::Unknown => {
                        return Err(Refusal(format!("the Redis server at {name} answered {}", error.code())));
                    }
                    fitness => self.note(fitness, command, name, user, &mut missing)?,
                },
                Value::Array(refused) if *command == "EVAL" => {
                    for refused in refused {
                        self.look_at(&refused, name, user, &mut missing)?;
                    }
                }
                Value::Array(answer) if *command == LIMIT => limit = number(answer.last()),
                // RESP3 has it so.
                Value::Map(answer) if *command == LIMIT => limit = number(answer.last().map(|(_, value)| value)),
                _ => {}
            }
        }
        if missing.is_empty() {
            return Ok(limit);
        }
        let rules: Vec<_> = missing.iter().map(|command| format!("+{}", command.to_lowercase())).collect();
        Err(Refusal(format!(
            "the Redis user `{user}` at {name} may not run {}, which sessions need: ACL SETUSER {user} {}",
            missing.join(", "),
            rules.join(" ")
        )))
    }

    /// What the script says of one command that was refused to it: its name, and the error.
    fn look_at(&self, refused: &Value, name: &str, user: &str, missing: &mut Vec<String>) -> Result<(), Refusal> {
        let text = match refused {
            Value::BulkString(text) => String::from_utf8_lossy(text).into_owned(),
            Value::SimpleString(text) => text.clone(),
            _ => return Ok(()),
        };
        let (command, said) = text.split_once(' ').unwrap_or((&text, ""));
        self.note(Fitness::in_script(said), command, name, user, missing)
    }

    fn note(&self, fitness: Fitness, command: &str, name: &str, user: &str, missing: &mut Vec<String>) -> Result<(), Refusal> {
        match fitness {
            Fitness::Replica => Err(is_replica(name)),
            Fitness::OfCluster => Err(is_cluster(name)),
            Fitness::OtherKeys if self.is_sure => Err(self.other_keys(name, user)),
            Fitness::Fit | Fitness::OtherKeys => Ok(()),
            Fitness::NoCommand | Fitness::Unknown => {
                missing.push(command.to_owned());
                Ok(())
            }
        }
    }

    fn other_keys(&self, name: &str, user: &str) -> Refusal {
        let prefix = &self.prefix;
        Refusal(format!(
            "the Redis user `{user}` at {name} may not use keys that begin with `{prefix}`: ACL SETUSER {user} ~{prefix}*"
        ))
    }
}

const LIMIT: &str = "CONFIG";
const NAMES: [&str; 7] = ["EVAL", "EVALSHA", "MGET", "PTTL", "TIME", "PING", LIMIT];

fn is_replica(name: &str) -> Refusal {
    Refusal(format!("the Redis server at {name} is a read-only replica: sessions need the primary"))
}

fn is_cluster(name: &str) -> Refusal {
    Refusal(format!(
        "the Redis server at {name} is a node of a cluster: connect by `redis+cluster://`, or `RedisStore::connect_cluster`"
    ))
}

fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::BulkString(text) => str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    /// What a sound server answers.
    const SOUND: [&str; 7] =
        ["*0", "*0", "*2\r\n$-1\r\n$-1", ":-2", "*2\r\n$1\r\n1\r\n$1\r\n2", "+PONG", "*2\r\n$1\r\nx\r\n$7\r\n1048576"];

    fn read(probe: &Probe, lines: [&str; 7]) -> Result<Option<u64>, String> {
        let answers = lines.map(|line| parse_redis_value(format!("{line}\r\n").as_bytes()).unwrap());
        probe.read(answers.to_vec(), "db:6379", "app").map_err(|refusal| refusal.0)
    }

    /// With this answer to one of the commands.
    fn with(place: usize, line: &str, is_sure: bool) -> Result<Option<u64>, String> {
        let mut lines = SOUND;
        lines[place] = line;
        read(&Probe::of("shop:", is_sure), lines)
    }

    fn refused_in_script(text: &str) -> String {
        format!("*1\r\n${}\r\n{text}", text.len())
    }

    #[test]
    fn a_sound_server_tells_the_longest_value_that_it_takes() {
        assert_eq!(read(&Probe::of("shop:", true), SOUND), Ok(Some(1_048_576)));
        assert_eq!(with(6, "%1\r\n$1\r\nx\r\n$7\r\n2097152", true), Ok(Some(2_097_152)), "with `?protocol=3`");
        assert_eq!(with(6, "%0", true), Ok(None));
        assert_eq!(with(6, "-NOPERM this user has no permissions to run the 'config|get' command", true), Ok(None));
        assert_eq!(Probe::of("a", true).commands().len(), SOUND.len());
    }

    #[test]
    fn what_a_server_is_is_told_by_its_refusals() {
        let readonly = refused_in_script("SET READONLY You can't write against a read only replica.");
        let del = refused_in_script("DEL ERR The user executing the script can't run this command or subcommand");
        for (place, line, said) in [
            (0, "-CROSSSLOT Keys in request don't hash to the same slot", "is a node of a cluster"),
            (0, "-MOVED 1 127.0.0.1:7000", "is a node of a cluster"),
            (0, "-CLUSTERDOWN Hash slot not served", "is a node of a cluster"),
            (0, readonly.as_str(), "db:6379 is a read-only replica"),
            (0, "-LOADING Redis is loading the dataset in memory", "answered LOADING"),
            (0, "-NOPERM this user has no permissions to run the 'eval' command", "may not run EVAL, which"),
            (1, "-ERR unknown command 'EVALSHA'", "may not run EVALSHA, which"),
            (2, "-NOPERM this user has no permissions to run the 'mget' command", "ACL SETUSER app +mget"),
            (0, del.as_str(), "`app` at db:6379 may not run DEL"),
            (
                0,
                "-NOPERM this user has no permissions to access one of the keys used as arguments",
                "keys that begin with `shop:`",
            ),
        ] {
            let refusal = with(place, line, true).unwrap_err();
            assert!(refusal.contains(said), "{line}: {refusal}");
        }
    }

    #[test]
    fn a_server_that_is_full_or_whose_keys_are_not_known_yet_is_not_refused() {
        let full = refused_in_script("SET OOM command not allowed when used memory > 'maxmemory'.");
        let keys = refused_in_script("SET ERR The user executing the script can't access at least one of the keys mentioned");
        for (line, is_sure) in [
            (full.as_str(), true),
            ("-OOM command not allowed", true),
            ("-MISCONF Redis is configured to save RDB snapshots", true),
            ("-NOREPLICAS Not enough good replicas to write.", true),
            ("-NOPERM this user has no permissions to access one of the keys used as arguments", false),
            (keys.as_str(), false),
        ] {
            assert_eq!(with(0, line, is_sure), Ok(Some(1_048_576)), "{line}");
        }
    }
}
