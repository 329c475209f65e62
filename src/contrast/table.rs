//! Observations with what follows them, side by side in memory, and how far apart they are.

use super::store::{Store, Stores};
use super::{AfterEnd, BehaviorOf, DistanceConfig};
use crate::memory::{CodeSpace, Place, SegmentView};
use contrail_envs::{ActionSpace, Outcome};

/// An observation of one of the stores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) store: Store,
    pub(super) place: Place,
    /// Of the observation.
    pub(super) hash: u64,
    /// Stream and episode.
    pub(super) episode: (u32, u64),
    /// Env steps since the start of the episode.
    pub(super) time: u64,
    pub(super) subspace: u32,
    /// Of the teacher that read it.
    pub(super) version: Option<u64>,
}

impl Spot {
    /// None if it is not stored.
    pub(super) fn of(stores: &Stores, store: Store, place: Place) -> Option<Self> {
        let view = stores.of(store).view(place.segment)?;
        Some(Self {
            store,
            place,
            hash: *view.hashes.get(place.position)?,
            episode: view.episode,
            time: view.begin + place.position as u64,
            subspace: view.subspace,
            version: view.version,
        })
    }

    /// Whether it is of the same episode and at most `env_steps` away.
    pub(super) fn is_near(&self, other: &Self, env_steps: usize) -> bool {
        self.episode == other.episode && self.time.abs_diff(other.time) <= env_steps as u64
    }

    /// Whether it is the same observation of the same episode, in whichever store and segment.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.is_near(other, 0)
    }
}

/// How distances are computed.
#[derive(Clone, Debug)]
pub(super) struct Metric {
    horizon: usize,
    /// `g^j`.
    powers: Vec<f64>,
    /// Sums of the first powers, h + 1 of them.
    sums: Vec<f64>,
    reward_coefficient: f64,
    /// Of an action reading's byte differences.
    scale: f64,
    /// R.
    width: usize,
    behavior: BehaviorOf,
    after_end: AfterEnd,
}

impl Metric {
    /// For action readings of `width` bytes.
    pub(super) fn new(config: &DistanceConfig, action: &ActionSpace, width: usize) -> Self {
        let horizon = config.horizon_env_steps;
        let powers: Vec<f64> =
            (0..horizon).scan(1.0, |g, _| Some(std::mem::replace(g, *g * config.gamma))).collect();
        let running = powers.iter().scan(0.0, |sum, power| {
            *sum += power;
            Some(*sum)
        });
        let sums = std::iter::once(0.0).chain(running).collect();
        let scale = match action {
            ActionSpace::Discrete(_) => 0.5 / 255.0,
            ActionSpace::Box { .. } => 1.0 / (255.0 * width.max(1) as f64),
        };
        let DistanceConfig { reward_coefficient, behavior, after_end, .. } = *config;
        Self { horizon, powers, sums, reward_coefficient, scale, width, behavior, after_end }
    }
}

/// How much is known of what follows an observation, up to the horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Known {
    /// Observations with an action reading.
    policies: usize,
    /// Rewards.
    rewards: usize,
    /// Env steps until the episode terminated; the horizon, if it did not before or stays.
    ended: usize,
}

/// Rows of spots, their codes, and the action readings and rewards of the steps that follow.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) spots: Vec<Spot>,
    /// `[n, G]`.
    codes: Vec<u8>,
    /// `[n]` their numbers; 0 where there are none.
    packed: Vec<u64>,
    pub(super) space: CodeSpace,
    known: Vec<Known>,
    /// `[n, h, R]`.
    policies: Vec<u8>,
    /// `[n, h]`.
    rewards: Vec<f32>,
}

