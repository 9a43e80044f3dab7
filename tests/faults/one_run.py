"""Faults and their report. See scripts/faults --help."""

import argparse
import os
import sys
import time

import report
from check_node import PLANTED, Checker, overlooked, read_evidence
from harness import LOGS
from node_faults import GatedNode, NodeFaults
from work import PEOPLE, Work, log_path, read_log

WARM_UP_SECONDS = 5
DRAIN_SECONDS = 180
CLIENTS = 6
BASE_PORT = 10800


def settle(client, seconds):
    """Waits until all that was written is published and applied; what is not."""
    status = report.settle(client, seconds=seconds)
    return report.lagging(status)


def play(options):
    gated = GatedNode("faults", BASE_PORT)
    try:
        client = gated.node.client()
        gated.node.services_config = gated.config
        client.sign_in(PEOPLE)
        work = Work(client, options.seed, CLIENTS, log_path(os.path.join(LOGS, "faults-clients")))
        work.prepare()
        started = time.monotonic()
        work.start()
        time.sleep(WARM_UP_SECONDS)
        faults = NodeFaults(gated, work, options.seed, options.only)
        faults.start()
        while time.monotonic() - started < options.minutes * 60 and not work.wrong and not faults.wrong:
            time.sleep(0.2)
        wrong = []
        try:
            faults.stop()
        except Exception as error:  # pylint: disable=broad-except
            wrong.append(f"{faults.given[-1]}: {error!r}")
        if not gated.node.services.pid():
            gated.node.restart()
        work.stop(DRAIN_SECONDS)
        wrong += [str(error) for error in work.wrong]
        lasted = time.monotonic() - started
        wrong += settle(client, DRAIN_SECONDS)
        wrong += [f"the log says ERROR: {line.strip()}" for line in gated.node.error_lines()]
        gated.node.services.stop()
        evidence = read_evidence(gated.node, read_log(log_path(os.path.join(LOGS, "faults-clients"))))
        found = Checker(evidence).check()
        missed = overlooked(evidence) if not wrong else []
        print(f"seed {options.seed}, {lasted:.0f} s, {CLIENTS} clients")
        print(f"faults: {len(faults.given)} ({faults.counts()}); the slowest was over {faults.slowest_seconds:.1f} s after it was "
              "healed")
        print(f"requests answered: {work.answered}, tries that took: {work.tries}")
        print(f"violations: {found}")
        if not wrong:
            print("the checker finds a planted " + ", ".join(kind for kind in PLANTED if kind not in missed))
        for line in (found.wrong() + wrong + [f"a planted harm was overlooked: {kind}" for kind in missed])[:40]:
            print(f"WRONG {line}")
        return 1 if found.wrong() or wrong or missed else 0
    finally:
        gated.close()


def main():
    parser = argparse.ArgumentParser(prog="scripts/faults", add_help=False, allow_abbrev=False,
                                     usage="see scripts/faults --help")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", type=lambda text: text.split(","))
    return play(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
