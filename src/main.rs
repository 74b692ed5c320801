//! The process: real environment and terminal in, exit code out. Everything else is `app::run`.

fn main() -> std::process::ExitCode {
    scrybe_keys::run(
        std::env::args_os().collect(),
        scrybe_keys::config::Env::of_process(),
        scrybe_keys::ui::Terminal::of_process(),
    )
    .into()
}
