//! Parses the command line, runs it, and maps the outcome to an exit code; nothing else.

fn main() -> std::process::ExitCode {
    contactfs::cli::main()
}
