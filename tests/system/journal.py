"""The journal as it lies in the database, read past all services: its chain is verified, and what can be opened is opened.

Written from the documentation alone (services/platform/engine/store.h, proto/sankofa/common/v1/sealed.proto and
services/platform/crypto/README.md), so that it does not repeat a mistake of the code that wrote the rows.
"""

import base64
import csv
import ctypes
import hashlib
import io
import os
import subprocess
from dataclasses import dataclass

from node_client import SERVICES

HASHED = ("type", "id", "sequence", "partition_key", "event_type", "payload", "previous_hash", "event_time_nanos",
          "actor", "organisation", "system", "request_id")
BYTES = ("payload", "previous_hash", "hash", "state", "last_hash", "wrapped")


# ---- reading ------------------------------------------------------------------------------------------------------


def psql(node, *arguments):
    """What PostgreSQL's superuser is told: no service's rights are in the way."""
    port = node.services_config["postgres"]["port"]
    done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port),
                           "-U", "postgres", "-d", "sankofa", *arguments],
                          env={**os.environ, "PGPASSWORD": node.secret("postgres")}, check=False, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(f"psql {arguments}: {done.stderr.decode()}")
    return done.stdout


def table(node, service, name, columns, order):
    """Rows of a table as dicts; bytes as bytes, everything else as text. NULL is None."""
    shown = ", ".join(f"encode({one}, 'hex') as {one}" if one in BYTES else one for one in columns)
    text = psql(node, "-c", f"copy (select {shown} from {service}.{name} order by {order}) "
                            "to stdout (format csv, header, null '\\N', force_quote *)").decode()
    rows = []
    for row in csv.DictReader(io.StringIO(text, newline="")):
        given = {name: None if value == "\\N" else value for name, value in row.items()}
        rows.append({name: bytes.fromhex(value) if name in BYTES and value is not None else value
                     for name, value in given.items()})
    return rows


def rows(node, service):
    return table(node, service, "journal", [*HASHED, "hash", "recorded_time"], "type, id, sequence")


def states(node, service):
    return table(node, service, "aggregate", ["type", "id", "version", "state", "last_hash"], "type, id")


def keys(node, service):
    """Wrapped keys by subject; None for a destroyed one."""
    return {row["subject_id"]: row["wrapped"]
            for row in table(node, service, "subject_key", ["subject_id", "wrapped"], "subject_id")}


# ---- the chain ----------------------------------------------------------------------------------------------------


def hash_of(row):
    digest = hashlib.blake2b(digest_size=32)
    for name in HASHED:
        field = row[name] if isinstance(row[name], bytes) else row[name].encode()
        digest.update(len(field).to_bytes(8, "big") + field)
    return digest.digest()


def breaks(service, in_order, states_now):
    """What does not hold in the chains of one service, a line each. Rows by stream and sequence."""
    found, last = [], {}
    for row in in_order:
        stream = (row["type"], row["id"])
        sequence, previous = last.get(stream, (0, b""))
        place = f"{service} {row['type']}/{row['id']} {row['sequence']}"
        if int(row["sequence"]) != sequence + 1:
            found.append(f"{place} comes after {sequence}")
        if row["previous_hash"] != previous:
            found.append(f"{place} does not follow on the row before it")
        if row["hash"] != hash_of(row):
            found.append(f"{place} is not as it was written")
        last[stream] = (int(row["sequence"]), row["hash"])
    for state in states_now:
        stream = (state["type"], state["id"])
        if last.pop(stream, None) != (int(state["version"]), state["last_hash"]):
            found.append(f"{service} {state['type']}/{state['id']} does not end where its state says")
    return found + [f"{service} {kind}/{name} has no state" for kind, name in last]


def broken(node):
    """The same for all services of a node; how many rows were looked at."""
    found, count = [], 0
    for service in SERVICES:
        read = rows(node, service)
        count += len(read)
        found += breaks(service, read, states(node, service))
    return found, count


# ---- opening what is sealed -----------------------------------------------------------------------------------------


@dataclass
class Opened:
    """A sealed part of a journal row or a state: `text` is None where it can't be opened."""
    place: str
    subject: str
    text: str | None


class Vault:
    """The node's master key in the hands of somebody who has the database."""

    def __init__(self, node):
        self._sodium = ctypes.CDLL("libsodium.so.23")
        self._sodium.sodium_init()
        with open(node.services_config["crypto"]["master_key_file"], encoding="ascii") as file:
            master = base64.b64decode(file.read())
        self._wrap = hashlib.blake2b(b"sankofa wrap v1", digest_size=32, key=master).digest()

    def decrypt(self, key, nonce, cipher, additional):
        """XChaCha20-Poly1305; None where the key is not the one."""
        plain = ctypes.create_string_buffer(max(len(cipher) - 16, 1))
        length = ctypes.c_ulonglong()
        failed = self._sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
            plain, ctypes.byref(length), None, cipher, ctypes.c_ulonglong(len(cipher)), additional,
            ctypes.c_ulonglong(len(additional)), nonce, key)
        return None if failed else plain.raw[:length.value]

    def unwrap(self, subject, wrapped):
        return self.decrypt(self._wrap, wrapped[:24], wrapped[24:], subject.encode())

    def open(self, client, node):
        """Everything that is sealed in the database, opened as far as the keys in it go."""
        found = []
        for service in SERVICES:
            unwrapped = {subject: self.unwrap(subject, wrapped)
                         for subject, wrapped in keys(node, service).items() if wrapped is not None}
            parts = [(f"{service} journal {row['type']}/{row['id']} {row['sequence']}", row["event_type"],
                      row["payload"]) for row in rows(node, service)]
            parts += [(f"{service} state {row['type']}/{row['id']}", f"sankofa.{service}.v1.{row['type']}",
                       row["state"]) for row in states(node, service) if row["type"] != "AccessLog"]
            for place, name, content in parts:
                message = client.message(name).FromString(content)
                if "sealed" not in message.DESCRIPTOR.fields_by_name or not message.HasField("sealed"):
                    continue
                sealed, text = message.sealed, None
                key = unwrapped.get(sealed.subject_id)
                if key is not None:
                    plain = self.decrypt(key, sealed.nonce, sealed.ciphertext,
                                         name.encode() + b"\0" + sealed.subject_id.encode())
                    if plain is None:
                        raise AssertionError(f"{place} does not open with its own key")
                    text = plain.decode(errors="replace")
                found.append(Opened(place, sealed.subject_id, text))
        return found
