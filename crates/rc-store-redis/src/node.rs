//! One server, and the one connection to it that all calls share.

use std::{fmt, time::Duration};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisError, RedisResult, Value, aio::MultiplexedConnection,
};
use tokio::sync::Mutex;

use crate::fault::Fault;

/// A server that does not take a connection in this time is down for the caller.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// Redis answers in milliseconds. No answer after this time is a lost connection, and there is time left
/// to ask once more.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);

/// Host and port.
pub(crate) type Address = (String, u16);

/// Opens a connection when it is first needed, and again after one was lost.
pub(crate) struct Node {
    address: Address,
    login: RedisConnectionInfo,
    /// A key that is asked of each new connection to see whether its server takes writes.
    probe: Option<String>,
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    /// Which connection it is, so that only the lost one is given up.
    number: u64,
    connection: Option<MultiplexedConnection>,
}

impl Node {
    pub(crate) fn new(address: Address, login: RedisConnectionInfo, probe: Option<String>) -> Self {
        Self {
            address,
            login,
            probe,
            live: Mutex::default(),
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn client(&self) -> RedisResult<Client> {
        let (host, port) = self.address.clone();
        let info = ConnectionAddr::Tcp(host, port).into_connection_info()?;
        Client::open(info.set_redis_settings(self.login.clone()))
    }

    /// One command.
    pub(crate) async fn one(&self, command: &Cmd) -> Result<Value, Fault> {
        let (number, mut connection) = self.connection().await?;
        let answer = command.query_async(&mut connection).await;
        self.judged(number, answer).await
    }

    /// Several commands at once; each has an answer of its own.
    pub(crate) async fn many(&self, commands: &[&Cmd]) -> Result<Vec<RedisResult<Value>>, Fault> {
        let (number, mut connection) = self.connection().await?;
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command((*command).clone());
        }
        pipeline.ignore_errors();
        let answers = pipeline.query_async(&mut connection).await;
        self.judged(number, answers).await
    }

    async fn judged<T>(&self, number: u64, answer: Result<T, RedisError>) -> Result<T, Fault> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let fault = Fault::sent(&error);
                if fault.elsewhere() {
                    self.give_up(number).await;
                }
                Err(fault)
            }
        }
    }

    async fn give_up(&self, number: u64) {
        let mut live = self.live.lock().await;
        if live.number == number {
            live.connection = None;
        }
    }

    /// Lets go of the connection, whichever it is.
    pub(crate) async fn disconnect(&self) {
        self.live.lock().await.connection = None;
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection), Fault> {
        let mut live = self.live.lock().await;
        if let Some(connection) = &live.connection {
            return Ok((live.number, connection.clone()));
        }
        let connection = self.open().await?;
        live.number += 1;
        live.connection = Some(connection.clone());
        Ok((live.number, connection))
    }

    async fn open(&self) -> Result<MultiplexedConnection, Fault> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_LIMIT))
            .set_response_timeout(Some(ANSWER_LIMIT));
        let client = self.client().map_err(|error| Fault::unsent(&error))?;
        let opened = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        let mut connection = opened.map_err(|error| Fault::unsent(&error))?;
        if let Some(probe) = &self.probe {
            let taken: RedisResult<Value> = probing(probe).query_async(&mut connection).await;
            if let Err(error) = taken {
                let fault = Fault::unsent(&error);
                // Others, such as a full memory, hinder writes alone, and say so then.
                if matches!(fault.code(), "READONLY" | "MASTERDOWN" | "LOADING" | "") {
                    return Err(fault);
                }
            }
        }
        Ok(connection)
    }
}

/// A write that a server refuses where it takes none, and that changes nothing: the key does not exist.
pub(crate) fn probing(key: &str) -> Cmd {
    let mut command = redis::cmd("SET");
    command.arg(key).arg("").arg("XX");
    command
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
