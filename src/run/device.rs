//! Where the learner's tensors live.

use crate::config::Device;
use anyhow::{Result, bail};

/// The torch device for `device`: `auto` is the first GPU if one can be used, else the CPU.
///
/// # Errors
/// If a GPU is asked for that cannot be used.
pub fn resolve(device: Device) -> Result<tch::Device> {
    match device {
        Device::Cpu => Ok(tch::Device::Cpu),
        Device::Auto => Ok(if gpus() > 0 { tch::Device::Cuda(0) } else { tch::Device::Cpu }),
        Device::Cuda(index) => {
            let found = gpus();
            if i64::try_from(index).is_ok_and(|index| index < found) {
                return Ok(tch::Device::Cuda(index));
            }
            bail!(
                "run.device is \"cuda:{index}\", but libtorch finds {found} CUDA devices here; \
                 allowed: cpu, auto, or set up libtorch for CUDA with `LIBTORCH_DEVICE=cuda make setup`"
            )
        }
    }
}

fn gpus() -> i64 {
    tch::Cuda::device_count()
}
