//! Several processes on one folder, some of them killed. The other processes are this test program, run
//! again with the name of one test and a folder in its environment.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot start has failed")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rc_store::{DueAt, Expect, RecordKey, StoreError, Stored, TokenStore as _, Version};
use rc_store_file::{FileStore, OpenError};

const FOLDER: &str = "RC_STORE_FILE_TEST_FOLDER";
const KILLS: u64 = 200;
const INCREMENTS: u64 = 150;
/// Large enough that a write takes several steps.
const PADDING: usize = 20_000;

fn key() -> RecordKey {
    RecordKey::derive(&[b"counter"])
}

fn child(test: &str, folder: &Path) -> Command {
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .args([test, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    child
}

/// Runs `body` with the folder if this process is the child.
fn as_child<F: Future<Output = ()>>(body: impl FnOnce(PathBuf) -> F) -> bool {
    let Some(folder) = env::var_os(FOLDER) else {
        return false;
    };
    run(body(folder.into()));
    true
}

fn run<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(body)
}

/// The number in front of equal bytes, and again as the due time.
fn payload(number: u64) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(PADDING, number as u8);
    payload
}

fn number(stored: &Stored) -> u64 {
    let number = u64::from_be_bytes(*stored.payload.first_chunk().unwrap());
    assert!(*stored.payload == payload(number), "torn: {stored:?}");
    let due = DueAt::from_unix_millis(number as i64);
    assert_eq!(stored.due, Some(due), "payload and due time of two writes");
    number
}

async fn add_one(store: &FileStore) -> Result<u64, StoreError> {
    let stored = store.load(&key()).await?;
    let next = stored.as_ref().map_or(0, number) + 1;
    let expect = stored.map_or(Expect::Absent, |stored| Expect::Version(stored.version));
    let due = DueAt::from_unix_millis(next as i64);
    store
        .save(&key(), &payload(next), Some(due), expect)
        .await?;
    Ok(next)
}

/// Adds one for ever, and says each number that was answered.
async fn count(folder: PathBuf) {
    let store = FileStore::open(folder).await.unwrap();
    loop {
        let number = add_one(&store).await.unwrap();
        println!("answered {number}");
        std::io::stdout().flush().unwrap();
    }
}

fn answered(line: &str) -> Option<u64> {
    line.strip_prefix("answered ")?.parse().ok()
}

/// Kills the child `after` its first answer; the last number that was answered.
fn kill_one(mut child: Child, after: Duration) -> u64 {
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let first = lines.find_map(|line| answered(&line));
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    let last = lines.filter_map(|line| answered(&line)).last();
    last.or(first).expect("the child answered nothing")
}

#[test]
fn killed_writers_lose_no_answered_write_and_leave_no_torn_record() {
    let test = "killed_writers_lose_no_answered_write_and_leave_no_torn_record";
    if as_child(count) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("tokens");
    let mut interrupted = 0;
    for round in 0..KILLS {
        let child = child(test, &folder).spawn().unwrap();
        let after = Duration::from_micros(round * 7_919 % 6_000);
        let last = kill_one(child, after);
        interrupted += u64::from(folder.join("temporary").exists());
        let found = run(async {
            let limit = Duration::from_secs(2);
            let store = FileStore::open_within(&folder, limit).await.unwrap();
            number(
                &store
                    .load(&key())
                    .await
                    .unwrap()
                    .expect("the record is lost"),
            )
        });
        let fits = found == last || found == last + 1;
        assert!(fits, "{last} was answered and {found} is there");
        assert!(!folder.join("temporary").exists(), "a leftover stays");
    }
    // By chance: on a disk in memory it may be none.
    println!("{interrupted} of {KILLS} children were killed while they wrote a file");
}

/// Reads what the child prints up to this line. It goes on printing to what is returned.
fn wait_for(child: &mut Child, word: &str) -> BufReader<ChildStdout> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let found = output.by_ref().lines().any(|line| line.unwrap() == word);
    assert!(found, "the child did not say {word}");
    output
}

