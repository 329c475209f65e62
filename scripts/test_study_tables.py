"""Tables by hand: python3 -m unittest discover -s scripts"""

import unittest

import study_tables

FIVE = range(11, 16)


def solved(method, variant, seed, unseen_solved, **others):
    return {"method": method, "variant": variant, "seed": seed, "unseen_solved": unseen_solved, **others}


def auc(method, variant, seed, target_auc):
    return {"method": method, "variant": variant, "seed": seed, "target_auc": target_auc}


class Minatar(unittest.TestCase):
    def test_columns_are_of_the_seeds_that_all_methods_have(self):
        rows = [auc("ours", "breakout", seed, 4.0) for seed in FIVE]
        rows += [auc("fine_tune", "breakout", seed, 2.0) for seed in FIVE]
        rows += [auc("scratch", "breakout", seed, 1.0) for seed in FIVE]
        rows += [auc("new_method", "breakout", seed, 2.0) for seed in FIVE]
        # Not a seed of all, so that it is listed and no more.
        rows += [auc("ours", "breakout", 16, 400.0)]
        found = study_tables.minatar(rows).splitlines()[2:]
        one, two = "[1.00, 1.00]", "[2.00, 2.00]"
        self.assertEqual(
            found,
            [
                "**breakout**, target AUC; seeds that all methods have: 5 (11, 12, 13, 14, 15)",
                "",
                "| method | mean | IQM | every seed |",
                "|---|---|---|---|",
                f"| scratch | 1.00 | 1.00 {one} | 11: 1.00, 12: 1.00, 13: 1.00, 14: 1.00, 15: 1.00 |",
                f"| fine_tune | 2.00 | 2.00 {two} | 11: 2.00, 12: 2.00, 13: 2.00, 14: 2.00, 15: 2.00 |",
                "| ours | 4.00 | 4.00 [4.00, 4.00] | 11: 4.00, 12: 4.00, 13: 4.00, 14: 4.00, 15: 4.00, 16: 400.00 |",
                f"| new_method | 2.00 | 2.00 {two} | 11: 2.00, 12: 2.00, 13: 2.00, 14: 2.00, 15: 2.00 |",
                "",
                "| method | less scratch | less fine_tune | P(> scratch) | P(> fine_tune) | / fine_tune |",
                "|---|---|---|---|---|---|",
                "| scratch |  | -1.00 [-1.00, -1.00] |  | 0.00 [0.00, 0.00] | 0.50 [0.50, 0.50] |",
                f"| fine_tune | 1.00 {one} |  | 1.00 {one} |  |  |",
                f"| ours | 3.00 [3.00, 3.00] | 2.00 {two} | 1.00 {one} | 1.00 {one} | 2.00 {two} |",
                f"| new_method | 1.00 {one} | 0.00 [0.00, 0.00] | 1.00 {one} | 0.50 [0.50, 0.50] | 1.00 {one} |",
            ],
        )

    def test_ratio_to_random_start_where_it_is_there_and_no_interval_of_one_seed(self):
        rows = [auc("ours", "asterix_dynamics", 12, 6.0), auc("random_start", "asterix_dynamics", 12, 2.0)]
        found = study_tables.minatar(rows).splitlines()
        self.assertIn("| method | / random_start |", found)
        self.assertIn("| ours | 3.00 |", found)

    def test_without_a_seed_in_common_there_are_the_seeds_alone(self):
        rows = [auc("scratch", "asterix", 11, 1.0), auc("ours", "asterix", 12, 2.0)]
        self.assertEqual(
            study_tables.minatar(rows).splitlines()[2:],
            [
                "**asterix**, target AUC; seeds that all methods have: 0 (none)",
                "",
                "| method | mean | IQM | every seed |",
                "|---|---|---|---|",
                "| scratch |  |  | 11: 1.00 |",
                "| ours |  |  | 12: 2.00 |",
            ],
        )

    def test_games_are_pooled_in_units_of_scratch(self):
        rows = []
        for seed in FIVE:
            rows += [auc("scratch", "asterix", seed, 1.0), auc("fine_tune", "asterix", seed, 2.0), auc("ours", "asterix", seed, 3.0)]
            rows += [auc("scratch", "breakout", seed, 10.0), auc("fine_tune", "breakout", seed, 20.0), auc("ours", "breakout", seed, 20.0)]
            # Neither counts: a method of one game alone, and a change of dynamics.
            rows += [auc("ours_choose", "asterix", seed, 100.0), auc("ours", "breakout_dynamics", seed, 100.0)]
        found = study_tables.minatar(rows).splitlines()
        heading = next(at for at, line in enumerate(found) if line.startswith("**all games**"))
        self.assertIn("seeds that all methods have: asterix 5, breakout 5;", found[heading])
        one = "[1.00, 1.00]"
        self.assertEqual(
            found[heading + 2 :],
            [
                "| method | less scratch | less fine_tune | P(> scratch) | P(> fine_tune) |",
                "|---|---|---|---|---|",
                # 1 unit in either game.
                "| scratch |  | -1.00 [-1.00, -1.00] |  | 0.00 [0.00, 0.00] |",
                f"| fine_tune | 1.00 {one} |  | 1.00 {one} |  |",
                # 2 and 1 units to scratch, 1 and 0 to fine-tuning; always better than it, and as good.
                f"| ours | 1.50 [1.50, 1.50] | 0.50 [0.50, 0.50] | 1.00 {one} | 0.75 [0.75, 0.75] |",
            ],
        )


