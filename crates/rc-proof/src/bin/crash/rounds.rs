//! `kill -9` and `kill -STOP` at each point of each deed.

use std::time::Duration;

use rc_auth::GrantKey;

use crate::{child::Deed, points::How, stage::Stage};

/// What came of all rounds at one point.
#[derive(Default)]
struct Tally {
    /// The longest time that the user waited after the process had died.
    longest: Duration,
    /// How often the deed did not come by the point.
    missed: u32,
    wrong: Vec<String>,
}

/// # Errors
///
/// When the stage breaks down.
pub(crate) async fn kill(store: &str, rounds: u32) -> Result<bool, String> {
    let stage = Stage::set(store).await?;
    let (mut points, mut killed) = (0, 0);
    let mut lost = 0;
    for deed in [Deed::Sweep, Deed::SignIn, Deed::Refresh, Deed::SignOut] {
        for at in points_of(&stage, deed).await? {
            let mut tally = Tally::default();
            for round in 0..rounds {
                let key = format!("{deed:?} {at} {round}");
                one_kill(&stage, deed, &at, &key, &mut tally).await?;
            }
            points += 1;
            killed += rounds - tally.missed;
            lost += tally.wrong.len();
            print(deed, &at, rounds, &tally);
        }
    }
    println!("{points} points, {killed} processes killed: {lost} times something was lost");
    let counters = stage.server.platform().counters(stage.server.now());
    println!("{} token requests", counters.token_refresh.received);
    // Where nobody was killed nothing was shown.
    Ok(lost == 0 && killed > 0)
}

fn print(deed: Deed, at: &str, rounds: u32, tally: &Tally) {
    let longest = tally.longest.as_millis();
    let deed = format!("{deed:?}");
    let killed = rounds - tally.missed;
    println!("{deed:<8} {at:<24} {killed} times, user served {longest} ms after it at the latest");
    for wrong in &tally.wrong {
        println!("BROKEN   {wrong}");
    }
}

/// The points that a deed passes when nothing happens.
async fn points_of(stage: &Stage, deed: Deed) -> Result<Vec<String>, String> {
    let key = format!("{deed:?} told");
    prepare(stage, deed, &key).await?;
    let mut process = stage.start(&key, deed, How::Tell, "")?;
    let said = process.listen(stage, None).await?;
    if said.last().is_none_or(|last| last != "done") {
        return Err(format!(
            "{deed:?} is not done although nobody was killed: {said:?}"
        ));
    }
    let points = said.iter().filter_map(|line| line.strip_prefix("point "));
    // A sweep looks at other records too, as many as are due.
    let points = points.filter(|point| deed != Deed::Sweep || !point.contains('#'));
    Ok(points.map(str::to_owned).collect())
}

/// What has to be there before a deed: somebody is signed in, and before a sweep a refresh was begun whose process
/// has died.
async fn prepare(stage: &Stage, deed: Deed, key: &str) -> Result<(), String> {
    stage.sign_in(key).await?;
    if deed == Deed::Sweep {
        let at = "after refresh";
        let mut process = stage.start(key, Deed::Refresh, How::Kill, at)?;
        process.listen(stage, None).await?;
    }
    Ok(())
}

async fn one_kill(
    stage: &Stage,
    deed: Deed,
    at: &str,
    key: &str,
    tally: &mut Tally,
) -> Result<(), String> {
    prepare(stage, deed, key).await?;
    let mut process = stage.start(key, deed, How::Kill, at)?;
    let said = process.listen(stage, None).await?;
    if said.iter().any(|line| line == "done") {
        tally.missed += 1;
    }
    if deed == Deed::SignOut {
        is_over(stage, key, at, tally).await;
        return Ok(());
    }
    stage.expire_access_tokens();
    match stage.is_served(key).await {
        Ok(time) => tally.longest = tally.longest.max(time),
        Err(error) => tally.wrong.push(format!("{key}: {error}")),
    }
    if deed == Deed::SignIn
        && let Err(error) = stage.sign_in(key).await
    {
        tally
            .wrong
            .push(format!("{key}: cannot sign in again: {error}"));
    }
    Ok(())
}

/// A sign-out that was killed is either not begun, or final; and signing out once more ends it.
async fn is_over(stage: &Stage, key: &str, at: &str, tally: &mut Tally) {
    let is_written = stage.is_served(key).await.is_err();
    if at.contains("revocation") && !is_written {
        tally
            .wrong
            .push(format!("{key}: served after the sign-out was written"));
    }
    let grant = stage.client.grant(&GrantKey::new(key));
    if let Err(error) = grant.sign_out().await {
        tally.wrong.push(format!("{key}: {error}"));
    }
    if stage.is_served(key).await.is_ok() {
        tally
            .wrong
            .push(format!("{key}: served after signing out twice"));
    }
}

/// # Errors
///
/// When the stage breaks down.
pub(crate) async fn stop(store: &str, rounds: u32) -> Result<bool, String> {
    let stage = Stage::set(store).await?;
    let mut wrong = Vec::new();
    let mut stopped = 0;
    for at in points_of(&stage, Deed::Refresh).await? {
        let mut missed = 0;
        for round in 0..rounds {
            let key = format!("stop {at} {round}");
            stage.sign_in(&key).await?;
            match one_stop(&stage, &at, &key).await? {
                Some(told) => wrong.extend(told),
                None => missed += 1,
            }
        }
        stopped += rounds - missed;
        println!("stopped {at}, {} times", rounds - missed);
    }
    wrong.iter().for_each(|wrong| println!("BROKEN   {wrong}"));
    println!(
        "{stopped} processes stopped and taken over: {} times something was wrong",
        wrong.len()
    );
    Ok(wrong.is_empty() && stopped > 0)
}

/// Stops a process in its refresh, has it taken over, and lets it go on; what was wrong. `None`: it did not come by
/// that point.
async fn one_stop(stage: &Stage, at: &str, key: &str) -> Result<Option<Vec<String>>, String> {
    let mut wrong = Vec::new();
    let mut process = stage.start(key, Deed::Refresh, How::Stop, at)?;
    let said = process.listen(stage, Some("stops")).await?;
    if said.last().is_none_or(|line| line != "stops") {
        return Ok(None);
    }
    process.stands_still().await?;
    stage.expire_access_tokens();
    if let Err(error) = stage.is_served(key).await {
        wrong.push(format!("{key}: while it was stopped: {error}"));
    }
    process.signal("-CONT").await?;
    let said = process.listen(stage, None).await?;
    // Before that nobody has taken anything over, and it may read and begin.
    let has_begun = !at.contains("load") && at != "before save refreshing";
    let late = said.iter().find(|line| line.starts_with("saved "));
    if let Some(late) = late.filter(|_| has_begun) {
        wrong.push(format!("{key}: a stale write after it went on: {late}"));
    }
    if let Err(error) = stage.is_served(key).await {
        wrong.push(format!("{key}: after it went on: {error}"));
    }
    Ok(Some(wrong))
}