#[test]
fn increments_of_two_processes_are_never_lost() {
    let test = "increments_of_two_processes_are_never_lost";
    let is_child = as_child(async |folder| {
        let store = FileStore::open(folder).await.unwrap();
        // Both begin at once: when the other end is closed.
        println!("ready");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        let mut done = 0;
        while done < INCREMENTS {
            match add_one(&store).await {
                Ok(_) => done += 1,
                Err(StoreError::Conflict) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    if is_child {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut children = [(); 2].map(|()| child(test, directory.path()).spawn().unwrap());
    let _outputs = children.each_mut().map(|child| wait_for(child, "ready"));
    for child in &mut children {
        drop(child.stdin.take());
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    run(async {
        let store = FileStore::open(directory.path()).await.unwrap();
        let stored = store.load(&key()).await.unwrap().unwrap();
        assert_eq!(number(&stored), 2 * INCREMENTS);
    });
}

#[test]
fn lock_of_another_process_is_waited_for_in_bounded_time() {
    let test = "lock_of_another_process_is_waited_for_in_bounded_time";
    let is_child = as_child(async |folder| {
        let lock = fs::File::open(folder).unwrap();
        lock.lock().unwrap();
        println!("locked");
        // Until the other end is closed.
        std::io::stdin().read_line(&mut String::new()).unwrap();
    });
    if is_child {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let limit = Duration::from_millis(200);
    run(async {
        let store = FileStore::open_within(directory.path(), limit)
            .await
            .unwrap();
        let version = store
            .save(&key(), b"one", None, Expect::Absent)
            .await
            .unwrap();

        let mut child = child(test, directory.path()).spawn().unwrap();
        let _output = wait_for(&mut child, "locked");
        let began = Instant::now();
        assert_locked_out(&store, version).await;
        let opened = FileStore::open_within(directory.path(), limit).await;
        assert!(
            matches!(opened, Err(OpenError::Locked { .. })),
            "{opened:?}"
        );
        let took = began.elapsed();
        assert!(took < limit * 20, "four calls took {took:?}");

        drop(child.stdin.take());
        child.wait().unwrap();
        store.delete(&key(), version).await.unwrap();
    });
}

/// Writes are refused, and loads go on.
async fn assert_locked_out(store: &FileStore, version: Version) {
    let loaded = store.load(&key()).await.unwrap().unwrap();
    assert_eq!(*loaded.payload, b"one");
    let saved = store
        .save(&key(), b"two", None, Expect::Version(version))
        .await;
    let Err(StoreError::NotWritten(cause)) = saved else {
        panic!("expected NotWritten, got {saved:?}");
    };
    let cause = cause.to_string();
    assert!(
        cause.contains("locked by another process for 200ms"),
        "{cause}"
    );
    let deleted = store.delete(&key(), version).await;
    assert!(
        matches!(deleted, Err(StoreError::NotWritten(_))),
        "{deleted:?}"
    );
    let scanned = store.scan(None, 10).await;
    assert!(
        matches!(scanned, Err(StoreError::Unavailable(_))),
        "{scanned:?}"
    );
}

#[test]
fn write_protected_folder_is_read_and_refuses_writes() {
    use std::os::unix::{fs::MetadataExt as _, fs::PermissionsExt as _, process::CommandExt as _};

    let test = "write_protected_folder_is_read_and_refuses_writes";
    let is_child = as_child(async |folder| {
        let store = FileStore::open(folder).await.unwrap();
        let stored = store.load(&key()).await.unwrap().unwrap();
        assert_eq!(store.scan(None, 10).await.unwrap().len(), 1);
        let expect = Expect::Version(stored.version);
        let saved = store.save(&key(), b"two", None, expect).await;
        assert!(matches!(saved, Err(StoreError::NotWritten(_))), "{saved:?}");
        let deleted = store.delete(&key(), stored.version).await;
        assert!(
            matches!(deleted, Err(StoreError::NotWritten(_))),
            "{deleted:?}"
        );
        let health = store.health().await;
        assert!(
            matches!(health, Err(StoreError::NotWritten(_))),
            "{health:?}"
        );
    });
    if is_child {
        return;
    }
    // Nothing is protected from root, so root runs the child as somebody else: from copies he can reach.
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("tokens");
    run(async {
        let store = FileStore::open(&folder).await.unwrap();
        store
            .save(&key(), b"one", None, Expect::Absent)
            .await
            .unwrap();
    });
    let mut child = child(test, &folder);
    if fs::metadata(&folder).unwrap().uid() == 0 {
        let nobody = 65_534;
        let program = directory.path().join("program");
        // Not copied by this process: a child that another test starts meanwhile would hold the copy open
        // for writing, and such a file cannot be run.
        let copying = Command::new("cp")
            .arg(env::current_exe().unwrap())
            .arg(&program)
            .status();
        assert!(copying.unwrap().success());
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut copied = Command::new(program);
        copied
            .args(child.get_args())
            .env(FOLDER, &folder)
            .uid(nobody)
            .gid(nobody);
        child = copied;
        for entry in fs::read_dir(&folder).unwrap() {
            std::os::unix::fs::chown(entry.unwrap().path(), Some(nobody), None).unwrap();
        }
        std::os::unix::fs::chown(&folder, Some(nobody), None).unwrap();
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let output = child.output().unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(output.status.success(), "{output:?}");
}
