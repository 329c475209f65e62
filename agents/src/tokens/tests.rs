use super::*;
use crate::nn;
use crate::scalar::floats;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use tch::{Device, Kind};

/// tanh⁻¹, so that tables can be written in what is rounded.
fn atanh(bounded: &[f64]) -> Tensor {
    Tensor::from_slice(&bounded.iter().map(|b| b.atanh() as f32).collect::<Vec<_>>()).view([1, -1])
}

/// L, what is rounded, its levels, their values.
type Table = (i64, &'static [f64], &'static [i64], &'static [f32]);

#[test]
fn tables_of_levels_and_values() {
    // b = tanh(x), level = ⌊(b + 1)(L - 1)/2 + 1/2⌋, edges where two levels are equally near:
    // L = 2: edge 0.            L = 3: edges -1/2, 1/2.
    // L = 4: edges -2/3, 0, 2/3.   L = 5: edges -3/4, -1/4, 1/4, 3/4.
    const THIRD: f32 = 1.0 / 3.0;
    let tables: [Table; 4] = [
        (2, &[-0.99, -0.01, 0.01, 0.99], &[0, 0, 1, 1], &[-1.0, -1.0, 1.0, 1.0]),
        (
            3,
            &[-0.99, -0.51, -0.49, 0.0, 0.49, 0.51, 0.99],
            &[0, 0, 1, 1, 1, 2, 2],
            &[-1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 1.0],
        ),
        (
            4,
            &[-0.67, -0.66, -0.01, 0.01, 0.66, 0.67],
            &[0, 1, 1, 2, 2, 3],
            &[-1.0, -THIRD, -THIRD, THIRD, THIRD, 1.0],
        ),
        (
            5,
            &[-0.76, -0.74, -0.26, -0.24, 0.24, 0.26, 0.74, 0.76],
            &[0, 1, 1, 2, 2, 3, 3, 4],
            &[-1.0, -0.5, -0.5, 0.0, 0.0, 0.5, 0.5, 1.0],
        ),
    ];
    for (levels, bounded, expected, values) in tables {
        let tokens = quantize(&atanh(bounded), levels);
        let found: Vec<i64> = Vec::try_from(tokens.levels.to_kind(Kind::Int64).view([-1])).unwrap();
        assert_eq!(found, expected, "L = {levels}");
        for (found, value) in floats(&tokens.values).iter().zip(values) {
            assert!((found - value).abs() < 1e-6, "L = {levels}: {found} for {value}");
        }
        for (soft, b) in floats(&tokens.soft).iter().zip(bounded) {
            assert!((f64::from(*soft) - b).abs() < 1e-6, "L = {levels}: {soft} for {b}");
        }
        let bytes: Vec<u8> = expected.iter().map(|level| *level as u8).collect();
        assert_eq!(code_bytes(&tokens), bytes);
    }
}

#[test]
fn every_level_is_reached_and_none_beyond() {
    for levels in [2i64, 3, 4, 5, 6, 7, 8, 255, 256] {
        let line = Tensor::linspace(-6.0, 6.0, 20_001, (Kind::Float, Device::Cpu));
        let ends = Tensor::from_slice(&[f32::MIN, -50.0, 50.0, f32::MAX]);
        let tokens = quantize(&Tensor::cat(&[line, ends], 0).view([-1, 1]), levels);
        let mut found: Vec<i64> =
            Vec::try_from(tokens.levels.to_kind(Kind::Int64).view([-1])).unwrap();
        assert_eq!(found[20_001..], [0, 0, levels - 1, levels - 1]);
        assert!(found[..20_001].is_sorted(), "L = {levels}");
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, (0..levels).collect::<Vec<_>>());
        let mut values = floats(&tokens.values);
        values.sort_by(f32::total_cmp);
        values.dedup();
        assert_eq!(values.len() as i64, levels, "equal levels have equal values");
        assert_eq!((values[0], values[values.len() - 1]), (-1.0, 1.0));
        for (low, high) in values.iter().zip(values.iter().rev()) {
            assert!((low + high).abs() < 1e-6, "L = {levels}: values are symmetric");
        }
    }
}

#[test]
fn gradient_passes_straight_through_the_rounding() {
    // ∂value/∂x = 1 - tanh²(x): for b = 0, 0.5, -0.8 that is 1, 0.75, 0.36, times the weights.
    for levels in [2, 4, 5] {
        let x = atanh(&[0.0, 0.5, -0.8]).set_requires_grad(true);
        let tokens = quantize(&x, levels);
        assert!(!tokens.levels.requires_grad());
        let weights = Tensor::from_slice(&[1.0f32, 2.0, 10.0]);
        (&tokens.values * weights).sum(Kind::Float).backward();
        for (found, expected) in floats(&x.grad()).iter().zip([1.0, 1.5, 3.6]) {
            assert!((found - expected).abs() < 1e-5, "{found} for {expected}");
        }
    }
}

