"""How long an update takes from its commit at TG to its commit at FR, at a steady rate, against a bare librdkafka producer
and consumer through the same broker in the same run.

    tests/federation/run tests/federation/latency/latency_bench.py [--rate 200] [--seconds 30]

Both commits are PostgreSQL's own commit times on one machine, so one clock measures. The baseline has nothing to do but
send a record of the same size and read it: once before and once after, and the better of both counts.
"""

import argparse
import os
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import journal
from harness import TESTED_BINARY
from load import Load
from nodes import ThreeNodes

RECORD_BYTES = 700
CASES = 40
WARM_UP_SECONDS = 3
TOPIC = "bench.baseline"


def at_rate(rate, seconds, work):
    """Calls `work(number)` on a pool, `rate` times a second, whether or not earlier ones have ended."""
    started, number, pool = time.monotonic(), 0, ThreadPoolExecutor(32)
    running = []
    while number < rate * seconds:
        wait = started + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        running.append(pool.submit(work, number))
        number += 1
    for one in running:
        one.result()
    pool.shutdown()
    return time.monotonic() - started


def percentiles(milliseconds):
    found = statistics.quantiles(milliseconds, n=100)
    return found[49], found[98]


def operator(node):
    pki = os.path.join(node.folder, "pki")
    return {"bootstrap.servers": node.services_config["kafka"]["brokers"], "security.protocol": "ssl",
            "ssl.ca.location": os.path.join(pki, "ca.pem"), "ssl.certificate.location": os.path.join(pki, "operator.pem"),
            "ssl.key.location": os.path.join(pki, "operator.key")}


def baseline(node, rate, seconds):
    """Milliseconds from `produce` to the record in the consumer's hands, acks=all, as the relay produces."""
    options = operator(node)
    admin = AdminClient(options)
    for done in admin.create_topics([NewTopic(TOPIC, 1, 1)]).values():
        try:
            done.result(20)
        except Exception as error:  # pylint: disable=broad-except
            if "TOPIC_ALREADY_EXISTS" not in str(error):
                raise
    consumer = Consumer({**options, "group.id": "operator-bench", "enable.auto.commit": False, "fetch.wait.max.ms": 100})
    end = consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=20)[1]
    consumer.assign([TopicPartition(TOPIC, 0, end)])
    producer = Producer({**options, "acks": "all", "enable.idempotence": True, "linger.ms": 0})
    wanted, took, first = int(rate * (seconds + WARM_UP_SECONDS)), [], int(rate * WARM_UP_SECONDS)

    def read():
        seen = 0
        while seen < wanted:
            message = consumer.poll(5)
            if message is None or message.error():
                continue
            now = time.monotonic_ns()
            if seen >= first:
                took.append((now - int.from_bytes(message.value()[:8], "big")) / 1e6)
            seen += 1
    reader = threading.Thread(target=read)
    reader.start()
    started = time.monotonic()
    for number in range(wanted):
        wait = started + number / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        producer.produce(TOPIC, time.monotonic_ns().to_bytes(8, "big") + bytes(RECORD_BYTES - 8), str(number % CASES))
        producer.poll(0)
    producer.flush(20)
    reader.join()
    consumer.close()
    return took


def commit_times(node):
    """Makes PostgreSQL remember when each transaction was committed; takes a restart."""
    journal.psql(node, "-c", "alter system set track_commit_timestamp = on")
    node.services.stop()
    node.parts("stop", "postgres")
    node.parts("start", "postgres")
    node.services.start()


def committed(node, service, event_type):
    """Microseconds of the commit, and the payload, of each row of a type."""
    rows = journal.psql(node, "-At", "-F", " ", "-c",
                        f"select (extract(epoch from pg_xact_commit_timestamp(xid::xid)) * 1e6)::bigint, type, id, "
                        f"sequence, encode(payload, 'hex') from {service}.journal where event_type = '{event_type}'")
    return [line.split(" ") for line in rows.decode().splitlines()]


def measured(federation, three, warm):
    """Milliseconds of each part of the way, without the first `warm` updates."""
    client = federation.nodes["tg"]
    parse = {name: client.message(f"sankofa.exchange.v1.{name}").FromString
             for name in ("FeedAppended", "UpdateReceived", "FeedEvent")}

    def told(role, event_type):
        """Of each message, what it tells of: when it was committed there."""
        times = {}
        for time_us, _, _, _, payload in committed(three.nodes[role], "exchange", f"sankofa.exchange.v1.{event_type}"):
            event = parse["FeedEvent"](parse[event_type](bytes.fromhex(payload)).event)
            times[(event.source_stream, event.source_sequence)] = int(time_us)
        return times

    built, applied = told("tg", "FeedAppended"), told("fr", "UpdateReceived")
    sent = sorted((int(time_us), (f"{kind}/{about}", int(sequence))) for time_us, kind, about, sequence, _ in committed(
        three.nodes["tg"], "registration", "sankofa.registration.v1.CaseAssessed"))[warm:]
    return {"built": [(built[about] - at) / 1000 for at, about in sent],
            "carried": [(applied[about] - built[about]) / 1000 for _, about in sent],
            "whole": [(applied[about] - at) / 1000 for at, about in sent]}


def main():
    parser = argparse.ArgumentParser(prog="latency_bench.py")
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    three = ThreeNodes("fl-", 10300, roles=("tg", "fr"), gates=False)
    for node in three.nodes.values():
        commit_times(node)
    federation = three.federate()
    load = Load(federation, CASES * 10)
    load.cases = CASES
    load.federate()
    opened = [(number, *load.open_case(2 * number)) for number in range(CASES)]
    print(f"two nodes, {CASES} cases; {options.rate:.0f} updates a second for {options.seconds:.0f} s", flush=True)
    before = baseline(three.nodes["tg"], options.rate, options.seconds / 2)
    warm = int(options.rate * WARM_UP_SECONDS)

    def assess(number):
        case, _, _, of = opened[number % CASES]
        load.assess("tg", case, of.id, number)
    took = at_rate(options.rate, options.seconds + WARM_UP_SECONDS, assess)
    federation.settle()
    after = baseline(three.nodes["tg"], options.rate, options.seconds / 2)

    hops = measured(federation, three, warm)
    three.close()

    base50, base99 = min(percentiles(before), percentiles(after))
    achieved = options.rate * (options.seconds + WARM_UP_SECONDS) / took
    print(f"{TESTED_BINARY}; {len(hops['whole'])} updates, {achieved:.0f} a second\n{'':<56} {'p50':>8} {'p99':>8}")
    for what, milliseconds in (("bare producer and consumer, before", before), ("bare producer and consumer, after", after),
                               ("committed at TG → its message is committed at TG", hops["built"]),
                               ("message committed at TG → committed at FR", hops["carried"]),
                               ("committed at TG → committed at FR", hops["whole"])):
        p50, p99 = percentiles(milliseconds)
        print(f"{what:<56} {p50:>5.1f} ms {p99:>5.1f} ms")
    print(f"{'the last, in bare producers and consumers':<56} {p50 / base50:>8.1f} {p99 / base99:>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
