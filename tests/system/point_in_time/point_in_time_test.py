"""A node is set back to a moment: from a base backup and the write-ahead log that was archived since, as deploy/README.md says.
What was done before that moment is there, the mistake after it is not, and the node goes on."""

import copy
import os
import shutil
import subprocess
import time
import unittest

import journal
import report
from harness import CONTROL, ROOT, SCENARIO, SystemNode
from node_client import PAUSE_SECONDS
from play import Player
from scenario import load

BASE_PORT = 12200
DAY = "2018-07-03"
SECONDS = 60


class PointInTimeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = copy.deepcopy(load(SCENARIO))
        cls.scene["projects"] = [one for one in cls.scene["projects"] if one["code"] in ("p02", "p04")]
        cls.node = SystemNode("st-point", BASE_PORT, serve=False)
        cls.addClassCleanup(cls.node.close)
        cls.home = os.path.realpath(os.path.join(cls.node.folder, "postgres"))
        cls.data, cls.archive, cls.base = (os.path.join(cls.home, name) for name in ("data", "archive", "base"))
        cls.node.services_config = {"postgres": {"port": BASE_PORT + 32}}
        cls.archive_the_log()
        cls.node.services.start()
        cls.client = cls.node.client()
        cls.player = Player(cls.client, cls.scene)
        cls.player.play()
        cls.case = cls.player.ids["p02"]["case"]

    @classmethod
    def sql(cls, statement):
        return journal.psql(cls.node, "-At", "-c", statement).decode().strip()

    @classmethod
    def archive_the_log(cls):
        os.mkdir(cls.archive, 0o700)
        rules = os.path.join(cls.home, "pg_hba.conf")
        with open(rules, "w", encoding="utf-8") as file:
            file.write("host all,replication all 127.0.0.1/32 scram-sha-256\n")
        owner = os.stat(cls.data)
        for path in (cls.archive, rules):
            os.chown(path, owner.st_uid, owner.st_gid)
        for setting in ("archive_mode = on", f"archive_command = 'test ! -f {cls.archive}/%f && cp %p {cls.archive}/%f'",
                        f"hba_file = '{rules}'"):
            cls.sql(f"alter system set {setting}")
        cls.node.parts("stop", "postgres")
        cls.node.parts("start", "postgres")

    def command(self, step, method, fields):
        return self.player.do(step, method, "case_officer", DAY, {"case_id": self.case, **fields})

    def wait(self, true, what):
        end = time.monotonic() + SECONDS
        while not true():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(PAUSE_SECONDS)

    def test_1_a_base_backup_then_work_and_a_mistake(self):
        subprocess.run(["pg_basebackup", "-h", "127.0.0.1", "-p", str(self.node.services_config["postgres"]["port"]), "-U",
                        "postgres", "-D", self.base, "--checkpoint=fast"], check=True,
                       env={**os.environ, "PGPASSWORD": self.node.secret("postgres")})
        reopened = self.command("reopen", "registration.ReopenCase", {"reason": "A second project."})
        self.assertEqual(report.name_of(reopened, "state"), "REINTEGRATING")
        type(self).moment = self.sql("select clock_timestamp()")
        closed = self.command("close", "registration.CloseCase", {"reason": "CLOSE_REASON_COMPLETED"})
        self.assertEqual(report.name_of(closed, "state"), "CLOSED")
        last = self.sql("select pg_walfile_name(pg_switch_wal())")
        self.wait(lambda: os.path.exists(os.path.join(self.archive, last)), f"{last} is archived")

    def test_2_set_back_to_the_moment_before_it(self):
        self.node.services.stop()
        for part in ("postgres", "kafka", "redis"):
            self.node.parts("stop", part)
        owner = os.stat(self.data)
        shutil.rmtree(self.data)
        for part in ("kafka", "redis"):
            shutil.rmtree(os.path.join(self.node.folder, part))
        shutil.move(self.base, self.data)
        with open(os.path.join(self.data, "postgresql.auto.conf"), "a", encoding="utf-8") as file:
            file.write(f"restore_command = 'cp {self.archive}/%f %p'\nrecovery_target_time = '{self.moment}'\n"
                       "recovery_target_action = promote\n")
        with open(os.path.join(self.data, "recovery.signal"), "w", encoding="utf-8"):
            pass
        for folder, _, names in os.walk(self.data):
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                os.chown(path, owner.st_uid, owner.st_gid)
        for part in ("postgres", "redis", "kafka"):
            self.node.parts("start", part)
        self.wait(lambda: self.sql("select pg_is_in_recovery()") == "f", "the recovery is over")
        self.assertEqual(self.sql("select left(pg_walfile_name(pg_current_wal_lsn()), 8)"), "00000002")

    def test_3_what_was_before_is_there_and_the_mistake_is_not(self):
        self.node.services.migrate()
        self.node.services.start()
        found = self.client.call("registration.GetCase", {"case_id": self.case}, who="case_officer", at=f"{DAY}T12:00:00Z")
        self.assertEqual(report.name_of(found, "state"), "REINTEGRATING")
        self.assertEqual(report.lagging(report.settle(self.client)), [])
        verified = subprocess.run([CONTROL, "--node-folder", self.node.folder, "journal", "verify"], cwd=ROOT, text=True,
                                  capture_output=True, check=True)
        self.assertIn("All chains hold.", verified.stdout)

    def test_4_the_node_goes_on(self):
        closed = self.command("close again", "registration.CloseCase", {"reason": "CLOSE_REASON_COMPLETED"})
        self.assertEqual(report.name_of(closed, "state"), "CLOSED")


if __name__ == "__main__":
    # Each step stands on the one before.
    unittest.main(verbosity=2, failfast=True)
