"""Bad days: the published sitting is played while Kafka is away, Redis is emptied and killed, and the services are killed.

The faults come at numbers of calls that are drawn anew each time; the seed is printed, and SANKOFA_SEED plays the same
ones again. However they fall, the play ends with the same table: nothing that was acknowledged is lost, nothing has
taken effect twice.
"""

import os
import random
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import report
import topics
from clear_text import Redis
from harness import SCENARIO, SystemNode
from node_client import SERVICES
from play import Player
from scenario import load

PATIENCE_SECONDS = 120
# A play makes about so many calls; the faults fall within.
CALLS = 580


class Faults:
    """Gives each fault when the play has made its number of calls, while the calls go on.

    Faults of one part come one after another; those of different parts may fall together.
    """

    def __init__(self, client, plan):
        self.given = []
        self._reached = 0
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(len(plan))
        self._part = {part: threading.Lock() for _, part, _, _ in plan}
        self._running = [self._pool.submit(self._give, *one) for one in plan]
        client.on_call = self.reached

    def reached(self, calls):
        with self._changed:
            self._reached = max(self._reached, calls)
            self._changed.notify_all()

    def _give(self, calls, part, name, fault):
        with self._changed:
            self._changed.wait_for(lambda: self._reached >= calls)
        with self._part[part]:
            at = self._reached
            fault()
            self.given.append(f"{name} at call {at}")

    def finish(self):
        """Raises what went wrong with giving them."""
        self.reached(CALLS)
        for fault in self._running:
            fault.result()
        self._pool.shutdown()


class BadDaysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = load(SCENARIO)
        cls.node = SystemNode("st-bad-days", 8300)
        cls.addClassCleanup(cls.node.close)
        cls.client = cls.node.client()
        cls.node.services_config = cls.client.config
        cls.client.patience_seconds = cls.client.arrival_seconds = PATIENCE_SECONDS

    def crash(self):
        self.node.kill()
        self.node.restart()

    def flush(self):
        store = Redis(self.client.config["redis"]["address"])
        store("FLUSHALL")
        store.close()

    def plan(self, chance):
        """Kafka is away during registration, and again for a moment later; the rest falls anywhere."""
        def bounce(part):
            self.node.parts("kill", part)
            self.node.parts("start", part)

        plan = [(20, "kafka", "Kafka stopped", lambda: self.node.parts("stop", "kafka")),
                (100, "kafka", "Kafka started", lambda: self.node.parts("start", "kafka"))]
        faults = [("services", "services killed", self.crash)] * 6 + [
            ("redis", "Redis emptied", self.flush), ("redis", "Redis killed", lambda: bounce("redis")),
            ("kafka", "Kafka killed", lambda: bounce("kafka"))]
        return plan + [(chance.randrange(150, CALLS - 20), *fault) for fault in faults]

    def test_1_the_play_goes_on_and_ends_as_ever(self):
        seed = int(os.environ.get("SANKOFA_SEED") or time.time())
        print(f"SANKOFA_SEED={seed}", flush=True)
        player = Player(self.client, self.scene)
        faults = Faults(self.client, self.plan(random.Random(seed)))
        try:
            player.play()
        finally:
            faults.finish()
            print("; ".join(faults.given), flush=True)
        facts = report.collect(self.client, self.scene, player.ids, seconds=PATIENCE_SECONDS)
        # A view that was in Redis when it was killed is folded anew; none may differ from the journals.
        facts["views"].update(missing=0, behind=0)
        self.assertEqual(report.differences(self.scene, facts), [])
        type(self).player = player

    def test_2_the_topics_hold_every_event_in_order(self):
        """For who can't ask the journal. An event may come twice, never too late and never not at all."""
        status = report.settle(self.client)
        last = {}
        for record in topics.read_all(self.node):
            stream = (record.topic.removeprefix("sankofa."), record.headers["ce_subject"])
            sequence = int(record.headers["ce_sequence"])
            self.assertLessEqual(sequence, last.get(stream, 0) + 1, f"{stream} has a gap")
            last[stream] = max(sequence, last.get(stream, 0))
        for service in SERVICES:
            found = sum(sequence for (source, _), sequence in last.items() if source == service)
            self.assertEqual(found, report.told_its_node(status[service]), service)

    def test_3_the_same_play_once_more_takes_no_effect(self):
        before = report.settle(self.client)
        again = Player(self.client, self.scene)
        again.play()
        self.assertEqual(again.ids, self.player.ids)
        after = report.settle(self.client)
        for service, status in before.items():
            self.assertEqual(after[service].events_published_target, status.events_published_target, service)

    def test_4_a_view_comes_back_after_redis_was_emptied(self):
        about = {"case_id": self.player.ids["p04"]["case"]}
        before = self.client.call("monitoring.GetCaseView", about, who="auditor")
        self.assertEqual(before.state, "CLOSED")
        self.flush()
        self.assertEqual(self.client.call("monitoring.GetCaseView", about, who="auditor"), before)
        self.node.parts("kill", "redis")
        self.assertEqual(self.client.call("monitoring.GetCaseView", about, who="auditor"), before)
        self.node.parts("start", "redis")
        counts = report.compare_views(self.client)
        self.assertEqual((counts["rebuilt"], counts["differing"]), (14, 0), counts)
        self.assertEqual(report.compare_views(self.client), {"rebuilt": 14, "missing": 0, "behind": 0, "differing": 0})

    def test_5_commands_go_on_without_kafka(self):
        """G11: the answer doesn't wait for anybody but the database."""
        self.node.parts("stop", "kafka")
        project = self.scene["projects"][0]
        person = self.player.person_of(project)
        started = time.monotonic()
        for number in range(20):
            self.player.do(f"without kafka {number}", "registration.RegisterPerson", "host_officer", "2018-07-03",
                           {**person, "details": {**person["details"], "documents": [],
                                                  "family_names": f"Fictivemba {number}"}})
        self.assertLess(time.monotonic() - started, 10)
        behind = report.statuses(self.client)["registration"]
        self.assertGreaterEqual(behind.events_published_target - behind.events_published, 20)
        self.node.parts("start", "kafka")
        self.assertEqual(report.lagging(report.settle(self.client, seconds=60)), [])

    def test_6_the_log_has_no_error(self):
        self.assertEqual(self.node.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
