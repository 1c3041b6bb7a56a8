//! The schema, step by step. Steps are only ever added, and each can run twice.

mod m0001_records;

use sea_orm::{DatabaseConnection, DbErr, DynIden, sea_query::IntoIden as _};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

use crate::ConnectError;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m0001_records::Migration)]
    }

    /// A name of its own: an application's migrations may live in the same database.
    fn migration_table_name() -> DynIden {
        "rc_store_migrations".into_iden()
    }
}

/// Brings the schema up to this build's.
///
/// Migrations take no lock: of several processes that start at once some fail. Whoever fails may try
/// again at once or later, because at least one got further.
pub(crate) async fn run(database: &DatabaseConnection) -> Result<(), Outdated> {
    let known: Vec<String> = Migrator::migrations()
        .iter()
        .map(|step| step.name().into())
        .collect();
    let applied = Migrator::get_migration_models(database).await?;
    if let Some(newer) = applied
        .into_iter()
        .find(|step| !known.contains(&step.version))
    {
        return Err(Outdated::Build {
            migration: newer.version,
        });
    }
    Ok(Migrator::up(database, None).await?)
}

/// Why the schema is not this build's.
pub(crate) enum Outdated {
    /// The schema is newer than this build.
    Build { migration: String },
    /// The schema is older, and a step failed.
    Schema(DbErr),
}

impl From<DbErr> for Outdated {
    fn from(error: DbErr) -> Self {
        Self::Schema(error)
    }
}

impl From<Outdated> for ConnectError {
    fn from(outdated: Outdated) -> Self {
        match outdated {
            Outdated::Build { migration } => Self::NewerSchema { migration },
            Outdated::Schema(error) => Self::from_database(error),
        }
    }
}
