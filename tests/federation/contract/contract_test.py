"""The contract for partners: the test vector, checked by the very program that proto/README.md prints.

The program is taken out of the page and loaded as it stands there; it has nothing of ours but the text.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import types
import unittest

import nacl.exceptions

from node_client import ROOT

PAGE = os.path.join(ROOT, "proto", "README.md")


def program():
    """The source of verify_feed.py as the page has it."""
    with open(PAGE, encoding="utf-8") as file:
        return re.search(r"```python\n(.*?)```", file.read(), re.DOTALL).group(1)


def verifier():
    module = types.ModuleType("verify_feed")
    exec(compile(program(), PAGE, "exec"), module.__dict__)  # pylint: disable=exec-used
    return module


class VectorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(ROOT, "tests/data/feed-vector.json"), encoding="utf-8") as file:
            cls.vector = json.load(file)
        cls.verify_feed = verifier()
        cls.keys = [bytes.fromhex(cls.vector["sender"]["verification_key"])]
        cls.secret = bytes.fromhex(cls.vector["receiver"]["sealing_secret"])
        cls.values = [bytes.fromhex(one["value"]) for one in cls.vector["messages"]]

    def test_the_chain_verifies_and_the_box_opens(self):
        state, opened = (0, b""), []
        for value, wanted in zip(self.values, self.vector["messages"], strict=True):
            event, sealed, state = self.verify_feed.verify(value, self.keys, state)
            self.assertEqual(state[1].hex(), wanted["hash"])
            opened.append(self.verify_feed.open_box(event, sealed, self.secret) if sealed else [])
        self.assertEqual([len(one) for one in opened], [1, 0])
        # Disclosure.person.details.given_names, by the numbers in the protos.
        inside = self.verify_feed.fields(opened[0][0])
        details = self.verify_feed.fields(self.verify_feed.fields(inside[7][0])[4][0])
        self.assertEqual(details[1][0].decode(), "Éxempla")

    def test_one_bit_anywhere_makes_it_refused(self):
        signed = self.verify_feed.fields(self.values[0])
        refused = 0
        for number in (1, 3, 4):
            part = signed[number][0]
            place = self.values[0].index(part)
            for bit in range(0, 8 * len(part), 3):
                changed = bytearray(self.values[0])
                changed[place + bit // 8] ^= 1 << bit % 8
                with self.assertRaises((ValueError, nacl.exceptions.BadSignatureError)):
                    self.verify_feed.verify(bytes(changed), self.keys)
                refused += 1
        self.assertGreater(refused, 1000)

    def test_the_second_does_not_stand_first(self):
        with self.assertRaises(ValueError):
            self.verify_feed.verify(self.values[1], self.keys)

    def test_a_withheld_box_is_no_error(self):
        value = self.values[0][:self.values[0].index(bytes.fromhex(self.vector["messages"][0]["sealed"])) - 3]
        event, sealed, _ = self.verify_feed.verify(value, self.keys)
        self.assertEqual(sealed, b"")
        self.assertTrue(event[16][0])

    def test_the_page_shows_the_vector(self):
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        message = self.vector["messages"][0]
        for text in (self.vector["sender"]["verification_key"], self.vector["sender"]["key_id"], message["hash"],
                     self.vector["receiver"]["sealing_key"], self.vector["receiver"]["sealing_key_id"],
                     message["signature"][:64], message["signature"][64:]):
            self.assertIn(f"`{text}`", page)

    def test_the_program_runs_by_itself(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, "verify_feed.py")
            with open(script, "w", encoding="utf-8") as file:
                file.write(program())
            paths = []
            for number, value in enumerate(self.values):
                paths.append(os.path.join(folder, str(number)))
                with open(paths[-1], "wb") as file:
                    file.write(value)
            # Isolated: none of our folders is on its path.
            done = subprocess.run([sys.executable, "-I", script, self.keys[0].hex(), self.secret.hex(), *paths],
                                  check=True, capture_output=True, text=True)
        self.assertEqual(done.stdout.count("holds"), 2, done.stdout)

    def test_the_vector_is_written_the_same_again(self):
        done = subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "make_vector.py")], check=True,
                              capture_output=True, text=True)
        self.assertEqual(json.loads(done.stdout), self.vector)


if __name__ == "__main__":
    unittest.main(verbosity=2)
