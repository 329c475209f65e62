use super::*;
use crate::cli::{Cli, Command};
use clap::Parser;
use rand::RngExt;

const CONFIG: &str = "
    [env]
    id = \"MinAtar/Breakout-v1\"
    [subspaces.published]
    [subspaces.mirrored]
    mirror = 1
    [subspaces.permuted]
    channel_permutation = { choice = [1, 5, 23] }
    except = [\"published\"]
    ";

fn drawn(words: &[&str]) -> Result<Exit> {
    let words = ["contrail", "envs"].iter().chain(words);
    let Command::Envs(args) = Cli::parse_from(words).command else { panic!("another command") };
    let (file, out) = args.config.clone().zip(args.picture.clone()).unwrap();
    run(&args, (&file, &out), &Registry::builtin())
}

/// Size and pixels.
fn read(path: &Path) -> RgbFrame {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    RgbFrame { width: info.width as usize, height: info.height as usize, pixels }
}

#[test]
fn a_sheet_has_a_row_for_each_subspace_and_is_the_same_again() {
    let dir = tempfile::tempdir().unwrap();
    let (config, out) = (dir.path().join("c.toml"), dir.path().join("sheet.png"));
    std::fs::write(&config, CONFIG).unwrap();
    let words = ["--config", config.to_str().unwrap(), "--picture", out.to_str().unwrap()];
    drawn(&words).unwrap();
    let first = std::fs::read(&out).unwrap();
    assert!(first.len() <= MAX_BYTES);
    // Pictures of 300 by 300 pixels become 160 by 160.
    let sheet = read(&out);
    assert_eq!((sheet.width, sheet.height), (6 + 6 * 166, 6 + 3 * 182));
    drawn(&words).unwrap();
    assert_eq!(std::fs::read(&out).unwrap(), first);
}

#[test]
fn rows_differ_in_their_contexts_only() {
    let mut env = Registry::builtin().make("MinAtar/Breakout-v1", &Default::default()).unwrap();
    let named = |name: &str| Subspace { name: name.into(), ..Subspace::default() };
    let mirrored = |name: &str| {
        let values = [("mirror".to_owned(), contrail_envs::Distribution::Fixed(1.0))].into();
        Subspace { values, ..named(name) }
    };
    let mut pictures = |subspace: &Subspace| row(env.as_mut(), subspace).unwrap().pictures;
    assert_eq!(pictures(&named("a")), pictures(&named("b")));
    assert_ne!(pictures(&named("a")), pictures(&mirrored("a")));
    assert_eq!(pictures(&named("a")).len(), 6);
}

#[test]
fn a_sheet_that_is_too_large_gets_smaller_pictures() {
    let mut rng = SeedStream::root(0).rng();
    // Noise does not compress: 6 pictures of 160 pixels are 460 kB.
    let mut noise = || {
        let pixels = (0..3 * 160 * 160).map(|_| rng.random()).collect();
        RgbFrame { width: 160, height: 160, pixels }
    };
    let mut row = |_| Row { name: "noise".into(), pictures: (0..6).map(|_| noise()).collect() };
    for (count, expected) in [(1, 160), (4, 120), (8, 90)] {
        let rows: Vec<Row> = (0..count).map(&mut row).collect();
        let (bytes, side_px) = encoded(&rows).unwrap();
        assert!(bytes.len() <= MAX_BYTES);
        assert_eq!(side_px, expected, "{count} rows");
    }
}

#[test]
fn subspaces_that_do_not_fit_are_usage_errors() {
    let dir = tempfile::tempdir().unwrap();
    let (config, out) = (dir.path().join("c.toml"), dir.path().join("sheet.png"));
    std::fs::write(&config, CONFIG).unwrap();
    let (config, out_text) = (config.to_str().unwrap(), out.to_str().unwrap());
    let error = drawn(&["CartPole-v1", "--config", config, "--picture", out_text]).unwrap_err();
    assert!(error.is::<UserError>(), "{error}");
    assert!(error.to_string().contains("\"mirror\"") || error.to_string().contains("channel"));
    assert!(!out.exists());
}
