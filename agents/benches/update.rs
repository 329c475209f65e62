//! One update of each algorithm against the same DQN written with `tch::nn` and its Adam, in one
//! run, so that the ratio can be read. One thread, CPU.
//!
//! ```text
//! cargo bench -p contrail-agents
//! ```

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

use contrail_agents::dqn::Dqn;
use contrail_agents::sac::{Bounds, Sac};
use contrail_agents::{
    ActMode, ActionBatch, Agent, DqnConfig, Minibatch, NetworkConfig, ObsBatch, ObsSpec, SacConfig,
    Torso, UpdateSettings, losses,
};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::hint::black_box;
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Tensor, no_grad};

const SETTINGS: UpdateSettings = UpdateSettings { progress: 0.0, detail: false };

/// What both implementations are asked to do.
struct Job {
    name: &'static str,
    spec: ObsSpec,
    actions: i64,
    network: NetworkConfig,
    rows: usize,
}

fn mlp_job() -> Job {
    let spec = ObsSpec { shape: vec![4], bytes: false, scale: 1.0 };
    Job {
        name: "mlp_4_256_256_2_batch_64",
        spec,
        actions: 2,
        network: NetworkConfig::default(),
        rows: 64,
    }
}

fn minatar_job() -> Job {
    let spec = ObsSpec { shape: vec![4, 10, 10], bytes: true, scale: 1.0 };
    let network =
        NetworkConfig { torso: Torso::Minatar, hidden_units: vec![128], layer_norm: false };
    Job { name: "minatar_batch_32", spec, actions: 6, network, rows: 32 }
}

impl Job {
    fn minibatch(&self, rng: &mut Xoshiro256PlusPlus) -> Minibatch {
        let len = self.rows * self.spec.len() as usize;
        let mut obs = || {
            if self.spec.bytes {
                ObsBatch::U8((0..len).map(|_| rng.random_range(0..2)).collect())
            } else {
                ObsBatch::F32((0..len).map(|_| rng.random()).collect())
            }
        };
        let (obs, next_obs) = (obs(), obs());
        let actions = ActionBatch::Discrete(
            (0..self.rows).map(|_| rng.random_range(0..self.actions)).collect(),
        );
        let n_step_return = (0..self.rows).map(|_| rng.random()).collect();
        Minibatch {
            obs,
            actions,
            n_step_return,
            discount: vec![0.99; self.rows],
            next_obs,
            weights: vec![1.0; self.rows],
        }
    }

    /// The Q-network in `tch::nn`.
    fn plain_network(&self, path: &nn::Path<'_>) -> nn::Sequential {
        let units = match self.network.torso {
            Torso::Minatar => vec![1024, 128],
            _ => vec![4, 256, 256],
        };
        let mut net = nn::seq();
        if self.network.torso == Torso::Minatar {
            net = net
                .add(nn::conv2d(path / "conv", 4, 16, 3, nn::ConvConfig::default()))
                .add_fn(|x| x.relu().flatten(1, -1));
        }
        for (i, pair) in units.windows(2).enumerate() {
            net = net
                .add(nn::linear(path / i, pair[0], pair[1], nn::LinearConfig::default()))
                .add_fn(Tensor::relu);
        }
        net.add(nn::linear(
            path / "out",
            units[units.len() - 1],
            self.actions,
            nn::LinearConfig::default(),
        ))
    }
}

/// Double DQN as one would write it with `tch` alone.
struct Plain {
    online: nn::Sequential,
    target: nn::Sequential,
    optimizer: nn::Optimizer,
    _stores: [nn::VarStore; 2],
}

impl Plain {
    fn new(job: &Job) -> Self {
        let stores = [nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu)];
        let [online, target] = [&stores[0], &stores[1]].map(|s| job.plain_network(&s.root()));
        let optimizer = nn::Adam::default().build(&stores[0], 2.5e-4).expect("Adam can be built");
        Self { online, target, optimizer, _stores: stores }
    }

    fn update(&mut self, spec: &ObsSpec, batch: &Minibatch) -> Vec<f32> {
        let ActionBatch::Discrete(actions) = &batch.actions else {
            unreachable!("DQN's actions are discrete")
        };
        let obs = contrail_agents::nn::obs_tensor(&batch.obs, spec, Device::Cpu);
        let next_obs = contrail_agents::nn::obs_tensor(&batch.next_obs, spec, Device::Cpu);
        let actions = Tensor::from_slice(actions).unsqueeze(1); // [B, 1]
        let target = no_grad(|| {
            let best = self.online.forward(&next_obs).argmax(-1, true); // [B, 1]
            let bootstrap = self.target.forward(&next_obs).gather(1, &best, false).select(1, 0);
            let (returns, discount) =
                (Tensor::from_slice(&batch.n_step_return), Tensor::from_slice(&batch.discount));
            losses::td_target(&returns, &discount, &bootstrap)
        });
        let q = self.online.forward(&obs).gather(1, &actions, false).select(1, 0); // [B]
        let loss =
            (losses::huber(&q, &target) * Tensor::from_slice(&batch.weights)).mean(Kind::Float);
        self.optimizer.zero_grad();
        loss.backward();
        self.optimizer.clip_grad_norm(10.0);
        self.optimizer.step();
        Vec::try_from((target - q).abs()).expect("priorities are floats")
    }
}

fn dqn(criterion: &mut Criterion) {
    tch::set_num_threads(1);
    for job in [mlp_job(), minatar_job()] {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let batch = job.minibatch(&mut rng);
        let mut group = criterion.benchmark_group(format!("dqn_{}", job.name));
        let mut agent = Dqn::new(
            (&job.spec, job.actions),
            &job.network,
            &DqnConfig::default(),
            Device::Cpu,
            &mut rng,
        );
        group.bench_function("contrail", |b| {
            b.iter(|| agent.update(black_box(&batch), SETTINGS, &mut rng).expect("finite"))
        });
        let mut plain = Plain::new(&job);
        group.bench_function("tch_nn", |b| b.iter(|| plain.update(&job.spec, black_box(&batch))));
        let mut policy = agent.policy();
        let one = Job { rows: 1, ..job }.minibatch(&mut rng).obs;
        let explore = ActMode::Explore { epsilon: 0.1 };
        group.bench_function("act_one", |b| {
            b.iter(|| policy.act(black_box(&one), explore, &mut rng).expect("finite"))
        });
        group.finish();
    }
}

fn sac(criterion: &mut Criterion) {
    tch::set_num_threads(1);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let job = Job { rows: 256, ..mlp_job() };
    let batch = Minibatch { actions: ActionBatch::Box(vec![0.5; 256]), ..job.minibatch(&mut rng) };
    let bounds = Bounds::new(&[-1.0], &[1.0]).expect("bounds are in order");
    let mut agent =
        Sac::new((&job.spec, &bounds), &job.network, &SacConfig::default(), Device::Cpu, &mut rng);
    criterion.bench_function("sac_mlp_4_256_256_batch_256", |b| {
        b.iter(|| agent.update(black_box(&batch), SETTINGS, &mut rng).expect("finite"));
    });
}

criterion_group!(benches, dqn, sac);
criterion_main!(benches);
