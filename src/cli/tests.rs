//! The command line: flags, refusals with exit codes, and the examples of `--help`.

use super::args::parse_count;
use super::{CheckpointChoice, Cli, Command, ConfigSource};
use crate::config::Overrides;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::path::PathBuf;

fn parse(words: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("contrail").chain(words.split_whitespace()))
}

fn source(words: &str) -> ConfigSource {
    match parse(words).unwrap().command {
        Command::Train(args) => args.source,
        other => panic!("{words}: {other:?}"),
    }
}

#[test]
fn definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_an_example() {
    for command in Cli::command().get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(
            help.contains(&format!("contrail {}", command.get_name())),
            "{}",
            command.get_name()
        );
    }
}

/// The texts of `--help` promise commands that parse.
#[test]
fn examples_parse() {
    for command in Cli::command().get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in help.lines().filter_map(|line| line.trim().strip_prefix("contrail ")) {
            let line = line.split(" > ").next().unwrap();
            parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}

#[test]
fn train_reads_flags() {
    let source = source(
        "train a.toml --env X-v0 --algo sac --seed 7 --device cuda:1 --mode serial --env-steps 2e5 \
         --set a=1 --set b=2",
    );
    assert_eq!(source.config, Some(PathBuf::from("a.toml")));
    let expected = Overrides {
        env: Some("X-v0".into()),
        algo: Some("sac".into()),
        seed: Some(7),
        device: Some("cuda:1".into()),
        mode: Some("serial".into()),
        env_steps: Some(200_000),
        set: vec!["a=1".into(), "b=2".into()],
    };
    assert_eq!(source.overrides(), expected);
}

#[test]
fn usage_errors_exit_with_2_and_help_with_0() {
    let cases = [
        ("train", ErrorKind::MissingRequiredArgument, 2),
        ("train --resume", ErrorKind::MissingRequiredArgument, 2),
        ("train --resume --overwrite --run-dir d", ErrorKind::ArgumentConflict, 2),
        ("train a.toml --resume --run-dir d", ErrorKind::ArgumentConflict, 2),
        ("train --env X --algo ppo", ErrorKind::InvalidValue, 2),
        ("train --env X --env-steps 1.5", ErrorKind::ValueValidation, 2),
        ("train --env X --seed 9223372036854775808", ErrorKind::ValueValidation, 2),
        ("train --env X --mode fast", ErrorKind::InvalidValue, 2),
        ("evaluate", ErrorKind::MissingRequiredArgument, 2),
        ("evaluate d --episodes 0", ErrorKind::ValueValidation, 2),
        ("evaluate d --checkpoint newest", ErrorKind::ValueValidation, 2),
        ("evaluate d --set a=1", ErrorKind::UnknownArgument, 2),
        ("config", ErrorKind::MissingRequiredArgument, 2),
        ("trian", ErrorKind::InvalidSubcommand, 2),
        ("train --help", ErrorKind::DisplayHelp, 0),
        ("--version", ErrorKind::DisplayVersion, 0),
    ];
    for (words, kind, code) in cases {
        let error = parse(words).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (kind, code), "{words}");
    }
}

#[test]
fn counts() {
    let cases =
        [("0", Some(0)), ("200_000", Some(200_000)), ("2e5", Some(200_000)), ("1.5e1", Some(15))];
    for (text, count) in cases {
        assert_eq!(parse_count(text).ok(), count, "{text}");
    }
    for text in ["", "-1", "1.5", "1e17", "nan", "inf", "many"] {
        assert!(parse_count(text).is_err(), "{text}");
    }
}

#[test]
fn checkpoints() {
    assert_eq!("best".parse(), Ok(CheckpointChoice::Best));
    assert_eq!("latest".parse(), Ok(CheckpointChoice::Latest));
    assert_eq!("25_000".parse(), Ok(CheckpointChoice::EnvSteps(25_000)));
}
