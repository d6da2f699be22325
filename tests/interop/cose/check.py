# SPDX-License-Identifier: Apache-2.0
"""Checks a COSE receipt (RFC 9942) with COSE libraries that we did not write.

    check.py RECEIPT ENTRY VKEY ORIGIN

pycose checks the COSE_Sign1 over the detached root, cwt does it again, cbor2 reads the proof; the
root is computed here from the entry and the path, as RFC 9162 (2.1.3.2) says. Accepts the receipt,
then alters every part of it and fails unless each alteration is refused.
"""

import base64
import hashlib
import sys

import cbor2
import cwt
from pycose.keys import OKPKey
from pycose.messages import Sign1Message

EDDSA, RFC9162_SHA256 = -8, 1
ALG, CWT_CLAIMS, VDS, VDP, INCLUSION = 1, 15, 395, 396, -1


class Refused(Exception):
    pass


def require(condition, what):
    if not condition:
        raise Refused(what)


def sha256(data):
    return hashlib.sha256(data).digest()


def root_of(entry, index, size, path):
    """RFC 9162, 2.1.3.2: the root that `path` leads to from the leaf at `index`."""
    require(index < size, "the index is outside the tree")
    node, fn, sn = sha256(b"\0" + entry), index, size - 1
    for sibling in path:
        require(sn != 0, "the path is too long")
        if fn & 1 or fn == sn:
            node = sha256(b"\1" + sibling + node)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha256(b"\1" + node + sibling)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0, "the path is too short")
    return node


def check(receipt, entry, public_key, origin):
    try:
        outer = cbor2.loads(receipt)
        require(cbor2.dumps(outer, canonical=True) == receipt, "not deterministic CBOR")
        require(outer.tag == 18, "no COSE_Sign1")
        protected, unprotected, payload, signature = outer.value
        header = cbor2.loads(protected)
        require(header[ALG] == EDDSA and header[VDS] == RFC9162_SHA256, "another algorithm")
        require(payload is None, "the root must be detached")
        require(header[CWT_CLAIMS][1] == origin, "another issuer")
        (proof,) = unprotected[VDP][INCLUSION]
        size, index, path = cbor2.loads(proof)
        root = root_of(entry, index, size, path)
        # pycose
        message = Sign1Message.decode(receipt)
        message.key = OKPKey(crv="ED25519", x=public_key)
        require(message.verify_signature(detached_payload=root), "pycose refuses the signature")
        # cwt
        key = cwt.COSEKey.new({1: 1, 3: EDDSA, -1: 6, -2: public_key})  # OKP, EdDSA, Ed25519
        cwt.COSE.new().decode(receipt, key, detached_payload=root)
    except Refused:
        raise
    except Exception as error:  # whatever a library says to bytes that it cannot read
        raise Refused(f"{type(error).__name__}: {error}") from error
    return index, size


def public_key_of(vkey):
    raw = base64.b64decode(vkey.strip().split("+", 2)[2])
    assert raw[0] == 1 and len(raw) == 33, "not an Ed25519 verifier key"
    return raw[1:]


def flipped(data, i):
    return data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]


def main():
    receipt_file, entry_file, vkey, origin = sys.argv[1:]
    receipt, entry = open(receipt_file, "rb").read(), open(entry_file, "rb").read()
    key = public_key_of(vkey)
    index, size = check(receipt, entry, key, origin)
    print(f"accepted: entry {index} of {size}")
    attempts = [(f"byte {i} of the receipt", flipped(receipt, i), entry, key) for i in range(len(receipt))]
    attempts += [(f"byte {i} of the entry", receipt, flipped(entry, i), key) for i in range(len(entry))]
    attempts += [("the end", receipt[:-1], entry, key), ("the key", receipt, entry, flipped(key, 5))]
    refused = 0
    for what, one, of, under in attempts:
        try:
            found = check(one, of, under, origin)
        except Refused:
            refused += 1
            continue
        # The signature is over the root alone: RFC 9942 binds the tree's size only as far as the
        # path's shape depends on it.
        if of != entry or under != key or found[0] != index or found[1] == size:
            sys.exit(f"accepted with {what} altered")
    print(f"refused: {refused} of {len(attempts)} alterations; the others name another size")


main()
