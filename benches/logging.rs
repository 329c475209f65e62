//! What one row of metrics costs: twenty scalars and a histogram of a minibatch's Q-values, to
//! `metrics.jsonl` and TensorBoard. A run writes one row every `log.period_env_steps`.
//!
//! ```text
//! cargo bench --bench logging
//! ```

#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

use contrail::log::{Counters, MetricLog};
use criterion::{Criterion, criterion_group, criterion_main};

fn row(criterion: &mut Criterion) {
    let dir = std::env::temp_dir().join(format!("contrail_bench_{}", std::process::id()));
    let mut log = MetricLog::open(&dir, None).expect("the temporary folder can be written");
    let scalars: Vec<(String, f64)> =
        (0..20).map(|i| (format!("train/metric_{i}"), f64::from(i) / 7.0)).collect();
    let q_values: Vec<f64> = (0..192).map(|i| f64::from(i).sin()).collect();
    let mut counters = Counters::default();
    criterion.bench_function("row_of_20_scalars_and_a_histogram", |bencher| {
        bencher.iter(|| {
            counters.env_steps += 1000;
            log.scalars(counters, &scalars).expect("metrics.jsonl can be written");
            log.histogram("train/q_values", counters, &q_values).expect("it can be written");
        });
    });
    drop(log);
    std::fs::remove_dir_all(&dir).expect("the temporary folder can be removed");
}

criterion_group!(benches, row);
criterion_main!(benches);
