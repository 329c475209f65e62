//! What of parameters and their optimiser goes on over a resume.

use super::{Moments, Pull, Trainable};
use crate::AgentError;
use crate::params::Layout;
use crate::scalar;
use crate::state::{AgentState, NamedArray};
use tch::Tensor;

impl Trainable {
    /// Appends parameters and moments to `state` under `name`.
    pub fn save(&self, name: &str, layout: &Layout, state: &mut AgentState) {
        let all = self.values();
        for entry in layout.entries() {
            let part = entry.offset..entry.offset + entry.len;
            state.arrays.push(NamedArray {
                name: format!("{name}/{}", entry.name),
                shape: entry.shape.iter().map(|&d| d as usize).collect(),
                values: all[part].to_vec(),
            });
        }
        let (m, v) = match &self.moments {
            Moments::Host { m, v, .. } => (m.clone(), v.clone()),
            Moments::Device { m, v } => (scalar::floats(m), scalar::floats(v)),
        };
        state.arrays.push(NamedArray::vector(format!("{name}/adam/m"), m));
        state.arrays.push(NamedArray::vector(format!("{name}/adam/v"), v));
        state.counters.push((format!("{name}/adam/steps"), self.steps));
        for (entry, part) in layout.entries().iter().zip(&self.parts) {
            state.counters.push((format!("{name}/adam/steps/{}", entry.name), part.steps));
        }
        if let Some(Pull { origin, coefficient }) = &self.pull {
            let mut push = |part: &str, values: Vec<f32>| {
                state.arrays.push(NamedArray::vector(format!("{name}/pull/{part}"), values));
            };
            push("origin", origin.clone());
            push("coefficient", vec![*coefficient]);
        }
    }

    /// Takes back what [`Trainable::save`] wrote.
    ///
    /// # Errors
    /// [`AgentError::BadState`] for a missing array or one of another shape.
    pub fn restore(
        &mut self,
        name: &str,
        layout: &Layout,
        state: &AgentState,
    ) -> Result<(), AgentError> {
        let mut restored = vec![0.0; layout.len()];
        for entry in layout.entries() {
            let array = state.array(&format!("{name}/{}", entry.name), &entry.shape)?;
            restored[entry.offset..entry.offset + entry.len].copy_from_slice(array);
        }
        let len = [layout.len() as i64];
        let saved_m = state.array(&format!("{name}/adam/m"), &len)?;
        let saved_v = state.array(&format!("{name}/adam/v"), &len)?;
        self.steps = state.counter(&format!("{name}/adam/steps"))?;
        for (entry, part) in layout.entries().iter().zip(&mut self.parts) {
            part.steps = state.counter(&format!("{name}/adam/steps/{}", entry.name))?;
        }
        self.params.write(&restored);
        let has_pull = state.arrays.iter().any(|array| array.name == format!("{name}/pull/origin"));
        self.pull = None;
        if has_pull {
            let origin = state.array(&format!("{name}/pull/origin"), &len)?.to_vec();
            let coefficient = state.array(&format!("{name}/pull/coefficient"), &[1])?[0];
            self.pull = Some(Pull { origin, coefficient });
        }
        match &mut self.moments {
            Moments::Host { values, m, v, .. } => {
                *values = restored;
                m.copy_from_slice(saved_m);
                v.copy_from_slice(saved_v);
            }
            Moments::Device { m, v } => {
                m.copy_(&Tensor::from_slice(saved_m));
                v.copy_(&Tensor::from_slice(saved_v));
            }
        }
        Ok(())
    }
}
