"""The application's own way of making a new DEK version active: a second active row first, the old one inactive later.

`--stage insert` leaves two active rows, as one sees between the application's two statements; `--stage deactivate` ends it.
"""

import argparse
import json

import clinic


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--database-url", required=True)
    args.add_argument("--kms", required=True)
    args.add_argument("--region", required=True)
    args.add_argument("--context", help="encryption context of DEKs, as JSON")
    args.add_argument("--manifest", required=True)
    args.add_argument("--stage", choices=["insert", "deactivate", "both"], default="both")
    args = args.parse_args()
    manifest = json.load(open(args.manifest, encoding="utf-8"))
    conn, kms = clinic.connect(args.database_url), clinic.Kms(args.kms, args.region, args.context)
    for org in manifest["organizations"]:
        if args.stage in ("insert", "both"):
            clinic.insert_dek(conn, kms, manifest["keyArn"], org, clinic.key_rows(conn, org)[0][2] + 1)
        if args.stage in ("deactivate", "both"):
            clinic.deactivate_older(conn, org)
    print("{}")


if __name__ == "__main__":
    main()