#[test]
fn fresh_head_uses_many_levels_even_of_small_embeddings() {
    let config = TokenConfig::default();
    let mut layout = Layout::default();
    let head = TokenHead::new(&mut layout, "tokens", 64, &config);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let params = Params::new(&layout, &layout.init(&mut rng), Device::Cpu, true);
    // Activations after a ReLU, of very different size.
    let noise = nn::normal(&mut rng, 256 * 64, Device::Cpu).view([256, 64]).relu();
    for scale in [1e-1, 1.0, 100.0] {
        let tokens = head.tokens(&params, &(&noise * scale));
        let stats = TokenStats::of(&code_bytes(&tokens), 8, 5).unwrap();
        assert!(stats.group_perplexity > 2.0, "scale {scale}: {stats:?}");
        assert!(stats.usage > 0.7 && stats.dormant == 0.0, "scale {scale}: {stats:?}");
        let embedding = head.embedding(&params, &tokens);
        assert_eq!((tokens.values.size(), embedding.size()), (vec![256, 8], vec![256, 32]));
        // The decision's gradient reaches the projection through the code.
        let grads = Tensor::run_backward(
            &[embedding.square().sum(Kind::Float)],
            params.views(),
            false,
            false,
        );
        for (grad, entry) in grads.iter().zip(layout.entries()) {
            assert!(grad.abs().sum(Kind::Float).double_value(&[]) > 0.0, "{}", entry.name);
        }
    }
    let zeros = head.tokens(&params, &Tensor::zeros([2, 64], tch::kind::FLOAT_CPU));
    assert!(floats(&zeros.values).iter().all(|v| v.is_finite()));
}

#[test]
#[should_panic(expected = "a token has 1 levels; 2 to 256 are allowed")]
fn one_level_is_no_token() {
    let _ = quantize(&Tensor::zeros([1, 1], tch::kind::FLOAT_CPU), 1);
}

