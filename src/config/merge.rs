//! From layers to one config: unknown keys and wrong types are refused where they were written.

use super::error::ConfigError;
use super::keys;
use super::layers::{Layer, insert, last_text};
use super::raw::{RawAlgorithm, RawConfig};
use super::valid::{Config, validate};
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Largest count that a float holds exactly, 2^53: `1e6` is accepted where a count is expected.
const MAX_EXACT_COUNT: f64 = 9_007_199_254_740_992.0;

/// Merges `layers`, later ones over earlier ones, and checks the result.
pub(super) fn merge(layers: &[Layer]) -> Result<Config, ConfigError> {
    let mut merged = Merged::read(layers)?;
    merged.follow_learning_rate();
    let raw: RawConfig = Value::Table(merged.table).try_into().map_err(|error| {
        ConfigError::Invalid(vec![error.to_string().trim_end().replace('\n', " ")])
    })?;
    let config = validate(raw).map_err(|problems| {
        let sentence = |text: String, key: &str| match merged.origins.get(key) {
            Some(origin) => format!("{origin}: {text}"),
            None => text,
        };
        ConfigError::Invalid(problems.into_iter().map(|p| sentence(p.text, p.key)).collect())
    })?;
    refuse_without_effect(layers, &config)?;
    Ok(config)
}

/// Settings of all layers, and which layer each came from last.
#[derive(Default)]
struct Merged {
    table: Table,
    origins: BTreeMap<String, String>,
}

impl Merged {
    fn read(layers: &[Layer]) -> Result<Self, ConfigError> {
        let known = keys::known_keys().map_err(|error| ConfigError::Write(error.to_string()))?;
        let algorithm = last_text(layers, "algorithm", "name")
            .unwrap_or_else(|| RawAlgorithm::default().name.as_str());
        let mut merged = Self::default();
        let mut problems = Vec::new();
        for layer in layers {
            for (key, value) in leaves(&layer.table, &known) {
                let accepted = if known.contains(&key) {
                    typed(&key, value)
                } else {
                    Err(keys::unknown(&key, &known, algorithm))
                };
                match accepted {
                    Ok(value) => {
                        insert(&mut merged.table, &key, value);
                        merged.origins.insert(key, layer.origin.clone());
                    }
                    Err(reason) => problems.push(format!("{}: {reason}", layer.origin)),
                }
            }
        }
        if problems.is_empty() { Ok(merged) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// A learning rate without a final one is constant.
    fn follow_learning_rate(&mut self) {
        if let Some(Value::Table(dqn)) = self.table.get_mut("dqn")
            && !dqn.contains_key("learning_rate_final")
            && let Some(rate) = dqn.get("learning_rate").cloned()
        {
            dqn.insert("learning_rate_final".to_owned(), rate);
        }
    }
}

/// Every value of `table` with its dotted key. An empty section that is not known is one too, and
/// so is an open section as a whole.
fn leaves(table: &Table, known: &[String]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    collect(table, ("", known), &mut found);
    found
}

fn collect(table: &Table, (path, known): (&str, &[String]), found: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        // A quoted name with a dot is one name; written as such, it is never a known key.
        let name = if name.contains('.') { format!("{name:?}") } else { name.clone() };
        let dot = if path.is_empty() { "" } else { "." };
        let key = format!("{path}{dot}{name}");
        match value {
            Value::Table(inner) if !inner.is_empty() && !keys::OPEN.contains(&key.as_str()) => {
                collect(inner, (&key, known), found);
            }
            Value::Table(inner) if inner.is_empty() && is_section(&key, known) => {}
            _ => found.push((key, value.clone())),
        }
    }
}

fn is_section(key: &str, known: &[String]) -> bool {
    known.iter().any(|k| k.split('.').next() == Some(key))
}

/// `value` if the key `key` takes it; a float without fraction counts as a whole number.
fn typed(key: &str, value: Value) -> Result<Value, String> {
    if keys::OPEN.contains(&key) {
        // A layer may hold a part of an entry, which only makes sense with the others.
        let expected = || format!("{key} is {value}, expected a table");
        return if value.is_table() { Ok(value) } else { Err(expected()) };
    }
    let Err(expected) = try_alone(key, &value) else {
        return Ok(value);
    };
    if let Value::Float(float) = value
        && float.fract() == 0.0
        && float.abs() <= MAX_EXACT_COUNT
    {
        let whole = Value::Integer(float as i64);
        if try_alone(key, &whole).is_ok() {
            return Ok(whole);
        }
    }
    Err(format!("{key} is {value}, expected {}", in_words(&expected, value.is_array())))
}

/// Reads a config with this one setting; the error is what was expected instead.
fn try_alone(key: &str, value: &Value) -> Result<(), String> {
    let mut table = Table::new();
    insert(&mut table, key, value.clone());
    match Value::Table(table).try_into::<RawConfig>() {
        Ok(_) => Ok(()),
        Err(error) => {
            let message = error.message();
            let expected =
                message.rsplit_once("expected ").map_or(message, |(_, expected)| expected);
            Err(expected.lines().next().unwrap_or_default().to_owned())
        }
    }
}

/// serde's name of a type as a user would say it.
fn in_words(expected: &str, in_list: bool) -> String {
    let words = match expected {
        "f32" | "f64" => "a number".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => return "a list".to_owned(),
        "an array of length 2" => return "a list of two numbers".to_owned(),
        "a string" | "string" => "text".to_owned(),
        other => other.replace('`', "\""),
    };
    if in_list { format!("a list, each element {words}") } else { words }
}

/// A setting that was typed by itself and changes nothing is a mistake. In a file it may wait for
/// the heir that switches it on.
fn refuse_without_effect(layers: &[Layer], config: &Config) -> Result<(), ConfigError> {
    let mut problems = Vec::new();
    for layer in layers.iter().filter(|layer| layer.deliberate) {
        for (key, _) in leaves(&layer.table, &[]) {
            if let Some(reason) = keys::without_effect(&key, config) {
                problems.push(format!("{}: {key} has no effect, because {reason}", layer.origin));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(problems)) }
}
