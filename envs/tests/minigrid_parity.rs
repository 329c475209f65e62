//! `MiniGrid` against the Python package: with the same random numbers and actions, every start,
//! observation, reward and end is the same, and so is the whole grid at the end of an episode.
//!
//! `minigrid_trace.py` plays the package while this test runs and describes the format of what it
//! writes. It needs the Python packages that `scripts/python_envs.sh` installs.

use contrail_envs::builtin::minigrid::{Draws, Encoding, MiniGrid, ONE_HOT_PLANES, World};
use contrail_envs::{Action, Environment, ObsBuffer, Outcome, Step};
use std::path::Path;
use std::process::Command;

const IMAGE: usize = 147;
const CELLS_OF_VIEW: usize = 49;
const DROP: u8 = 4;
const TOGGLE: u8 = 5;
const DONE: u8 = 6;

/// What `minigrid_trace.py` writes when it plays `ids` for so many steps each.
fn trace(ids: &[(&str, usize)]) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join(".venv-test/bin/python");
    assert!(
        python.exists(),
        "{} is absent: run scripts/python_envs.sh, which installs minigrid",
        python.display()
    );
    let script = root.join("envs/tests/minigrid_trace.py");
    let arguments = ids.iter().map(|(id, steps)| format!("{id}:{steps}"));
    let output = Command::new(&python).arg(script).arg("1").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", python.display());
    output.stdout
}

/// Reads the trace from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes(2).try_into().unwrap())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes(4).try_into().unwrap())
    }

    fn draws(&mut self, at: &str) -> Script {
        let count = self.u32();
        let draws = (0..count).map(|_| (self.u16().into(), self.u16().into())).collect::<Vec<_>>();
        Script { draws: draws.into_iter(), at: at.to_owned() }
    }
}

/// Recorded random numbers, given out one by one.
struct Script {
    draws: std::vec::IntoIter<(u32, u32)>,
    at: String,
}

impl Draws for Script {
    fn below(&mut self, n: u32) -> u32 {
        if n == 1 {
            return 0;
        }
        let drawn = self.draws.next();
        let Some((recorded_n, value)) = drawn else {
            panic!("{}: one of {n} is drawn, but the package drew no more", self.at)
        };
        assert_eq!(n, recorded_n, "{}: number of possible values", self.at);
        value
    }
}

impl Script {
    fn assert_used_up(&self) {
        assert_eq!(self.draws.as_slice(), [], "{}: more was drawn by the package", self.at);
    }
}

/// How often what happened.
#[derive(Debug, Default)]
struct Events {
    steps: usize,
    episodes: usize,
    pickups: usize,
    drops: usize,
    doors_opened: usize,
    doors_unlocked: usize,
    doors_closed: usize,
    boxes_broken: usize,
    successes: usize,
    deaths_in_lava: usize,
    collisions: usize,
    /// Ends without reward that are no death in lava: a wrong `done`, a toggle.
    failures: usize,
    truncations: usize,
    hidden_cells: usize,
}

/// The cell in front of the agent.
fn in_front(world: &World) -> [u8; 3] {
    let (x, y, heading) = world.agent();
    let (dx, dy) = [(1, 0), (0, 1), (-1, 0), (0, -1)][heading];
    world.cell(x.wrapping_add_signed(dx), y.wrapping_add_signed(dy))
}

impl Events {
    fn count(&mut self, action: u8, step: Step, before: &World, after: &World) {
        let has = |world: &World| world.carried()[0] != 1;
        self.steps += 1;
        self.pickups += usize::from(!has(before) && has(after));
        self.drops += usize::from(action == DROP && has(before) && !has(after));
        if action == TOGGLE {
            let ([object, _, state], [_, _, new_state]) = (in_front(before), in_front(after));
            self.doors_opened += usize::from(object == 4 && state == 1 && new_state == 0);
            self.doors_unlocked += usize::from(object == 4 && state == 2 && new_state == 0);
            self.doors_closed += usize::from(object == 4 && state == 0 && new_state == 1);
            self.boxes_broken += usize::from(object == 7);
        }
        let (x, y, _) = after.agent();
        match step.outcome {
            Outcome::Continue => return,
            Outcome::Truncated => self.truncations += 1,
            Outcome::Terminated if step.reward > 0.0 => self.successes += 1,
            Outcome::Terminated if step.reward < 0.0 => self.collisions += 1,
            Outcome::Terminated if after.cell(x, y)[0] == 9 => self.deaths_in_lava += 1,
            Outcome::Terminated => {
                assert!(action == DONE || action == TOGGLE, "{action} ended an episode");
                self.failures += 1;
            }
        }
        self.episodes += 1;
    }
}

/// One environment in both encodings, which must go together.
struct Pair {
    id: String,
    symbolic: MiniGrid,
    one_hot: MiniGrid,
    obs: ObsBuffer,
    one_hot_obs: ObsBuffer,
}

