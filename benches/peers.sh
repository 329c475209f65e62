#!/bin/sh
# How much faster Contrail's own environments step than those that Python users have.
#
#   benches/peers.sh                  # everything, about 6 minutes
#   ROUNDS=3 SECONDS_EACH=1 benches/peers.sh
#
# Each round measures Contrail, then the peer in a plain Python loop without Contrail. Everything is
# bound to one core (CORE), threads of the peer included; the number in brackets says how much of it
# the measurement got, and "per core" takes that into account. EnvPool has one thread and is measured
# with 256 and with 4096 environments together, since all of a batch share what a call from Python
# costs.
# Needs target/release/contrail (`cargo build --release`) and Python 3.11 or newer.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-3}
core=${CORE:-0}
contrail=${CONTRAIL:-target/release/contrail}
venv=.venv-bench

wanted=$("$python" --version; cat benches/requirements.txt)
if [ ! -f "$venv/made-from" ] || [ "$wanted" != "$(cat "$venv/made-from")" ]; then
    echo "== $venv: installing benches/requirements.txt"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip --quiet --disable-pip-version-check install \
        --only-binary=:all: --no-deps -r benches/requirements.txt
    printf '%s\n' "$wanted" >"$venv/made-from"
fi

bound=
if command -v taskset >/dev/null; then
    bound="taskset -c $core"
else
    echo "note: without taskset nothing is bound to a core; look at the numbers in brackets" >&2
fi

# ID [OPTION...]
bench() {
    $bound "$contrail" bench env "$@" --rounds "$rounds" --seconds "$seconds" \
        --set "env.python=$venv/bin/python" 2>"$venv/errors" || {
        cat "$venv/errors" >&2
        exit 1
    }
    echo
}

lscpu 2>/dev/null | sed -n 's/^Model name: */on one core of /p'
echo
for game in Asterix Breakout Freeway Seaquest SpaceInvaders; do
    bench "MinAtar/$game-v1" --against "gym:MinAtar/$game-v1"
done
bench CartPole-v1 --against gym:CartPole-v1
bench CartPole-v1 --against envpool:CartPole-v1 --against-envs 256
bench CartPole-v1 --against envpool:CartPole-v1 --against-envs 4096
bench MiniGrid-DoorKey-8x8-v0 --against gym:MiniGrid-DoorKey-8x8-v0 \
    --set 'env.obs_keys=["image"]' # the mission is text; the plain loop leaves it alone
bench Jumping-v0
