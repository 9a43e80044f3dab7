"""Holds a process at one step of its work by holding what the step needs, so that a test can kill it just there."""

import os
import signal
import subprocess
import time

import journal

PATIENCE_SECONDS = 30
PAUSE_SECONDS = 0.02


def wait(true, what, seconds=PATIENCE_SECONDS):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not so: {what}")
        time.sleep(PAUSE_SECONDS)


class HeldTable:
    """Whoever writes the table waits, from `with` on until `let_go` or the end of the block; readers do not.

    SHARE ROW EXCLUSIVE stands against every writer and against nobody who reads, whether or not for update.
    """

    def __init__(self, node, table):
        self.node, self.table, self._session = node, table, None

    def __enter__(self):
        node = self.node
        self._session = subprocess.Popen(
            ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-d", "sankofa",
             "-p", str(node.services_config["postgres"]["port"])],
            env={**os.environ, "PGPASSWORD": node.secret("postgres")}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)
        self._tell(f"begin; lock table {self.table} in share row exclusive mode; select 'held';")
        if self._session.stdout.readline().strip() != "held":
            raise AssertionError(f"{self.table} could not be locked")
        return self

    def __exit__(self, *_):
        self.let_go()

    def _tell(self, text):
        self._session.stdin.write(f"{text}\n")
        self._session.stdin.flush()

    def wait_for_someone(self):
        """Until somebody stands before the table."""
        wait(lambda: int(journal.psql(self.node, "-At", "-c", "select count(*) from pg_locks where not granted and "
                                      f"relation = '{self.table}'::regclass")), f"somebody waits for {self.table}")

    def let_go(self):
        if self._session is not None:
            self._session.stdin.close()
            self._session.wait(10)
            self._session.stdout.close()
            self._session = None


class HeldServer:
    """A server of a node stands still (SIGSTOP): its connections stay, and nothing answers."""

    def __init__(self, node, part, port):
        self.part, self.port = part, port
        with open(os.path.join(node.folder, "pids", part), encoding="ascii") as file:
            self._pid = int(file.read())

    def __enter__(self):
        os.kill(self._pid, signal.SIGSTOP)
        return self

    def __exit__(self, *_):
        os.kill(self._pid, signal.SIGCONT)

    def _unread(self):
        """The most bytes that lie unread in one of its connections."""
        most = 0
        for name in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(name, encoding="ascii") as file:
                for line in file.readlines()[1:]:
                    _, local, _, _, queues, *_ = line.split()
                    if int(local.rsplit(":", 1)[1], 16) == self.port:
                        most = max(most, int(queues.split(":")[1], 16))
        return most

    def wait_for_bytes(self, count):
        wait(lambda: self._unread() >= count, f"{count} bytes wait for {self.part}")
