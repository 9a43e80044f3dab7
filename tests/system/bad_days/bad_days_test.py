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

import report
from clear_text import Redis
from harness import SCENARIO, SystemNode
from play import Player
from scenario import load

PATIENCE_SECONDS = 120
# A play makes about so many calls; the faults fall within.
CALLS = 560


class Faults:
    """Gives each fault when the play has made its number of calls, on a thread of its own."""

    def __init__(self, node, client, plan):
        self.node, self.plan = node, sorted(plan, key=lambda one: one[0])
        self.given, self.error = [], None
        self._reached = 0
        self._changed = threading.Condition()
        client.on_call = self.reached
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def reached(self, calls):
        with self._changed:
            self._reached = max(self._reached, calls)
            self._changed.notify_all()

    def _run(self):
        try:
            for calls, name, fault in self.plan:
                with self._changed:
                    self._changed.wait_for(lambda at=calls: self._reached >= at)
                at = self._reached
                fault()
                self.given.append(f"{name} at call {at}")
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def finish(self):
        self.reached(10**9)
        self._thread.join()
        if self.error:
            raise self.error


class BadDaysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = load(SCENARIO)
        cls.node = SystemNode("st-bad-days", 8300)
        cls.addClassCleanup(cls.node.close)
        cls.client = cls.node.client()
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
        calls = sorted(chance.sample(range(150, CALLS), 8))
        plan = [(20, "Kafka stopped", lambda: self.node.parts("stop", "kafka")),
                (100, "Kafka started", lambda: self.node.parts("start", "kafka"))]
        faults = [("services killed", self.crash)] * 5 + [
            ("Redis emptied", self.flush), ("Redis killed", lambda: self.node.parts("kill", "redis")),
            ("Kafka killed and started", lambda: (self.node.parts("kill", "kafka"), self.node.parts("start", "kafka")))]
        chance.shuffle(faults)
        return plan + [(at, *fault) for at, fault in zip(calls, faults, strict=True)]

    def test_1_the_play_goes_on_and_ends_as_ever(self):
        seed = int(os.environ.get("SANKOFA_SEED") or time.time())
        print(f"SANKOFA_SEED={seed}", flush=True)
        player = Player(self.client, self.scene)
        faults = Faults(self.node, self.client, self.plan(random.Random(seed)))
        try:
            player.play()
        finally:
            faults.finish()
            print("; ".join(faults.given), flush=True)
        self.node.parts("start", "redis")
        facts = report.collect(self.client, self.scene, player.ids, seconds=PATIENCE_SECONDS)
        # A view that was in Redis when it was killed is folded anew; none may differ from the journals.
        facts["views"].update(missing=0, behind=0)
        self.assertEqual(report.differences(self.scene, facts), [])
        type(self).player = player

    def test_2_the_same_play_once_more_takes_no_effect(self):
        before = report.settle(self.client)
        again = Player(self.client, self.scene)
        again.play()
        self.assertEqual(again.ids, self.player.ids)
        after = report.settle(self.client)
        for service, status in before.items():
            self.assertEqual(after[service].events_published_target, status.events_published_target, service)

    def test_3_a_view_comes_back_after_redis_was_emptied(self):
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

    def test_4_commands_go_on_without_kafka(self):
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

    def test_5_the_log_has_no_error(self):
        self.assertEqual(self.node.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
