"""Tables by hand: python3 -m unittest discover -s scripts"""

import unittest

import study_tables


def row(method, variant, seed, unseen_solved):
    return {"method": method, "variant": variant, "seed": seed, "unseen_solved": unseen_solved}


class Negatives(unittest.TestCase):
    def test_least_k_with_random_s_best_mean(self):
        rows = [
            row("random", "1", 1, 0.2),
            row("random", "4", 1, 0.5),
            row("random", "4", 2, 0.7),
            row("random", "16", 1, 0.4),
            row("hardest", "1", 1, 0.1),
            row("chosen", "1", 1, 0.6),
            row("chosen", "16", 1, 0.9),
        ]
        table = study_tables.negatives(rows).splitlines()
        self.assertEqual(table[0], "| negatives | K = 1 | K = 4 | K = 16 | least K with random's best mean |")
        self.assertEqual(table[2], "| random | 20.0 (1) | 60.0 (2) | 40.0 (1) | 4 |")
        self.assertEqual(table[3], "| hardest | 10.0 (1) |  |  | none |")
        self.assertEqual(table[4], "| chosen | 60.0 (1) |  | 90.0 (1) | 1 |")


if __name__ == "__main__":
    unittest.main()
