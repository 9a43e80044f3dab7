"""A node of a test's own: real servers, the real binary, and nothing left behind."""

import atexit
import os
import shutil
import signal
import subprocess
import sys

from node_client import ROOT, Node
from serve import BINARY, Services

# The binary of the build whose tests these are; by hand, that of `dev`.
TESTED_BINARY = os.environ.get("SANKOFA_SYSTEM_BINARY", BINARY)
# sankofactl of the same build.
CONTROL = os.path.join(ROOT, os.path.dirname(TESTED_BINARY), "sankofactl")
# Where the logs of the last run stay.
LOGS = os.path.join(ROOT, "build", "system-logs")
SCENARIO = "tests/data/committee-cm-2017.yaml"


def run(*command, check=True, **options):
    """A script of the checkout; what it says is shown when it fails."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done


def processes_of(node):
    """Command lines of the processes that belong to a node of this checkout."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{ROOT}/.run/{node}/" in line or f"sankofa-{node}-" in line:
            found.append(line)
    return found


class SystemNode:
    """Starts a node with fresh data; `close` stops all of it and removes it, also when the test is interrupted.

    `serve`: False where the test starts the services itself. `options`: more of scripts/node up. `up`: False where the
    servers run already, because many nodes were started side by side.
    """

    def __init__(self, name, base_port, serve=True, options=(), up=True):
        self.name = name
        self.folder = os.path.join(ROOT, ".run", name)
        self.services = None
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        atexit.register(self.close)
        if up:
            run("scripts/node", "down", name, "--purge")
            run("scripts/node", "up", name, "--base-port", str(base_port), *options)
        self.services = Services(name, TESTED_BINARY)
        self.services.migrate()
        if serve:
            self.services.start()

    def client(self, **options):
        return Node(self.name, **options).load()

    def parts(self, command, *parts):
        """scripts/node start, stop or kill of PostgreSQL, Redis or Kafka."""
        run("scripts/node", command, self.name, *parts)

    def kill(self):
        """kill -9, as a crash would."""
        self.services.stop(signal.SIGKILL)

    def restart(self):
        self.services.start()

    def error_lines(self):
        """Lines of the log that say ERROR: there are none in a test that passes."""
        with open(self.services.log, encoding="utf-8") as file:
            return [line for line in file if '"level":"ERROR"' in line]

    def secret(self, name):
        with open(os.path.join(self.folder, "secrets", f"{name}.password"), encoding="ascii") as file:
            return file.read().strip()

    def close(self):
        if self.services is not None:
            self.services.stop()
            self.services = None
        if os.path.exists(self.folder):
            shutil.rmtree(os.path.join(LOGS, self.name), ignore_errors=True)
            shutil.copytree(os.path.join(self.folder, "logs"), os.path.join(LOGS, self.name))
            run("scripts/node", "down", self.name, "--purge")
        atexit.unregister(self.close)
