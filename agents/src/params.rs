//! Parameters in one flat tensor.
//!
//! A network's structure (which parameter is where) is a [`Layout`]; its values are [`Params`].
//! One structure is used with many values: online, target, an actor's copy. All values of one
//! network lie in one contiguous tensor, so that a copy, a moving average, an optimiser pass and
//! a snapshot are each one operation.

use rand::{Rng, RngExt};
use tch::{Device, Kind, Tensor, no_grad};

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in +-1/sqrt(fan-in): the default of `PyTorch` layers, weights and biases alike.
    FanIn(i64),
    /// The same number everywhere.
    Constant(f32),
}

/// Index of a parameter in its [`Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(usize);

/// Name, shape and place of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Path-like name, unique in the layout.
    pub name: String,
    /// Shape.
    pub shape: Vec<i64>,
    /// First element in the flat tensor.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
    init: Init,
}

/// Every parameter of a network, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    entries: Vec<Entry>,
    len: usize,
}

impl Layout {
    /// Adds a parameter behind the others.
    ///
    /// # Panics
    /// If the name is taken or a dimension is not positive: a bug of the network's code.
    pub fn add(&mut self, name: &str, shape: &[i64], init: Init) -> ParamId {
        assert!(self.entries.iter().all(|e| e.name != name), "parameter {name} is defined twice");
        let len = shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).product();
        assert!(len > 0, "parameter {name} has shape {shape:?}; dimensions must be positive");
        self.entries.push(Entry {
            name: name.into(),
            shape: shape.into(),
            offset: self.len,
            len,
            init,
        });
        self.len += len;
        ParamId(self.entries.len() - 1)
    }

    /// Number of elements of all parameters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no parameter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The parameters in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Shape of one parameter.
    #[must_use]
    pub fn shape(&self, id: ParamId) -> &[i64] {
        &self.entries[id.0].shape
    }

    /// Fresh values for all parameters.
    pub fn init(&self, rng: &mut dyn Rng) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.len);
        for entry in &self.entries {
            match entry.init {
                Init::Constant(value) => values.extend(std::iter::repeat_n(value, entry.len)),
                Init::FanIn(fan_in) => {
                    let bound = 1.0 / (fan_in as f32).sqrt();
                    values
                        .extend((0..entry.len).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)));
                }
            }
        }
        values
    }
}

/// Values of a [`Layout`]'s parameters on one device.
#[derive(Debug)]
pub struct Params {
    flat: Tensor,
    views: Vec<Tensor>,
}

impl Params {
    /// Parameters with the given values, that gradients may or may not reach.
    ///
    /// # Panics
    /// If `values` has another length than the layout: a bug.
    #[must_use]
    pub fn new(layout: &Layout, values: &[f32], device: Device, trainable: bool) -> Self {
        assert_eq!(values.len(), layout.len, "values and layout differ in length");
        let flat = Tensor::from_slice(values).to_device(device);
        let view = |e: &Entry| {
            let part = flat.narrow(0, e.offset as i64, e.len as i64).view(e.shape.as_slice());
            // Detached, so that each view is a leaf that gradients stop at, and not a slice whose
            // backward pass would write a tensor as large as all parameters.
            part.detach().set_requires_grad(trainable)
        };
        let views = layout.entries.iter().map(view).collect();
        Self { flat, views }
    }

    /// One parameter.
    pub fn get(&self, id: ParamId) -> &Tensor {
        &self.views[id.0]
    }

    /// All parameters, in the order of the layout.
    pub fn views(&self) -> &[Tensor] {
        &self.views
    }

    /// The flat tensor `[P]` behind all of them; writing to it writes the parameters.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// Where they are.
    #[must_use]
    pub fn device(&self) -> Device {
        self.flat.device()
    }

    /// Overwrites all values.
    ///
    /// # Panics
    /// If `values` has another length: a bug.
    pub fn write(&mut self, values: &[f32]) {
        // Without this, libtorch would spread a single value over all parameters.
        assert_eq!(values.len(), self.flat.numel(), "values and parameters differ in length");
        no_grad(|| self.flat.copy_(&Tensor::from_slice(values)));
    }

    /// All values, in the order of the layout.
    #[must_use]
    pub fn read(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.flat.numel()];
        no_grad(|| {
            self.flat
                .to_device(Device::Cpu)
                .to_kind(Kind::Float)
                .copy_data(&mut values, self.flat.numel())
        });
        values
    }

    /// Moves every value towards `online`: new = (1 - rate) * old + rate * online. A rate of 1
    /// copies.
    pub fn track(&mut self, online: &Self, rate: f64) {
        no_grad(|| {
            if rate >= 1.0 {
                self.flat.copy_(&online.flat);
            } else {
                let _ = self.flat.lerp_(&online.flat, rate);
            }
        });
    }
}
