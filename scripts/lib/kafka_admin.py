"""What the scripts ask of a node's Kafka: does it answer, and who may do what. `rules` prints the latter, a line each: who,
what kind of thing, its name, whether that is the whole name or its beginning, what may be done.

One quick process instead of Kafka's own command line classes, each of which takes two seconds to start.
"""

import argparse
import sys
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient,
                                   ResourcePatternType, ResourceType)

SERVICES = ("registration", "validation", "funding", "monitoring", "exchange")


def rules():
    """The access rules of a node. `node`, `kafka` and `operator` are superusers and need none."""
    def allow(name, resource, pattern, pattern_type, operation):
        return AclBinding(resource, pattern, pattern_type, f"User:{name}", "*", operation,
                          AclPermissionType.ALLOW)

    topic, group, cluster = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.BROKER
    prefixed, literal = ResourcePatternType.PREFIXED, ResourcePatternType.LITERAL
    for service in SERVICES:
        own = f"sankofa.{service}"
        # It listens to the others, and makes a topic whose owner has not come up yet. It speaks in its own name only.
        for operation in (AclOperation.CREATE, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.READ):
            yield allow(service, topic, "sankofa.", prefixed, operation)
        yield allow(service, topic, own, literal, AclOperation.WRITE)
        for operation in (AclOperation.DESCRIBE, AclOperation.READ):
            yield allow(service, group, own, prefixed, operation)
        yield allow(service, cluster, "kafka-cluster", literal, AclOperation.IDEMPOTENT_WRITE)
    # exchange keeps a feed for each partner, and lets that partner, and nobody else, read it.
    for operation in (AclOperation.CREATE, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS,
                      AclOperation.ALTER, AclOperation.ALTER_CONFIGS, AclOperation.WRITE):
        yield allow("exchange", topic, "feed.", prefixed, operation)
    for operation in (AclOperation.ALTER, AclOperation.DESCRIBE):
        yield allow("exchange", cluster, "kafka-cluster", literal, operation)
    # How far a partner has read.
    yield allow("exchange", group, "partner-", prefixed, AclOperation.DESCRIBE)
    # An auditor, and the command line client, read everything and change nothing, each under its own name only.
    for name in ("auditor", "sankofactl"):
        for operation in (AclOperation.DESCRIBE, AclOperation.READ):
            yield allow(name, topic, "sankofa.", prefixed, operation)
            yield allow(name, group, name, prefixed, operation)
    # `sankofactl doctor` looks at how topics are kept, those of partners too, without reading them.
    for name, operation in (("sankofa.", AclOperation.DESCRIBE_CONFIGS), ("feed.", AclOperation.DESCRIBE),
                            ("feed.", AclOperation.DESCRIBE_CONFIGS)):
        yield allow("sankofactl", topic, name, prefixed, operation)


def withdrawn():
    """What nodes that were made earlier granted: every service wrote every topic, and could take any service's place."""
    for service in SERVICES:
        for resource, operation in ((ResourceType.TOPIC, AclOperation.WRITE), (ResourceType.GROUP, AclOperation.READ),
                                    (ResourceType.GROUP, AclOperation.DESCRIBE)):
            yield AclBindingFilter(resource, "sankofa.", ResourcePatternType.PREFIXED, f"User:{service}", "*", operation,
                                   AclPermissionType.ALLOW)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--brokers", "--ca", "--certificate", "--key"):
        parser.add_argument(name, help="needed for all but `rules`")
    parser.add_argument("--deadline", type=float, default=30, help="seconds to go on trying")
    parser.add_argument("task", choices=("answers", "grant", "rules"))
    arguments = parser.parse_args()
    if arguments.task == "rules":
        for rule in rules():
            # The one cluster there is: Kafka calls it by the broker's name for it.
            kind = "CLUSTER" if rule.restype == ResourceType.BROKER else rule.restype.name
            print(rule.principal.removeprefix("User:"), kind, rule.name, rule.resource_pattern_type.name, rule.operation.name)
        return 0
    if None in (arguments.brokers, arguments.ca, arguments.certificate, arguments.key):
        parser.error("--brokers, --ca, --certificate and --key are needed")

    admin = AdminClient({
        "bootstrap.servers": arguments.brokers,
        "security.protocol": "ssl",
        "ssl.ca.location": arguments.ca,
        "ssl.certificate.location": arguments.certificate,
        "ssl.key.location": arguments.key,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 100,
        "log_level": 0,
        "error_cb": lambda error: None,
    })
    end = time.monotonic() + arguments.deadline
    while True:
        left = end - time.monotonic()
        try:
            if arguments.task == "grant":
                answers = [*admin.create_acls(list(rules()), request_timeout=max(left, 1)).values(),
                           *admin.delete_acls(list(withdrawn()), request_timeout=max(left, 1)).values()]
                for answer in answers:
                    answer.result(timeout=max(left, 1))
            metadata = admin.list_topics(timeout=max(min(left, 5), 0.1))
            if metadata.brokers:
                return 0
        except (KafkaException, TimeoutError) as error:
            if left <= 0:
                print(f"Kafka at {arguments.brokers} does not answer: {error}", file=sys.stderr)
                return 1
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
