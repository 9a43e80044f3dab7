"""`sankofactl backup` of a node that runs, and `restore` on a machine that has nothing of it but the master key; and what is
refused: a node that is not empty, another master key, a backup that was changed."""

import base64
import copy
import json
import os
import shutil
import stat
import subprocess
import unittest

import journal
import report
from harness import CONTROL, ROOT, SCENARIO, SystemNode, run
from node_client import SERVICES, read
from play import Player
from scenario import load

BASE_PORT = 12000
SECONDS = 120
PROJECTS = ("p02", "p04")
# Of what report.collect asks a node for; the rest counts events.
FACTS = ("session", "minutes", "line", "statement", "balance")
FACTS_OF_CASES = ("projects", "cases", "grants", "visits", "surveys")


class BackupTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scene = copy.deepcopy(load(SCENARIO))
        cls.scene["projects"] = [one for one in cls.scene["projects"] if one["code"] in PROJECTS]
        cls.node = SystemNode("st-backup", BASE_PORT)
        cls.addClassCleanup(cls.node.close)
        # Beside the node: the other machine has nothing of its folder.
        cls.safe = os.path.join(ROOT, ".run", "st-backup-safe")
        shutil.rmtree(cls.safe, ignore_errors=True)
        os.makedirs(cls.safe, mode=0o700)
        cls.addClassCleanup(shutil.rmtree, cls.safe, ignore_errors=True)
        cls.folder = os.path.join(cls.safe, "backup")
        cls.client = cls.node.client()
        cls.node.services_config = cls.client.config
        cls.player = Player(cls.client, cls.scene)
        cls.player.play()
        cls.before = report.collect(cls.client, cls.scene, cls.player.ids)

    def control(self, *arguments, expect=0, **environment):
        done = subprocess.run([CONTROL, "--node-folder", self.node.folder, *arguments], cwd=ROOT, text=True, check=False,
                              env={"PATH": os.environ["PATH"], **environment}, capture_output=True, timeout=SECONDS)
        self.assertEqual(done.returncode, expect, f"{arguments}:\n{done.stdout}\n{done.stderr}")
        return done

    def refused(self, folder, **environment):
        error = self.control("--json", "restore", folder, expect=1, **environment).stderr
        return json.loads(error)["error"]["reason"]

    def copy_of_backup(self, name):
        return shutil.copytree(self.folder, os.path.join(self.safe, name))

    def rows(self):
        """How many rows each stream has, but for the trail of reads, which asking makes longer."""
        return {(service, row["type"], row["id"]): int(row["version"]) for service in SERVICES
                for row in journal.states(self.node, service) if row["type"] != "AccessLog"}

    def test_1_a_backup_of_a_node_that_runs(self):
        said = json.loads(self.control("--json", "backup", self.folder).stdout)
        type(self).rows_at_backup = self.rows()
        self.assertEqual(said["node"], self.node.name)
        self.assertEqual([one["service"] for one in said["services"]], sorted(SERVICES))
        self.assertEqual(sorted(os.listdir(self.folder)), ["database.dump", "manifest.json", "manifest.seal"])
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)
        self.control("backup", self.folder, expect=2)  # never written over

    def test_2_the_master_key_is_not_in_it(self):
        text = read(os.path.join(self.node.folder, "keys", "master.key")).strip()
        for name in os.listdir(self.folder):
            content = read(os.path.join(self.folder, name))
            for key in (text, base64.b64decode(text), base64.b64decode(text).hex().encode()):
                self.assertNotIn(key, content, name)

    def test_3_a_living_node_is_not_written_over(self):
        self.assertEqual(self.refused(self.folder), "NODE_NOT_EMPTY")
        french = self.control("--language", "fr", "restore", self.folder, expect=1).stderr
        self.assertIn("La base de données du nœud n'est pas vide", french)
        self.assertTrue(self.client.serving())

    def test_4_a_backup_that_was_changed_is_refused(self):
        changed = self.copy_of_backup("changed")
        path = os.path.join(changed, "database.dump")
        content = bytearray(read(path))
        content[len(content) // 2] ^= 1
        with open(path, "wb") as file:
            file.write(content)
        self.assertEqual(self.refused(changed), "BACKUP_ALTERED")
        # Also where the manifest was made to fit.
        path = os.path.join(changed, "manifest.json")
        manifest = json.loads(read(path))
        manifest["database"]["bytes"] = str(len(content) + 1)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(manifest, file)
        self.assertEqual(self.refused(changed), "BACKUP_ALTERED")
        os.remove(path)
        self.assertEqual(self.refused(changed), "BACKUP_UNREADABLE")

    def test_5_another_master_key_is_refused(self):
        other = base64.b64encode(os.urandom(32)).decode()
        self.assertEqual(self.refused(self.folder, SANKOFA_CRYPTO_MASTER_KEY=other), "MASTER_KEY_WRONG")

    def test_6_restored_on_another_machine(self):
        """New certificates, passwords and signing key; only the master key is the old one."""
        master = read(os.path.join(self.node.folder, "keys", "master.key"))
        self.node.services.stop()
        run("scripts/node", "down", self.node.name, "--purge")
        run("scripts/node", "up", self.node.name, "--base-port", str(BASE_PORT))
        # With the key that the new machine made for itself.
        self.assertEqual(self.refused(self.folder), "MASTER_KEY_WRONG")
        with open(os.path.join(self.node.folder, "keys", "master.key"), "wb") as file:
            file.write(master)
        self.control("restore", self.folder)
        self.assertEqual(self.rows(), self.rows_at_backup)
        self.assertEqual(self.refused(self.folder), "NODE_NOT_EMPTY")
        self.node.services.migrate()
        self.node.services.start()
        type(self).client = self.node.client()
        Player(self.client, self.scene).sign_in()
        after = report.collect(self.client, self.scene, self.player.ids)
        for fact in (*FACTS, *FACTS_OF_CASES):
            self.assertEqual(str(after[fact]).splitlines(), str(self.before[fact]).splitlines(), fact)
        again = Player(self.client, self.scene)
        again.play()  # every request is answered as before
        self.assertEqual(again.ids, self.player.ids)
        self.assertIn("All chains hold.", self.control("journal", "verify").stdout)

    def test_7_the_log_has_no_error(self):
        self.assertEqual(self.node.error_lines(), [])


if __name__ == "__main__":
    # Each step stands on the one before.
    unittest.main(verbosity=2, failfast=True)