impl Pair {
    fn new(id: &str) -> Self {
        let symbolic = MiniGrid::new(id, Encoding::Symbolic).unwrap();
        let one_hot = MiniGrid::new(id, Encoding::OneHot).unwrap();
        // Ones, so that an observation which is not fully overwritten shows.
        let obs = ObsBuffer::U8(vec![1; IMAGE]);
        let one_hot_obs = ObsBuffer::U8(vec![1; ONE_HOT_PLANES * CELLS_OF_VIEW]);
        Self { id: id.to_owned(), symbolic, one_hot, obs, one_hot_obs }
    }

    fn start(&mut self, reader: &mut Reader<'_>, at: &str) {
        let mut draws = reader.draws(at);
        let mut same_draws = Script { draws: draws.draws.clone(), at: at.to_owned() };
        let context = self.symbolic.spec().context.default_context();
        self.symbolic.reset_with(&mut draws, &context, self.obs.as_mut()).unwrap();
        draws.assert_used_up();
        self.one_hot.reset_with(&mut same_draws, &context, self.one_hot_obs.as_mut()).unwrap();
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

    fn step(&mut self, reader: &mut Reader<'_>, events: &mut Events, at: &str) {
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

    fn end(&self, reader: &mut Reader<'_>, at: &str) {
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

/// Plays `ids` for so many steps each as the package does.
fn replay(ids: &[(&str, usize)]) -> Events {
    let bytes = trace(ids);
    let mut reader = Reader(&bytes);
    let mut pairs: Vec<_> = ids.iter().map(|(id, _)| Pair::new(id)).collect();
    let (mut events, mut current) = (Events::default(), 0);
    loop {
        let tag = reader.byte();
        if tag == b'R' {
            current = reader.u16().into();
        }
        let at = format!("{} episode {} step {}", ids[current].0, events.episodes, events.steps);
        let pair = &mut pairs[current];
        match tag {
            b'R' => pair.start(&mut reader, &at),
            b'S' => pair.step(&mut reader, &mut events, &at),
            b'E' => pair.end(&mut reader, &at),
            b'.' => break,
            other => panic!("{at}: there is no record {other}"),
        }
    }
    let least: usize = ids.iter().map(|(_, steps)| steps).sum();
    assert!(events.steps >= least.max(20_000), "{events:?}");
    events
}

/// Fails unless everything in `counts` happened at least so often.
#[allow(dead_code)]
fn assert_happened(events: &Events, counts: &[(&str, usize, usize)]) {
    for (name, count, least) in counts {
        assert!(count >= least, "{name} happened {count} times, expected {least}: {events:?}");
    }
}

/// `steps` steps of each of the ids "MiniGrid-" `family` "-v0".
fn replay_family(families: &[&str], steps: usize) -> Events {
    let ids: Vec<_> = families.iter().map(|name| format!("MiniGrid-{name}-v0")).collect();
    let ids: Vec<_> = ids.iter().map(|id| (id.as_str(), steps)).collect();
    replay(&ids)
}

#[test]
fn empty_and_dynamic_obstacles() {
    let sizes = ["Empty-5x5", "Empty-Random-5x5", "Empty-6x6", "Empty-Random-6x6", "Empty-8x8", "Empty-16x16"];
    println!("{:?}", replay_family(&sizes, 3500));
    let sizes = ["Dynamic-Obstacles-5x5", "Dynamic-Obstacles-Random-5x5", "Dynamic-Obstacles-6x6",
      "Dynamic-Obstacles-Random-6x6", "Dynamic-Obstacles-8x8", "Dynamic-Obstacles-16x16"];
    println!("{:?}", replay_family(&sizes, 3500));
    println!("{:?}", replay_family(&["FourRooms"], 20000));
}

#[test]
fn lava() {
    println!("{:?}", replay_family(&["LavaGapS5", "LavaGapS6", "LavaGapS7"], 7000));
    println!("{:?}", replay_family(&["LavaCrossingS9N1", "LavaCrossingS9N2", "LavaCrossingS9N3", "LavaCrossingS11N5"], 5000));
    println!("{:?}", replay_family(&["SimpleCrossingS9N1", "SimpleCrossingS9N2", "SimpleCrossingS9N3", "SimpleCrossingS11N5"], 5000));
}

#[test]
fn doors() {
    println!("{:?}", replay_family(&["DoorKey-5x5", "DoorKey-6x6", "DoorKey-8x8", "DoorKey-16x16"], 5000));
    println!("{:?}", replay_family(&["Unlock"], 20000));
    println!("{:?}", replay_family(&["KeyCorridorS3R1", "KeyCorridorS3R2", "KeyCorridorS3R3","KeyCorridorS4R3", "KeyCorridorS5R3", "KeyCorridorS6R3"], 3500));
}
#[test]
fn others() {
    println!("{:?}", replay(&[("MiniGrid-MultiRoom-N2-S4-v0", 5000), ("MiniGrid-MultiRoom-N4-S5-v0", 5000),("MiniGrid-MultiRoom-N4-S5-v1", 5000),("MiniGrid-MultiRoom-N6-v0", 5000)]));
    println!("{:?}", replay_family(&["GoToDoor-5x5", "GoToDoor-6x6", "GoToDoor-8x8"], 7000));
    println!("{:?}", replay_family(&["GoToObject-6x6-N2", "GoToObject-8x8-N2"], 10000));
}
