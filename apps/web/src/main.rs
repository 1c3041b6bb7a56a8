//! `rc-web`: see `--help`.

fn main() -> std::process::ExitCode {
    rc_web::run(std::env::args_os().skip(1), |name| std::env::var_os(name))
}
