//! Every file of `configs/` is valid, and its effective config reads back.

use contrail::config::{Overrides, from_toml, load};
use contrail::run::Spaces;
use contrail_envs::Registry;
use contrail_envs::python::is_python;
use std::path::{Path, PathBuf};

#[test]
fn every_file_of_configs_is_valid() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let listed = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<PathBuf> =
        listed(configs.clone()).chain(listed(configs.join("suites"))).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 15, "{files:?}");
    for file in files {
        let config =
            load(Some(&file), &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        let again = from_toml("effective.toml", &config.to_toml().unwrap()).unwrap();
        assert_eq!(again, config, "{}", file.display());
        if !is_python(&config.env.id) {
            let spaces = Spaces::of(&config, &Registry::builtin());
            spaces.unwrap_or_else(|error| panic!("{}: {error:#}", file.display()));
        }
    }
}
