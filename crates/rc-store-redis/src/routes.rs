//! Which server has which tag.

use std::{collections::HashMap, sync::Arc};

use redis::{RedisConnectionInfo, Value, cmd, from_redis_value};

use crate::{
    fault::Fault,
    names::{Names, Tag},
    node::{Address, Node},
    url::{Kind, Target},
};

/// The masters, and for each tag the one that has it.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    pub(crate) nodes: Vec<Arc<Node>>,
    of_tag: Vec<usize>,
}

impl Routes {
    /// The number of the node that has this tag.
    pub(crate) fn index(&self, tag: Tag) -> usize {
        self.of_tag[tag.index()]
    }

    pub(crate) fn node(&self, tag: Tag) -> &Arc<Node> {
        &self.nodes[self.index(tag)]
    }

    fn one(node: Arc<Node>) -> Self {
        Self {
            nodes: vec![node],
            of_tag: Tag::all().map(|_| 0).collect(),
        }
    }
}

/// Asks who the masters are. Nodes that were known before keep their connections.
pub(crate) async fn find(
    target: &Target,
    names: &Names,
    known: &[Arc<Node>],
) -> Result<Routes, Fault> {
    match &target.kind {
        Kind::Single => {
            let address = target.seeds.first().cloned();
            let address = address.ok_or_else(|| Fault::no_server("the URL names no server"))?;
            Ok(Routes::one(taken(address, target, Some(names), known)))
        }
        Kind::Sentinel { service } => {
            let address = master(target, service).await?;
            Ok(Routes::one(taken(address, target, Some(names), known)))
        }
        Kind::Cluster => cluster(target, known).await,
    }
}

fn taken(
    address: Address,
    target: &Target,
    probed: Option<&Names>,
    known: &[Arc<Node>],
) -> Arc<Node> {
    let before = known.iter().find(|node| *node.address() == address);
    before.cloned().unwrap_or_else(|| {
        let tag = Tag::all().next();
        let probe = probed.zip(tag).map(|(names, tag)| names.probe(tag));
        Arc::new(Node::new(address, target.login.clone(), probe))
    })
}

/// The first Sentinel that knows the service says where its master is.
async fn master(target: &Target, service: &str) -> Result<Address, Fault> {
    let mut fault = Fault::no_server("no Sentinel knows the service");
    let mut question = cmd("SENTINEL");
    question.arg("get-master-addr-by-name").arg(service);
    for seed in &target.seeds {
        // Sentinels have no databases and, mostly, no users.
        let sentinel = Node::new(seed.clone(), RedisConnectionInfo::default(), None);
        match sentinel.one(&question).await {
            Ok(Value::Nil) => {}
            Ok(answer) => {
                let found: Result<(String, u16), _> = from_redis_value(answer);
                match found {
                    Ok(address) => return Ok(address),
                    Err(_) => fault = Fault::no_server("a Sentinel's answer names no address"),
                }
            }
            Err(error) => fault = error,
        }
    }
    Err(fault)
}

/// The first server of the Cluster that answers says who has which slots.
async fn cluster(target: &Target, known: &[Arc<Node>]) -> Result<Routes, Fault> {
    let mut fault = Fault::no_server("no server of the Cluster answers");
    let seeds = target.seeds.iter();
    let seeds = seeds.map(|seed| taken(seed.clone(), target, None, known));
    for node in known.iter().cloned().chain(seeds) {
        match node.one(cmd("CLUSTER").arg("SLOTS")).await {
            Ok(answer) => match routes(answer, node.address(), target, known) {
                Some(routes) => return Ok(routes),
                None => fault = Fault::no_server("the Cluster has slots that no server serves"),
            },
            Err(error) => fault = error,
        }
    }
    Err(fault)
}

fn routes(answer: Value, asked: &Address, target: &Target, known: &[Arc<Node>]) -> Option<Routes> {
    let ranges = ranges(answer, asked)?;
    let mut nodes: Vec<Arc<Node>> = Vec::new();
    let mut numbers: HashMap<Address, usize> = HashMap::new();
    let mut of_tag = Vec::new();
    for tag in Tag::all() {
        let slot = tag.slot();
        let range = ranges
            .iter()
            .find(|(from, to, _)| (*from..=*to).contains(&slot));
        let (_, _, address) = range?;
        let number = *numbers.entry(address.clone()).or_insert_with(|| {
            nodes.push(taken(address.clone(), target, None, known));
            nodes.len() - 1
        });
        of_tag.push(number);
    }
    Some(Routes { nodes, of_tag })
}

/// First slot, last slot, and the master that has them.
fn ranges(answer: Value, asked: &Address) -> Option<Vec<(u16, u16, Address)>> {
    let mut ranges = Vec::new();
    for range in array(answer)? {
        let mut parts = array(range)?.into_iter();
        let from = from_redis_value(parts.next()?).ok()?;
        let to = from_redis_value(parts.next()?).ok()?;
        let mut master = array(parts.next()?)?.into_iter();
        let host: Option<String> = from_redis_value(master.next()?).ok()?;
        let port = from_redis_value(master.next()?).ok()?;
        // No name: the one that was used to ask.
        let host = host.filter(|host| !host.is_empty() && host != "?");
        let host = host.unwrap_or_else(|| asked.0.clone());
        ranges.push((from, to, (host, port)));
    }
    Some(ranges)
}

fn array(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values),
        _ => None,
    }
}
