//! What a process has taken so far, as Linux tells it.

use std::{fs, time::Duration};

use crate::Fallible;

/// The processor time of all threads of the process `id`, in the system and outside.
pub(super) fn processor_time(id: u32) -> Fallible<Duration> {
    let stat = read(id, "stat")?;
    time_in(&stat).ok_or_else(|| format!("/proc/{id}/stat has no times"))
}

/// The most memory that the process `id` has held, in KiB.
pub(super) fn peak_memory(id: u32) -> Fallible<u64> {
    let status = read(id, "status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok());
    peak.ok_or_else(|| format!("/proc/{id}/status has no VmHWM"))
}

fn read(id: u32, name: &str) -> Fallible<String> {
    let path = format!("/proc/{id}/{name}");
    fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
}

/// `utime` and `stime`, the 14th and 15th field, in hundredths of a second. The second field is the name of the
/// program in parentheses, which may have spaces.
fn time_in(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_time_is_that_of_user_and_system() {
        let stat = "7 (rc web) x) S 1 7 7 0 -1 4194560 90 0 0 0 250 125 0 0 20 0 5 0 900";
        assert_eq!(time_in(stat), Some(Duration::from_millis(3750)));
        assert_eq!(time_in("7 (rc-web) S 1"), None);
    }
}
