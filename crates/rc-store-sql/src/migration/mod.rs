//! The schema, step by step. Steps are only ever added, and each can run twice.

mod m0001_records;

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DbErr, DynIden, Order,
    sea_query::{IntoIden as _, Query},
};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

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
    // Makes no table: who may not make one can use those that are there, and a server does not tell its
    // clients that they are there already.
    let applied = applied(database).await?;
    let mut missing = known.clone();
    for step in applied {
        if !known.contains(&step) {
            return Err(Outdated::Build { migration: step });
        }
        missing.retain(|version| *version != step);
    }
    if missing.is_empty() {
        return Ok(());
    }
    Ok(Migrator::up(database, None).await?)
}

/// The steps that were taken, in their order; none where there is no table of them yet.
async fn applied(database: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let table = Migrator::migration_table_name();
    let manager = SchemaManager::new(database);
    if !manager.has_table(table.to_string()).await? {
        return Ok(Vec::new());
    }
    let version = "version".into_iden();
    let query = Query::select()
        .column(version.clone())
        .from(table)
        .order_by(version, Order::Asc)
        .take();
    let rows = database.query_all(&query).await?;
    rows.iter().map(|row| row.try_get("", "version")).collect()
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
