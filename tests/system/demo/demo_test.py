"""scripts/demo as a newcomer runs it: it ends well and shows the table, a second run works, Ctrl-C leaves nothing."""

import os
import re
import signal
import subprocess
import unittest

import observability
from harness import ROOT, processes_of, run
from node_client import Node

PREFIX = "st-"
NODES = ("st-cm", "st-tg", "st-fr")
SERVICES_OF_A_NODE = 5
COMMAND = ["scripts/demo", "--prefix", PREFIX, "--base-port", "8100"]


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
        # Between the nodes: three pairs, each seen from both sides.
        self.assertEqual(text.count("digests equal"), 6)
        self.assertNotIn("digests DIFFER", text)
        self.assertIn("FR refused 1 message of TG", text)
        self.assertIn("Each node knows what it may know", text)

    def check_board(self):
        """What an operator sees of three nodes: every query finds data, every metric of the alerts is there."""
        addresses = [Node(node).config["metrics"]["address"] for node in NODES]
        with observability.Live(addresses, port=8490) as prometheus:
            prometheus.wait_for_scrapes(1)
            run("scripts/call", "st-cm", "registration.ListCases", '{"page_size": 1}', "--role", "auditor")
            prometheus.wait_for_scrapes(5)
            prometheus.wait_for_measures(SERVICES_OF_A_NODE * len(NODES))
            self.assertEqual(prometheus.without_data(), [])
            # The story has a message with one bit changed.
            self.assertIn("SankofaMessageRefused", prometheus.firing())

    def test_keeps_running_plays_again_and_stops(self):
        first = run(*COMMAND, "--keep")
        self.check_table(first.stdout)
        self.assertIn("scripts/call st-cm", first.stdout)
        # What is printed about calling it by hand is true.
        called = run("scripts/call", "st-cm", "registration.ListCases", '{"page_size": 3}', "--role", "auditor")
        self.assertIn('"reference": "CM-', called.stdout)
        called = run("scripts/call", "st-fr", "exchange.GetPartnerHealth", '{"partner_id": "st-tg"}', "--role", "auditor")
        self.assertIn('"received"', called.stdout)
        self.check_board()

        def table(text):
            shown = (text[text.index("first 70 %"):text.index("Everything agrees")]
                     + text[text.index("one case   "):text.index("Each node knows")])
            # After the table of the sitting the story publishes statistics of CM and lets it meet its partners: there the second
            # play finds more than the first. What crossed the borders is in the other tables.
            return [line for line in shown.splitlines() if not line.startswith(("sankofa.monitoring", "sankofa.exchange"))]

        def published(text):
            return int(re.search(r"(?m)^sankofa\.monitoring +(\d+)", text).group(1))

        second = run(*COMMAND)
        self.check_table(second.stdout)
        self.assertEqual(table(first.stdout), table(second.stdout), "the second play took effect")
        self.assertEqual(published(second.stdout), published(first.stdout) + 1)
        run(*COMMAND, "--stop")
        self.assert_nothing_runs()
        for node in (*NODES, "st-eu"):
            self.assertFalse(os.path.exists(f"{ROOT}/.run/{node}"))

    def assert_nothing_runs(self):
        self.assertEqual([line for node in NODES for line in processes_of(node)], [])

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
        self.assert_nothing_runs()


if __name__ == "__main__":
    unittest.main(verbosity=2)
