"""The rules and the board of deploy/observability: whether they hold together, and whether they show anything.

    observability.py check    each alert has a runbook and is tested both ways; each metric is one of ours
    observability.py board    the board's queries, written as rules, for promtool

`Live` starts a Prometheus over nodes that run, for tests: every query of the board has to find data there.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import yaml

from node_client import ROOT

FOLDER = os.path.join(ROOT, "deploy/observability")
BOARD = "grafana/node.json"
METRIC = re.compile(r"\b((?:sankofa|node|kubelet)_[a-z][a-z_]*)\b")
# Exported by programs that are not ours.
FOREIGN = {"node_filesystem_avail_bytes", "node_filesystem_size_bytes", "kubelet_volume_stats_available_bytes",
           "kubelet_volume_stats_capacity_bytes"}
# What a node that has just begun on one machine has not: a kubelet exports the ones, the other is of the first night, in
# which digests are compared.
NOT_YET = ("kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes", "sankofa_feed_digest_differences")
READY_SECONDS = 90
PAUSE_SECONDS = 0.2


def load(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return yaml.safe_load(file)


def alerts():
    return {rule["alert"]: rule for group in load("rules.yaml")["groups"] for rule in group["rules"] if "alert" in rule}


def board_queries():
    with open(os.path.join(FOLDER, BOARD), encoding="utf-8") as file:
        panels = json.load(file)["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", ())]


def metrics_in(text):
    """The metrics that a query names; a histogram's parts count as the histogram."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in METRIC.findall(text)}


def exported():
    """Names that our sources give to metrics."""
    names = set()
    for file in glob.glob(os.path.join(ROOT, "services/**/*.cc"), recursive=True):
        with open(file, encoding="utf-8") as source:
            names.update(re.findall(r'Get(?:Counter|Gauge|Histogram)\(\s*"(sankofa_[a-z_]+)"', source.read()))
    return names


def faults():
    found = []
    rules, pages = alerts(), {name[:-3] for name in os.listdir(os.path.join(FOLDER, "runbooks"))}
    for name in sorted(pages ^ set(rules)):
        found.append(f"{name}: " + ("an alert without a runbook" if name in rules else "a runbook without an alert"))
    for name, rule in rules.items():
        if rule["annotations"].get("runbook_url") != f"runbooks/{name}.md":
            found.append(f"{name}: runbook_url does not name its page")
        if rule["labels"].get("severity") not in ("page", "ticket"):
            found.append(f"{name}: severity is neither page nor ticket")
    outcomes = {(expected["expr"], bool(expected["exp_samples"]))
                for test in load("rules_test.yaml")["tests"] for expected in test["promql_expr_test"]}
    for name in rules:
        for fires in (True, False):
            if (f'ALERTS{{alertname="{name}", alertstate="firing"}}', fires) not in outcomes:
                found.append(f"{name}: no series in rules_test.yaml where it " + ("fires" if fires else "is silent"))
    ours = exported()
    texts = [(f"board, {title}", query) for title, query in board_queries()]
    texts += [(name, rule["expr"]) for name, rule in rules.items()]
    for page in pages:
        with open(os.path.join(FOLDER, "runbooks", f"{page}.md"), encoding="utf-8") as file:
            texts.append((f"runbook {page}", file.read()))
    for where, text in texts:
        for metric in sorted(metrics_in(text) - ours - FOREIGN):
            found.append(f"{where}: nothing exports {metric}")
    return found


class Live:
    """Prometheus and a node exporter, over the metrics addresses of nodes that run. A context manager."""

    def __init__(self, addresses, port):
        self.addresses, self.port = addresses, port
        self.processes = []

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="sankofa-prometheus-")
        path = self.folder.name
        exporter = f"127.0.0.1:{self.port + 1}"
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                  "rule_files": [os.path.join(FOLDER, "rules.yaml")],
                  "scrape_configs": [{"job_name": "sankofa", "static_configs": [{"targets": self.addresses}]},
                                     {"job_name": "machine", "static_configs": [{"targets": [exporter]}]}]}
        with open(f"{path}/prometheus.yml", "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        with open(f"{path}/log", "ab") as log:
            for command in (
                    ["prometheus", f"--config.file={path}/prometheus.yml", f"--storage.tsdb.path={path}/data",
                     f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"],
                    ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.filesystem",
                     f"--web.listen-address={exporter}"]):
                self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        self.folder.cleanup()

    def query(self, expression):
        url = f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    def wait_for(self, what, holds):
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            try:
                if holds():
                    return
            except OSError:
                pass  # it is starting
            time.sleep(PAUSE_SECONDS)
        with open(f"{self.folder.name}/log", encoding="utf-8") as log:
            raise TimeoutError(f"{what}: not after {READY_SECONDS} s\n{log.read()}")

    def wait_for_scrapes(self, times):
        everything = len(self.addresses) + 1
        self.wait_for(f"{times} scrapes of {everything} programs", lambda: len(
            [one for one in self.query("sum_over_time(up[10m])") if float(one["value"][1]) >= times]) == everything)

    def wait_for_measures(self, services):
        """Until each of so many services has looked at its tables anew."""
        now = time.time()
        self.wait_for(f"{services} services look at their tables",
                      lambda: len(self.query(f"sankofa_measures_taken_seconds > {now}")) == services)

    def without_data(self):
        """Queries of the board that find nothing, and metrics of the rules that nobody exports."""
        found = [f"{title}: {query}" for title, query in board_queries()
                 if not metrics_in(query) & set(NOT_YET) and not self.query(query)]
        names = set().union(*(metrics_in(rule["expr"]) for rule in alerts().values()))
        found += [f"rules: {name}" for name in sorted(names - set(NOT_YET))
                  if not self.query(name) and not self.query(f"{name}_count")]
        return found

    def firing(self):
        return {one["metric"]["alertname"] for one in self.query('ALERTS{alertstate="firing"}')}


def main():
    if sys.argv[1:] == ["board"]:
        yaml.safe_dump({"groups": [{"name": "board", "rules": [
            {"record": f"board:{number}", "expr": query} for number, (_, query) in enumerate(board_queries())]}]}, sys.stdout)
        return 0
    if sys.argv[1:] != ["check"]:
        print(__doc__, file=sys.stderr)
        return 2
    found = faults()
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    if not found:
        print(f"lint: {len(alerts())} alerts, each with a runbook and tested both ways; {len(board_queries())} queries on "
              "the board", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
