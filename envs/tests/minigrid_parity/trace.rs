//! The trace: how it is made and read.

use contrail_envs::builtin::minigrid::Draws;
use std::path::Path;
use std::process::Command;

/// An environment of the package and its native twin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) id: &'a str,
    /// Arguments of the package's constructor in JSON; none if empty.
    pub(super) kwargs: &'a str,
    /// Context values that mean the same.
    pub(super) values: &'a [(&'a str, f64)],
}

impl<'a> Case<'a> {
    /// As registered.
    pub(super) fn new(id: &'a str) -> Self {
        Self { id, kwargs: "", values: &[] }
    }
}

/// What `minigrid_trace.py` writes when it plays `cases` for so many steps each and then begins so
/// many episodes.
pub(super) fn trace(cases: &[Case<'_>], (steps, resets): (usize, usize)) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join(".venv-test/bin/python");
    assert!(
        python.exists(),
        "{} is absent: run scripts/python_envs.sh, which installs minigrid",
        python.display()
    );
    let script = root.join("envs/tests/minigrid_trace.py");
    let arguments =
        cases.iter().map(|case| format!("{}:{steps}:{resets}:{}", case.id, case.kwargs));
    let output = Command::new(&python).arg(script).arg("1").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", python.display());
    output.stdout
}

/// Reads the trace from the front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.bytes(1)[0]
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.bytes(2).try_into().unwrap())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.bytes(4).try_into().unwrap())
    }

    pub(super) fn draws(&mut self, at: &str) -> Script {
        let count = self.u32();
        let draws = (0..count).map(|_| (self.u16().into(), self.u16().into())).collect::<Vec<_>>();
        Script { draws: draws.into_iter(), at: at.to_owned() }
    }
}

/// Recorded random numbers, given out one by one.
pub(super) struct Script {
    pub(super) draws: std::vec::IntoIter<(u32, u32)>,
    pub(super) at: String,
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
    pub(super) fn assert_used_up(&self) {
        assert_eq!(self.draws.as_slice(), [], "{}: more was drawn by the package", self.at);
    }
}
