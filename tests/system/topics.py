"""Reads a node's topics as any outside consumer would: with a client certificate, and librdkafka as Python packs it."""

import os
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from node_client import SERVICES

READ_SECONDS = 30


@dataclass
class Record:
    topic: str
    key: str
    value: bytes
    headers: dict

    @property
    def raw(self):
        head = b"".join(name.encode() + b"=" + value + b"\n" for name, value in self.headers.items())
        return self.key.encode() + b"\n" + head + self.value + b"\n"


def client(node, certificate):
    pki = os.path.join(node.folder, "pki")
    return {
        "bootstrap.servers": node.services_config["kafka"]["brokers"],
        "security.protocol": "ssl",
        "ssl.ca.location": os.path.join(pki, "ca.pem"),
        "ssl.certificate.location": os.path.join(pki, f"{certificate}.pem"),
        "ssl.key.location": os.path.join(pki, f"{certificate}.key"),
    }


def consumer(node, certificate, group="auditor-system-test"):
    return Consumer({**client(node, certificate), "group.id": group, "enable.auto.commit": False,
                     "auto.offset.reset": "earliest"})


def publish(node, certificate, topic, key, headers=None):
    """An empty record; None, or why the broker did not take it."""
    outcomes = []
    producer = Producer({**client(node, certificate), "acks": "all"})
    producer.produce(topic, key=key, value=b"", headers=list((headers or {}).items()),
                     on_delivery=lambda error, _: outcomes.append(error))
    assert producer.flush(READ_SECONDS) == 0 and len(outcomes) == 1
    return outcomes[0]


def read_all(node, certificate="auditor"):
    """Every record of every topic of the services, from the first to the last that is there now."""
    reader = consumer(node, certificate)
    try:
        ends = {}
        for service in SERVICES:
            topic = f"sankofa.{service}"
            found = reader.list_topics(topic, timeout=READ_SECONDS).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            for partition in found.partitions:
                place = TopicPartition(topic, partition, 0)
                ends[(topic, partition)] = reader.get_watermark_offsets(place, timeout=READ_SECONDS)[1]
        reader.assign([TopicPartition(topic, partition, 0) for topic, partition in ends])
        return read_until(reader, ends)
    finally:
        reader.close()


def read_until(reader, ends):
    records, end = [], time.monotonic() + READ_SECONDS
    left = {place for place, offset in ends.items() if offset > 0}
    next_offset = dict.fromkeys(left, 0)
    while left:
        message = reader.poll(1)
        if time.monotonic() > end:
            raise AssertionError(f"the topics were not read to the end in {READ_SECONDS} s; missing: {left}")
        if message is None:
            continue
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                continue
            raise KafkaException(message.error())
        place = (message.topic(), message.partition())
        if message.offset() != next_offset[place]:
            raise AssertionError(f"{place} goes from {next_offset[place]} to {message.offset()}")
        next_offset[place] += 1
        records.append(Record(message.topic(), message.key().decode(), message.value(), dict(message.headers())))
        if next_offset[place] >= ends[place]:
            left.discard(place)
    return records
