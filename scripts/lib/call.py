"""Calls one method of a running node by hand. See scripts/call --help."""

import argparse
import json
import signal
import sys

import grpc
from google.protobuf import json_format

from node_client import Node, NodeDown, Refused, to_json


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    parser = argparse.ArgumentParser(prog="scripts/call", add_help=False, allow_abbrev=False,
                                     usage="see scripts/call --help")
    parser.add_argument("node")
    parser.add_argument("method", nargs="?")
    parser.add_argument("request", nargs="?", default="{}")
    parser.add_argument("--role", action="append", default=[])
    parser.add_argument("--subject", default="developer")
    parser.add_argument("--organisation", default="")
    parser.add_argument("--certificate", default="portal")
    parser.add_argument("--at")
    options = parser.parse_args()
    try:
        node = Node(options.node, certificate=options.certificate)
        if not node.serving():
            raise NodeDown(f"the services of node {options.node} do not answer")
        node.load()
        if options.method is None:
            print("\n".join(node.methods()))
            return 0
        who = None
        if options.role:
            who = "caller"
            node.sign_in({who: {"subject": options.subject, "organisation": options.organisation,
                                "roles": options.role}})
        answer = node.try_once(options.method, json.loads(options.request), who=who, at=options.at)
        for message in [answer] if hasattr(answer, "DESCRIPTOR") else answer:
            print(to_json(message))
    except grpc.RpcError as error:
        refused = Refused(options.method, error)
        print(f"error: {refused}", file=sys.stderr)
        if "fr" in refused.texts:
            print(f"       {refused.texts['fr']}", file=sys.stderr)
        return 1
    except (NodeDown, KeyError, ValueError, json_format.ParseError) as error:
        print(f"error: {error.args[0] if error.args else error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