#[test]
fn config_has_the_defaults_of_the_docs() {
    let config: TokenConfig = serde_json::from_str("{}").unwrap();
    assert_eq!(config, TokenConfig::default());
    assert_eq!((config.groups, config.levels, config.embedding_units), (8, 5, 32));
    assert!(config.enabled && config.feed_decision);
    assert!(serde_json::from_str::<TokenConfig>(r#"{"level": 5}"#).is_err());
}

#[test]
fn statistics_of_four_codes_by_hand() {
    // Codes of two groups with three levels: (0, 1), (0, 1), (2, 1), (1, 1).
    // Occurring levels: {0, 1, 2} and {1}: 4 of 6. Distinct codes 3, at 1/2, 1/4, 1/4:
    // entropy 1.5 log 2. Group 0: the same; group 1: 0. Group 1 is dormant.
    let stats = TokenStats::of(&[0, 1, 0, 1, 2, 1, 1, 1], 2, 3).unwrap();
    let perplexity = 2f64.powf(1.5);
    assert!((stats.usage - 4.0 / 6.0).abs() < 1e-12);
    assert_eq!(stats.codes, 3);
    assert!((stats.perplexity - perplexity).abs() < 1e-12);
    assert!((stats.group_perplexity - f64::midpoint(perplexity, 1.0)).abs() < 1e-12);
    assert!((stats.dormant - 0.5).abs() < 1e-12);
}

#[test]
fn statistics_at_their_ends() {
    assert_eq!(TokenStats::of(&[], 2, 3), None);
    let one = TokenStats::of(&[4, 0], 2, 5).unwrap();
    let expected =
        TokenStats { usage: 0.2, codes: 1, perplexity: 1.0, group_perplexity: 1.0, dormant: 1.0 };
    assert_eq!(one, expected);
    // All nine codes of two groups of three once.
    let all: Vec<u8> = (0..9u8).flat_map(|code| [code / 3, code % 3]).collect();
    let all = TokenStats::of(&all, 2, 3).unwrap();
    assert_eq!((all.usage, all.codes, all.dormant), (1.0, 9, 0.0));
    assert!((all.perplexity - 9.0).abs() < 1e-9 && (all.group_perplexity - 3.0).abs() < 1e-9);
}

#[test]
fn effective_rank_of_known_matrices() {
    let rank = |rows: &[[f32; 3]]| effective_rank(&Tensor::from_slice2(rows));
    // Singular values 1, 1, 1 -> 3; one -> 1; 2, 2, 0 -> 2.
    let identity = rank(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    assert!((identity - 3.0).abs() < 1e-5, "{identity}");
    let line = rank(&[[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [-3.0, -6.0, -9.0], [0.0; 3]]);
    assert!((line - 1.0).abs() < 1e-4, "{line}");
    // Values 3 and 1: p = 3/4, 1/4: exp(-(3/4 log 3/4 + 1/4 log 1/4)) = 1.754765.
    let uneven = rank(&[[0.0, 3.0, 0.0], [0.0, 0.0, -1.0]]);
    assert!((uneven - 1.754_765).abs() < 1e-5, "{uneven}");
    assert_eq!(rank(&[[0.0; 3]; 2]), 0.0);
    assert!(rank(&[[f32::NAN, 0.0, 1.0]]).is_nan() && rank(&[[f32::INFINITY, 0.0, 1.0]]).is_nan());
}

#[test]
fn dormant_units_by_hand() {
    // Means of |h| over rows: 2, 0, 0.05, 1.95; over units 1; so scores are the same.
    let h = Tensor::from_slice2(&[[-1.0f32, 0.0, 0.1, 1.95], [3.0, 0.0, 0.0, -1.95]]);
    for (threshold, mask, share) in
        [(0.0, [0, 1, 0, 0], 0.25), (0.025, [0, 1, 0, 0], 0.25), (0.1, [0, 1, 1, 0], 0.5)]
    {
        let found: Vec<i64> =
            Vec::try_from(dormant_mask(&h, threshold).to_kind(Kind::Int64)).unwrap();
        assert_eq!(found, mask, "threshold {threshold}");
        assert_eq!(dormant_units(&h, threshold), share);
    }
    // A layer of zeros is all dormant, not NaN.
    assert_eq!(dormant_units(&Tensor::zeros([3, 4], tch::kind::FLOAT_CPU), DORMANT_THRESHOLD), 1.0);
}

#[test]
fn alarm_is_raised_once_and_again_after_recovery() {
    let mut alarm = CollapseAlarm::default();
    // (group perplexity, effective rank, which alarm)
    let measurements = [
        (1.05, 5.0, None),
        (1.2, 5.0, None), // the count starts anew
        (1.05, 5.0, None),
        (1.02, 5.0, None),
        (1.0, 5.0, Some("the mean perplexity of a token group is 1.000, below 1.1")),
        (1.0, 1.5, None), // raised already; the rank begins
        (1.0, 1.4, None),
        (1.0, 1.25, Some("the effective rank of the embeddings is 1.250, below 2")),
        (1.1, 1.0, None), // at the limit is not below it
        (1.0, 2.0, None),
        (1.0, 9.0, None),
        (1.0, 9.0, Some("the mean perplexity of a token group is 1.000, below 1.1")),
    ];
    for (i, (perplexity, rank, expected)) in measurements.into_iter().enumerate() {
        let found = alarm.observe(Some(perplexity), Some(rank));
        match (found, expected) {
            (None, None) => {}
            (Some(found), Some(expected)) => {
                assert!(found.contains(expected), "{i}: {found}");
                assert!(found.contains("for 3 measurements in a row"), "{i}: {found}");
            }
            (found, expected) => panic!("{i}: {found:?} for {expected:?}"),
        }
        // A checkpoint between any two measurements changes nothing.
        let stored = serde_json::to_string(&alarm).unwrap();
        assert_eq!(serde_json::from_str::<CollapseAlarm>(&stored).unwrap(), alarm);
    }
}

#[test]
fn alarm_of_both_at_once_and_of_what_is_not_measured() {
    let limits = CollapseLimits { patience: 1, ..CollapseLimits::default() };
    let both = CollapseAlarm::new(limits).observe(Some(1.0), Some(f64::NAN)).unwrap();
    assert!(
        both.contains("perplexity") && both.contains("rank of the embeddings is NaN"),
        "{both}"
    );
    assert!(both.contains("for 1 measurement in a row"), "{both}");
    let mut alarm = CollapseAlarm::default();
    for _ in 0..10 {
        assert_eq!(alarm.observe(None, None), None);
        assert_eq!(alarm.observe(None, Some(30.0)), None);
    }
}

#[test]
fn alarm_sees_a_planted_collapse_and_leaves_healthy_data_alone() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let mut alarm = CollapseAlarm::default();
    let mut measure = |spread: f64| {
        // Embeddings around one point: what is left of their differences is `spread`.
        let h = nn::normal(&mut rng, 200 * 16, Device::Cpu).view([200, 16]) * spread + 1.0;
        let codes = code_bytes(&quantize(&h.narrow(1, 0, 8), 5));
        let stats = TokenStats::of(&codes, 8, 5).unwrap();
        alarm.observe(Some(stats.group_perplexity), Some(effective_rank(&h)))
    };
    for _ in 0..10 {
        assert_eq!(measure(1.0), None);
    }
    let collapsing = [1e-3; 5].map(&mut measure);
    let raised = collapsing.iter().flatten().collect::<Vec<_>>();
    assert!(collapsing[2].is_some() && raised.len() == 1, "{collapsing:?}");
    assert!(raised[0].contains("perplexity") && raised[0].contains("effective rank"), "{raised:?}");
    assert_eq!(measure(1.0), None);
    assert!([1e-3; 3].map(&mut measure)[2].is_some(), "it is armed again");
}
