//! From a name to an environment.

use crate::wrappers::TimeLimit;
use crate::{EnvError, Environment};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a user may ask of any environment when it is made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvOptions {
    /// Replaces the published time limit; `Some(0)` removes it.
    pub time_limit_env_steps: Option<u32>,
}

type Constructor = Arc<dyn Fn() -> Result<Box<dyn Environment>, EnvError> + Send + Sync>;

/// Names and constructors of environments. Cloning is cheap.
#[derive(Clone, Default)]
pub struct Registry {
    constructors: BTreeMap<String, Constructor>,
}

impl Registry {
    /// A registry with nothing in it.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A registry with the built-in environments.
    #[must_use]
    pub fn builtin() -> Self {
        let mut registry = Self::default();
        crate::builtin::register(&mut registry);
        registry
    }

    /// Adds an environment under `id`, or replaces the one of that name.
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
        self.constructors.insert(id.to_owned(), Arc::new(constructor));
    }

    /// Known ids in alphabetical order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.constructors.keys().map(String::as_str)
    }

    /// Makes an environment, wrapped in its time limit.
    ///
    /// # Errors
    /// [`EnvError::BadOption`] for an unknown id (with the nearest known one), or whatever the
    /// constructor reports.
    pub fn make(&self, id: &str, options: &EnvOptions) -> Result<Box<dyn Environment>, EnvError> {
        let Some(constructor) = self.constructors.get(id) else {
            return Err(EnvError::BadOption(self.unknown(id)));
        };
        let env = constructor()?;
        let limit = options.time_limit_env_steps.or(env.spec().time_limit_env_steps);
        Ok(match limit {
            Some(limit) if limit > 0 => Box::new(TimeLimit::new(env, limit)),
            _ => env,
        })
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
