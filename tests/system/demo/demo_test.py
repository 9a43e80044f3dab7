"""scripts/demo as a newcomer runs it: it ends well and shows the table, a second run works, Ctrl-C leaves nothing."""

import os
import signal
import subprocess
import unittest

from harness import ROOT, processes_of, run

NODE = "st-demo"
COMMAND = ["scripts/demo", "--node", NODE, "--base-port", "8100"]


class DemoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run(*COMMAND, "--stop")
        cls.addClassCleanup(run, *COMMAND, "--stop")

    def check_table(self, text):
        self.assertIn("14 examined", text)
        self.assertIn("12 approved, 1 adjourned, 1 refused", text)
        self.assertIn("66,972.00 EUR = 43,930,752 XAF", text)
        self.assertIn("46,880.40 EUR first = 70 % of it", text)
        self.assertIn("EUR: debit less credit is 0; XAF: debit less credit is 0", text)
        self.assertIn("Everything agrees", text)

    def test_keeps_running_plays_again_and_stops(self):
        first = run(*COMMAND, "--keep")
        self.check_table(first.stdout)
        self.assertIn("scripts/call st-demo", first.stdout)
        # What is printed about calling it by hand is true.
        called = run("scripts/call", NODE, "registration.ListCases", '{"page_size": 3}', "--role", "auditor")
        self.assertIn('"reference": "CM-', called.stdout)

        def table(text):
            return text[text.index("first 70 %"):text.index("Everything agrees")]

        second = run(*COMMAND)
        self.check_table(second.stdout)
        self.assertEqual(table(first.stdout), table(second.stdout), "the second play took effect")
        run(*COMMAND, "--stop")
        self.assertEqual(processes_of(NODE), [])
        self.assertFalse(os.path.exists(f"{ROOT}/.run/{NODE}"))

    def test_interrupted_leaves_no_process(self):
        process = subprocess.Popen(COMMAND, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, start_new_session=True)
        said = []
        with process.stdout:
            for line in process.stdout:
                said.append(line)
                # A terminal's Ctrl-C goes to all of its processes, in the middle of the play.
                if "arrivals and assessments" in line:
                    os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(), 130, "".join(said))
        self.assertEqual(processes_of(NODE), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
