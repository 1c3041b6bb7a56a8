//! Sends commands to the servers that have their tags.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::try_join_all;
use redis::{Cmd, RedisError, RedisResult, Value, cmd};

use crate::{
    fault::Fault,
    names::{Names, Tag},
    node::{Node, probing},
    routes::{self, Routes},
    script::Call,
    url::{Kind, Target},
};

/// A call asks this many times: the server that was known, the one that has followed it, and once more.
const TRIES: usize = 3;

/// A value of a kind that is not asked for: somebody else has written the key.
pub(crate) struct WrongKind;

/// What a write answered.
pub(crate) struct Answer {
    pub(crate) value: i64,
    /// It was sent twice, because the first answer was lost; so a conflict may be its own doing.
    pub(crate) repeated: Option<Fault>,
}

/// All servers of a URL.
#[derive(Debug)]
pub(crate) struct Servers {
    target: Target,
    pub(crate) names: Names,
    routes: Mutex<Option<Arc<Routes>>>,
    stale: AtomicBool,
    finding: tokio::sync::Mutex<()>,
}

impl Servers {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            names: Names::new(&target.prefix),
            target,
            routes: Mutex::default(),
            stale: AtomicBool::new(true),
            finding: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.target.kind
    }

    fn known(&self) -> Option<Arc<Routes>> {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        routes.clone()
    }

    /// Who has what; asked again after a server was not the right one.
    pub(crate) async fn routes(&self) -> Result<Arc<Routes>, Fault> {
        if !self.stale.load(Ordering::Acquire)
            && let Some(routes) = self.known()
        {
            return Ok(routes);
        }
        let _one_at_a_time = self.finding.lock().await;
        let known = self.known();
        if let (false, Some(routes)) = (self.stale.load(Ordering::Acquire), &known) {
            return Ok(Arc::clone(routes));
        }
        let nodes = known.as_ref().map_or(&[][..], |routes| &routes.nodes);
        let found = routes::find(&self.target, &self.names, nodes).await?;
        let found = Arc::new(found);
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        *routes = Some(Arc::clone(&found));
        self.stale.store(false, Ordering::Release);
        Ok(found)
    }

    /// The routes may have changed: the next call asks for them.
    pub(crate) fn look_again(&self) {
        self.stale.store(true, Ordering::Release);
    }

    /// Whether it is worth another try, now that the routes will be asked for again.
    fn again(&self, fault: &Fault, attempt: usize) -> bool {
        if fault.elsewhere() {
            self.look_again();
        }
        // The only server there is does not answer sooner for being asked again.
        let hopeless = fault.unconnected() && self.target.kind == Kind::Single;
        fault.elsewhere() && !hopeless && attempt + 1 < TRIES
    }

    /// Reads, each with the tag of its key; the answers are in the same order.
    pub(crate) async fn read(
        &self,
        commands: &[(Tag, Cmd)],
    ) -> Result<Vec<Result<Value, WrongKind>>, Fault> {
        let mut attempt = 0;
        loop {
            let fault = match self.read_once(commands).await {
                Ok(answers) => return Ok(answers),
                Err(fault) => fault,
            };
            if !self.again(&fault, attempt) {
                return Err(fault);
            }
            attempt += 1;
        }
    }

    async fn read_once(
        &self,
        commands: &[(Tag, Cmd)],
    ) -> Result<Vec<Result<Value, WrongKind>>, Fault> {
        let routes = self.routes().await?;
        let mut parts: Vec<Vec<usize>> = vec![Vec::new(); routes.nodes.len()];
        for (place, (tag, _)) in commands.iter().enumerate() {
            parts[routes.index(*tag)].push(place);
        }
        let parts = routes.nodes.iter().zip(&parts);
        let asked = parts
            .filter(|(_, part)| !part.is_empty())
            .map(async |(node, part)| {
                let commands: Vec<&Cmd> = part.iter().map(|place| &commands[*place].1).collect();
                let answers = node.many(&commands).await?;
                let mut placed = Vec::with_capacity(part.len());
                for ((place, command), answer) in part.iter().zip(commands).zip(answers) {
                    placed.push((*place, self.judged(node, command, answer).await?));
                }
                Ok::<_, Fault>(placed)
            });
        let mut answers: Vec<_> = try_join_all(asked).await?.into_iter().flatten().collect();
        if answers.len() != commands.len() {
            return Err(Fault::unexpected(
                "the Redis server answered too few commands",
            ));
        }
        answers.sort_unstable_by_key(|(place, _)| *place);
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// The answer of one command among others.
    async fn judged(
        &self,
        node: &Node,
        command: &Cmd,
        answer: RedisResult<Value>,
    ) -> Result<Result<Value, WrongKind>, Fault> {
        match answer {
            Ok(value) => Ok(Ok(value)),
            Err(error) if error.code() == Some("WRONGTYPE") => Ok(Err(WrongKind)),
            Err(error) if error.code() == Some("ASK") => self.asking(&error, command).await.map(Ok),
            Err(error) => {
                let fault = Fault::sent(&error);
                if fault.elsewhere() {
                    node.disconnect().await;
                }
                Err(fault)
            }
        }
    }

    /// Asks the server that a slot is moving to, once.
    async fn asking(&self, redirection: &RedisError, command: &Cmd) -> Result<Value, Fault> {
        let address = redirection.redirect_node();
        let Some((host, port)) = address.and_then(|(address, _)| address.rsplit_once(':')) else {
            return Err(Fault::sent(redirection));
        };
        let Ok(port) = port.parse() else {
            return Err(Fault::sent(redirection));
        };
        let address = (host.to_owned(), port);
        let node = Node::new(address, self.target.login.clone(), None);
        let answers = node.many(&[&cmd("ASKING"), command]).await?;
        match answers.into_iter().nth(1) {
            Some(answer) => answer.map_err(|error| Fault::sent(&error)),
            None => Err(Fault::unexpected(
                "the Redis server answered too few commands",
            )),
        }
    }

    /// One script. What was refused is sent again where it may be taken; what may have been done is sent
    /// again once, and only if the script knows its own work (`repeatable`).
    pub(crate) async fn write(
        &self,
        tag: Tag,
        call: &Call<'_>,
        repeatable: bool,
    ) -> Result<Answer, Fault> {
        if !repeatable {
            self.wake(tag).await?;
        }
        let mut repeated = None;
        let mut attempt = 0;
        loop {
            let fault = match self.write_once(tag, call).await {
                Ok(value) => return Ok(Answer { value, repeated }),
                Err(fault) => fault,
            };
            let lost = !fault.not_written();
            let again = self.again(&fault, attempt);
            if !again || (lost && (!repeatable || repeated.is_some())) {
                // The first one may have been done, whatever has become of the second.
                return Err(repeated.unwrap_or(fault));
            }
            if lost {
                repeated = Some(fault);
            }
            attempt += 1;
        }
    }

    /// Has the server of a tag answer first, so that a write that cannot be repeated does not go over a
    /// connection that is dead already.
    ///
    /// An answer that is an error is left to the write, which says what it means there. A server that takes no
    /// connection ends the call at once: nothing was sent, and asking it again would use up the caller's time.
    async fn wake(&self, tag: Tag) -> Result<(), Fault> {
        let mut attempt = 0;
        loop {
            let answered = match self.routes().await {
                Ok(routes) => routes.node(tag).one(&cmd("PING")).await.map(drop),
                Err(fault) => Err(fault),
            };
            let Err(fault) = answered else { return Ok(()) };
            if !self.again(&fault, attempt) {
                return if fault.unconnected() {
                    Err(fault)
                } else {
                    Ok(())
                };
            }
            attempt += 1;
        }
    }

    async fn write_once(&self, tag: Tag, call: &Call<'_>) -> Result<i64, Fault> {
        let routes = self.routes().await?;
        let node = routes.node(tag);
        let mut answer = self.one(node, &call.short()).await;
        if answer
            .as_ref()
            .is_err_and(|fault| fault.code() == "NOSCRIPT")
        {
            answer = self.one(node, &call.whole()).await;
        }
        match answer? {
            Value::Int(value) => Ok(value),
            _ => Err(Fault::unexpected("the Redis server answered no number")),
        }
    }

    async fn one(&self, node: &Node, command: &Cmd) -> Result<Value, Fault> {
        let mut answers = node.many(&[command]).await?;
        let Some(answer) = answers.pop() else {
            return Err(Fault::unexpected("the Redis server answered nothing"));
        };
        match self.judged(node, command, answer).await? {
            Ok(value) => Ok(value),
            Err(WrongKind) => Err(Fault::unexpected(
                "a key of this store holds a value of another kind",
            )),
        }
    }

    /// Whether every master takes writes.
    pub(crate) async fn probe(&self) -> Result<(), Fault> {
        let mut attempt = 0;
        loop {
            let fault = match self.probe_once().await {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            if !self.again(&fault, attempt) {
                return Err(fault);
            }
            attempt += 1;
        }
    }

    async fn probe_once(&self) -> Result<(), Fault> {
        let routes = self.routes().await?;
        let asked = routes.nodes.iter().enumerate().map(async |(number, node)| {
            let Some(tag) = Tag::all().find(|tag| routes.index(*tag) == number) else {
                return Ok(());
            };
            let probe = probing(&self.names.probe(tag));
            self.one(node, &probe).await.map(|_nothing| ())
        });
        try_join_all(asked).await?;
        Ok(())
    }
}
