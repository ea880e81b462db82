//! The simulator as a program.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use notion_sim::{ClockMode, Options, Rate, Server};
use tokio::signal::unix::{SignalKind, signal};

/// A simulator of the Notion API on the loopback interface.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The only token that is accepted.
    #[arg(long, default_value = "ntn_sim_token")]
    token: String,
    /// Id of the page that is shared with the connection.
    #[arg(long)]
    parent_page: Option<String>,
    /// Requests per minute; above that the answer is 429.
    #[arg(long)]
    rate: Option<usize>,
    /// Milliseconds that every answer takes at least.
    #[arg(long, default_value_t = 0)]
    latency: u64,
    /// Blocks of a page that one answer in Markdown loads at most.
    #[arg(long, default_value_t = 20_000)]
    record_limit: usize,
    /// Refuse Markdown v1, as the next version of the API will.
    #[arg(long)]
    reject_v1: bool,
    /// Skip missing items of an update with several items instead of refusing it.
    #[arg(long)]
    skip_missing: bool,
    /// Seed of odd but faithful forms of Markdown.
    #[arg(long)]
    odd: Option<u64>,
    /// Make quotes and dashes typographic when texts are stored.
    #[arg(long)]
    odd_text: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "notion-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> std::io::Result<()> {
    let token = arguments.token.clone();
    let server = Server::start(Options {
        port: arguments.port,
        token: arguments.token,
        clock: ClockMode::Running,
        rate: arguments.rate.map(|requests| Rate { requests, window: Duration::from_secs(60) }),
        latency: Duration::from_millis(arguments.latency),
        parent_page: arguments.parent_page,
        record_limit: arguments.record_limit,
        reject_v1: arguments.reject_v1,
        skip_missing: arguments.skip_missing,
        odd: arguments.odd,
        odd_text: arguments.odd_text,
        ..Options::default()
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Listened for before anybody knows that there is something to stop.
    let stop = {
        let _inside = runtime.enter();
        [SignalKind::terminate(), SignalKind::interrupt()].map(signal)
    };
    let mut out = std::io::stdout();
    writeln!(out, "NOTION_API_URL={}", server.url())?;
    writeln!(out, "NOTION_PARENT_PAGE_ID={}", server.parent_page())?;
    writeln!(out, "NOTION_TOKEN={token}")?;
    writeln!(out, "# Stop with Ctrl-C or SIGTERM.")?;
    out.flush()?;
    let [terminate, interrupt] = stop;
    let (mut terminate, mut interrupt) = (terminate?, interrupt?);
    runtime.block_on(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    Ok(())
}
