//! A Cluster of a test's own.

use crate::server::{Server, until};

/// Six servers: three masters, each with a replica.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        let servers: Vec<Server> = (0..6).map(|_| Server::start(&settings)).collect();
        let addresses: Vec<String> = servers
            .iter()
            .map(|server| format!("127.0.0.1:{}", server.port))
            .collect();
        let mut words: Vec<&str> = vec!["--cluster", "create"];
        words.extend(addresses.iter().map(String::as_str));
        words.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        let made = servers[0].ask(&words);
        assert!(made.contains("All 16384 slots covered"), "{made}");
        let cluster = Self { servers };
        for server in &cluster.servers {
            until(|| {
                server
                    .ask(&["CLUSTER", "INFO"])
                    .contains("cluster_state:ok")
            });
        }
        cluster
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self
            .servers
            .iter()
            .map(|server| format!("127.0.0.1:{}", server.port))
            .collect();
        format!("redis-cluster://{}", hosts.join(","))
    }
}