class Jumping(unittest.TestCase):
    def test_differences_are_of_the_same_seeds_from_five_on(self):
        rows = [solved("pse", "wide", seed, 0.1) for seed in FIVE]
        rows += [solved("random_conv", "wide", seed, 0.3) for seed in FIVE]
        rows += [solved("random_shift", "wide", seed, 0.5) for seed in list(FIVE)[1:]]
        rows += [solved("ours_random_conv", "wide", seed, 0.4) for seed in FIVE]
        rows += [solved("ours_random_conv", "wide", 16, 1.0), solved("ours_random_conv", "random", 11, 1.0)]
        found = study_tables.jumping(rows).splitlines()
        self.assertIn("| method | wide | random |", found)
        self.assertIn("| random_shift | 50.0 (4) |  |", found)
        heading = found.index("| method | less | wide | random |")
        self.assertEqual(
            found[heading : heading + 5],
            [
                "| method | less | wide | random |",
                "|---|---|---|---|",
                "| random_conv | pse | 20.0 [20.0, 20.0] (5) |  |",
                "| ours_random_conv | pse | 30.0 [30.0, 30.0] (5) |  |",
                "| ours_random_conv | random_conv | 10.0 [10.0, 10.0] (5) |  |",
            ],
        )

    def test_every_seed_is_listed(self):
        rows = [solved("ours", "wide", 12, 0.375), solved("pse", "wide", 11, 0.25), solved("ours", "wide", 11, 1.0)]
        self.assertEqual(
            study_tables.jumping(rows).splitlines()[-6:],
            [
                "Every seed.",
                "",
                "| method | grid | seed: percent |",
                "|---|---|---|",
                "| ours | wide | 11: 100.0, 12: 37.5 |",
                "| pse | wide | 11: 25.0 |",
            ],
        )

    def test_no_pairs_no_table(self):
        found = study_tables.jumping([solved("pse", "narrow", 1, 0.5), solved("ours", "narrow", 1, 0.75)]).splitlines()
        self.assertEqual(found[2:6], ["| method | narrow |", "|---|---|", "| pse | 50.0 (1) |", "| ours | 75.0 (1) |"])
        self.assertEqual(found[-8], "None yet.")


class Negatives(unittest.TestCase):
    def test_least_k_is_of_the_seeds_in_common(self):
        rows = []
        for seed in (11, 12):
            rows += [solved("random", "1", seed, 0.2), solved("random", "4", seed, 0.6), solved("random", "16", seed, 0.4)]
            rows += [solved("hardest", "1", seed, 0.1), solved("chosen", "1", seed, 0.6), solved("chosen", "16", seed, 0.9)]
        # A seed that others lack changes the mean of K = 4, and no least K.
        rows += [solved("random", "4", 13, 0.9)]
        found = study_tables.negatives(rows).splitlines()
        self.assertIn("is of the 2 seeds that every law and K has.", found[0])
        self.assertEqual(
            found[2:],
            [
                "| negatives | K = 1 | K = 4 | K = 16 | least K |",
                "|---|---|---|---|---|",
                "| random | 20.0 (2) | 70.0 (3) | 40.0 (2) | 4 |",
                "| hardest | 10.0 (2) |  |  | none |",
                "| chosen | 60.0 (2) |  | 90.0 (2) | 1 |",
                "",
                found[8],
                "",
                "| less random | K = 1 | K = 4 | K = 16 |",
                "|---|---|---|---|",
                "| hardest | -10.0 (2) |  |  |",
                "| chosen | 40.0 (2) |  | 50.0 (2) |",
                "",
                "Every seed.",
                "",
                "| method | K | seed: percent |",
                "|---|---|---|",
                "| random | 1 | 11: 20.0, 12: 20.0 |",
                "| random | 4 | 11: 60.0, 12: 60.0, 13: 90.0 |",
                "| random | 16 | 11: 40.0, 12: 40.0 |",
                "| hardest | 1 | 11: 10.0, 12: 10.0 |",
                "| chosen | 1 | 11: 60.0, 12: 60.0 |",
                "| chosen | 16 | 11: 90.0, 12: 90.0 |",
            ],
        )

    def test_how_many_negatives_an_anchor_had(self):
        rows = [solved("random", "64", seed, 0.5, negatives=60.0) for seed in FIVE]
        rows += [solved("chosen", "64", seed, 0.7, negatives=61.0 + seed % 2) for seed in (11, 12)]
        found = study_tables.negatives(rows).splitlines()
        self.assertEqual(found[4], "| random | 50.0 [50.0, 50.0] (5; 60.0 of 64) | 64 |")
        self.assertEqual(found[5], "| chosen | 70.0 (2; 61.5 of 64) | 64 |")

    def test_least_k_is_blank_without_a_seed_in_common(self):
        found = study_tables.negatives([solved("random", "1", 11, 0.5), solved("chosen", "1", 12, 0.5)]).splitlines()
        self.assertEqual(found[4:6], ["| random | 50.0 (1) |  |", "| chosen | 50.0 (1) |  |"])


if __name__ == "__main__":
    unittest.main()
