//! The next members of 64 sorted sets, merged.

use redis::{Cmd, Value, cmd, from_redis_value};

use crate::{
    fault::Fault,
    names::{TAGS, Tag},
    servers::{Servers, WrongKind},
};

/// What is asked of each set beyond its share, so that most pages need one round.
const SPARE: usize = 6;

/// What is known of one set.
struct Part {
    tag: Tag,
    members: Vec<String>,
    /// There is no more in the range.
    ended: bool,
}

impl Part {
    /// Whether members that are not known yet could come before `cutoff`.
    fn lacks(&self, cutoff: Option<&str>) -> bool {
        match (cutoff, self.members.last()) {
            _ if self.ended => false,
            (Some(cutoff), Some(last)) => last.as_str() < cutoff,
            _ => true,
        }
    }
}

/// At most `limit` members from `from` (as `ZRANGEBYLEX` writes bounds) to `to`, in order.
pub(crate) async fn next(
    servers: &Servers,
    name: impl Fn(Tag) -> String,
    from: &str,
    to: &str,
    limit: usize,
) -> Result<Vec<String>, Fault> {
    let mut parts: Vec<Part> = Tag::all()
        .map(|tag| Part {
            tag,
            members: Vec::new(),
            ended: limit == 0,
        })
        .collect();
    let mut chunk = limit.min(limit.div_ceil(TAGS) + SPARE);
    loop {
        let mut merged: Vec<&String> = parts.iter().flat_map(|part| &part.members).collect();
        merged.sort_unstable();
        let cutoff = limit.checked_sub(1).and_then(|last| merged.get(last));
        let cutoff = cutoff.map(|member| member.as_str());
        let lacking: Vec<usize> = (0..parts.len())
            .filter(|number| parts[*number].lacks(cutoff))
            .collect();
        if lacking.is_empty() {
            return Ok(merged.into_iter().take(limit).cloned().collect());
        }
        let asked: Vec<(Tag, Cmd)> = lacking
            .iter()
            .map(|number| question(&parts[*number], &name, from, to, chunk))
            .collect();
        let answers = servers.read(&asked).await?;
        for (number, answer) in lacking.into_iter().zip(answers) {
            let members = members(answer)?;
            let part = &mut parts[number];
            part.ended = members.len() < chunk;
            part.members.extend(members);
        }
        chunk = limit.min(chunk * 4);
    }
}

fn question(
    part: &Part,
    name: impl Fn(Tag) -> String,
    from: &str,
    to: &str,
    chunk: usize,
) -> (Tag, Cmd) {
    let from = match part.members.last() {
        Some(last) => format!("({last}"),
        None => from.to_owned(),
    };
    let mut command = cmd("ZRANGEBYLEX");
    command.arg(name(part.tag)).arg(from).arg(to);
    command.arg("LIMIT").arg(0).arg(chunk);
    (part.tag, command)
}

fn members(answer: Result<Value, WrongKind>) -> Result<Vec<String>, Fault> {
    let answer = answer.map_err(|WrongKind| Fault::unexpected("an index is no sorted set"))?;
    from_redis_value(answer).map_err(|_| Fault::unexpected("an index holds no text"))
}
