//! Where the learner's tensors live, and how one binary serves machines with and without a GPU.
//!
//! The binary links libtorch's CPU library alone. libtorch finds its CUDA half if that is loaded
//! before the first question about CUDA, so it is loaded here, at run time, where set-up put it.

use super::UserError;
use crate::config::Device;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// libtorch's folder when this binary was built.
const LIBTORCH: &str = env!("CONTRAIL_LIBTORCH");

/// The torch device for `device`: `auto` is the first GPU if one can be used, else the CPU.
///
/// # Errors
/// [`UserError`] if a GPU is asked for that cannot be used.
pub(super) fn resolve(device: Device) -> Result<tch::Device> {
    match device {
        Device::Cpu => Ok(tch::Device::Cpu),
        Device::Auto => Ok(if gpus()? > 0 { tch::Device::Cuda(0) } else { tch::Device::Cpu }),
        Device::Cuda(index) => {
            let found = gpus()?;
            if index < found {
                return Ok(tch::Device::Cuda(index));
            }
            let text = format!(
                "run.device is \"cuda:{index}\", but libtorch can use {found} CUDA devices here, \
                 allowed: cpu, auto, or a CUDA device after `LIBTORCH_DEVICE=cuda make setup`"
            );
            Err(UserError(text).into())
        }
    }
}

/// Number of GPUs that libtorch can use.
fn gpus() -> Result<usize> {
    load_cuda_library()?;
    Ok(usize::try_from(tch::Cuda::device_count()).unwrap_or(0))
}

/// Loads libtorch's CUDA library if set-up left one, once.
fn load_cuda_library() -> Result<()> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| match cuda_library() {
        Some(path) => load(&path).map_err(|e| format!("{}: {e}", path.display())),
        None => Ok(()),
    });
    loaded.clone().map_err(anyhow::Error::msg).context("cannot load libtorch's CUDA library")
}

/// Where set-up says that the CUDA library is; none on a set-up without CUDA, or with a libtorch
/// of the user's own that was linked whole.
fn cuda_library() -> Option<PathBuf> {
    let text = std::fs::read_to_string(Path::new(LIBTORCH).join("cuda_library_path")).ok()?;
    Some(PathBuf::from(text.trim()))
}

#[expect(
    unsafe_code,
    reason = "loading a library runs its initialisers; this one is libtorch's own"
)]
fn load(path: &Path) -> Result<(), libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the library belongs to the libtorch that this binary was built against, its
    // initialisers register CUDA with libtorch and expect to be run once, which `OnceLock` sees to.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL)? };
    std::mem::forget(library); // it must stay for as long as the process
    Ok(())
}
