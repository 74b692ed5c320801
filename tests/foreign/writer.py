"""Plays the running application beside a rotation: saves, inserts and edits, with DEKs it keeps in memory for a while.

Like the application it seals with the active version it last fetched, for up to --cache-seconds after that. Every committed write
goes to the journal with what must be found later; the last line of a row counts. On SIGTERM or after --seconds it stops.
"""

import argparse
import json
import random
import signal
import time
import uuid

import clinic


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--database-url", required=True)
    args.add_argument("--kms", required=True)
    args.add_argument("--region", required=True)
    args.add_argument("--context", help="encryption context of DEKs, as JSON")
    args.add_argument("--manifest", required=True)
    args.add_argument("--journal", required=True)
    args.add_argument("--seconds", type=float, default=60)
    args.add_argument("--cache-seconds", type=float, default=2)
    args.add_argument("--pause", type=float, default=0.002, help="seconds between writes")
    args.add_argument("--rotate", metavar="ORG", help="flip this organization as the application does, then go on")
    args.add_argument("--rotate-on-version", type=int, default=2, help="wait until the organization has this version")
    Writer(args.parse_args()).run()


class Writer:
    def __init__(self, args):
        self.args, self.random, self.stopping, self.cache = args, random.Random(7), False, {}
        self.conn, self.kms = clinic.connect(args.database_url), clinic.Kms(args.kms, args.region, args.context)
        manifest = json.load(open(args.manifest, encoding="utf-8"))
        self.rows = {t: [(id, row["org"]) for id, row in rows.items()] for t, rows in manifest["tables"].items()}
        self.columns = {table: list(columns) for table, (columns, _) in clinic.deployed(self.conn).items()}
        self.key = manifest["keyArn"]
        self.orgs = manifest["organizations"]
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stopping", True))

    def run(self):
        ends, rotate, counts = time.monotonic() + self.args.seconds, self.args.rotate, {"edited": 0, "moved": 0, "inserted": 0, "late": 0}
        for org in self.orgs:
            self.dek(org)
        print("ready", flush=True)
        with open(self.args.journal, "a", encoding="utf-8") as self.journal:
            while not self.stopping and time.monotonic() < ends:
                if rotate and clinic.key_rows(self.conn, rotate)[0][2] >= self.args.rotate_on_version:
                    self.flip(rotate)
                    rotate = None
                self.write(counts)
                time.sleep(self.args.pause)
        print(json.dumps({**counts, "rotated": self.args.rotate is not None and rotate is None}))

    def dek(self, org):
        found = self.cache.get(org)
        if not found or time.monotonic() - found[2] > self.args.cache_seconds:
            dek, version = clinic.active_dek(self.conn, self.kms, org)
            found = self.cache[org] = (dek, version, time.monotonic())
        return found

    def write(self, counts):
        table, kind = self.random.choice(["Note", "Note", "Message", "FormSubmission"]), self.random.random()
        id, org = self.random.choice(self.rows[table])
        column = {"Note": "content", "Message": "content", "FormSubmission": "data"}[table]
        if kind < 0.4:
            self.save(table, id, org, "SET \"updatedAt\" = %s", [clinic.now()], {})
            counts["moved"] += 1
            return
        dek, version, _ = self.dek(org)
        text = f"written by the application, {uuid.uuid4()}"
        if table == "FormSubmission":
            text = json.dumps({"text": text})
        stored = clinic.seal(dek, text, clinic.STANDARD)
        cell = {"state": "sealed", "prefix": clinic.STANDARD, "plaintext": clinic.digest(text)}
        value = json.dumps(stored) if table == "FormSubmission" else stored
        counts["late"] += clinic.key_rows(self.conn, org)[0][2] > version
        if kind < 0.8:
            self.save(table, id, org, f'SET "{column}" = %s, "updatedAt" = %s', [value, clinic.now()], {column: cell})
            counts["edited"] += 1
        elif table == "Note":
            self.insert(id, org, value, cell)
            counts["inserted"] += 1

    def save(self, table, id, org, assignment, values, cells):
        row = self.conn.execute(
            f'UPDATE "{table}" t {assignment} WHERE id = %s RETURNING t."updatedAt"::text, {clinic.others_sql(self.columns[table])}', [*values, id]
        ).fetchone()
        self.record(table, id, org, cells, row)

    def insert(self, like, org, value, cell):
        """A new note: a copy of another one with its own id, time and content."""
        id = str(uuid.uuid4())
        row = self.conn.execute(
            'INSERT INTO "Note" AS t SELECT (jsonb_populate_record(n, jsonb_build_object(\'id\', %s::text, \'content\', %s::text, \'updatedAt\', %s::text))).*'
            f' FROM "Note" n WHERE n.id = %s RETURNING t."updatedAt"::text, {clinic.others_sql(["content"])}',
            [id, value, clinic.now(), like],
        ).fetchone()
        self.rows["Note"].append((id, org))
        self.record("Note", id, org, {"content": cell}, row)

    def record(self, table, id, org, cells, row):
        line = {"table": table, "id": id, "org": org, "cells": cells, "updatedAt": row[0], "others": clinic.digest(row[1])}
        self.journal.write(json.dumps(line) + "\n")
        self.journal.flush()

    def flip(self, org):
        """The application's own rotation of the DEK, without its re-encryption."""
        version = clinic.key_rows(self.conn, org)[0][2] + 1
        clinic.insert_dek(self.conn, self.kms, self.key, org, version)
        clinic.deactivate_older(self.conn, org)


if __name__ == "__main__":
    main()
