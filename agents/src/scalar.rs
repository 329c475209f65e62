//! The one place where tensors become numbers. On CUDA each call waits for the device, so call
//! it once for many values.

use crate::AgentError;
use tch::{Device, Kind, Tensor};

/// The value of a tensor with one element.
pub(crate) fn double(tensor: &Tensor) -> f64 {
    assert!(tensor.numel() == 1, "a tensor of shape {:?} is not a scalar", tensor.size());
    tensor.reshape([1]).double_value(&[0])
}

/// All values, row-major.
pub(crate) fn floats(tensor: &Tensor) -> Vec<f32> {
    let count = tensor.numel();
    let mut values = vec![0.0; count];
    tensor
        .detach()
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .contiguous()
        .copy_data(&mut values, count);
    values
}

/// Index of the largest value, the first among equals; `what` names a value in the error.
pub(crate) fn argmax(row: &[f32], what: &'static str) -> Result<i64, AgentError> {
    let mut best = 0;
    for (i, &value) in row.iter().enumerate() {
        if !value.is_finite() {
            return Err(AgentError::NotFinite { what, value: value.into(), update: 0 });
        }
        if value > row[best] {
            best = i;
        }
    }
    Ok(best as i64)
}
