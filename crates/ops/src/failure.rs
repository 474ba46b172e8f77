use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// Why a program ends early: one line for whoever started it, and the exit code.
///
/// The line never shows the value of a setting: that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// A setting must be changed before the program can work: exit code 2.
    pub fn settings(message: impl fmt::Display) -> Self {
        Self { code: 2, message: message.to_string() }
    }

    /// The settings are right in themselves, but the system, the network or another program refuses what they ask
    /// for: exit code 1.
    pub fn refused(message: impl fmt::Display) -> Self {
        Self { code: 1, message: message.to_string() }
    }

    /// Writes the line to standard error, after the program's name, and gives the exit code. Where logs are JSON, it is one of
    /// their lines.
    pub fn report(&self, program: &str) -> ExitCode {
        if crate::logs::are_json() {
            tracing::error!(program, "{self}");
            return ExitCode::from(self.code);
        }
        // Nothing can be done about a standard error that cannot be written to.
        let _ = writeln!(std::io::stderr(), "{program}: {self}");
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
