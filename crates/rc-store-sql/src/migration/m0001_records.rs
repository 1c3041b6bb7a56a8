use sea_orm::{
    ConnectionTrait as _, DbBackend, DbErr, DeriveIden,
    sea_query::{ColumnDef, Expr, Index, SimpleExpr, Table},
};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

/// Spelled out here and not taken from the entity, which later steps may change.
#[derive(DeriveIden)]
enum RcRecords {
    Table,
    RecordKey,
    Version,
    Payload,
    Due,
}

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_records"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        if let Some(steps) = server(backend) {
            for sql in steps {
                manager.get_connection().execute_unprepared(sql).await?;
            }
            return Ok(());
        }
        let mut table = Table::create();
        table
            .table(RcRecords::Table)
            .if_not_exists()
            .col(
                ColumnDef::new(RcRecords::RecordKey)
                    .char_len(64)
                    .not_null()
                    .primary_key(),
            )
            .col(ColumnDef::new(RcRecords::Version).binary_len(16).not_null())
            .col(ColumnDef::new(RcRecords::Payload).blob().not_null())
            .col(ColumnDef::new(RcRecords::Due).big_integer());
        for check in checks(backend) {
            table.check(check);
        }
        manager.create_table(table).await?;

        let mut by_due = Index::create();
        by_due
            .name("rc_records_by_due")
            .if_not_exists()
            .table(RcRecords::Table)
            .col(RcRecords::Due)
            .col(RcRecords::RecordKey);
        manager.create_index(by_due).await
    }
}

/// On servers keys are bytes, compared as bytes, in half the space.
fn server(backend: DbBackend) -> Option<&'static [&'static str]> {
    match backend {
        DbBackend::Postgres => Some(&[
            "CREATE TABLE IF NOT EXISTS rc_records (\
             record_key bytea PRIMARY KEY CHECK (octet_length(record_key) = 32), \
             version bytea NOT NULL CHECK (octet_length(version) = 16), \
             payload bytea NOT NULL, due bigint)",
            "CREATE INDEX IF NOT EXISTS rc_records_by_due ON rc_records (due, record_key) \
             WHERE due IS NOT NULL",
        ]),
        DbBackend::MySql => Some(&["CREATE TABLE IF NOT EXISTS rc_records (\
             record_key binary(32) NOT NULL PRIMARY KEY, version binary(16) NOT NULL, \
             payload mediumblob NOT NULL, due bigint, \
             INDEX rc_records_by_due (due, record_key)) ENGINE = InnoDB"]),
        _ => None,
    }
}

/// SQLite takes any text in any column; so it is told what a key and a version are.
fn checks(backend: DbBackend) -> Vec<SimpleExpr> {
    let checks: &[&str] = match backend {
        DbBackend::Sqlite => &[
            "length(record_key) = 64 AND record_key NOT GLOB '*[^0-9a-f]*'",
            "typeof(version) = 'blob' AND length(version) = 16",
            "typeof(payload) = 'blob'",
        ],
        _ => &[],
    };
    checks.iter().map(|check| Expr::cust(*check)).collect()
}
