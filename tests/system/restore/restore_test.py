"""A node is restored from its PostgreSQL backup alone (G12): its PostgreSQL, Kafka and Redis are lost, its keys are not.

The backup is taken at a bad moment: registration has published events that none of the other services has applied yet,
and the topics in which they stood are lost too.
"""

import copy
import os
import shutil
import subprocess
import time
import unittest

from confluent_kafka import KafkaException

import journal
import report
import topics
from harness import SCENARIO, TESTED_BINARY, SystemNode, run
from node_client import PAUSE_SECONDS, SERVICES, Refused
from play import Player
from scenario import load
from serve import Services

PROJECTS = ("p02", "p04", "p06")
ERASED = "p04"
# Without partners the exchange gets nothing that it would have to seal.
SEALING = [service for service in SERVICES if service != "exchange"]
DAY = "2018-07-03"
PATIENCE_SECONDS = 60
# What is asked of the node before and after; the rest of report.collect counts events.
FACTS = ("session", "minutes", "line", "statement", "balance", "alerts")
FACTS_OF_CASES = ("projects", "cases", "grants", "visits", "surveys")


class RestoreTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = copy.deepcopy(load(SCENARIO))
        cls.scene["projects"] = [one for one in cls.scene["projects"] if one["code"] in PROJECTS]
        cls.node = SystemNode("st-restore", 11500)
        cls.addClassCleanup(cls.node.close)
        cls.client = cls.node.client()
        cls.node.services_config = cls.client.config
        cls.player = Player(cls.client, cls.scene)
        cls.player.play()
        cls.client.sign_in({"dpo": {"subject": "dpo-1", "organisation": "minrex",
                                    "roles": ["data_protection_officer"]}})
        cls.before = report.collect(cls.client, cls.scene, cls.player.ids)
        cls.views = {code: cls.view(code) for code in PROJECTS}
        cls.dump = os.path.join(cls.node.folder, "backup.dump")

    @classmethod
    def view(cls, code):
        return cls.client.call("monitoring.GetCaseView", {"case_id": cls.player.ids[code]["case"]}, who="auditor")

    def wait_for_view(self, code, state):
        """The view has a consumer of its own, which no service waits for."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (found := self.view(code).state) != state:
            self.assertLess(time.monotonic(), end, f"the view of {code} says {found}, not {state}")
            time.sleep(PAUSE_SECONDS)

    @classmethod
    def rows(cls):
        """How many rows each stream has, but for the trail of reads, which asking makes longer."""
        return {(service, row["type"], row["id"]): int(row["version"]) for service in SERVICES
                for row in journal.states(cls.node, service) if row["type"] != "AccessLog"}

    def command(self, step, method, who, fields):
        return self.player.do(step, method, who, DAY, fields)

    def superuser(self, program, *arguments):
        port = self.node.services_config["postgres"]["port"]
        subprocess.run([program, "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", *arguments],
                       env={**os.environ, "PGPASSWORD": self.node.secret("postgres")}, check=True)

    def test_1_a_backup_at_a_bad_moment(self):
        self.assertEqual(report.lagging(self.before["status"]), [])
        self.node.services.stop()
        alone = Services(self.node.name, TESTED_BINARY, service="registration")
        alone.start()
        try:
            self.command("erase", "registration.ErasePerson", "dpo", {
                "person_id": self.player.ids[ERASED]["person"], "basis": "ERASURE_BASIS_REQUEST"})
            self.command("reopen", "registration.ReopenCase", "case_officer", {
                "case_id": self.player.ids["p02"]["case"], "reason": "A second project."})
            self.wait_for_relay()
        finally:
            alone.stop()
        # Nobody has heard of it: the other services still hold what would open the notes.
        for service in ("validation", "monitoring", "funding"):
            self.assertIsNotNone(journal.keys(self.node, service)[self.player.ids[ERASED]["case"]], service)
        type(self).rows_at_backup = self.rows()
        self.superuser("pg_dump", "-d", "sankofa", "-Fc", "-f", self.dump)

    def wait_for_relay(self):
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            status = self.client.call("GetServiceStatus", {"service": "registration"}, who="operator")
            if status.events_published == status.events_published_target:
                return
            self.assertLess(time.monotonic(), end, "registration does not publish its events")
            time.sleep(PAUSE_SECONDS)

    def test_2_everything_but_the_keys_is_lost_and_the_backup_restored(self):
        run("scripts/node", "down", self.node.name)
        shutil.rmtree(os.path.realpath(os.path.join(self.node.folder, "postgres", "data")))
        shutil.rmtree(os.path.join(self.node.folder, "kafka"))
        shutil.rmtree(os.path.join(self.node.folder, "redis"))
        run("scripts/node", "up", self.node.name)
        self.superuser("pg_restore", "-d", "sankofa", "--exit-on-error", self.dump)
        self.assertEqual(self.rows(), self.rows_at_backup)
        self.node.services.migrate()
        self.node.services.start()
        self.assertTrue(self.client.serving())

    def test_3_the_other_services_hear_what_they_had_not(self):
        status = report.settle(self.client)
        self.assertEqual(report.lagging(status), [])
        for service in SEALING:
            self.assertIsNone(journal.keys(self.node, service)[self.player.ids[ERASED]["case"]], service)
        with self.assertRaises(Refused) as caught:
            self.view(ERASED)
        self.assertEqual(caught.exception.reason, "CASE_ERASED")
        self.wait_for_view("p02", "REINTEGRATING")

    def test_4_all_is_as_it_was(self):
        after = report.collect(self.client, self.scene, self.player.ids)
        for fact in FACTS:
            self.assertEqual(after[fact], self.before[fact], fact)
        for fact in FACTS_OF_CASES:
            self.assertEqual(after[fact]["p06"], self.before[fact]["p06"], fact)
        self.assertEqual(self.view("p06"), self.views["p06"])
        self.assertTrue(report.minutes_hold(after["minutes"]))
        self.assertEqual([one.difference_minor_units for one in after["balance"].currencies], [0, 0])
        self.assertEqual((after["views"]["rebuilt"], after["views"]["differing"]), (len(PROJECTS), 0))

    def test_5_nothing_took_effect_twice(self):
        """Streams grew by what had not been heard, and by nothing else."""
        grown = {stream: (version, self.rows_at_backup.get(stream, 0)) for stream, version in self.rows().items()
                 if version != self.rows_at_backup.get(stream, 0)}
        self.assertNotIn("registration", {service for service, _, _ in grown})
        heard = {self.player.ids[code][what] for code in ("p02", ERASED) for what in ("case", "project", "grant")
                 if what in self.player.ids[code]}
        for service, kind, name in grown:
            self.assertTrue(any(one in name for one in heard), f"{service} {kind}/{name} has grown")
        self.assertEqual(journal.broken(self.node)[0], [])

    def test_6_the_topics_are_whole_again(self):
        status = report.settle(self.client)
        records = topics.read_all(self.node)
        for service in SERVICES:
            ids = [one.headers["ce_id"] for one in records if one.topic == f"sankofa.{service}"]
            self.assertEqual(len(ids), report.told_its_node(status[service]), service)
            self.assertEqual(len(set(ids)), len(ids), service)

    def test_7_request_ids_answer_as_before(self):
        before = report.settle(self.client)
        again = Player(self.client, self.scene)
        again.play()
        self.assertEqual(again.ids, self.player.ids)
        after = report.settle(self.client)
        for service in SERVICES:
            self.assertEqual(after[service].events_published_target, before[service].events_published_target, service)

    def test_8_an_old_case_goes_on(self):
        about = {"case_id": self.player.ids["p06"]["case"]}
        reopened = self.command("reopen p06", "registration.ReopenCase", "case_officer", {**about, "reason": "More."})
        self.assertEqual(report.name_of(reopened, "state"), "REINTEGRATING")
        self.assertEqual(report.lagging(report.settle(self.client)), [])
        self.wait_for_view("p06", "REINTEGRATING")
        of_it = [one for one in topics.read_all(self.node) if one.headers["ce_subject"] == f"Case/{about['case_id']}"
                 .encode()]
        self.assertEqual([int(one.headers["ce_sequence"]) for one in of_it], list(range(1, int(reopened.etag) + 1)))
        # Money too: a new grant has nothing to do with the old ones, and the ledger stays balanced.
        self.assertEqual(self.client.call("funding.GetTrialBalance", {}, who="auditor"), self.before["balance"])

    def records_by_service(self):
        """How many records are in each topic; None while not all topics are there."""
        try:
            records = topics.read_all(self.node)
        except KafkaException:
            return None
        return {service: sum(one.topic == f"sankofa.{service}" for one in records) for service in SERVICES}

    def test_9_a_kafka_that_lost_its_disk_is_filled_again(self):
        """The same with the services running: they go on, and nobody has to be told."""
        self.assertEqual(self.node.error_lines(), [])
        self.node.parts("stop", "kafka")
        case_id = self.player.ids["p06"]["case"]
        self.command("close p06", "registration.CloseCase", "case_officer", {
            "case_id": case_id, "reason": "CLOSE_REASON_COMPLETED"})
        shutil.rmtree(os.path.join(self.node.folder, "kafka"))
        self.node.parts("start", "kafka")
        self.assertEqual(report.lagging(report.settle(self.client, seconds=PATIENCE_SECONDS)), [])
        self.wait_for_view("p06", "CLOSED")
        # A service that has nothing to say notices too, a little later.
        wanted = {service: report.told_its_node(one) for service, one in report.statuses(self.client).items()}
        end = time.monotonic() + PATIENCE_SECONDS
        while (found := self.records_by_service()) != wanted:
            self.assertLess(time.monotonic(), end, f"in the topics there are {found}, not {wanted}")
            time.sleep(PAUSE_SECONDS)
        self.assertEqual(report.lagging(report.settle(self.client)), [])
        # The access rules were on that disk too, and for a moment nobody had any.
        self.assertEqual([line for line in self.node.error_lines() if "AUTHORIZATION_FAILED" not in line], [])


if __name__ == "__main__":
    # Each step stands on the one before.
    unittest.main(verbosity=2, failfast=True)
