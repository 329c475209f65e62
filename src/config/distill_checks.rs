//! Ranges of the sections of contrastive distillation, and what they need of each other.

use super::checks::{Checks, MAX_ENV_STEPS};
use super::distill::{Align, ContrastSection, Detect, ShiftSection, Start};
use super::raw::{AlgorithmName, RawConfig};
use super::schedule::{RawSchedule, ScheduleName};
use crate::contrast::BehaviorOf;
use contrail_agents::contrast::{Frozen, Objective};
use contrail_agents::gate::GateRule;
use contrail_agents::loss_policy::{LossPolicyConfig, LossPolicyKind};
use contrail_agents::{Augmentation, Relation};

/// An env step for each of four draws of fresh parameters, and as many for the other two starts.
const LEAST_GUARD_ENV_STEPS: u64 = 12;

impl Checks {
    /// Ranges of the sections of contrastive distillation and of `[shift]`.
    pub(super) fn distill(&mut self, raw: &RawConfig) {
        if let Some(contrast) = &raw.contrast {
            self.contrast(contrast);
            self.discrete_alone(contrast, raw.algorithm.name);
        }
        if let Some(tokens) = &raw.tokens {
            self.within("tokens.groups", tokens.groups, 1..=64);
            self.within("tokens.levels", tokens.levels, 2..=255);
            self.within("tokens.embedding_units", tokens.embedding_units, 1..=16_384);
        }
        if let Some(teacher) = &raw.teacher {
            self.within("teacher.ema_rate", teacher.ema_rate, 0.0..=1.0);
            self.within("teacher.pool", teacher.pool, 1..=1000);
            let weight = teacher.distillation_weight;
            self.within("teacher.distillation_weight", weight, 0.0..=1e6);
            self.positive("teacher.policy_temperature", teacher.policy_temperature, 1e6);
        }
        if let Some(memory) = &raw.memory {
            self.within("memory.segments", memory.segments, 1..=100_000_000);
            self.within("memory.recent_segments", memory.recent_segments, 1..=1_000_000);
            self.within("memory.segment_env_steps", memory.segment_env_steps, 1..=1000);
            self.within("memory.coded_per_update", memory.coded_per_update, 0.0..=1e4);
            let age = memory.readings_age_updates;
            self.within("memory.readings_age_updates", age, 0..=MAX_ENV_STEPS);
        }
        if let Some(loss_policy) = &raw.loss_policy
            && let Err(error) = loss_policy.check()
        {
            self.refuse("loss_policy", error.to_string());
        }
        self.views(raw);
        self.detached(raw);
        if let Some(shift) = &raw.shift {
            self.within("shift.guard_env_steps", shift.guard_env_steps, 0..=MAX_ENV_STEPS);
            self.within("shift.random_env_steps", shift.random_env_steps, 0..=MAX_ENV_STEPS);
            self.within("shift.align_updates", shift.align_updates, 0..=1_000_000_000);
            let patience = shift.align_patience_updates;
            self.within("shift.align_patience_updates", patience, 0..=1_000_000_000);
            self.within("shift.align_anchors", shift.align_anchors, 2..=65_536);
            self.within("shift.l2_to_start", shift.l2_to_start, 0.0..=1e3);
            self.within("shift.judge_episodes", shift.judge_episodes, 0..=100_000);
            self.within("shift.accuracy_drop", shift.accuracy_drop, 0.01..=1.0);
            self.positive("shift.align_learning_rate", shift.align_learning_rate, 1.0);
        }
    }

    /// What is defined for discrete actions alone: of continuous ones none is taken twice.
    fn discrete_alone(&mut self, contrast: &ContrastSection, algorithm: AlgorithmName) {
        let continuous = contrast.enabled && algorithm == AlgorithmName::Sac;
        for (key, is_set, value) in [
            ("contrast.balance_actions", contrast.balance_actions, "true"),
            (
                "contrast.distance_behavior",
                contrast.distance_behavior == BehaviorOf::Actor,
                "\"actor\"",
            ),
        ] {
            if continuous && is_set {
                let allowed = "allowed where actions are discrete, and SAC's are continuous";
                self.refuse(key, format!("{key} is {value}, {allowed}"));
            }
        }
    }

    /// Two views of an observation differ by augmentation alone.
    fn views(&mut self, raw: &RawConfig) {
        let varied = |c: &ContrastSection| !c.enabled || c.augmentation != Augmentation::None;
        let wanted = |policy: &LossPolicyConfig| policy.relations.contains(&Relation::MultiView);
        if raw.loss_policy.as_ref().is_some_and(wanted) && !raw.contrast.as_ref().is_none_or(varied)
        {
            self.refuse(
                "contrast.augmentation",
                "contrast.augmentation is \"none\", allowed another where loss_policy.relations \
                 has \"multi_view\": the two views of an observation would be the same"
                    .to_owned(),
            );
        }
    }

