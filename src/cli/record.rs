//! `contrail record`.

use super::evaluate::{self, Trained};
use super::{Exit, RecordArgs, print};
use crate::config::Config;
use crate::run::{self, UserError};
use anyhow::{Context as _, Result};
use contrail_envs::{Registry, RgbFrame};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

/// Time that a picture is shown, in milliseconds.
const SHOWN_MS: u16 = 50;

pub(super) fn run(args: &RecordArgs, registry: &Registry) -> Result<Exit> {
    let Trained { mut config, policy, seeds } =
        evaluate::load(&args.run_dir, args.checkpoint, args.seed)?;
    if let Some(name) = &args.subspace {
        config = only(&config, name)?;
    }
    let mut pictures: Vec<RgbFrame> = Vec::new();
    let mut env_step = 0;
    let episode_return = run::record(&config, registry, (&policy, seeds), &mut |frame| {
        if env_step % args.every == 0 && pictures.len() < args.pictures as usize {
            pictures.push(frame.clone());
        }
        env_step += 1;
        Ok(())
    })?;
    write_animation(&args.out, &pictures)
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    print(&format!(
        "{}: {} pictures of an episode with return {episode_return:.1}\n",
        args.out.display(),
        pictures.len()
    ))?;
    Ok(Exit::Done)
}

/// `config` with the subspace `name` alone.
fn only(config: &Config, name: &str) -> Result<Config> {
    let Some(subspace) = config.subspaces.iter().find(|subspace| subspace.name == name) else {
        let names: Vec<&str> = config.subspaces.iter().map(|s| s.name.as_str()).collect();
        let text = format!(
            "--subspace: there is no subspace {name:?} in the run's config; there are: {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        );
        return Err(UserError(text).into());
    };
    let other = Config { split: None, subspaces: vec![subspace.clone()], ..config.clone() };
    Ok(config.with_split_of(&other))
}

/// Writes `pictures`, all of one size, as an animated PNG that repeats.
fn write_animation(path: &Path, pictures: &[RgbFrame]) -> Result<()> {
    let first = pictures.first().context("the episode has no picture")?;
    let (width, height) = (u32::try_from(first.width)?, u32::try_from(first.height)?);
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    if pictures.len() > 1 {
        encoder.set_animated(u32::try_from(pictures.len())?, 0)?;
        encoder.set_frame_delay(SHOWN_MS, 1000)?;
    }
    let mut writer = encoder.write_header()?;
    for picture in pictures {
        writer.write_image_data(&picture.pixels)?;
    }
    Ok(writer.finish()?)
}
