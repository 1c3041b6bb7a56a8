//! Where the kit finds its server.

use std::env;

use rc_store::{RecordKey, Version};
use redis::{FromRedisValue, aio::MultiplexedConnection};

pub(crate) const HOW_TO_START: &str = "no Redis server answers; start one and name it in RC_TEST_REDIS_URL \
    (default: redis://127.0.0.1:6379), or leave out the feature `server-tests`";

fn server() -> String {
    env::var("RC_TEST_REDIS_URL").unwrap_or("redis://127.0.0.1:6379".into())
}

/// A prefix of the test's own; its keys are deleted with it.
pub(crate) struct Place {
    prefix: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let version = Version::random().expect("random bytes");
        let number = u128::from_be_bytes(*version.as_bytes());
        Self {
            prefix: format!("rc-test-{number:032x}:"),
        }
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/?prefix={}", server(), self.prefix)
    }

    /// The name of a record, as the README has it.
    pub(crate) fn record(&self, key: &RecordKey) -> String {
        let tag = key.as_bytes()[0] & 63;
        format!("{}{{{tag}}}:r:{}", self.prefix, key.to_hex())
    }

    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(server()).expect("a URL");
        let opened = client.get_multiplexed_async_connection().await;
        opened.expect(HOW_TO_START)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let client = redis::Client::open(server()).expect("a URL");
        let mut server = client.get_connection().expect(HOW_TO_START);
        let script = "\
            local found = redis.call('KEYS', ARGV[1]) \
            for i = 1, #found do redis.call('DEL', found[i]) end return #found";
        let mut delete = redis::cmd("EVAL");
        delete.arg(script).arg(0).arg(format!("{}*", self.prefix));
        let _deleted: i64 = delete.query(&mut server).expect("deletes");
    }
}

/// One command of an administrator.
pub(crate) async fn command<T: FromRedisValue>(
    server: &mut MultiplexedConnection,
    words: &[&str],
) -> T {
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command.query_async(server).await.expect("an answer")
}
