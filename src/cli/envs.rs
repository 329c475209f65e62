//! `contrail envs`.

use super::{EnvsArgs, Exit, picture, print, print_json};
use crate::config::{self, Overrides};
use crate::run::env_options;
use anyhow::Result;
use contrail_envs::{ActionSpace, ContextSpec, EnvOptions, EnvSpec, ObsSpace, Registry};
use serde::Serialize;

/// An environment as `--json` prints it.
#[derive(Serialize)]
struct Described<'a> {
    id: &'a str,
    obs: &'a ObsSpace,
    action: &'a ActionSpace,
    time_limit_env_steps: Option<u32>,
    context: &'a ContextSpec,
}

impl<'a> From<&'a EnvSpec> for Described<'a> {
    fn from(spec: &'a EnvSpec) -> Self {
        Self {
            id: &spec.id,
            obs: &spec.obs,
            action: &spec.action,
            time_limit_env_steps: spec.time_limit_env_steps,
            context: &spec.context,
        }
    }
}

pub(super) fn run(args: &EnvsArgs, registry: &Registry) -> Result<Exit> {
    if let (Some(file), Some(out)) = (&args.config, &args.picture) {
        return picture::run(args, (file, out), registry);
    }
    match &args.id {
        Some(id) => {
            let (env, set) = (Some(id.clone()), args.set.clone());
            let config = config::load(None, &Overrides { env, set, ..Overrides::default() })?;
            describe(registry.make(id, &env_options(&config.env))?.spec(), args.json)?;
        }
        None => list(registry, args.json)?,
    }
    Ok(Exit::Done)
}

fn list(registry: &Registry, json: bool) -> Result<()> {
    let specs = registry
        .ids()
        .map(|id| Ok(registry.make(id, &EnvOptions::default())?.spec().clone()))
        .collect::<Result<Vec<_>>>()?;
    if json {
        return print_json(&specs.iter().map(Described::from).collect::<Vec<_>>());
    }
    let rows = specs.iter().map(|spec| {
        let limit = spec.time_limit_env_steps.map_or_else(|| "-".to_owned(), |l| l.to_string());
        format!(
            "{:<33} {:<15} {:<12} {:>10}\n",
            spec.id,
            spec.obs.to_string(),
            actions(&spec.action),
            limit
        )
    });
    let head = format!(
        "{:<33} {:<15} {:<12} {:>10}\n",
        "ENVIRONMENT", "OBSERVATION", "ACTION", "TIME LIMIT"
    );
    let families: Vec<String> = registry.families().map(|prefix| format!("{prefix}:ID")).collect();
    let more = if families.is_empty() {
        String::new()
    } else {
        format!("and any of {} (in Python; see docs/environments.md)\n", families.join(", "))
    };
    print(&format!("{head}{}{more}", rows.collect::<String>()))
}

fn actions(space: &ActionSpace) -> String {
    match space {
        ActionSpace::Discrete(n) => format!("Discrete({n})"),
        ActionSpace::Box { low, .. } => format!("Box[{}]", low.len()),
    }
}

fn describe(spec: &EnvSpec, json: bool) -> Result<()> {
    if json {
        return print_json(&Described::from(spec));
    }
    let limit =
        spec.time_limit_env_steps.map_or_else(|| "none".to_owned(), |l| format!("{l} env steps"));
    let mut text = format!(
        "{}\n  observation  {}, low {:?}, high {:?}\n  action       {}\n  time limit   {limit}\n",
        spec.id, spec.obs, spec.obs.low, spec.obs.high, spec.action
    );
    text += if spec.context.values.is_empty() {
        "  context      none\n"
    } else {
        "  context      default, bounds\n"
    };
    for value in &spec.context.values {
        let bounds = format!("{} to {}", short(value.low), short(value.high));
        text += &format!(
            "    {:<22} {:>8} {:<8} {:<18} {}\n",
            value.name,
            short(value.default),
            value.unit,
            bounds,
            value.doc
        );
    }
    print(&text)
}

/// `value` to 4 decimals where it has more; `--json` has all of them.
fn short(value: f64) -> String {
    let (all, rounded) = (value.to_string(), format!("{value:.4}"));
    if all.len() > rounded.len() && value.abs() >= 0.001 { rounded } else { all }
}
