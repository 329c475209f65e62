//! The native environments, playing along with a trace.

use super::events::Events;
use super::trace::{Case, Reader, Script};
use contrail_envs::builtin::minigrid::{Encoding, MiniGrid, ONE_HOT_PLANES, World};
use contrail_envs::{Action, Context, Environment, ObsBuffer, Outcome, Step};

pub(super) const IMAGE: usize = 147;
const CELLS_OF_VIEW: usize = 49;

/// One environment in both encodings, which must go together.
pub(super) struct Pair {
    id: String,
    pub(super) symbolic: MiniGrid,
    one_hot: MiniGrid,
    context: Context,
    obs: ObsBuffer,
    one_hot_obs: ObsBuffer,
}

impl Pair {
    pub(super) fn new(case: &Case<'_>) -> Self {
        let id = case.id;
        let symbolic = MiniGrid::new(id, Encoding::Symbolic).unwrap();
        let one_hot = MiniGrid::new(id, Encoding::OneHot).unwrap();
        let context = symbolic.spec().context.with(case.values).unwrap();
        // Ones, so that an observation which is not fully overwritten shows.
        let obs = ObsBuffer::U8(vec![1; IMAGE]);
        let one_hot_obs = ObsBuffer::U8(vec![1; ONE_HOT_PLANES * CELLS_OF_VIEW]);
        Self { id: id.to_owned(), symbolic, one_hot, context, obs, one_hot_obs }
    }

    pub(super) fn start(&mut self, reader: &mut Reader<'_>, at: &str) {
        let mut draws = reader.draws(at);
        let mut same_draws = Script { draws: draws.draws.clone(), at: at.to_owned() };
        self.symbolic.reset_with(&mut draws, &self.context, self.obs.as_mut()).unwrap();
        draws.assert_used_up();
        self.one_hot.reset_with(&mut same_draws, &self.context, self.one_hot_obs.as_mut()).unwrap();
        let world = self.symbolic.world();
        let size = (usize::from(reader.byte()), usize::from(reader.byte()));
        assert_eq!(world.size(), size, "{at}: size");
        compare_grids(world, reader, at);
        assert_eq!(world.max_env_steps(), reader.u32(), "{at}: step limit");
        let (object, color) = (reader.byte(), reader.byte());
        let mission = world.mission();
        assert_eq!(mission.object as u8, object, "{at}: target object");
        assert_eq!(mission.color.map_or(255, |color| color as u8), color, "{at}: target color");
        self.compare_obs(reader.bytes(IMAGE), at);
    }

    pub(super) fn step(&mut self, reader: &mut Reader<'_>, events: &mut Events, at: &str) {
        let action = reader.byte();
        let reward = f32::from_le_bytes(reader.bytes(4).try_into().unwrap());
        let outcome = match reader.byte() {
            0 => Outcome::Continue,
            2 => Outcome::Truncated,
            _ => Outcome::Terminated,
        };
        let at = format!("{at} action {action}");
        let mut draws = reader.draws(&at);
        let mut same_draws = Script { draws: draws.draws.clone(), at: at.clone() };
        let before = self.symbolic.world().clone();
        let chosen = Action::Discrete(action.into());
        let step = self.symbolic.step_with(&mut draws, chosen, self.obs.as_mut()).unwrap();
        draws.assert_used_up();
        assert_eq!(step, Step::new(reward, outcome), "{at}");
        let same = self.one_hot.step_with(&mut same_draws, chosen, self.one_hot_obs.as_mut());
        assert_eq!(same.unwrap(), step, "{at}: in the other encoding");
        events.count(action, step, &before, self.symbolic.world());
        let image = reader.bytes(IMAGE);
        events.hidden_cells += image[..CELLS_OF_VIEW].iter().filter(|object| **object == 0).count();
        self.compare_obs(image, &at);
    }

    pub(super) fn end(&self, reader: &mut Reader<'_>, at: &str) {
        let world = self.symbolic.world();
        compare_grids(world, reader, at);
        assert_eq!(world.carried(), reader.bytes(3), "{at}: what is carried");
    }

    fn compare_obs(&self, image: &[u8], at: &str) {
        let ObsBuffer::U8(obs) = &self.obs else { panic!("{at}: not bytes") };
        assert_eq!(obs, image, "{at}: observation");
        let ObsBuffer::U8(planes) = &self.one_hot_obs else { panic!("{at}: not bytes") };
        for (index, shown) in image.iter().enumerate() {
            let (group, cell) = (index / CELLS_OF_VIEW, index % CELLS_OF_VIEW);
            let (first, count) = [(0, 11), (11, 6), (17, 3)][group];
            for plane in 0..count {
                let expected = u8::from(usize::from(*shown) == plane);
                let got = planes[(first + plane) * CELLS_OF_VIEW + cell];
                assert_eq!(got, expected, "{at}: {} plane {plane} cell {cell}", self.id);
            }
        }
    }
}

/// All cells, and where the agent is.
fn compare_grids(world: &World, reader: &mut Reader<'_>, at: &str) {
    let (width, height) = world.size();
    for y in 0..height {
        for x in 0..width {
            assert_eq!(world.cell(x, y), reader.bytes(3), "{at}: cell {x}, {y}");
        }
    }
    let agent = [reader.byte(), reader.byte(), reader.byte()].map(usize::from);
    assert_eq!(<[usize; 3]>::from(world.agent()), agent, "{at}: agent");
}

/// Does what `bytes` records of `cases` and compares.
pub(super) fn follow(cases: &[Case<'_>], bytes: &[u8]) -> Events {
    let mut reader = Reader(bytes);
    let mut pairs: Vec<_> = cases.iter().map(Pair::new).collect();
    let (mut events, mut current) = (Events::default(), 0);
    loop {
        let tag = reader.byte();
        if tag == b'R' {
            current = reader.u16().into();
        }
        let at = format!("{:?} episode {} step {}", cases[current], events.episodes, events.steps);
        let pair = &mut pairs[current];
        match tag {
            b'R' => pair.start(&mut reader, &at),
            b'S' => pair.step(&mut reader, &mut events, &at),
            b'E' => pair.end(&mut reader, &at),
            b'.' => return events,
            other => panic!("{at}: there is no record {other}"),
        }
    }
}
