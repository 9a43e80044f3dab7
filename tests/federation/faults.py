"""Faults at random moments while work goes on: processes of any node are killed, gates between nodes close and open.

The moments and victims follow from a seed; one fault of a node at a time, those of different nodes may fall together.
"""

import random
import threading
import time


class RandomFaults(threading.Thread):
    """`kill` a part, and start it again; or trouble at a gate. Ends when `stop` is called, with everything whole again."""

    def __init__(self, three, seed, pause_seconds=(1.0, 4.0), kinds=None):
        super().__init__(name="faults")
        self.three, self.pause_seconds = three, pause_seconds
        self.given, self.wrong = [], []
        self._random = random.Random(seed)
        self._ended = threading.Event()
        self._kinds = kinds or {"services": self.services, "kafka": self.kafka, "postgres": self.postgres,
                                "redis": self.redis, "cut": self.cut, "silence": self.silence, "delay": self.delay,
                                "corrupt": self.corrupt}

    def run(self):
        try:
            while not self._ended.wait(self._random.uniform(*self.pause_seconds)):
                role = self._random.choice(list(self.three.roles))
                kind = self._random.choice(list(self._kinds))
                self.given.append(f"{kind} {role}")
                self._kinds[kind](role)
        except Exception as error:  # pylint: disable=broad-except
            self.wrong.append(error)

    def stop(self):
        """Raises what went wrong with giving them."""
        self._ended.set()
        self.join(180)
        for gates in self.three.gates.values():
            for gate in gates.values():
                gate.go_on()
        if self.wrong:
            raise self.wrong[0]
        if self.is_alive():
            raise AssertionError("a fault did not end")

    def counts(self):
        """How often each kind was given."""
        kinds = [one.split()[0] for one in self.given]
        return ", ".join(f"{kinds.count(kind)} {kind}" for kind in self._kinds if kind in kinds)

    # ---- kinds -------------------------------------------------------------------------------------------------------

    def services(self, role):
        node = self.three.nodes[role]
        node.kill()
        node.restart()

    def _bounce(self, role, part):
        node = self.three.nodes[role]
        node.parts("kill", part)
        node.parts("start", part)

    def kafka(self, role):
        self._bounce(role, "kafka")

    def postgres(self, role):
        self._bounce(role, "postgres")

    def redis(self, role):
        self._bounce(role, "redis")

    def cut(self, role):
        for gate in self.three.gates[role].values():
            gate.cut()

    def silence(self, role):
        for gate in self.three.gates[role].values():
            gate.stop()
        time.sleep(self._random.uniform(0.2, 3))
        for gate in self.three.gates[role].values():
            gate.go_on()

    def delay(self, role):
        for gate in self.three.gates[role].values():
            gate.delay_seconds = self._random.uniform(0.01, 0.2)
        time.sleep(self._random.uniform(0.2, 2))
        for gate in self.three.gates[role].values():
            gate.delay_seconds = 0

    def corrupt(self, role):
        for gate in self.three.gates[role].values():
            gate.corrupt(3)
