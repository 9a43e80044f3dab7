"""`sankofactl doctor` on a node that runs: all green; then one trouble after another is planted, and each is named."""

import copy
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

import journal
import report
from harness import CONTROL, ROOT, SCENARIO, SystemNode
from node_client import SERVICES
from play import Player
from scenario import load

NAME, BASE_PORT = "st-doctor", 12000
SECONDS = 120
OPERATOR = {"operator": {"subject": "operator-1", "organisation": "minrex", "roles": ["node_operator"]}}


class DoctorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = SystemNode(NAME, int(os.environ.get("SANKOFA_BASE_PORT", BASE_PORT)))
        cls.addClassCleanup(cls.node.close)
        cls.client = cls.node.client()
        cls.node.services_config = cls.client.config
        scene = copy.deepcopy(load(SCENARIO))
        scene["projects"] = scene["projects"][:1]
        cls.player = Player(cls.client, scene)
        cls.player.sign_in()
        cls.player.prepare()
        cls.client.sign_in(OPERATOR)
        report.settle(cls.client)
        cls.pki = os.path.join(cls.node.folder, "pki")
        cls.admin = AdminClient({
            "bootstrap.servers": cls.client.config["kafka"]["brokers"], "security.protocol": "ssl",
            "ssl.ca.location": f"{cls.pki}/ca.pem", "ssl.certificate.location": f"{cls.pki}/operator.pem",
            "ssl.key.location": f"{cls.pki}/operator.key", "log_level": 0, "error_cb": lambda _: None})

    def doctor(self, *arguments, expect, who="operator"):
        """What it found, as {(check, about): reason}; healthy and not."""
        environment = {"PATH": os.environ["PATH"], "NODE_FOLDER": self.node.folder}
        if who:
            environment["SANKOFA_TOKEN"] = self.client.tokens[who]
        done = subprocess.run([CONTROL, "--json", "doctor", *arguments], env=environment, cwd=ROOT, text=True,
                              check=False, capture_output=True, timeout=SECONDS)
        self.assertEqual(done.returncode, expect, f"{done.stdout}\n{done.stderr}")
        findings = [json.loads(line) for line in done.stdout.splitlines()]
        for one in findings:
            self.assertEqual(one["ok"], one["reason"] == "OK")
            self.assertEqual("todo" in one, not one["ok"])
        return {(one["check"], one["about"]): one["reason"] for one in findings}

    def troubles(self, *arguments, **options):
        found = self.doctor(*arguments, expect=1, **options)
        return {what: reason for what, reason in found.items() if reason != "OK"}

    def test_1_a_node_that_is_well_is_green(self):
        found = self.doctor(expect=0)
        self.assertEqual(set(found.values()), {"OK"})
        for service in SERVICES:
            for check in ("certificate", "database", "migrations", "service", "relay", "dead letters", "clock"):
                self.assertIn((check, service), found)
            self.assertIn(("topic", f"sankofa.{service}"), found)
        self.assertIn(("clock", "database"), found)
        brokers = self.client.config["kafka"]["brokers"]
        for about in ("authority", "node", "sankofactl", self.client.config["listen"]["address"], brokers):
            self.assertIn(("certificate", about), found)
        print(f"{len(found)} checks", flush=True)

    def test_2_it_says_what_to_do_in_the_readers_language(self):
        environment = {"PATH": os.environ["PATH"], "NODE_FOLDER": self.node.folder}
        for language, words in (("en", "Give the token"), ("fr", "Donnez le jeton")):
            done = subprocess.run([CONTROL, "--language", language, "doctor"], env=environment, cwd=ROOT, text=True,
                                  check=False, capture_output=True, timeout=SECONDS)
            self.assertEqual(done.returncode, 1)
            self.assertIn("SERVICE_REFUSED", done.stdout)
            self.assertIn(words, done.stdout)
            self.assertEqual(done.stderr, "")

    def test_3_a_certificate_that_ends_soon(self):
        with tempfile.TemporaryDirectory() as kept:
            for name in ("funding.pem", "funding.key"):
                shutil.copy2(os.path.join(self.pki, name), kept)
            request, extensions = os.path.join(kept, "request"), os.path.join(kept, "extensions")
            with open(extensions, "w", encoding="ascii") as file:
                file.write(f"subjectAltName = DNS:localhost, DNS:funding, IP:127.0.0.1, URI:spiffe://{NAME}.sankofa/funding\n")
            subprocess.run(["openssl", "req", "-new", "-newkey", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-subj", "/CN=funding", "-keyout", f"{self.pki}/funding.key", "-out", request],
                           check=True, capture_output=True)
            subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", f"{self.pki}/ca.pem", "-CAkey",
                            f"{self.pki}/ca.key", "-CAserial", f"{kept}/serial", "-CAcreateserial", "-days", "3",
                            "-extfile", extensions, "-out", f"{self.pki}/funding.pem"], check=True, capture_output=True)
            try:
                self.assertEqual(self.troubles(), {("certificate", "funding"): "CERTIFICATE_ENDING"})
                self.doctor("--days", "2", expect=0)
                # The key of another certificate.
                shutil.copy2(os.path.join(kept, "funding.key"), self.pki)
                self.assertEqual(self.troubles(), {("certificate", "funding"): "CERTIFICATE_KEY"})
                # One that the authority did not sign.
                for end in ("pem", "key"):
                    shutil.copy2(f"{self.pki}/unknown-ca.{end}", f"{self.pki}/funding.{end}")
                self.assertEqual(self.troubles(), {("certificate", "funding"): "CERTIFICATE_UNTRUSTED"})
                for end in ("pem", "key"):
                    shutil.copy2(f"{self.pki}/expired.{end}", f"{self.pki}/funding.{end}")
                self.assertEqual(self.troubles(), {("certificate", "funding"): "CERTIFICATE_ENDED"})
            finally:
                for name in ("funding.pem", "funding.key"):
                    shutil.copy2(os.path.join(kept, name), self.pki)

    def test_4_a_migration_that_is_not_applied(self):
        where = "funding.schema_migration where name = '0001_funding.sql'"
        row = journal.psql(self.node, "-At", "-c", f"select name, hash from {where}").decode().strip()
        self.assertTrue(row)
        name, digest = row.split("|")
        journal.psql(self.node, "-c", f"delete from {where}")
        try:
            self.assertEqual(self.troubles(), {("migrations", "funding"): "MIGRATION_MISSING"})
        finally:
            journal.psql(self.node, "-c", f"insert into funding.schema_migration (name, hash) values ('{name}', '{digest}')")

    def test_5_topics_that_are_kept_for_too_short_or_are_gone(self):
        topic = "sankofa.monitoring"
        retention = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
            ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)])
        for done in self.admin.incremental_alter_configs([retention]).values():
            done.result()
        self.assertEqual(self.troubles(), {("topic", topic): "TOPIC_RETENTION"})
        # The services would make it again, so they end first.
        self.node.services.stop()
        self.admin.delete_topics([topic], operation_timeout=30)[topic].result()
        found = self.troubles()
        self.assertEqual(found.pop(("topic", topic)), "TOPIC_MISSING")
        self.assertEqual(found.pop(("certificate", self.client.config["listen"]["address"])), "TLS_UNREACHABLE")
        self.assertEqual(set(found.values()), {"SERVICE_UNREACHABLE"})
        self.assertEqual({about for check, about in found if check == "service"},
                         {*SERVICES, "exchange (partners)"})
        self.node.restart()
        report.settle(self.client)
        self.doctor(expect=0)

    def test_6_a_broker_that_is_away_and_events_that_wait_for_it(self):
        self.node.parts("kill", "kafka")
        try:
            self.player.register_one(self.player.projects[0])
            found = self.troubles()
            brokers = self.client.config["kafka"]["brokers"]
            self.assertEqual(found[("kafka", brokers)], "KAFKA_UNREACHABLE")
            self.assertEqual(found[("certificate", brokers)], "TLS_UNREACHABLE")
            self.assertEqual(found[("relay", "registration")], "RELAY_STALLED")
            self.assertEqual(found[("consumer", "sankofa.funding")], "CONSUMER_TROUBLE")
            self.assertNotIn("SERVICE_UNREACHABLE", found.values())
        finally:
            self.node.parts("start", "kafka")
        report.settle(self.client)
        end = time.monotonic() + SECONDS
        while (found := self.doctor_until_well()) and time.monotonic() < end:
            pass
        self.assertEqual(found, {})

    def doctor_until_well(self):
        """What is still wrong: clients come back to a broker one by one."""
        environment = {"PATH": os.environ["PATH"], "NODE_FOLDER": self.node.folder,
                       "SANKOFA_TOKEN": self.client.tokens["operator"]}
        done = subprocess.run([CONTROL, "--json", "doctor"], env=environment, cwd=ROOT, text=True, check=False,
                              capture_output=True, timeout=SECONDS)
        findings = [json.loads(line) for line in done.stdout.splitlines()]
        return {(one["check"], one["about"]): one["reason"] for one in findings if not one["ok"]}

    def test_7_a_database_and_a_redis_that_are_away(self):
        self.node.parts("kill", "redis", "postgres")
        try:
            found = self.troubles()
            self.assertEqual(found[("redis", self.client.config["redis"]["address"])], "REDIS_UNREACHABLE")
            for service in SERVICES:
                self.assertEqual(found[("database", service)], "DATABASE_UNREACHABLE")
        finally:
            self.node.parts("start", "redis", "postgres")


if __name__ == "__main__":
    # Each step stands on the one before.
    unittest.main(verbosity=2, failfast=True)
