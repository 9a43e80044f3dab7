"""Writes the test vector of proto/README.md: two messages of one feed, with the keys that sign, verify and open them.

    tests/federation/run tests/federation/contract/make_vector.py > tests/data/feed-vector.json

All keys are known to everybody, so they are good for this and for nothing else. The box is sealed with a known
one-time key too, so the same bytes come out each time.
"""

import glob
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile

import nacl.bindings as sodium

from node_client import ROOT

SEED = bytes(range(0, 32))  # tg signs
RECEIVER_SECRET = bytes(range(32, 64))  # fr opens
ONE_TIME_SECRET = bytes(range(64, 96))
CASE = "0190d3a0-7c00-7000-8000-000000000001"
AGREEMENT = "0190d3a0-7c00-7000-8000-0000000000a9"


def protos(folder):
    """The messages as protoc compiles them for Python."""
    files = sorted(glob.glob("sankofa/**/*.proto", root_dir=os.path.join(ROOT, "proto"), recursive=True))
    subprocess.run(["protoc", "-I", os.path.join(ROOT, "proto"), "-I", os.environ["SANKOFA_GOOGLEAPIS"],
                    f"--python_out={folder}", *files], check=True)
    sys.path.insert(0, folder)

    def load(name):
        return importlib.import_module(f"sankofa.{name}_pb2")
    return load("exchange.v1.feed"), load("registration.v1.registration_events")


def key_id(public):
    return hashlib.blake2b(public, digest_size=32).hexdigest()[:16]


def seal(plain, receiver):
    """A sealed box whose one-time key is known: libsodium draws a new one each time."""
    one_time = sodium.crypto_scalarmult_base(ONE_TIME_SECRET)
    nonce = hashlib.blake2b(one_time + receiver, digest_size=24).digest()
    return one_time + sodium.crypto_box(plain, nonce, receiver, ONE_TIME_SECRET)


def main():
    with tempfile.TemporaryDirectory() as folder:
        feed, events = protos(folder)
        verification, signing = sodium.crypto_sign_seed_keypair(SEED)
        sealing = sodium.crypto_scalarmult_base(RECEIVER_SECRET)
        messages, previous = [], b""

        def add(sequence, payload, day, sealed=b""):
            nonlocal previous
            event = feed.FeedEvent(
                sender="tg", receiver="fr", subject=f"Case/{CASE}", sequence=sequence, previous_hash=previous,
                type=payload.DESCRIPTOR.full_name, payload=payload.SerializeToString(), source="registration",
                source_stream=f"Case/{CASE}", source_sequence=sequence, agreement_id=AGREEMENT, agreement_version=1,
                purposes=[1], sealed_hash=hashlib.blake2b(sealed, digest_size=32).digest() if sealed else b"",
                sealing_key_id=key_id(sealing) if sealed else "")
            event.event_time.FromJsonString(f"{day}T09:00:00Z")
            event.issued_time.FromJsonString(f"{day}T09:00:00.250Z")
            content = event.SerializeToString()
            signature = sodium.crypto_sign(b"sankofa.feed.v1\0" + content, signing)[:64]
            message = feed.SignedFeedEvent(event=content, key_id=key_id(verification), signature=signature, sealed=sealed)
            previous = hashlib.blake2b(content, digest_size=32).digest()
            messages.append({"value": message.SerializeToString().hex(), "event": content.hex(),
                             "signature": signature.hex(), "sealed": sealed.hex(), "hash": previous.hex()})

        registered = events.CaseRegistered(
            case_id=CASE, person_id="0190d3a0-7c00-7000-8000-000000000002", reference="TG-2023-EXAMPLE00001",
            origin_country="TG", host_country="FR", return_type=1, programme="ofii-tg", adults=1, region="maritime")
        content = feed.SealedContent(subject=f"Case/{CASE}", sequence=1)
        disclosure = content.disclosures.add(case_id=CASE, partner="fr", purpose=1, scopes=["person.details"])
        disclosure.person.details.given_names = "Éxempla"
        disclosure.person.details.family_names = "Fictivadjo"
        add(1, registered, "2023-03-06", seal(content.SerializeToString(), sealing))
        add(2, events.CaseArrived(case_id=CASE, arrival_date="2023-04-17"), "2023-04-17")
        json.dump({
            "sender": {"signing_seed": SEED.hex(), "verification_key": verification.hex(), "key_id": key_id(verification)},
            "receiver": {"sealing_secret": RECEIVER_SECRET.hex(), "sealing_key": sealing.hex(),
                         "sealing_key_id": key_id(sealing)},
            "messages": messages}, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