    /// What `[shift]` needs of other keys.
    pub(super) fn shift_between_keys(&mut self, raw: &RawConfig) {
        let distills = raw.contrast.as_ref().is_some_and(|contrast| contrast.enabled);
        let Some(shift) = raw.shift.as_ref().filter(|shift| shift.detect != Detect::Off) else {
            return;
        };
        if shift.detect == Detect::Accuracy && !distills {
            let text = "shift.detect is \"accuracy\", which needs contrast.enabled = true";
            self.refuse("shift.detect", text.to_owned());
        }
        if shift.align != Align::None && !distills {
            let text = "shift.align is not \"none\", which needs contrast.enabled = true";
            self.refuse("shift.align", text.to_owned());
        }
        self.knows_what_follows(raw, shift);
        let phases = [ScheduleName::Sequential, ScheduleName::Cyclic, ScheduleName::Recurring];
        if shift.detect == Detect::Declared && !phases.contains(&raw.schedule.kind) {
            self.refuse(
                "shift.detect",
                "shift.detect is \"declared\", allowed where schedule.kind is \"sequential\", \
                 \"cyclic\" or \"recurring\": no other schedule declares shifts"
                    .to_owned(),
            );
        }
        self.learns_in_phases(raw, shift);
        let budget = shift.guard_env_steps;
        if shift.start == Start::Guard && budget < LEAST_GUARD_ENV_STEPS {
            self.refuse(
                "shift.guard_env_steps",
                format!(
                    "shift.guard_env_steps is {budget}, allowed at least {LEAST_GUARD_ENV_STEPS} \
                     where shift.start is \"guard\""
                ),
            );
        }
        self.gates_by_return(raw, shift);
        let aligns = distills && shift.align != Align::None && shift.align_updates > 0;
        let renews = shift.start == Start::RenewStem || (shift.start == Start::Guard && !aligns);
        if shift.freeze == Frozen::Encoder && renews {
            self.refuse(
                "shift.freeze",
                "shift.freeze is \"encoder\", allowed where shift.start is not \"renew_stem\", nor \
                 \"guard\" without an alignment: a renewed stem would stay as it was drawn"
                    .to_owned(),
            );
        }
        if aligns && shift.random_env_steps == 0 {
            self.refuse(
                "shift.random_env_steps",
                "shift.random_env_steps is 0, allowed above 0 where shift.align is not \"none\": \
                 the alignment learns from what they collect"
                    .to_owned(),
            );
        }
    }

    /// What distillation is gated by is measured with env steps of the guard's.
    fn gates_by_return(&mut self, raw: &RawConfig, shift: &ShiftSection) {
        if !raw.contrast.as_ref().is_some_and(|contrast| contrast.enabled) {
            return;
        }
        let Some(teacher) = &raw.teacher else { return };
        let gates = teacher.gate_by_return && teacher.distillation_weight > 0.0;
        if gates && shift.guard_env_steps < LEAST_GUARD_ENV_STEPS {
            self.refuse(
                "teacher.gate_by_return",
                format!(
                    "teacher.gate_by_return is true, allowed where shift.guard_env_steps is at \
                     least {LEAST_GUARD_ENV_STEPS}: a third of these measures what the teacher \
                     earns after a shift"
                ),
            );
        }
    }

    /// A replay that begins anew at every shift is filled before anything is learned.
    fn learns_in_phases(&mut self, raw: &RawConfig, shift: &ShiftSection) {
        let waits = raw.learner.learning_starts_env_steps.max(shift.random_env_steps);
        let phase = raw.schedule.phase_env_steps.or(RawSchedule::default().phase_env_steps);
        let Some(phase) = phase else { return };
        if shift.clear_replay && shift.detect == Detect::Declared && phase <= waits {
            self.refuse(
                "schedule.phase_env_steps",
                format!(
                    "schedule.phase_env_steps is {phase}, allowed above {waits} where \
                     shift.clear_replay = true: learning waits for as many env steps after each \
                     shift (learner.learning_starts_env_steps, shift.random_env_steps)"
                ),
            );
        }
    }

