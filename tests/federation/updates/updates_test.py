"""Thousands of case updates among three nodes while processes are killed and the network fails; then nothing may be lost,
doubled, reordered, changed or leaked, as a checker says that knows only the databases, the topics and the documentation.

    scripts/test federation --updates 10000      SANKOFA_SEED=… gives the same faults again
"""

import os
import time
import unittest
from collections import Counter

from checker import Checker
from faults import RandomFaults
from load import Load, wanted_updates
from nodes import ThreeNodes

UPDATES = 1000
# Beyond what the work takes: for a node whose Kafka was killed last.
SETTLE_SECONDS = 240


class UpdatesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.three = ThreeNodes("fu-", 10000)
        cls.addClassCleanup(cls.three.close)
        cls.federation = cls.three.federate()
        cls.load = Load(cls.federation, wanted_updates(UPDATES))
        cls.load.federate()

    def test_1_all_updates_while_everything_fails(self):
        seed = int(os.environ.get("SANKOFA_SEED") or time.time())
        print(f"SANKOFA_SEED={seed}", flush=True)
        faults, started = RandomFaults(self.three, seed), time.monotonic()
        faults.start()
        try:
            self.load.run()
        finally:
            faults.stop()
        print(f"{self.load.done} updates in {time.monotonic() - started:.0f} s; faults: {faults.counts()}", flush=True)
        self.assertEqual(self.load.done, self.load.updates)

    def test_2_all_arrive(self):
        health = self.federation.settle(seconds=SETTLE_SECONDS)
        self.assertEqual(self.federation.unsettled(health), [])
        for role, other in self.federation.pairs():
            digest = self.federation.compare_digests(role, other)
            self.assertTrue(digest.equal, f"{role} and {other}: {digest.differences}")

    def test_3_the_checker_finds_nothing(self):
        checker = Checker(self.three.nodes, self.three.codes)
        found = checker.check(read_topic=lambda role, receiver: self.federation.read_feed(receiver, role))
        print(found, flush=True)
        self.assertEqual(found.wrong()[:20], [])
        self.assertGreaterEqual(found.counts["messages received"], self.load.updates)
        self.assertEqual(found.counts["events to share"], self.load.updates)

    def test_4_the_checker_would_find_it(self):
        """A checker that finds nothing has to be able to find: each kind of harm is done to what it has read."""
        def rows_of(checker, role, event_type):
            return [row for row in checker.rows[role]["exchange"] if row["event_type"].endswith(event_type)]

        def lose(checker):
            checker.rows["fr"]["exchange"].remove(rows_of(checker, "fr", ".UpdateReceived")[0])

        def double(checker):
            row = rows_of(checker, "fr", ".UpdateReceived")[-1]
            checker.rows["fr"]["exchange"].append({**row, "sequence": str(int(row["sequence"]) + 1000)})

        def reorder(checker):
            counts = Counter(row["id"] for row in rows_of(checker, "fr", ".UpdateReceived"))
            stream = counts.most_common(1)[0][0]
            first, second = [row for row in rows_of(checker, "fr", ".UpdateReceived") if row["id"] == stream][:2]
            first["sequence"], second["sequence"] = second["sequence"], first["sequence"]

        def change(checker):
            row = rows_of(checker, "tg", ".FeedAppended")[0]
            message = checker.registry.parse(row["event_type"], row["payload"])
            message.event = message.event[:-1] + bytes([message.event[-1] ^ 1])
            row["payload"] = message.SerializeToString()

        def leak(checker):
            for row in rows_of(checker, "tg", ".FeedAppended"):
                message = checker.registry.parse(row["event_type"], row["payload"])
                if message.type.endswith(".CaseAssessed"):
                    event = checker.registry.parse("sankofa.exchange.v1.FeedEvent", message.event)
                    payload = checker.registry.parse(event.type, event.payload)
                    payload.orientation_note = "Exemplo asked for it."
                    event.payload = payload.SerializeToString()
                    message.event = event.SerializeToString()
                    row["payload"] = message.SerializeToString()
                    return

        for kind, harm in (("lost", lose), ("doubled", double), ("reordered", reorder), ("changed", change),
                           ("leaked", leak)):
            checker = Checker(self.three.nodes, self.three.codes)
            harm(checker)
            self.assertNotEqual(checker.check().kinds()[kind], [], kind)

    def test_5_the_logs_have_no_error(self):
        self.assertEqual(self.three.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
