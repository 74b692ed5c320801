"""Verifies a database against a manifest, with nothing of the product's: exit 0 only when all of it holds.

- every plaintext is identical byte for byte, under the ONE active key, whose version is the expected one;
- prefixes are kept, a jsonb cell is still a JSON string, NULL, empty, plaintext and broken cells are as they were;
- `updatedAt` and every other column are untouched; no row is missing and none is new.
"""

import argparse
import collections
import json
import sys

import clinic


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--database-url", required=True)
    args.add_argument("--kms", required=True)
    args.add_argument("--region", required=True)
    args.add_argument("--context", help="encryption context of DEKs, as JSON")
    args.add_argument("--manifest", required=True)
    args.add_argument("--journal", help="what writer.py committed since the manifest was made")
    args.add_argument("--version", type=int, required=True, help="the active version every organization must have")
    args.add_argument("--org-version", action="append", default=[], metavar="ORG=N", help="another version for one organization")
    args.add_argument("--any-version", action="store_true", help="half-way: a cell may open under any of its organization's keys")
    args.add_argument("--rows", type=int, help="DEK rows of every organization, when not as many as the version says")
    args.add_argument("--plaintext-sealed", action="store_true", help="plaintext cells must be sealed now")
    args.add_argument("--unwrapped", action="store_true", help="nested cells must hold their inner plaintext now")
    args.add_argument("--secrets", help="append the bare DEKs found, for a search of the product's output")
    args = args.parse_args()

    manifest = json.load(open(args.manifest, encoding="utf-8"))
    tables = manifest["tables"]
    for line in open(args.journal, encoding="utf-8") if args.journal else []:
        write = json.loads(line)
        row = tables[write["table"]].setdefault(write["id"], {"org": write["org"], "cells": {}})
        row["cells"].update(write["cells"])
        row["updatedAt"], row["others"] = write["updatedAt"], write["others"]

    conn, kms = clinic.connect(args.database_url), clinic.Kms(args.kms, args.region, args.context)
    expected = {org: args.version for org in manifest["organizations"]}
    expected.update((o, int(v)) for o, v in (pair.split("=") for pair in args.org_version))
    errors, opened, keys = [], collections.Counter(), {}

    for org in manifest["organizations"]:
        rows = clinic.key_rows(conn, org)
        active = [row for row in rows if row[3]]
        versions = [row[2] for row in rows]
        if args.any_version:
            pass
        elif len(active) != 1 or active[0][2] != expected[org] or versions != list(range(args.rows or expected[org], 0, -1)):
            errors.append(f"{org}: expected the one active version {expected[org]}, found {[(r[2], r[3]) for r in rows]}")
        keys[org] = [(row[2], row[3], kms.unwrap(row[1], org)) for row in rows]
        if args.secrets:
            with open(args.secrets, "a", encoding="utf-8") as out:
                out.writelines(json.dumps({"dek": dek.hex()}) + "\n" for _, _, dek in keys[org])

    for table, (columns, _) in clinic.deployed(conn).items():
        found, wanted = clinic.snapshot(conn, table, columns), tables.get(table, {})
        errors += [f"{table} {id}: the row is gone" for id in wanted.keys() - found.keys()]
        errors += [f"{table} {id}: the row is new" for id in found.keys() - wanted.keys()]
        for id in wanted.keys() & found.keys():
            want, (others, updated, cells) = wanted[id], found[id]
            if updated != want["updatedAt"]:
                errors.append(f"{table} {id}: updatedAt moved from {want['updatedAt']} to {updated}")
            elif others != want["others"]:
                errors.append(f"{table} {id}: a column that is not sealed changed")
            for column, stored in cells.items():
                trouble = cell_trouble(columns[column][0], stored, want["cells"][column], keys.get(want["org"], []), args)
                if trouble:
                    errors.append(f"{table} {id} {column}: {trouble}")
                elif want["cells"][column]["state"] in ("sealed", "nested"):
                    opened[want["org"]] += 1

    answer = {"opened": sum(opened.values()), "byOrganization": opened, "errorCount": len(errors), "errorTables": collections.Counter(e.split(" ")[0] for e in errors), "errors": errors[:40]}
    json.dump(answer, sys.stdout, indent=1)
    sys.exit(1 if errors or not opened else 0)


def cell_trouble(kind, stored, want, keys, args):
    """What is wrong with one cell, or None."""
    state = want["state"]
    if state == "plain" and args.plaintext_sealed:
        state = "sealed"
    if state == "null":
        return None if stored is None else "NULL became a value"
    if stored is None:
        return "a value became NULL"
    if state in ("empty", "plain", "as-is"):
        return None if clinic.digest(stored) == want["stored"] else f"the {state} value changed"
    if kind == "jsonb":
        stored = json.loads(stored)
        if not isinstance(stored, str):
            return "the jsonb value is no longer a JSON string"
    if clinic.prefix_of(stored) != want["prefix"]:
        return f"the prefix is {clinic.prefix_of(stored)}, it was {want['prefix']}"
    for version, active, dek in keys:
        plaintext = clinic.unseal(dek, stored)
        if plaintext is not None:
            if not active and not args.any_version:
                return f"it opens under version {version}, which is not active"
            wanted = want["inner"] if state == "nested" and args.unwrapped else want["plaintext"]
            if want["state"] == "plain" and kind == "jsonb":
                plaintext = clinic.canonical(plaintext)
            return None if clinic.digest(plaintext) == wanted else "it opens to another plaintext"
    return "no key of its organization opens it"


if __name__ == "__main__":
    main()
