"""Two nodes that go by their own clocks, which are more than a day apart; and what happens at night, when each compares with
the other what was sent and what came: a difference that somebody made is found and listed by case, and what is missing comes.

The services have another time of day (shifted_clock.c); FR's stands shortly before the hour of its comparison.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import time
import unittest
import uuid

import journal
from checker import Checker, Registry
from load import Load
from nodes import ThreeNodes

SETTLE_SECONDS = 120
CASES = 4
DAY_SECONDS = 24 * 3600
# Until the night's comparison: FR has to be up by then. And how long that may take, which waits half a minute, twice.
BEFORE_SECONDS, NIGHT_SECONDS = 30, 180
DIGEST_HOUR = 2
DIFFERS = "a case is not the same at the partner"
CHANGED, MISSING = 0, 1


def day_from_now(days):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * DAY_SECONDS))


class ClocksTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.library = os.path.join(folder.name, "shifted_clock.so")
        subprocess.run(["cc", "-std=c11", "-O1", "-shared", "-fPIC", "-o", cls.library,
                        os.path.join(os.path.dirname(os.path.abspath(__file__)), "shifted_clock.c"), "-ldl"], check=True)
        cls.three = ThreeNodes("fc-", 11300, roles=("tg", "fr"))
        cls.addClassCleanup(cls.three.close)
        cls.federation = cls.three.federate()
        # What was signed holds today, for the nodes will go by their own clocks.
        cls.load = Load(cls.federation, CASES, day=day_from_now(-30))
        cls.load.until_date = day_from_now(365)
        cls.load.federate(from_date=day_from_now(-60), until_date=day_from_now(365))
        cls.people, cls.opened = {}, []
        for number in range(CASES):
            _, person, opened = cls.load.open_case(2 * number)
            cls.people[number] = person
            cls.opened.append(opened.id)
        cls.times, cls.assessed, cls.had, cls.state = 0, 0, 0, b""
        cls.ends = cls.fr_log_size()

    # ---- clocks -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def shifted(self, seconds):
        """What is started here has another time of day."""
        os.environ.update({"LD_PRELOAD": self.library, "CLOCK_SHIFT_SECONDS": str(seconds)})
        try:
            yield
        finally:
            del os.environ["LD_PRELOAD"], os.environ["CLOCK_SHIFT_SECONDS"]

    def start(self, role, shift=0):
        """The node by its own clock, and the people who work there by theirs."""
        node = self.three.nodes[role]
        node.services.stop()
        path = os.path.join(node.folder, "sankofa.yaml")
        with open(path, encoding="utf-8") as file:
            text = file.read().replace("accept_scenario_time: true", "accept_scenario_time: false")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        with self.shifted(shift) if shift else contextlib.nullcontext():
            node.services.start()
            self.federation.sign_in(role)
            self.load.sign_in(role)
        self.load.at = None

    @classmethod
    def fr_log_size(cls):
        return os.path.getsize(cls.three.nodes["fr"].services.log)

    def fr_says(self, text):
        """Lines of FR's log since the class was set up."""
        with open(self.three.nodes["fr"].services.log, encoding="utf-8") as file:
            file.seek(self.ends)
            return [json.loads(line) for line in file if text in line]

    # ---- work ---------------------------------------------------------------------------------------------------------

    def assess(self, numbers):
        type(self).times += 1
        for number in numbers:
            self.load.assess("tg", number, self.opened[number], f"{self.times}")
            type(self).assessed += 1

    def settled(self):
        """FR has each assessment once, and nothing is under way."""
        self.federation.wait(lambda: self.three.applied("fr", "tg") >= self.assessed, "FR has all assessments",
                             seconds=SETTLE_SECONDS)
        self.assertEqual(self.three.applied("fr", "tg"), self.assessed)
        health = self.federation.settle(seconds=SETTLE_SECONDS)
        self.assertEqual(self.federation.unsettled(health), [])

    def received(self, number):
        return int(self.three.scalar("fr", "select count(*) from exchange.received_update where owner_id = "
                                           f"'{self.feed(number)}'"))

    def feed(self, number):
        return f"{self.federation.codes['tg']}:Case/{self.opened[number]}"

    def put_state(self, number, state):
        journal.psql(self.three.nodes["fr"], "-c", f"update exchange.aggregate set state = '\\x{state.hex()}' "
                                                   f"where type = 'ReceivedFeed' and id = '{self.feed(number)}'")

    def differences(self, role, other):
        found = self.federation.compare_digests(role, other)
        self.assertEqual(found.equal, not found.differences)
        return {(one.subject, one.sender, one.sent_sequence - one.received_sequence) for one in found.differences}

    # ---- tests --------------------------------------------------------------------------------------------------------

    def test_1_a_clock_that_is_more_than_a_day_ahead(self):
        self.settled()
        self.start("tg")
        tomorrow = time.time() + DAY_SECONDS
        until = (DIGEST_HOUR * 3600 - BEFORE_SECONDS - tomorrow) % DAY_SECONDS
        self.start("fr", shift=int(DAY_SECONDS + until))
        # In both directions: TG assesses, and FR's disclosure about the person changes.
        sent = self.federation.health("fr", "tg").sent
        self.assess(range(CASES))
        self.load.do("host", "renamed", "registration.UpdatePerson",
                     {"person_id": self.people[0].id, **self.load.person(0, "ne")})
        self.federation.wait(lambda: self.federation.health("fr", "tg").sent > sent, "FR tells the other name")
        self.settled()

    def test_2_a_difference_is_found_on_demand(self):
        """Somebody changes what FR holds of one case, and Kafka is shut while TG goes on with another."""
        self.settled()
        self.assertEqual(self.differences("fr", "tg"), set())
        type(self).state = bytes.fromhex(self.three.scalar(
            "fr", f"select encode(state, 'hex') from exchange.aggregate where type = 'ReceivedFeed' and "
                  f"id = '{self.feed(CHANGED)}'"))
        feed = Registry().parse("sankofa.exchange.v1.ReceivedFeed", self.state)
        feed.last_hash = bytes(32)
        self.put_state(CHANGED, feed.SerializeToString())
        self.three.gates["tg"]["kafka"].shut()
        type(self).had = self.received(MISSING)
        self.assess([MISSING])
        tg = self.federation.codes["tg"]
        wanted = {(f"Case/{self.opened[CHANGED]}", tg, 0), (f"Case/{self.opened[MISSING]}", tg, 1)}
        self.federation.wait(lambda: self.differences("fr", "tg") == wanted, "FR lists both cases")
        self.assertEqual(self.differences("tg", "fr"), wanted)

    def test_3_and_at_night(self):
        """What is missing is asked for, although Kafka is shut; what still differs is said, once."""
        self.federation.wait(lambda: self.fr_says(DIFFERS), "FR says which case differs", seconds=NIGHT_SECONDS)
        told = self.fr_says(DIFFERS)
        self.assertEqual([one["subject"] for one in told], [f"Case/{self.opened[CHANGED]}"])
        self.assertEqual({one["partner"] for one in told}, {self.federation.codes["tg"]})
        self.assertEqual(self.received(MISSING), self.had + 1)

    def test_4_put_right_it_is_equal_again(self):
        self.put_state(CHANGED, self.state)
        self.three.gates["tg"]["kafka"].go_on()
        self.settled()
        self.assertEqual(self.differences("fr", "tg"), set())
        self.assertEqual(self.differences("tg", "fr"), set())

    def test_5_the_other_clock_is_a_day_ahead(self):
        self.start("fr")
        self.start("tg", shift=DAY_SECONDS)
        self.assess(range(CASES))
        self.settled()
        self.assertEqual(self.differences("fr", "tg"), set())
        found = Checker(self.three.nodes, self.three.codes).check()
        print(found, flush=True)
        self.assertEqual(found.wrong()[:20], [])

    def test_6_the_logs_have_no_error(self):
        self.assertEqual(self.three.error_lines(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
