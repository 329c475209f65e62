"""The file of results: python3 -m unittest discover -s scripts"""

import json
import pathlib
import resource
import signal
import tempfile
import unittest

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


if __name__ == "__main__":
    unittest.main()
