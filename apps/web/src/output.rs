//! What is printed, to readers that may have gone.

use std::io::{self, Write};

/// Prints to stdout.
///
/// A reader that has closed its end, as `head` does, wants no more: that is no error, and no reason to stop
/// half-way through a change.
///
/// # Errors
///
/// When stdout cannot be written for another reason: a full disk, say.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let written = write_to(&mut io::stdout().lock(), text);
    written
        .map_err(|error| io::Error::new(error.kind(), format!("stdout cannot be written: {error}")))
}

/// Tells what is wrong, on stderr. Where that is gone there is nobody to tell, and the exit code says it.
pub(crate) fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

fn write_to(out: &mut impl Write, text: &str) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error_and_a_full_disk_is_one() {
        assert!(write_to(&mut Fails(io::ErrorKind::BrokenPipe), "text").is_ok());
        assert!(write_to(&mut Fails(io::ErrorKind::StorageFull), "text").is_err());
    }
}
