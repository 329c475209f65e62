//! Layers of settings, from the weakest to the strongest: base files, file, flags, `--set`.

use super::error::ConfigError;
use super::keys::EXTENDS;
use super::{Overrides, presets};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Settings from one place.
#[derive(Debug)]
pub(super) struct Layer {
    /// Where they come from, as messages say it.
    pub(super) origin: String,
    /// Whether they were typed one by one, so that each was meant to have an effect.
    pub(super) deliberate: bool,
    /// The settings.
    pub(super) table: Table,
}

/// All layers, weakest first. Without a file the tuned settings of the environment come first.
pub(super) fn stack(file: Option<&Path>, overrides: &Overrides) -> Result<Vec<Layer>, ConfigError> {
    let strong = command_line(overrides)?;
    let mut layers = match file {
        Some(path) => files(path)?,
        None => presets::layer(
            last_text(&strong, "env", "id"),
            last_text(&strong, "algorithm", "name"),
        )?,
    };
    layers.extend(strong);
    Ok(layers)
}

/// The text of `section.name` in the strongest layer that has one.
pub(super) fn last_text<'a>(layers: &'a [Layer], section: &str, name: &str) -> Option<&'a str> {
    layers.iter().rev().find_map(|layer| layer.table.get(section)?.get(name)?.as_str())
}

/// A layer from TOML text that extends nothing.
pub(super) fn from_text(origin: &str, text: &str) -> Result<Layer, ConfigError> {
    let table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        path: origin.to_owned(),
        reason: error.to_string().trim_end().to_owned(),
    })?;
    Ok(Layer { origin: origin.to_owned(), deliberate: false, table })
}

/// A file and the bases it extends, the deepest base first.
fn files(path: &Path) -> Result<Vec<Layer>, ConfigError> {
    let mut layers = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let unreadable = |error: std::io::Error| ConfigError::Read {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        let identity = path.canonicalize().map_err(unreadable)?;
        if seen.contains(&identity) {
            let mut circle: Vec<String> =
                layers.iter().map(|layer: &Layer| layer.origin.clone()).collect();
            circle.push(path.display().to_string());
            return Err(ConfigError::Cycle(circle));
        }
        seen.push(identity);
        let text = std::fs::read_to_string(&path).map_err(unreadable)?;
        let mut layer = from_text(&path.display().to_string(), &text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        next = base(&mut layer)?.map(|base| folder.join(base));
        layers.push(layer);
    }
    layers.reverse();
    Ok(layers)
}

/// Takes the name of the base out of `layer`.
fn base(layer: &mut Layer) -> Result<Option<String>, ConfigError> {
    match layer.table.remove(EXTENDS) {
        None => Ok(None),
        Some(Value::String(base)) => Ok(Some(base)),
        Some(other) => Err(ConfigError::Invalid(vec![format!(
            "{}: {EXTENDS} is {other}, expected the path of one config file as text",
            layer.origin
        )])),
    }
}

fn command_line(overrides: &Overrides) -> Result<Vec<Layer>, ConfigError> {
    let text = |text: &Option<String>| text.clone().map(Value::String);
    // A number beyond TOML's integers stays text, so that the type check names it.
    let count =
        |n: u64| i64::try_from(n).map_or_else(|_| Value::String(n.to_string()), Value::Integer);
    let flags = [
        ("--env", "env.id", text(&overrides.env)),
        ("--algo", "algorithm.name", text(&overrides.algo)),
        ("--seed", "run.seed", overrides.seed.map(count)),
        ("--device", "run.device", text(&overrides.device)),
        ("--mode", "run.mode", text(&overrides.mode)),
        ("--env-steps", "run.env_steps", overrides.env_steps.map(count)),
    ];
    let mut layers: Vec<Layer> = flags
        .into_iter()
        .filter_map(|(flag, key, value)| Some(single(flag.to_owned(), key, value?)))
        .collect();
    let mut problems = Vec::new();
    for assignment in &overrides.set {
        match parse_assignment(assignment) {
            Ok((key, value)) => layers.push(single(format!("--set {assignment}"), key, value)),
            Err(reason) => problems.push(format!("--set {assignment}: {reason}")),
        }
    }
    if problems.is_empty() { Ok(layers) } else { Err(ConfigError::Invalid(problems)) }
}

/// `key=value` with a TOML value, or a bare word, which is text.
fn parse_assignment(assignment: &str) -> Result<(&str, Value), String> {
    let Some((key, value)) = assignment.split_once('=') else {
        return Err("expected key=value".to_owned());
    };
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || value.is_empty() {
        return Err("expected key=value, neither of them empty".to_owned());
    }
    match value.parse::<Value>() {
        Ok(parsed) => Ok((key, parsed)),
        Err(error) if value.starts_with(['"', '\'', '[', '{']) => {
            Err(format!("{value} is not a TOML value: {}", error.message()))
        }
        Err(_) => Ok((key, Value::String(value.to_owned()))),
    }
}

/// A layer with one setting.
fn single(origin: String, key: &str, value: Value) -> Layer {
    let mut table = Table::new();
    insert(&mut table, key, value);
    Layer { origin, deliberate: true, table }
}

/// Sets the dotted `key`; known keys never have a value where another has a section. A table is
/// added to one that is there.
pub(super) fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => match (table.get_mut(key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => add(old, new),
            (_, value) => {
                table.insert(key.to_owned(), value);
            }
        },
        Some((section, rest)) => {
            let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = entry {
                insert(inner, rest, value);
            }
        }
    }
}

/// How a context value is drawn: a table that says it anew takes the place of the one before.
const DISTRIBUTIONS: [&str; 5] = ["uniform", "log_uniform", "normal", "choice", "grid"];

/// Puts every entry of `new` into `old`, tables within tables included.
fn add(old: &mut Table, new: Table) {
    for (name, value) in new {
        match (old.get_mut(&name), value) {
            (Some(Value::Table(old)), Value::Table(new))
                if !new.keys().any(|key| DISTRIBUTIONS.contains(&key.as_str())) =>
            {
                add(old, new);
            }
            (_, value) => {
                old.insert(name, value);
            }
        }
    }
}
