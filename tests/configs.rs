//! Every file of `configs/` is valid, and its effective config reads back.

use contrail::config::{Overrides, from_toml, load};
use std::path::{Path, PathBuf};

#[test]
fn every_file_of_configs_is_valid() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(configs).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 7, "{files:?}");
    for file in files {
        let config =
            load(Some(&file), &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        let again = from_toml("effective.toml", &config.to_toml().unwrap()).unwrap();
        assert_eq!(again, config, "{}", file.display());
    }
}
