"""Looks for words in places where they must not be readable: in any spelling that a store or a format gives them."""

import base64
import glob
import os
import socket
import subprocess
import unicodedata
import urllib.request

from harness import ROOT


def plain(text):
    """Without accents, in lower case: as a search index might keep it."""
    return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one)).lower()


def spellings(word):
    """How a word may stand in bytes: as it is, folded, with JSON's escapes, in hex (as pg_dump writes bytes), in base64
    at each of its three alignments."""
    raw = word.encode()
    forms = {raw, word.lower().encode(), plain(word).encode(), word.encode("unicode_escape"),
             raw.hex().encode(), plain(word).encode().hex().encode()}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        start = -(-shift * 8 // 6)
        end = (shift + len(raw)) * 8 // 6
        if end - start >= 8:
            forms.add(whole[start:end])
    return forms


def found_in(places, words):
    """"place: word" for each word that can be read in a place; `places` maps names to bytes."""
    return sorted(f"{place}: {word}" for word in words for form in spellings(word)
                  for place, content in places.items() if form in content)


def logs(node):
    places = {}
    for path in glob.glob(os.path.join(node.folder, "logs", "*")):
        with open(path, "rb") as file:
            places[f"log {os.path.basename(path)}"] = file.read()
    return places


def metrics(node):
    """The page of numbers that an operator's Prometheus reads."""
    with urllib.request.urlopen(f"http://{node.services_config['metrics']['address']}/metrics", timeout=10) as answer:
        return answer.read()


def database(node):
    """All schemas of the database, as its superuser dumps them."""
    port = node.services_config["postgres"]["port"]
    dump = subprocess.run(["pg_dump", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-d", "sankofa"],
                          env={**os.environ, "PGPASSWORD": node.secret("postgres")}, check=True, capture_output=True)
    return {"database": dump.stdout}


def kafka_segments(node):
    """The broker's files as they lie on the disk."""
    places = {}
    for path in glob.glob(os.path.join(node.folder, "kafka", "data", "**", "*.log"), recursive=True):
        with open(path, "rb") as file:
            # The rest of a segment's file is allocated and empty.
            places[os.path.relpath(path, ROOT)] = file.read().rstrip(b"\0")
    return {path: content for path, content in places.items() if content}


class Redis:
    """As much of Redis's protocol as it takes to read all of its keys."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._file = self._socket.makefile("rb")

    def __call__(self, *words):
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self._socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts))
        return self._answer()

    def _answer(self):
        line = self._file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            if rest == b"-1":
                return None
            content = self._file.read(int(rest) + 2)
            return content[:-2]
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        if kind == b"-":
            raise OSError(rest.decode())
        return int(rest) if kind == b":" else rest

    def keys(self):
        cursor = b"0"
        while True:
            cursor, keys = self("SCAN", cursor, "COUNT", 1000)
            yield from keys
            if cursor == b"0":
                return

    def close(self):
        self._file.close()
        self._socket.close()


def redis(node):
    store = Redis(node.services_config["redis"]["address"])
    # DUMP would compress what is long.
    store("CONFIG", "SET", "rdbcompression", "no")
    content = b"".join(key + b"\n" + (store("DUMP", key) or b"") + b"\n" for key in store.keys())
    store.close()
    return {"redis": content}
