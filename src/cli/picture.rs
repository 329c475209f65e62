//! `contrail envs ID --config FILE --picture OUT.png`: what the subspaces of a config look like.

mod sheet;

use super::{EnvsArgs, Exit, print};
use crate::config::{self, Config, Overrides};
use crate::run::{UserError, env_options};
use anyhow::{Context as _, Result};
use contrail_envs::conformance::RandomActions;
use contrail_envs::{Environment, ObsBuffer, Registry, RgbFrame, SeedStream, Subspace};
use sheet::{Row, Sheet};
use std::path::Path;

/// Contexts drawn from each subspace.
const COLUMNS: u64 = 6;
/// Random steps before the picture is taken, fewer where the episode ends.
const ENV_STEPS: u32 = 8;
/// Longer sides of one picture in pixels, the largest first: the first that fits is taken.
const SIDES_PX: [usize; 6] = [160, 120, 90, 60, 45, 30];
/// Largest file.
const MAX_BYTES: usize = 1 << 20;

pub(super) fn run(
    args: &EnvsArgs,
    (file, out): (&Path, &Path),
    registry: &Registry,
) -> Result<Exit> {
    let overrides =
        Overrides { env: args.id.clone(), set: args.set.clone(), ..Overrides::default() };
    let config = config::load(Some(file), &overrides)?;
    let mut options = env_options(&config.env);
    options.python.render = true;
    let mut env = registry.make(&config.env.id, &options)?;
    let subspaces = in_order(&config);
    for subspace in &subspaces {
        subspace.check(&env.spec().context).map_err(|error| UserError(error.to_string()))?;
    }
    let rows = subspaces.iter().map(|subspace| row(env.as_mut(), subspace));
    let (bytes, side_px) = encoded(&rows.collect::<Result<Vec<_>>>()?)?;
    std::fs::write(out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
    print(&format!(
        "{}: {} subspaces of {}, {COLUMNS} contexts each after up to {ENV_STEPS} random steps, \
         {side_px} pixels a picture\n",
        out.display(),
        subspaces.len(),
        config.env.id
    ))?;
    Ok(Exit::Done)
}

/// Sources, targets, and those that are in neither.
fn in_order(config: &Config) -> Vec<Subspace> {
    let mut all: Vec<Subspace> = config.sources().into_iter().chain(config.targets()).collect();
    let is_new = |s: &&Subspace| all.iter().all(|known| known.name != s.name);
    let others: Vec<Subspace> = config.subspaces.iter().filter(is_new).cloned().collect();
    all.extend(others);
    all
}

/// Pictures of `subspace`. Those of one column share seed and actions in every row, so that only
/// the contexts make a difference.
fn row(env: &mut dyn Environment, subspace: &Subspace) -> Result<Row> {
    let root = SeedStream::root(0).stream("picture");
    let mut obs = ObsBuffer::zeros(&env.spec().obs, 1);
    let mut pictures = Vec::new();
    for column in 0..COLUMNS {
        let mut rng = root.stream("contexts").stream(&subspace.name).index(column).rng();
        let context = subspace.sample(&env.spec().context, &mut rng);
        env.reset(root.stream("env").index(column).seed(), &context, obs.as_mut())?;
        let seed = root.stream("actions").index(column).seed();
        let mut actions = RandomActions::new(&env.spec().action, seed);
        for _ in 0..ENV_STEPS {
            if actions.step(env, obs.as_mut())?.outcome.ends_episode() {
                break;
            }
        }
        let mut picture = RgbFrame::default();
        env.render(&mut picture)?;
        pictures.push(picture);
    }
    Ok(Row { name: subspace.name.clone(), pictures })
}

/// A PNG of at most [`MAX_BYTES`] with pictures as large as fit, and their longer side in pixels.
fn encoded(rows: &[Row]) -> Result<(Vec<u8>, usize)> {
    for side_px in SIDES_PX {
        let bytes = png_of(&Sheet { side_px }.draw(rows))?;
        if bytes.len() <= MAX_BYTES {
            return Ok((bytes, side_px));
        }
    }
    let text = format!(
        "--picture: {} subspaces need more than {MAX_BYTES} bytes even at {} pixels a picture",
        rows.len(),
        SIDES_PX[SIDES_PX.len() - 1]
    );
    Err(UserError(text).into())
}

fn png_of(frame: &RgbFrame) -> Result<Vec<u8>> {
    let (width, height) = (u32::try_from(frame.width)?, u32::try_from(frame.height)?);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&frame.pixels)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
