//! Saved states: a tag that says whose state it is, then the data.

use crate::EnvError;
use serde::{Serialize, de::DeserializeOwned};

/// Appends `id` and `state` to `out`.
///
/// # Errors
/// [`EnvError::Failed`] if `state` cannot be encoded.
pub fn save<T: Serialize>(id: &str, state: &T, out: &mut Vec<u8>) -> Result<(), EnvError> {
    let bytes = postcard::to_stdvec(&(id, state)).map_err(|e| EnvError::Failed {
        env: id.into(),
        reason: format!("cannot save the state: {e}"),
    })?;
    out.extend_from_slice(&bytes);
    Ok(())
}

/// Reads a state written by [`save`] under the same `id`.
///
/// # Errors
/// [`EnvError::BadState`] if the bytes are damaged or belong to another environment.
pub fn restore<T: DeserializeOwned>(id: &str, bytes: &[u8]) -> Result<T, EnvError> {
    let bad = |reason: String| EnvError::BadState { env: id.into(), reason };
    let (owner, rest): (String, &[u8]) =
        postcard::take_from_bytes(bytes).map_err(|e| bad(e.to_string()))?;
    if owner != id {
        return Err(bad(format!("it belongs to {owner:?}")));
    }
    let (state, rest) = postcard::take_from_bytes(rest).map_err(|e| bad(e.to_string()))?;
    if !rest.is_empty() {
        return Err(bad(format!("{} bytes are left over", rest.len())));
    }
    Ok(state)
}
