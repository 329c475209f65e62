//! From a name to an environment.

use crate::python::PythonOptions;
use crate::wrappers::TimeLimit;
use crate::{EnvError, Environment};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a user may ask of any environment when it is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvOptions {
    /// Replaces the published time limit; `Some(0)` removes it.
    pub time_limit_env_steps: Option<u32>,
    /// Arguments of the constructor by name, for environments that take some.
    pub kwargs: Map<String, Value>,
    /// What only environments in Python heed.
    pub python: PythonOptions,
}

/// Makes one environment.
type Constructor = Arc<dyn Fn(&EnvOptions) -> Made<Box<dyn Environment>> + Send + Sync>;
/// Makes `count` environments of the id after the family's prefix, time limit included.
type Family =
    Arc<dyn Fn(&str, &EnvOptions, usize) -> Made<Vec<Box<dyn Environment>>> + Send + Sync>;
type Made<T> = Result<T, EnvError>;

/// Names and constructors of environments. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Registry {
    constructors: BTreeMap<String, Constructor>,
    families: BTreeMap<String, Family>,
}

impl Registry {
    /// A registry with nothing in it.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A registry with the built-in environments and those of the Python bridge (`gym:ID`,
    /// `envpool:ID`).
    #[must_use]
    pub fn builtin() -> Self {
        let mut registry = Self::default();
        crate::builtin::register(&mut registry);
        crate::python::register(&mut registry);
        registry
    }

    /// Adds an environment under `id`, or replaces the one of that name. It takes no `env.kwargs`.
    ///
    /// ```
    /// # use contrail_envs::{Registry, builtin::classic::CartPole};
    /// let mut registry = Registry::builtin();
    /// registry.register("MyCartPole-v0", || Ok(Box::new(CartPole::new())));
    /// ```
    pub fn register<F>(&mut self, id: &str, constructor: F)
    where
        F: Fn() -> Result<Box<dyn Environment>, EnvError> + Send + Sync + 'static,
    {
        let name = id.to_owned();
        let without_kwargs = move |options: &EnvOptions| match options.kwargs.keys().next() {
            None => constructor(),
            Some(key) => {
                Err(EnvError::BadOption(format!("{name} takes no env.kwargs, got {key:?}")))
            }
        };
        self.constructors.insert(id.to_owned(), Arc::new(without_kwargs));
    }

    /// Adds an environment whose constructor reads [`EnvOptions::kwargs`].
    ///
    /// ```
    /// # use contrail_envs::{EnvError, Registry, builtin::classic::CartPole};
    /// let mut registry = Registry::builtin();
    /// registry.register_with_options("Poles-v0", |options| match options.kwargs.get("poles") {
    ///     None => Ok(Box::new(CartPole::new())),
    ///     Some(other) => Err(EnvError::BadOption(format!("env.kwargs.poles is {other}, allowed: absent"))),
    /// });
    /// ```
    pub fn register_with_options<F>(&mut self, id: &str, constructor: F)
    where
        F: Fn(&EnvOptions) -> Result<Box<dyn Environment>, EnvError> + Send + Sync + 'static,
    {
        self.constructors.insert(id.to_owned(), Arc::new(constructor));
    }

    /// Adds all ids that begin with `prefix` and a colon. `make` gets what follows, and makes
    /// several environments at once, which may share resources.
    pub fn register_family<F>(&mut self, prefix: &str, make: F)
    where
        F: Fn(&str, &EnvOptions, usize) -> Result<Vec<Box<dyn Environment>>, EnvError>
            + Send
            + Sync
            + 'static,
    {
        self.families.insert(prefix.to_owned(), Arc::new(make));
    }

    /// Known ids in alphabetical order; families are not among them.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.constructors.keys().map(String::as_str)
    }

    /// Prefixes of families in alphabetical order, without the colon.
    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    /// Makes an environment, wrapped in its time limit.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] for an unknown id (with the nearest known one), or whatever the
    /// constructor reports.
    pub fn make(&self, id: &str, options: &EnvOptions) -> Result<Box<dyn Environment>, EnvError> {
        let one = self.make_batch(id, options, 1)?.pop();
        one.ok_or_else(|| EnvError::Failed { env: id.into(), reason: "none was made".into() })
    }

    /// Makes `count` environments that one actor will step together; those in Python share one
    /// worker process.
    ///
    /// # Errors
    /// Like [`Registry::make`].
    pub fn make_batch(
        &self,
        id: &str,
        options: &EnvOptions,
        count: usize,
    ) -> Result<Vec<Box<dyn Environment>>, EnvError> {
        if let Some((prefix, rest)) = id.split_once(':')
            && let Some(family) = self.families.get(prefix)
        {
            return family(rest, options, count);
        }
        let Some(constructor) = self.constructors.get(id) else {
            return Err(EnvError::BadOption(self.unknown(id)));
        };
        (0..count).map(|_| Ok(limited(constructor(options)?, options))).collect()
    }

    fn unknown(&self, id: &str) -> String {
        let similarity =
            |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &id.to_lowercase());
        let nearest = self.ids().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        match nearest {
            Some(nearest) => format!(
                "there is no environment {id:?}; did you mean {nearest:?}? (`contrail envs` lists all)"
            ),
            None => format!("there is no environment {id:?}: the registry is empty"),
        }
    }
}

/// `env` cut at the limit of `options`, or of its spec.
fn limited(env: Box<dyn Environment>, options: &EnvOptions) -> Box<dyn Environment> {
    match options.time_limit_env_steps.or(env.spec().time_limit_env_steps) {
        Some(limit) if limit > 0 => Box::new(TimeLimit::new(env, limit)),
        _ => env,
    }
}
