# The commands a user needs; each does whatever set-up is still missing. `make help` lists them.

PYTHON ?= python3
ARGS ?=
export PYTHON

.PHONY: help setup train test clean-libtorch

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

setup: ## check the tools and fetch libtorch; then plain cargo commands work
	@sh scripts/setup.sh

train: setup ## train the quick-start job and print its return; further flags in ARGS="..."
	cargo run --release -- train configs/quickstart.toml --overwrite $(ARGS)

# In the release profile throughout, so that libtorch's bindings are compiled once.
test: ## every check and every test
	@sh scripts/setup.sh --linters
	@sh scripts/python_envs.sh
	@echo "== set-up tests"
	@sh tests/setup/run.sh
	@echo "== no file names a path of one machine"
	@sh tests/setup/no_machine_paths.sh
	@echo "== statistics and tables of the studies"
	@$(PYTHON) -m unittest discover -s scripts
	@echo "== formatting"
	cargo fmt --all --check
	@echo "== lints"
	cargo lint
	@echo "== documentation"
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps --workspace --features my-envs/cli
	@echo "== contrail-envs builds without libtorch"
	LIBTORCH=/nowhere cargo build --release -p contrail-envs
	@tree=$$(cargo tree -p contrail-envs --prefix none) && \
		! echo "$$tree" | grep -E '^(tch|torch-sys) '
	@echo "== tests"
	cargo test --release --workspace --features my-envs/cli
	@echo "== the adapter of gymnasium-rs"
	cargo clippy --release -p contrail-envs --features gymnasium-rs --lib --test gymnasium_rs -- -D warnings
	cargo test --release -p contrail-envs --features gymnasium-rs --lib --test gymnasium_rs

clean-libtorch: ## delete the libtorch that set-up fetched
	rm -rf .libtorch
