"""The file of results and what is taken over from a call before: python3 -m unittest discover -s scripts"""

import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import unittest
from unittest import mock

import study


class Append(unittest.TestCase):
    def test_a_line_is_whole_or_not_there(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "results.jsonl"
            study.append(path, {"seed": 1})
            before = path.read_bytes()
            handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            # As a full disk does: the first bytes of the line fit, the others do not.
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 5, limits[1]))
            try:
                with self.assertRaises(OSError):
                    study.append(path, {"seed": 2})
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                signal.signal(signal.SIGXFSZ, handler)
            self.assertEqual(path.read_bytes(), before)
            study.append(path, {"seed": 2})
            self.assertEqual([json.loads(line)["seed"] for line in path.read_text().splitlines()], [1, 2])


class Record(unittest.TestCase):
    def test_a_line_tells_the_binary(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "contrail").write_text("abc")
            (root / "result.json").write_text('{"counters": {"env_steps": 8, "updates": 2}, "time_s": 1.26}')
            study.made_by.cache_clear()
            self.addCleanup(study.made_by.cache_clear)
            with mock.patch.multiple(study, RESULTS=root, BINARY=root / "contrail", commit=lambda _: "1234567-dirty"):
                study.record("k", "random", "4", 11, root, {"negatives": 3.5})
            line = json.loads((root / "k.jsonl").read_text())
        # printf abc | sha256sum
        self.assertEqual((line["commit"], line["binary"]), ("1234567-dirty", "ba7816bf8f01"))
        self.assertEqual((line["seed"], line["negatives"], line["time_s"]), (11, 3.5, 1.3))

    def test_dirty_is_what_changed_outside_of_docs(self):
        # Of a hook that runs this, the variables of git name another repository.
        plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, plain, clear=True):
            root = pathlib.Path(folder)
            (root / "docs").mkdir()
            for name in ("source", "docs/results"):
                (root / name).write_text("before")
            author = ["-c", "user.name=a", "-c", "user.email=a@b"]
            for words in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "first"]):
                subprocess.run(["git", *words], cwd=root, check=True)
            (root / "docs" / "results").write_text("after")
            (root / "untracked").write_text("new")
            self.assertRegex(study.commit(root), "^[0-9a-f]+$")
            (root / "source").write_text("after")
            self.assertRegex(study.commit(root), "^[0-9a-f]+-dirty$")

    def test_negatives_are_a_mean_over_the_rows_that_tell_them(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            subspaces = [{"side": "source", "solved_share": 1.0}, {"side": "target", "solved_share": 0.25}]
            (root / "result.json").write_text(json.dumps({"last": {"by_subspace": {"subspaces": subspaces}}}))
            (root / "metrics.jsonl").write_text('{"updates": 0}\n')
            self.assertEqual(study.solved(root), {"unseen_solved": 0.25, "seen_solved": 1.0})
            (root / "metrics.jsonl").write_text('{"updates": 0}\n{"aux/negatives": 3.0}\n{"aux/negatives": 4.0}\n')
            self.assertEqual(study.solved(root)["negatives"], 3.5)


class Negatives(unittest.TestCase):
    def test_candidates_are_as_many_for_every_count(self):
        with mock.patch.object(study, "run_jumping_k") as run:
            for _, work in study.units_k([11], None, None):
                work()
        settings = [call.args[3] for call in run.call_args_list]
        self.assertEqual(len(settings), 16)
        self.assertTrue(all("contrast.candidates=256" in each for each in settings))


class SourcePhase(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        root = pathlib.Path(temporary.name)
        self.start = root / "source_ours"
        self.binary = root / "contrail"
        self.binary.write_text("one")
        (root / "minatar").mkdir()
        self.base = root / "minatar" / "base.toml"
        self.base.write_text("[run]\n")
        (root / "minatar" / "ours.toml").write_text('extends = "base.toml"\n')
        self.trained, self.end, self.env_steps = 0, "finished", 200_000
        patch = mock.patch.multiple(study, BINARY=self.binary, METHODS=root, train=self.train)
        patch.start()
        self.addCleanup(patch.stop)

    def train(self, folder, words, settings):
        self.trained += 1
        folder.mkdir()
        (folder / "result.json").write_text(json.dumps({"end": self.end, "counters": {"env_steps": self.env_steps}}))

    def phase(self, common=("env.id=MinAtar/Breakout-v1",)):
        """How often it was trained by now."""
        study.source_phase(self.start, "ours", 11, list(common))
        return self.trained

    def test_what_ended_by_itself_is_taken_over(self):
        self.assertEqual([self.phase(), self.phase()], [1, 1])

    def test_what_was_interrupted_or_is_too_short_is_trained_anew(self):
        self.end = "interrupted"
        self.phase()
        self.end, self.env_steps = "finished", 199_999
        self.assertEqual(self.phase(), 2)
        self.env_steps = 200_003
        self.assertEqual([self.phase(), self.phase()], [3, 3])

    def test_so_is_what_another_binary_or_other_settings_made(self):
        self.phase()
        self.binary.write_text("two")
        self.assertEqual(self.phase(), 2)
        self.assertEqual(self.phase(["env.id=MinAtar/Asterix-v1"]), 3)
        self.phase()
        self.base.write_text("[run]\nenv_steps = 1\n")
        self.assertEqual([self.phase(), self.phase()], [5, 5])

    def test_so_is_what_does_not_say_where_it_comes_from_or_is_cut_off(self):
        self.phase()
        (self.start / "origin.json").unlink()
        self.assertEqual(self.phase(), 2)
        (self.start / "result.json").write_text('{"end": "fini')
        self.assertEqual(self.phase(), 3)


def committed(path):
    """As it was committed, for a study that is under way adds lines; without git as it is."""
    shown = subprocess.run(["git", "show", f"HEAD:{path.relative_to(study.ROOT)}"], cwd=study.ROOT, capture_output=True, text=True, check=False)
    return shown.stdout if shown.returncode == 0 else path.read_text()


class Docs(unittest.TestCase):
    def test_the_tables_of_the_docs_are_of_the_results(self):
        text = committed(study.DOCS)
        for name in study.STUDIES:
            self.assertIn(f"<!-- table {name}: scripts/study.py docs -->", text)
        rows = lambda name: [json.loads(line) for line in committed(study.RESULTS / f"{name}.jsonl").splitlines()]
        self.assertEqual(text, study.filled(text, rows), "run python3 scripts/study.py docs")

    def test_a_table_takes_the_place_of_the_one_before_and_the_rest_stays(self):
        text = "a\n<!-- table k: scripts/study.py docs -->\nold\n<!-- end k -->\nb\n"
        once = study.filled(text)
        self.assertTrue(once.startswith("a\n<!-- table k") and once.endswith("<!-- end k -->\nb\n"))
        self.assertNotIn("old", once)
        self.assertEqual(study.filled(once), once)
        with self.assertRaises(ValueError):
            study.filled(text.replace("<!-- end k -->", ""))


if __name__ == "__main__":
    unittest.main()
