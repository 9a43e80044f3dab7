"""Starts and stops the services of a node whose servers run (scripts/node up).

    serve.py start NODE [--binary build/dev/bin/sankofa]    migrates, starts `sankofa serve all`, waits until SERVING
    serve.py stop NODE                                      asks it to end, and waits; one that doesn't is killed
    serve.py running NODE                                   exit 0 if it runs

The process outlives this one and gets no Ctrl-C of its terminal. Its number is in .run/<node>/pids/sankofa, its log in
.run/<node>/logs/sankofa.log.
"""

import argparse
import os
import signal
import subprocess
import sys
import time

from node_client import ROOT, Node

BINARY = "build/dev/bin/sankofa"
START_SECONDS = 60
STOP_SECONDS = 20
PAUSE_SECONDS = 0.01


class NotServing(Exception):
    """The services did not come up; the text says why."""


class Services:
    """`sankofa serve all` of one node, or one service of it in a process of its own.

    `addresses` of this process, where they are not those of the node's configuration: of the parts `listen`, `health` and
    `metrics`; `services` says where each service is called.
    """

    def __init__(self, node, binary=BINARY, service="all", addresses=None, services=None):
        self.node = node
        self.service = service
        self.addresses, self.services = addresses or {}, services or {}
        self.binary = os.path.join(ROOT, binary)
        self.folder = os.path.join(ROOT, ".run", node)
        self.config = os.path.join(self.folder, "sankofa.yaml")
        name = "sankofa" if service == "all" else f"sankofa-{service}"
        self.log = os.path.join(self.folder, "logs", f"{name}.log")
        self.pid_file = os.path.join(self.folder, "pids", name)
        self.process = None

    def _options(self, log):
        # Variables of the scripts begin with SANKOFA_ too; for the services these would be settings.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SANKOFA_")}
        for part, address in self.addresses.items():
            environment[f"SANKOFA_{part.upper()}_ADDRESS"] = address
        for service, address in self.services.items():
            environment[f"SANKOFA_SERVICES_{service.upper()}"] = address
        return {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "env": environment}

    def migrate(self):
        with open(self.log, "ab") as log:
            command = [self.binary, "migrate", "--config", self.config]
            if subprocess.run(command, check=False, **self._options(log)).returncode != 0:
                raise NotServing(f"the migrations failed. The end of {self.log}:\n{self.end_of_log()}")

    def start(self):
        """Seconds until all services were SERVING."""
        client = Node(self.node, addresses={part: self.addresses[part] for part in ("listen", "health")
                                            if part in self.addresses})
        started = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.binary, "serve", self.service, "--config", self.config],
                                            start_new_session=True, **self._options(log))
        with open(self.pid_file, "w", encoding="ascii") as file:
            file.write(str(self.process.pid))
        serving = client.wait_until_serving(START_SECONDS, alive=lambda: self.process.poll() is None)
        client.close()
        if not serving:
            why = "ended by themselves" if self.process.poll() is not None else f"are not ready after {START_SECONDS} s"
            raise NotServing(f"the services {why}. The end of {self.log}:\n{self.end_of_log()}")
        return time.monotonic() - started

    def pid(self):
        """The number of the running process; None when there is none."""
        try:
            with open(self.pid_file, encoding="ascii") as file:
                pid = int(file.read())
            # Guards against a number used again.
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return pid if self.config.encode() in file.read().split(b"\0") else None
        except (OSError, ValueError):
            return None

    def memory_mib(self):
        with open(f"/proc/{self.pid()}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) / 1024

    def stop(self, how=signal.SIGTERM):
        """False where it had to be killed, or did not run."""
        pid = self.pid()
        if pid is None:
            return False
        os.kill(pid, how)
        ended = self._gone(pid)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            self._gone(pid)
        if os.path.exists(self.pid_file):
            os.unlink(self.pid_file)
        return ended

    def _gone(self, pid):
        end = time.monotonic() + STOP_SECONDS
        while time.monotonic() < end:
            if self.process is not None and self.process.pid == pid:
                if self.process.poll() is not None:
                    return True
            # A process that ended has no command line, also while nobody has collected it.
            elif self.pid() is None:
                return True
            time.sleep(PAUSE_SECONDS)
        return False

    def end_of_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-20:])


def main():
    parser = argparse.ArgumentParser(prog="serve.py")
    parser.add_argument("task", choices=("start", "stop", "running"))
    parser.add_argument("node")
    parser.add_argument("--binary", default=BINARY)
    options = parser.parse_args()
    services = Services(options.node, options.binary)
    try:
        if options.task == "running":
            return 0 if services.pid() else 1
        if options.task == "stop":
            if services.pid():
                ended = services.stop()
                print(f"node {options.node}: sankofa {'stopped' if ended else 'did not stop in time and was killed'}",
                      file=sys.stderr)
            return 0
        services.migrate()
        seconds = services.start()
        print(f"node {options.node}: all services are SERVING after {seconds:.2f} s, in {services.memory_mib():.0f} MiB "
              f"(process {services.pid()})", file=sys.stderr)
        return 0
    except NotServing as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
