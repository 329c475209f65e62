//! Calls into foreign code.

use crate::EnvError;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `call` returns; a panic becomes an error that names the environment and the call.
///
/// The environment may be left in any state: the caller must not go on with its episode.
pub(super) fn guarded<T>(env: &str, name: &str, call: impl FnOnce() -> T) -> Result<T, EnvError> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let reason = format!("its {name} panicked: {}", text.unwrap_or("no message"));
        EnvError::Failed { env: env.to_owned(), reason }
    })
}
