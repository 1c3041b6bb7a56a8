use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn files(folder: &tempfile::TempDir) -> LockFiles {
    LockFiles {
        start: folder.path().join("a.db.start-lock"),
        presence: folder.path().join("a.db.lock"),
    }
}

fn start(files: &LockFiles) -> Starting {
    Starting::wait(files, PATIENCE).unwrap()
}

fn held(path: &Path) -> File {
    let file = LockFile::open(path).unwrap().file;
    file.try_lock().unwrap();
    file
}

#[test]
fn only_the_first_process_is_alone_until_all_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&folder);
    let first = start(&files);
    assert!(first.is_alone());
    let first = first.serve();
    let second = start(&files);
    assert!(!second.is_alone());
    let second = second.serve();
    drop(first);
    let third = start(&files);
    assert!(!third.is_alone());
    drop((second, third));
    assert!(start(&files).is_alone());
}

#[test]
fn of_processes_that_start_at_once_exactly_one_is_alone() {
    for _ in 0..25 {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        let (alone, deciding) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let serving: Vec<_> = thread::scope(|scope| {
            let race = || {
                let starting = start(&files);
                assert_eq!(deciding.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                alone.fetch_add(usize::from(starting.is_alone()), Ordering::SeqCst);
                thread::yield_now();
                deciding.fetch_sub(1, Ordering::SeqCst);
                starting.serve()
            };
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(race)).collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        assert_eq!(alone.into_inner(), 1);
        drop(serving);
    }
}

#[test]
fn nobody_else_starts_while_one_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&folder);
    let first = start(&files);
    assert!(first.is_alone());
    let error = Starting::wait(&files, Duration::ZERO).unwrap_err();
    assert!(matches!(&error, LockError::Held { path, .. } if *path == files.start));
    let _serving = first.serve();
    assert!(!Starting::wait(&files, Duration::ZERO).unwrap().is_alone());
}

#[test]
fn a_lock_that_stays_held_is_an_error_with_its_name_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(&folder);
    for path in [&files.start, &files.presence] {
        let holder = held(path);
        let error = Starting::wait(&files, Duration::ZERO).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(&path.display().to_string()) && text.contains("fuser"),
            "{text}"
        );
        drop(holder);
    }
    assert!(
        start(&files).is_alone(),
        "a failed start leaves nothing held"
    );
}

#[cfg(unix)]
mod permissions {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn lock_files_are_closed_to_others_also_those_of_earlier_versions() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        fs::write(&files.presence, "").unwrap();
        fs::set_permissions(&files.presence, fs::Permissions::from_mode(0o644)).unwrap();
        let _starting = start(&files);
        assert_eq!((mode(&files.start), mode(&files.presence)), (0o600, 0o600));
    }

    #[test]
    fn a_lock_file_that_others_can_write_is_refused_with_the_command_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        for writable in [0o620, 0o602, 0o666] {
            fs::write(&files.start, "").unwrap();
            fs::set_permissions(&files.start, fs::Permissions::from_mode(writable)).unwrap();
            let error = Starting::wait(&files, Duration::ZERO).unwrap_err();
            let text = error.to_string();
            let command = format!("chmod 600 {}", files.start.display());
            assert!(text.contains(&command), "{text}");
            assert_eq!(mode(&files.start), writable, "nothing is mended unasked");
        }
    }

    #[test]
    fn a_lock_file_of_another_user_is_refused() {
        let path = Path::new("a.db.lock");
        let user = rustix::process::geteuid().as_raw();
        assert!(owner_only::owned_by(path, user, user).is_ok());
        let text = owner_only::owned_by(path, user + 1, user)
            .unwrap_err()
            .to_string();
        assert!(text.contains("a.db.lock belongs to user"), "{text}");
    }
}
