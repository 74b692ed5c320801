"""Fills an empty clinic database as the application would have, and writes down what must stay true of it.

Both prefixes, every JSON form, NULL, empty strings, Unicode, sizes from one byte to tens of kilobytes. `--flaw` adds rows a
live system has and a clean one has not. The manifest holds digests; `--secrets` (for the secrecy test) holds the real thing.
"""

import argparse
import json
import random
import uuid

import clinic
from psycopg import sql

DOCUMENTS = [
    lambda r, t: json.dumps({"answer": t, "score": r.randint(0, 27), "nested": {"quote": '"so"\n', "none": None}}, ensure_ascii=False),
    lambda r, t: json.dumps([t, r.random(), None, True, []], ensure_ascii=False, separators=(",", ":")),
    lambda r, t: json.dumps(t, ensure_ascii=False),
    lambda r, t: str(r.randint(-(10**12), 10**12)),
    lambda r, t: "-1.50e-3",
    lambda r, t: r.choice(["true", "false"]),
    lambda r, t: "null",
    lambda r, t: '{ "spaced" : [ 1 , 2 ] , "emoji": "\\ud83e\\ude7a", "dup": 1, "dup": 2 }',
    lambda r, t: '""',
]
WORDS = "Client reports improved sleep, no side effects; Müller — 東京 — 🩺 — é (decomposed) \u200d\u202e <b>bold</b> \\ ' \" % $1 :x ".split(" ")


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--database-url", required=True)
    args.add_argument("--kms", required=True)
    args.add_argument("--region", required=True)
    args.add_argument("--context", help="encryption context of DEKs, as JSON")
    args.add_argument("--key", help="ARN of the master key; one is made otherwise")
    args.add_argument("--manifest", required=True)
    args.add_argument("--secrets")
    args.add_argument("--orgs", type=int, default=2)
    args.add_argument("--notes", type=int, default=60, help="per organization; other tables follow from it")
    args.add_argument("--note-bytes", type=int, default=2000, help="longest note")
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--versions", type=int, default=1, help="DEK versions so far; every cell lies under the newest")
    args.add_argument("--dev-deks", action="store_true", help="DEKs as the application makes them without KMS")
    args.add_argument("--flaw", action="append", default=[], choices=list(FLAWS))
    Seed(args.parse_args()).run()