    /// Alignment and detection go by predictive contrasts, which something must have learned.
    fn knows_what_follows(&mut self, raw: &RawConfig, shift: &ShiftSection) {
        let Some(contrast) = raw.contrast.as_ref().filter(|contrast| contrast.enabled) else {
            return;
        };
        let (key, value) = match (shift.detect, shift.align) {
            (Detect::Accuracy, _) => ("shift.detect", "\"accuracy\""),
            (_, Align::None) => return,
            (_, _) if shift.align_updates == 0 => return,
            _ => ("shift.align", "not \"none\""),
        };
        let predicts = |policy: &LossPolicyConfig| policy.relations.contains(&Relation::Predictive);
        let needed = if !raw.loss_policy.as_ref().is_none_or(predicts) {
            "\"predictive\" among loss_policy.relations"
        } else if contrast.updates_per_update <= 0.0 {
            "contrast.updates_per_update above 0"
        } else if contrast.objective == Objective::None {
            "contrast.objective other than \"none\""
        } else {
            return;
        };
        self.refuse(
            key,
            format!("{key} is {value}, which needs {needed}: it goes by what predictive contrasts learned"),
        );
    }

    /// A gate that leaves encoder and shared layers to the decision needs heads to teach, and leaves
    /// a loss policy that learns nothing to learn from.
    fn detached(&mut self, raw: &RawConfig) {
        let Some(contrast) = raw.contrast.as_ref().filter(|contrast| contrast.enabled) else {
            return;
        };
        if contrast.gate != GateRule::Detach {
            return;
        }
        let policy = raw.loss_policy.clone().unwrap_or_default();
        if !matches!(policy.kind, LossPolicyKind::Fixed | LossPolicyKind::Uniform) {
            self.refuse(
                "contrast.gate",
                "contrast.gate is \"detach\", allowed where loss_policy.kind is \"fixed\" or \
                 \"uniform\": contrasts then do not turn the step that arms are judged by"
                    .to_owned(),
            );
        }
        let tokens = raw.tokens.as_ref().is_none_or(|tokens| tokens.enabled);
        let only_predictive = policy.relations.iter().all(|r| *r == Relation::Predictive);
        if !tokens && contrast.projection_units == 0 && !only_predictive {
            self.refuse(
                "contrast.gate",
                "contrast.gate is \"detach\", allowed with tokens.enabled, \
                 contrast.projection_units above 0, or predictive relations alone: there is \
                 nothing else that contrasts could teach"
                    .to_owned(),
            );
        }
    }

    fn contrast(&mut self, contrast: &ContrastSection) {
        for (key, value, most) in [
            ("contrast.anchors", contrast.anchors, 65_536),
            ("contrast.positives", contrast.positives, 1024),
            ("contrast.negatives", contrast.negatives, 65_536),
            ("contrast.candidates", contrast.candidates, 1_000_000),
            ("contrast.temporal_max_env_steps", contrast.temporal_max_env_steps, 1000),
            ("contrast.distance_horizon_env_steps", contrast.distance_horizon_env_steps, 1000),
        ] {
            self.within(key, value, 1..=most);
        }
        for (key, value) in [
            ("contrast.memory_share", contrast.memory_share),
            ("contrast.memory_by_return", contrast.memory_by_return),
            ("contrast.memory_by_surprise", contrast.memory_by_surprise),
            ("contrast.distance_gamma", contrast.distance_gamma),
        ] {
            self.within(key, value, 0.0..=1.0);
        }
        for (key, value) in [
            ("contrast.updates_per_update", contrast.updates_per_update),
            ("contrast.distance_reward_weight", contrast.distance_reward_weight),
            ("contrast.negative_distance", contrast.negative_distance),
            ("contrast.loss_hardness", contrast.loss_hardness),
            ("contrast.outcome_weight", contrast.outcome_weight),
        ] {
            self.within(key, value, 0.0..=1e3);
        }
        self.within("contrast.warmup_updates", contrast.warmup_updates, 0..=MAX_ENV_STEPS);
        self.within("contrast.false_negative_share", contrast.false_negative_share, 0.0..=0.99);
        self.within("contrast.projection_units", contrast.projection_units, 0..=16_384);
        self.within("contrast.dynamics_units", contrast.dynamics_units, 1..=16_384);
        self.positive("contrast.temperature", contrast.temperature, 1e3);
        self.positive("contrast.positive_width", contrast.positive_width, 1e6);
        let reach = contrast.positive_distance;
        self.within("contrast.positive_distance", reach, 0.0..=f64::INFINITY);
        if contrast.candidates < contrast.negatives {
            self.refuse(
                "contrast.candidates",
                format!(
                    "contrast.candidates is {}, allowed at least contrast.negatives, {}: negatives \
                     are chosen among candidates",
                    contrast.candidates, contrast.negatives
                ),
            );
        }
        let shares = contrast.memory_by_return + contrast.memory_by_surprise;
        if shares > 1.0 {
            self.refuse(
                "contrast.memory_by_surprise",
                format!(
                    "contrast.memory_by_return and contrast.memory_by_surprise add up to {shares}, \
                     allowed at most 1"
                ),
            );
        }
    }
}
