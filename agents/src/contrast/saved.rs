//! What of a distillation goes on over a resume.

use super::Distillation;
use super::distillation::FrozenTeacher;
use super::indices::shared_len;
use crate::params::{Layout, Params};
use crate::{AgentError, AgentState, NamedArray, scalar};
use tch::Tensor;

impl Distillation {
    /// Appends teacher, pool and phase to `state`.
    pub fn save(&self, state: &mut AgentState) {
        state.arrays.push(NamedArray::vector("teacher".into(), self.teacher.read()));
        let numbers = |subspaces: &[u32]| subspaces.iter().map(|s| *s as f32).collect();
        for (i, FrozenTeacher { subspaces, params }) in self.pool.iter().enumerate() {
            let mut push = |name: String, values: Vec<f32>| {
                state.arrays.push(NamedArray::vector(name, values));
            };
            push(format!("teacher_pool/{i}"), params.read());
            push(format!("teacher_pool/{i}/subspaces"), numbers(subspaces));
        }
        state.counters.push(("teacher_pool".into(), self.pool.len() as u64));
        state.counters.push(("teacher_fixed".into(), u64::from(self.teacher_fixed)));
        let subspaces = numbers(&self.current_subspaces);
        state.arrays.push(NamedArray::vector("current_subspaces".into(), subspaces));
        let gate = vec![self.distillation_gate as f32];
        state.arrays.push(NamedArray::vector("distillation_gate".into(), gate));
        if let Some((before, joint)) = &self.last {
            let mut push = |name: &str, t: &Tensor| {
                state.arrays.push(NamedArray::vector(name.into(), scalar::floats(t)));
            };
            push("last_direction/decision", before);
            push("last_direction/joint", joint);
        }
    }

    /// Takes back what [`Distillation::save`] wrote.
    ///
    /// # Errors
    /// [`AgentError::BadState`] for a missing array or one of another shape.
    pub fn restore(&mut self, layout: &Layout, state: &AgentState) -> Result<(), AgentError> {
        let find = |name: &str| state.arrays.iter().find(|array| array.name == name);
        let len = [layout.len() as i64];
        self.staged = None; // made from parameters that are gone
        self.teacher.write(state.array("teacher", &len)?);
        let numbers = |name: &str| -> Result<Vec<u32>, AgentError> {
            let found = find(name)
                .ok_or_else(|| AgentError::BadState(format!("there is no array \"{name}\"")))?;
            Ok(found.values.iter().map(|v| *v as u32).collect())
        };
        let device = self.teacher.device();
        let frozen = (0..state.counter("teacher_pool")?).map(|i| {
            let name = format!("teacher_pool/{i}");
            let params = Params::new(layout, state.array(&name, &len)?, device, false);
            Ok(FrozenTeacher { subspaces: numbers(&format!("{name}/subspaces"))?, params })
        });
        self.pool = frozen.collect::<Result<_, AgentError>>()?;
        self.teacher_fixed = state.counter("teacher_fixed")? == 1;
        self.distillation_gate = f64::from(state.array("distillation_gate", &[1])?[0]);
        self.current_subspaces = numbers("current_subspaces")?;
        let shared = [shared_len(layout)];
        let direction = |name: &str| -> Result<Tensor, AgentError> {
            let values = state.array(name, &shared)?;
            Ok(Tensor::from_slice(values).to_device(self.teacher.device()))
        };
        self.last = match find("last_direction/decision") {
            None => None,
            Some(_) => {
                Some((direction("last_direction/decision")?, direction("last_direction/joint")?))
            }
        };
        Ok(())
    }
}