impl Table {
    pub(super) fn new(space: CodeSpace) -> Self {
        Self {
            spots: Vec::new(),
            codes: Vec::new(),
            packed: Vec::new(),
            space,
            known: Vec::new(),
            policies: Vec::new(),
            rewards: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.spots.clear();
        self.codes.clear();
        self.packed.clear();
        self.known.clear();
        self.policies.clear();
        self.rewards.clear();
    }

    /// Adds a row; what follows only if it is `metric`'s to compare.
    pub(super) fn push(&mut self, stores: &Stores, spot: Spot, metric: Option<&Metric>) {
        let Some(view) = stores.of(spot.store).view(spot.place.segment) else { return };
        self.spots.push(spot);
        let codes = &view.codes[spot.place.position * self.space.groups..][..self.space.groups];
        self.codes.extend_from_slice(codes);
        self.packed.push(self.space.number(codes));
        if let Some(metric) = metric {
            self.follow(stores, (spot, view), metric);
        }
    }

    /// Fills the row of what follows, through the segments of the episode as far as they are known.
    fn follow<'a>(
        &mut self,
        stores: &'a Stores,
        (spot, mut view): (Spot, SegmentView<'a>),
        metric: &Metric,
    ) {
        let (horizon, width) = (metric.horizon, metric.width);
        let store = stores.of(spot.store);
        let (first, mut place) = (self.rewards.len(), spot.place);
        self.policies.resize((first + horizon) * width, 0);
        self.rewards.resize(first + horizon, 0.0);
        let mut known = Known { policies: 0, rewards: 0, ended: horizon };
        while view.version.is_some() {
            let (row, left) = (known.rewards, horizon - known.rewards);
            let position = place.position;
            let steps = (view.len() - position).min(left);
            self.rewards[first + row..][..steps]
                .copy_from_slice(&view.rewards[position..][..steps]);
            let to = &mut self.policies[(first + row) * width..];
            let acted = match metric.behavior {
                BehaviorOf::Teacher => {
                    let obs = (view.len() + 1 - position).min(left);
                    to[..obs * width]
                        .copy_from_slice(&view.policies[position * width..][..obs * width]);
                    obs
                }
                BehaviorOf::Actor => {
                    for (ahead, policy) in to.chunks_exact_mut(width).take(steps).enumerate() {
                        let at = Place { position: position + ahead, ..place };
                        if let Some(action) = store.discrete_action(at) {
                            policy[action] = u8::MAX;
                        }
                    }
                    steps
                }
            };
            (known.rewards, known.policies) = (row + steps, row + acted);
            if known.rewards == horizon || view.outcome == Outcome::Truncated {
                break;
            }
            if view.outcome == Outcome::Terminated {
                known = self.end((first, known.rewards), metric);
                break;
            }
            let next = store.find(view.episode, view.index + 1);
            match next.and_then(|next| Some((next, store.view(next)?))) {
                Some((segment, next)) => {
                    view = next;
                    place = Place { segment, position: 0 };
                }
                None => break,
            }
        }
        self.known.push(known);
    }

    /// What is known of the row at `first` if its episode terminated after `steps`.
    fn end(&mut self, (first, steps): (usize, usize), metric: &Metric) -> Known {
        let (horizon, width) = (metric.horizon, metric.width);
        let all = Known { policies: horizon, rewards: horizon, ended: horizon };
        match (metric.after_end, steps) {
            (AfterEnd::Unlike, _) => Known { ended: steps, ..all },
            // Nobody acted here.
            (AfterEnd::Stays, 0) => Known { policies: 0, rewards: 0, ended: horizon },
            (AfterEnd::Stays, _) => {
                let last = (first + steps - 1) * width;
                for later in first + steps..first + horizon {
                    self.policies.copy_within(last..last + width, later * width);
                }
                all
            }
        }
    }

    /// `[G]`.
    pub(super) fn code(&self, row: usize) -> &[u8] {
        &self.codes[row * self.space.groups..][..self.space.groups]
    }

    /// Number of a row's code.
    pub(super) fn packed(&self, row: usize) -> u64 {
        self.packed[row]
    }

    /// Number of token groups that are equal; none if one of both was not read.
    pub(super) fn equal_groups(&self, row: usize, other: (&Self, usize)) -> usize {
        let (table, of) = other;
        if self.spots[row].version.is_none() || table.spots[of].version.is_none() {
            return 0;
        }
        self.code(row).iter().zip(table.code(of)).filter(|(a, b)| a == b).count()
    }

    /// Behavioral distance of a row of this table and one of another, both filled with `metric`.
    /// None if one of them was not read. See [`DistanceConfig`].
    pub(super) fn distance(
        &self,
        row: usize,
        (other, of): (&Self, usize),
        metric: &Metric,
    ) -> Option<f64> {
        let (x, y) = (self.known[row], other.known[of]);
        let policies = x.policies.min(y.policies);
        if policies == 0 {
            return None;
        }
        let (rewards, one_ended) = (x.rewards.min(y.rewards), x.ended.min(y.ended));
        let alive = policies.min(one_ended);
        let (horizon, width) = (metric.horizon, metric.width);
        let policy_rows = |table: &'_ Self, row: usize| row * horizon * width..table.policies.len();
        let mine = &self.policies[policy_rows(self, row)];
        let theirs = &other.policies[policy_rows(other, of)];
        let mut acted = 0.0;
        for (j, power) in metric.powers[..alive].iter().enumerate() {
            let (a, b) = (&mine[j * width..][..width], &theirs[j * width..][..width]);
            let differing: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            acted += power * f64::from(differing) * metric.scale;
        }
        // One episode has ended and the other goes on: nothing is more unlike.
        let both_ended = policies.min(x.ended.max(y.ended));
        acted += metric.sums[both_ended.max(alive)] - metric.sums[alive];
        let (mine, theirs) = (&self.rewards[row * horizon..], &other.rewards[of * horizon..]);
        let paid = metric.powers[..rewards].iter().zip(mine.iter().zip(theirs));
        let paid: f64 = paid.map(|(power, (a, b))| power * f64::from((a - b).abs())).sum();
        let whole = metric.sums[horizon];
        let paid = if rewards > 0 { paid * whole / metric.sums[rewards] } else { 0.0 };
        Some(acted * whole / metric.sums[policies] + metric.reward_coefficient * paid)
    }
}
