//! From one store to another.

use rc_auth::store::copy::{CopyError, Pass, StoreCopy};

use super::{OperatorError, open_existing, progress::Progress};
use crate::{
    config::{Config, DatabaseUrl},
    lock::{LockFiles, Starting},
    output, store,
};

/// How often a last pass is run again because it still found a difference.
const LAST_PASSES: usize = 5;

pub(super) async fn copy(
    config: &Config,
    copy_to: Option<String>,
    finish: bool,
) -> Result<(), OperatorError> {
    let Some(copy_to) = copy_to else {
        return Err(OperatorError::Said(
            "RC_COPY_TO is not set: the URL of the store to copy to".to_owned(),
        ));
    };
    let target_url = DatabaseUrl::parse(&copy_to)
        .map_err(|problem| OperatorError::Said(format!("RC_COPY_TO {problem}")))?;
    if target_url.is_same_place(&config.database) {
        return Err(OperatorError::Said(
            "RC_COPY_TO and DATABASE_URL are the same store".to_owned(),
        ));
    }
    // Both are held until the end: no application starts meanwhile.
    let _source_alone = if finish {
        alone(&config.database)?
    } else {
        None
    };
    let source = open_existing(&config.database).await?;
    let target = store::open(&target_url)
        .await
        .map_err(OperatorError::OpenTarget)?;
    // An application that runs on an empty store would lose what it saves there.
    let _target_alone = alone(&target_url)?;
    let copy = StoreCopy::begin(&*source, &*target).await.map_err(said)?;
    let mut pass = one_pass(&copy).await?;
    if !finish {
        return Ok(output::print(&format!(
            "The copy in {target_url} is not finished. Run this again at any time. To change over, stop the \
             application and run: rc-web store copy --finish\n"
        ))?);
    }
    for _ in 0..LAST_PASSES {
        if pass.found_no_difference() {
            copy.finish().await.map_err(said)?;
            return Ok(output::print(&format!(
                "The copy is complete. Start the application with DATABASE_URL set to {target_url}.\n"
            ))?);
        }
        pass = one_pass(&copy).await?;
    }
    Err(OperatorError::Said(format!(
        "somebody still writes to {}: stop every application that uses it and run this again",
        config.database
    )))
}

async fn one_pass(copy: &StoreCopy<'_>) -> Result<Pass, OperatorError> {
    let mut progress = Progress::new("Compared", 0);
    let pass = copy.pass(|now| progress.at(now.seen)).await.map_err(said)?;
    drop(progress);
    let Pass {
        seen,
        copied,
        deleted,
        unreadable,
        ..
    } = pass;
    let mut text = format!("Compared {seen} records: copied {copied}, deleted {deleted}.\n");
    if unreadable > 0 {
        text.push_str(&format!(
            "{unreadable} records cannot be read and are not copied.\n"
        ));
    }
    output::print(&text)?;
    Ok(pass)
}

fn said(error: CopyError) -> OperatorError {
    let cause = std::error::Error::source(&error);
    OperatorError::Said(match cause.and_then(|cause| cause.source()) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}

/// Holds the start lock of a store on this machine, which no application may be using. Of a server it
/// cannot be known.
fn alone(database: &DatabaseUrl) -> Result<Option<Starting>, OperatorError> {
    let (Some(start), Some(presence)) = (database.beside("start-lock"), database.beside("lock"))
    else {
        return Ok(None);
    };
    let files = LockFiles { start, presence };
    let starting = Starting::wait(&files, crate::lock::PATIENCE)
        .map_err(|error| OperatorError::Said(error.to_string()))?;
    if starting.is_alone() {
        return Ok(Some(starting));
    }
    Err(OperatorError::Said(format!(
        "an application still uses {database}: stop it, then run this again"
    )))
}
