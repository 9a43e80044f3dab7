"""A node with a gate before each of its servers, and everything that is done to it."""

import os
import signal
import subprocess
import time

import yaml

from faults import RandomFaults
from gate import Gate
from harness import ROOT, SystemNode, run

# Above a node's base port: where the services' connections pass.
GATES = {"postgres": (62, 32), "redis": (63, 79), "kafka": (64, 94)}
ROLE = "node"
# How many answers there have to be during a fault that G11 says does not matter, and how soon after any other.
PROGRESS_ANSWERS = 5
PROGRESS_SECONDS = 60


class GatedNode:
    """A node whose services reach PostgreSQL, Redis and Kafka through gates."""

    roles = (ROLE,)

    def __init__(self, name, base_port):
        self.name, self.folder = name, os.path.join(ROOT, ".run", name)
        run("scripts/node", "down", name, "--purge")
        self.gates = {ROLE: {part: Gate(base_port + gate, f"127.0.0.1:{base_port + port}")
                             for part, (gate, port) in GATES.items()}}
        gates = self.gates[ROLE]
        self.node = None
        try:
            run("scripts/node", "up", name, "--base-port", str(base_port), "--country", "CM", "--partner-brokers",
                gates["kafka"].address)
            self._through_gates()
            self.node = SystemNode(name, base_port, serve=False, up=False)
            self.node.services.start()
        except BaseException:
            self.close()
            raise
        self.nodes = {ROLE: self.node}

    def _through_gates(self):
        path = os.path.join(self.folder, "sankofa.yaml")
        with open(path, encoding="utf-8") as file:
            self.config = yaml.safe_load(file)
        gates = self.gates[ROLE]
        changed = {**self.config, "postgres": {**self.config["postgres"], "port": gates["postgres"].port},
                   "redis": {"address": gates["redis"].address},
                   "kafka": {**self.config["kafka"], "brokers": gates["kafka"].address}}
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(changed, file)

    def pid(self, part):
        with open(os.path.join(self.folder, "pids", part), encoding="ascii") as file:
            return int(file.read())

    def close(self):
        if self.node is not None:
            self.node.close()
            self.node = None
        else:
            run("scripts/node", "down", self.name, "--purge", check=False)
        for gate in self.gates[ROLE].values():
            gate.close()


class NodeFaults(RandomFaults):
    """Faults one after another; during each that a service has to bear, and after each, work has to go on."""

    def __init__(self, gated, work, seed, kinds=None):
        self.gated, self.work = gated, work
        self.freeze_seconds = 30
        all_kinds = {"services": self.services, "postgres": self.postgres, "kafka": self.kafka, "redis": self.redis,
                     "freeze-services": lambda role: self.freeze(role, "sankofa"),
                     "freeze-postgres": lambda role: self.freeze(role, "postgres"),
                     "freeze-kafka": lambda role: self.freeze(role, "kafka"),
                     "freeze-redis": lambda role: self.freeze(role, "redis"),
                     "cut": self.cut, "silence": self.silence, "delay": self.delay, "half-open": self.half_open,
                     "slow": self.slow, "corrupt": self.corrupt_kafka}
        chosen = {name: self._watched(name, all_kinds[name]) for name in kinds or all_kinds}
        super().__init__(gated, seed, (0.5, 3.0), chosen)
        self.slowest_seconds = 0.0

    def _watched(self, name, give):
        """The fault, and then progress: answers come again in time. What depends on Kafka or Redis alone must not even stop."""
        bearable = name in ("kafka", "redis", "freeze-kafka", "freeze-redis", "corrupt")

        def watched(role):
            before = self.work.answered
            give(role)
            if bearable and self.work.answered - before < PROGRESS_ANSWERS:
                raise AssertionError(f"{name}: {self.work.answered - before} commands were acknowledged meanwhile")
            healed = time.monotonic()
            target = self.work.answered + PROGRESS_ANSWERS
            while self.work.answered < target and not self.work.wrong:
                if time.monotonic() - healed > PROGRESS_SECONDS:
                    raise AssertionError(f"{name}: no progress {PROGRESS_SECONDS} s after it was healed")
                time.sleep(0.05)
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - healed)
        return watched

    def freeze(self, role, part):
        """SIGSTOP, and for PostgreSQL its children too: they are what holds connections and locks."""
        del role
        pid = self.gated.pid(part)
        children = subprocess.run(["pgrep", "-P", str(pid)], check=False, capture_output=True, text=True).stdout.split()
        frozen = [pid, *map(int, children)]
        for one in frozen:
            self._signal(one, signal.SIGSTOP)
        time.sleep(self._random.uniform(1, self.freeze_seconds))
        for one in frozen:
            self._signal(one, signal.SIGCONT)

    @staticmethod
    def _signal(pid, what):
        try:
            os.kill(pid, what)
        except ProcessLookupError:
            pass

    def _gate(self, role):
        return self._random.choice(list(self.three.gates[role].values()))

    def cut(self, role):
        self._gate(role).cut()

    def silence(self, role):
        gate = self._gate(role)
        gate.stop()
        time.sleep(self._random.uniform(0.2, 15))
        gate.go_on()

    def delay(self, role):
        gate = self._gate(role)
        gate.delay_seconds = self._random.uniform(0.01, 0.2)
        time.sleep(self._random.uniform(0.5, 5))
        gate.go_on()

    def half_open(self, role):
        gate = self._gate(role)
        gate.stop_answers()
        time.sleep(self._random.uniform(0.2, 15))
        gate.cut()
        gate.go_on()

    def slow(self, role):
        gate = self._gate(role)
        gate.slow_bytes = 64 << 10
        time.sleep(self._random.uniform(1, 6))
        gate.go_on()

    def corrupt_kafka(self, role):
        """Kafka speaks TLS, which notices; what has none inside a machine could not notice, and is left out."""
        self.three.gates[role]["kafka"].corrupt(3)
        time.sleep(2)
