use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::logs::{LogFormat, filter};
use crate::{ApiKeyArgs, Failure, Settings};

/// What every server program takes on its command line, to be flattened into its own arguments.
#[derive(Clone, Debug, clap::Args)]
#[non_exhaustive]
pub struct ServeArgs {
    /// Serve Streamable HTTP on this address and port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", conflicts_with = "stdio", value_parser = address)]
    pub listen: Option<SocketAddr>,

    /// Serve on standard input and output, as desktop applications start servers
    #[arg(long)]
    pub stdio: bool,

    /// Read settings from this TOML file [env: TOWLINE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Check the settings and what they name, then stop
    #[arg(long)]
    pub check_config: bool,

    /// Show the settings that count, without secrets, then stop
    #[arg(long)]
    pub print_config: bool,

    /// What to log on standard error: error, warn, info, debug or trace, also per target [default: info]
    #[arg(long, value_name = "FILTER", env = "TOWLINE_LOG")]
    pub log: Option<String>,

    /// How to log: for people, or for programs, one JSON object a line [default: readable]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Serve probes, metrics and the dashboard on this address and port [default: nowhere; without a value 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR", num_args = 0..=1, default_missing_value = "127.0.0.1:9090", value_parser = address)]
    pub admin: Option<SocketAddr>,

    /// Serve other machines although anyone who can reach the port can then use the tools
    #[arg(long)]
    pub allow_unauthenticated: bool,

    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What a server program does instead of serving.
#[derive(Clone, Debug, PartialEq, Eq, clap::Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Ask the server that runs with the same settings whether it works: ends with 0 if it does, else with 1
    Healthcheck,
    /// Write the JSON Schema of the settings, by which editors complete and check them
    ConfigSchema,
    /// Make an API key: writes the key, and the entry for the file of keys
    ApiKey(ApiKeyArgs),
}

impl ServeArgs {
    /// The file of settings: `--config`, or else `TOWLINE_CONFIG`. An empty one is as good as none.
    fn file(&self) -> Option<PathBuf> {
        let from_environment = || std::env::var_os("TOWLINE_CONFIG").map(PathBuf::from);
        self.config.clone().or_else(from_environment).filter(|file| !file.as_os_str().is_empty())
    }

    /// What the file and the environment say, and then these arguments.
    ///
    /// # Errors
    ///
    /// As [`Settings::read`].
    pub fn settings(
        &self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Settings, Failure> {
        let mut settings = Settings::read(self.file().as_deref().map(Path::new), environment)?;
        if let Some(listen) = self.listen {
            settings.set(&["server", "listen"], listen.to_string())?;
            settings.set(&["server", "stdio"], false)?;
        }
        if self.stdio {
            settings.set(&["server", "stdio"], true)?;
        }
        if let Some(admin) = self.admin {
            settings.set(&["admin", "listen"], admin.to_string())?;
        }
        // A variable that is empty is as good as none.
        if let Some(log) = self.log.as_ref().filter(|log| !log.is_empty()) {
            filter(log).map_err(|problem| Failure::settings(format!("--log: {problem}")))?;
            settings.set(&["log", "filter"], log.as_str())?;
        }
        if let Some(format) = self.log_format {
            let name = match format {
                LogFormat::Readable => "readable",
                LogFormat::Json => "json",
            };
            settings.set(&["log", "format"], name)?;
        }
        if self.allow_unauthenticated {
            settings.set(&["server", "allow_unauthenticated"], true)?;
        }
        Ok(settings)
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:8080")
}
