"""Three nodes of a test's own, with a gate before each door that partners come by; nothing is left behind."""

import atexit
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import journal
from federation import NODES, STATISTICS, Federation
from gate import Gate
from harness import ROOT, SystemNode, run

COUNTRIES = {"cm": "CM", "tg": "TG", "fr": "FR"}
# Above a node's base port: where its partners' connections to Kafka and gRPC pass.
KAFKA_GATE, GRPC_GATE = 60, 61


def at_once(work, things):
    """`work(thing)` for all of them side by side; the first thing that goes wrong is raised."""
    things = list(things)
    with ThreadPoolExecutor(max(len(things), 1)) as pool:
        return list(pool.map(work, things))


class ThreeNodes:
    """The nodes cm, tg and fr under a prefix of the test's own, and eu, which only listens. They know nothing of each other
    until `federate`. `gates`: False where what passes between them is measured, so that partners come by the doors."""

    def __init__(self, prefix, base_port, roles=NODES, others=(), gates=True):
        self.prefix, self.roles = prefix, roles
        self.codes = {role: prefix + role for role in (*roles, STATISTICS, *others)}
        self.ports = {role: base_port + 100 * number for number, role in enumerate(roles)}
        self.nodes, self.gates, self.federation = {}, {}, None
        self.doors = {role: {"kafka": f"127.0.0.1:{port + 94}", "grpc": f"127.0.0.1:{port + 43}"}
                      for role, port in self.ports.items()}
        atexit.register(self.close)
        for role in roles:
            run("scripts/node", "down", self.codes[role], "--purge")
        for role, port in self.ports.items() if gates else ():
            self.gates[role] = {"kafka": Gate(port + KAFKA_GATE, self.doors[role]["kafka"]),
                                "grpc": Gate(port + GRPC_GATE, self.doors[role]["grpc"])}
            self.doors[role] = {name: gate.address for name, gate in self.gates[role].items()}
        at_once(self._servers_up, roles)
        for role in roles:
            self.nodes[role] = SystemNode(self.codes[role], self.ports[role], serve=False, up=False)
        at_once(lambda node: node.services.start(), self.nodes.values())
        for node in self.nodes.values():
            node.services_config = node.client().config

    def _servers_up(self, role):
        partners = [word for other, code in self.codes.items() if other != role for word in ("--partner", code)]
        run("scripts/node", "up", self.codes[role], "--base-port", str(self.ports[role]), "--country", COUNTRIES[role],
            "--partner-brokers", self.doors[role]["kafka"], *partners)

    def federate(self):
        """The nodes as clients see them; what they have for addresses of each other are the gates', where there are any."""
        self.federation = Federation(self.prefix, self.roles)
        for role in self.roles:
            self.federation.exchange_addresses[role] = self.doors[role]["grpc"]
        return self.federation

    def partner_folder(self, of, by):
        """Where the certificates lie that node `by` gave to partner `of`."""
        return os.path.join(ROOT, ".run", self.codes[of], "partners", self.codes[by])

    def replace_certificate(self, of, by, kind):
        """The partner goes on with another certificate: `expired`, `unknown-ca`, or "" for the good one."""
        name = f"partner-{self.codes[of]}" + (f".{kind}" if kind else "")
        for ending in ("pem", "key"):
            source = os.path.join(ROOT, ".run", self.codes[by], "pki", f"{name}.{ending}")
            target = os.path.join(self.partner_folder(of, by), f"client.{ending}")
            shutil.copy2(source, f"{target}.part")
            os.replace(f"{target}.part", target)

    def error_lines(self):
        return [f"{role}: {line}" for role, node in self.nodes.items() for line in node.error_lines()]

    def scalar(self, role, statement):
        """One value from a node's database, as its superuser."""
        return journal.psql(self.nodes[role], "-At", "-c", statement).decode().strip()

    def applied(self, role, sender, event_type="CaseAssessed"):
        """How many messages of a type that came from `sender` took effect at a node."""
        return int(self.scalar(role, f"select count(*) from exchange.received_update where type like '%.{event_type}' "
                                     f"and sender = '{self.codes[sender]}'"))

    def close(self):
        # One after another: an interpreter that ends takes no new threads.
        for node in self.nodes.values():
            node.close()
        for role in self.roles:
            if role not in self.nodes:
                run("scripts/node", "down", self.codes[role], "--purge")
        for gates in self.gates.values():
            for gate in gates.values():
                gate.close()
        for role, code in self.codes.items():
            if role not in self.roles:
                shutil.rmtree(os.path.join(ROOT, ".run", code), ignore_errors=True)
        self.nodes, self.gates = {}, {}
        atexit.unregister(self.close)