class Seed:
    def __init__(self, args):
        self.args, self.random = args, random.Random(args.seed)
        self.conn, self.kms = clinic.connect(args.database_url), clinic.Kms(args.kms, args.region, args.context)
        self.tables, self.made, self.count, self.plaintexts = clinic.deployed(self.conn), {}, 0, []
        self.shapes, self.parents = {}, {}

    def run(self):
        args = self.args
        key = None if args.dev_deks else args.key or self.kms.create_key("alias/scrybe-phi-master-key-dev")
        orgs, secrets = [f"org-{n}-{uuid.UUID(int=self.random.getrandbits(128))}" for n in range(1, args.orgs + 1)], []
        for org in orgs:
            self.insert("Organization", org, {"id": org, "name": f"Clinic {org[:5]}", "encryptionKeyId": org})
            for version in range(1, args.versions + 1):
                dek, wrapped = self.new_dek(key, org)
                secrets.append(dek)
                self.insert_dek(org, wrapped, version, active=version == args.versions)
            self.fill(org, dek)
            for flaw in args.flaw:
                FLAWS[flaw](self, org, dek, key)
        self.write_manifest(orgs, key)
        if args.secrets:
            with open(args.secrets, "w", encoding="utf-8") as out:
                out.writelines(json.dumps({"dek": dek.hex()}) + "\n" for dek in secrets)
                out.writelines(json.dumps({"plaintext": text}) + "\n" for text in self.plaintexts)

    def new_dek(self, key, org):
        if key:
            return self.kms.new_dek(key, org)
        import base64
        import os

        dek = os.urandom(32)
        return dek, "dev:" + base64.b64encode(dek).decode()

    def insert_dek(self, org, wrapped, version, active):
        row = {"organizationId": org, "encryptedDek": wrapped, "keyVersion": version, "isActive": active}
        row["rotatedAt"] = None if active else "2026-01-02 03:04:05.678"
        return self.insert("EncryptionKey", None, row)

    def fill(self, org, dek):
        notes, clients = self.args.notes, []
        for n in range(max(3, notes // 6)):
            clients.append(self.row("Client", org, dek, n))
        for n in range(notes):
            self.row("Note", org, dek, n, longest=self.args.note_bytes)
        for table, share, longest in (("Message", 2, 300), ("FormSubmission", 4, 900), ("Call", 8, 20000), ("ClientInsurance", 6, 20)):
            for n in range(max(9, notes // share) if table in self.tables else 0):
                self.row(table, org, dek, n, client=self.random.choice(clients), longest=longest)

    def row(self, table, org, dek, n, client=None, longest=40, cells=None):
        """Inserts one row with every sealed column of its table; `cells` overrides some with (state, value, extra)."""
        columns, path = self.tables[table]
        values, kept = {path: client if path == "clientId" else org}, {}
        if client and "clientId" in self.shape(table):
            values["clientId"] = client
        for index, (column, (kind, prefix)) in enumerate(columns.items()):
            state, value, extra = (cells or {}).get(column) or self.cell(table, column, kind, prefix, dek, n + index, longest)
            values[column] = value if kind == "text" or value is None else json.dumps(value) if state != "plain" else value
            kept[column] = {"state": state, **extra}
        id = self.insert(table, org, values)
        self.made.setdefault(table, {})[id] = {"org": org, "cells": kept}
        return id

    def cell(self, table, column, kind, prefix, dek, n, longest):
        if n % 11 == 7 and self.shape(table)[column][1]:
            return "null", None, {}
        if n % 11 == 9:
            return "empty", "", {}
        text = self.text(n, longest)
        if kind == "jsonb":
            text = DOCUMENTS[n % len(DOCUMENTS)](self.random, text)
        return self.sealed(dek, text, prefix)

    def sealed(self, dek, text, prefix):
        if len(text) > 24:
            self.plaintexts.append(text)
        return "sealed", clinic.seal(dek, text, prefix), {"prefix": prefix, "plaintext": clinic.digest(text)}

    def text(self, n, longest):
        if n % 13 == 5:
            return "x"
        if n % 13 == 6:
            return "enc:v1:not really"
        length, words = self.random.randint(20, max(21, longest)), [f"<{n}.{self.random.getrandbits(64):x}>"]
        return " ".join(words + self.random.choices(WORDS, k=length // 8))

    def shape(self, table):
        """column -> (type, nullable, has default, enum label or None, foreign table or None), as this database has it."""
        if table not in self.shapes:
            foreign = dict(
                self.conn.execute(
                    "SELECT a.attname, c.confrelid::regclass::text FROM pg_constraint c JOIN pg_attribute a"
                    " ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'f' AND c.conrelid = %s::regclass",
                    (f'public."{table}"',),
                ).fetchall()
            )
            self.shapes[table] = {
                name: (kind, nullable == "YES", default is not None, self.label(udt) if kind == "USER-DEFINED" else None, foreign.get(name, "").strip('"'))
                for name, kind, nullable, default, udt in self.conn.execute(
                    "SELECT column_name, data_type, is_nullable, column_default, udt_name FROM information_schema.columns"
                    " WHERE table_schema = 'public' AND table_name = %s",
                    (table,),
                )
            }
        return self.shapes[table]

    def label(self, enum):
        return self.conn.execute("SELECT enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = enumtypid WHERE typname = %s", (enum,)).fetchone()[0]

    def insert(self, table, org, values):
        """Inserts `values` and something plausible for every other column, and returns the id."""
        self.count += 1
        shape, row = self.shape(table), {}
        for column, (kind, nullable, default, label, foreign) in shape.items():
            if column in values:
                row[column] = values[column]
            elif column == "id":
                row[column] = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
            elif foreign:
                parent = self.parents.get((org, foreign))
                if parent or not nullable:
                    row[column] = parent
            elif not default or self.count % 2:
                row[column] = None if nullable and self.count % 5 == 0 else self.filler(column, kind, label)
        row = {c: v for c, v in row.items() if c in shape}
        self.conn.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join([sql.Placeholder()] * len(row))
            ),
            list(row.values()),
        )
        self.parents[(org, table)] = row["id"]
        return row["id"]

    def filler(self, column, kind, label):
        n = self.count
        if label:
            return label
        if kind.startswith("timestamp"):
            return f"2025-{n % 12 + 1:02}-{n % 28 + 1:02} {n % 24:02}:{n % 60:02}:07.{n % 1000:03}"
        if kind in ("integer", "bigint", "smallint"):
            return n % 1000
        if kind in ("double precision", "numeric", "real"):
            return n / 8
        if kind == "boolean":
            return n % 3 == 0
        if kind in ("json", "jsonb"):
            return json.dumps({"filler": n})
        if kind == "ARRAY":
            return []
        return f"{column} {n}"

    def write_manifest(self, orgs, key):
        for table, rows in self.made.items():
            columns = self.tables[table][0]
            for id, (others, updated, cells) in clinic.snapshot(self.conn, table, columns).items():
                rows[id]["others"], rows[id]["updatedAt"] = others, updated
                for column, stored in cells.items():
                    if stored is not None:
                        rows[id]["cells"][column]["stored"] = clinic.digest(stored)
        with open(self.args.manifest, "w", encoding="utf-8") as out:
            json.dump({"keyArn": key, "organizations": orgs, "tables": self.made}, out)
        cells = sum(c["state"] in ("sealed", "nested") for rows in self.made.values() for row in rows.values() for c in row["cells"].values())
        print(json.dumps({"keyArn": key, "organizations": orgs, "sealed": cells, "flawed": self.flawed}))

    flawed = {}

    def flaw(self, name, org, table, column, id):
        self.flawed.setdefault(name, []).append({"org": org, "table": table, "column": column, "id": id})


def corrupted(seed, org, dek, _):
    """The last character of the ciphertext's middle is another one: still base64, no longer its tag's."""
    stored = clinic.seal(dek, "this one will be damaged on the way", clinic.STANDARD)
    at = len(stored) // 2
    broken = stored[:at] + ("A" if stored[at] != "A" else "B") + stored[at + 1 :]
    seed.flaw("corrupted", org, "Note", "content", seed.row("Note", org, dek, 1, cells={"content": ("as-is", broken, {})}))


def foreign_key(seed, org, dek, key):
    stranger, _ = seed.new_dek(key, org)
    stored = clinic.seal(stranger, "sealed for somebody else", clinic.STANDARD)
    seed.flaw("foreign-key", org, "Message", "content", seed.row("Message", org, dek, 1, cells={"content": ("as-is", stored, {})}))


def plaintext(seed, org, dek, _):
    text = "Client called at 3pm, left by a bulk write"
    seed.flaw("plaintext", org, "Note", "content", seed.row("Note", org, dek, 1, cells={"content": ("plain", text, {"prefix": clinic.STANDARD, "plaintext": clinic.digest(text)})}))
    document = '{"left": ["by", "a", "bulk write"], "n": 1.50}'
    cells = {"data": ("plain", document, {"prefix": clinic.STANDARD, "plaintext": clinic.digest(clinic.canonical(document))})}
    seed.flaw("plaintext", org, "FormSubmission", "data", seed.row("FormSubmission", org, dek, 1, cells=cells))


def nested(seed, org, dek, _):
    """The user saved a form that showed ciphertext: the application sealed it once more."""
    text = "sealed twice by a save during an outage"
    inner = clinic.seal(dek, text, clinic.STANDARD)
    outer = clinic.seal(dek, inner, clinic.STANDARD)
    extra = {"prefix": clinic.STANDARD, "plaintext": clinic.digest(inner), "inner": clinic.digest(text)}
    seed.flaw("nested", org, "Note", "content", seed.row("Note", org, dek, 1, cells={"content": ("nested", outer, extra)}))


def orphan(seed, org, dek, _):
    """A call whose client is gone: nothing says any more which organization's key opens it."""
    if org.startswith("org-1-"):
        stored = clinic.seal(dek, "a call of nobody", clinic.STANDARD)
        cells = {column: ("null", None, {}) for column in seed.tables["Call"][0]} | {"transcriptRaw": ("as-is", stored, {})}
        id = seed.row("Call", org, dek, 1, cells=cells)
        seed.conn.execute('UPDATE "Call" SET "clientId" = NULL WHERE id = %s', [id])
        seed.flaw("orphan", org, "Call", "transcriptRaw", id)


FLAWS = {"orphan": orphan, "corrupted": corrupted, "foreign-key": foreign_key, "plaintext": plaintext, "nested": nested}

if __name__ == "__main__":
    main()
