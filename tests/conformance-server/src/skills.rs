use towline::skills::{Skills, SkillsError};

/// Skills of this package, one with files in a folder below its own.
///
/// # Errors
///
/// When they cannot be read where this package was built.
pub fn skills() -> Result<Skills, SkillsError> {
    Skills::from_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/skills"))
}
