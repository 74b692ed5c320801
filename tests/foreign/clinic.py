"""The clinic application's stored fields and DEKs, written from its documentation alone.

Nothing here is shared with the product: its cipher is Python `cryptography`, KMS is spoken as raw HTTP (JSON 1.1),
and the database through psycopg. seed.py writes with it, check.py verifies, writer.py plays the live application.
"""

import base64
import datetime
import hashlib
import json
import os
import urllib.error
import urllib.request
import uuid

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

STANDARD = "enc:v1:"
HIGH = "enc:t2:v1:"

# table -> (sealed columns: name -> (type, prefix), how the organization is found)
TABLES = {
    "Client": ({"ssn": ("text", HIGH), "healthConditions": ("jsonb", HIGH)}, "orgId"),
    "ClientInsurance": ({"memberId": ("text", HIGH)}, "clientId"),
    "FormSubmission": ({"data": ("jsonb", STANDARD), "aiExtractedData": ("jsonb", STANDARD)}, "orgId"),
    "Note": ({"content": ("text", STANDARD)}, "orgId"),
    "Message": ({"content": ("text", STANDARD)}, "orgId"),
    "Call": (
        {
            "transcriptRaw": ("text", STANDARD),
            "transcriptJson": ("jsonb", STANDARD),
            "extractedFields": ("jsonb", STANDARD),
            "aiSummary": ("jsonb", STANDARD),
            "confidenceScores": ("jsonb", STANDARD),
        },
        "clientId",
    ),
}


def seal(dek, plaintext, prefix):
    iv = os.urandom(12)
    sealed = AESGCM(dek).encrypt(iv, plaintext.encode("utf-8"), None)
    body, tag = sealed[:-16], sealed[-16:]
    return prefix + base64.b64encode(iv + tag + body).decode("ascii")


def prefix_of(stored):
    for prefix in (STANDARD, HIGH):
        if stored.startswith(prefix):
            return prefix
    return None


def unseal(dek, stored):
    """The plaintext, or None when this key does not open it or it is no envelope."""
    prefix = prefix_of(stored)
    if prefix is None:
        return None
    try:
        raw = base64.b64decode(stored[len(prefix) :], validate=True)
    except ValueError:
        return None
    if len(raw) < 28:
        return None
    iv, tag, body = raw[:12], raw[12:28], raw[28:]
    try:
        return AESGCM(dek).decrypt(iv, body + tag, None).decode("utf-8")
    except InvalidTag:
        return None


def digest(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def canonical(document):
    """One text for equal JSON documents: jsonb does not keep the text it was given."""
    return json.dumps(json.loads(document), sort_keys=True)


class Kms:
    """KMS over JSON 1.1. The signature is not a real one: the endpoint takes region and service from its scope."""

    def __init__(self, endpoint, region, context=None):
        """`context`: encryption context of every DEK; `{organization}` in a value stands for the organization's id."""
        self.endpoint, self.region, self.context = endpoint, region, json.loads(context or "{}")

    def bound(self, org):
        context = {name: value.replace("{organization}", org) for name, value in self.context.items()}
        return {"EncryptionContext": context} if context else {}

    def call(self, operation, **body):
        scope = f"AKIAFOREIGN/20260101/{self.region}/kms/aws4_request"
        request = urllib.request.Request(
            self.endpoint + "/",
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "TrentService." + operation,
                "X-Amz-Date": "20260101T000000Z",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"KMS {operation}: {error.code} {error.read().decode(errors='replace')}") from None
        return json.loads(text) if text else {}

    def create_key(self, alias=None):
        key = self.call("CreateKey", Description="clinic master key")["KeyMetadata"]
        if alias:
            self.call("CreateAlias", AliasName=alias, TargetKeyId=key["KeyId"])
        return key["Arn"]

    def new_dek(self, key, org):
        made = self.call("GenerateDataKey", KeyId=key, KeySpec="AES_256", **self.bound(org))
        return base64.b64decode(made["Plaintext"]), made["CiphertextBlob"]

    def unwrap(self, wrapped, org):
        if wrapped.startswith("dev:"):
            return base64.b64decode(wrapped[4:])
        return base64.b64decode(self.call("Decrypt", CiphertextBlob=wrapped, **self.bound(org))["Plaintext"])


def connect(url):
    return psycopg.connect(url, autocommit=True)


def key_rows(conn, org):
    """(id, wrapped, version, active), newest first, as the application orders them."""
    return conn.execute(
        'SELECT id, "encryptedDek", "keyVersion", "isActive" FROM "EncryptionKey" WHERE "organizationId" = %s'
        ' ORDER BY "keyVersion" DESC, "createdAt" DESC',
        (org,),
    ).fetchall()


def active_dek(conn, kms, org):
    """What the application seals with: the active row of the highest version."""
    for _, wrapped, version, active in key_rows(conn, org):
        if active:
            return kms.unwrap(wrapped, org), version
    raise RuntimeError(f"organization {org} has no active DEK")


def insert_dek(conn, kms, key, org, version):
    """The first half of the application's rotation: one more active row."""
    conn.execute(
        'INSERT INTO "EncryptionKey" (id, "organizationId", "encryptedDek", "keyVersion", "isActive", "createdAt") VALUES (%s, %s, %s, %s, true, %s)',
        [str(uuid.uuid4()), org, kms.new_dek(key, org)[1], version, now()],
    )


def deactivate_older(conn, org):
    """The second half: only the highest version stays active."""
    conn.execute(
        'UPDATE "EncryptionKey" SET "isActive" = false, "rotatedAt" = %s WHERE "organizationId" = %s AND "isActive" AND "keyVersion" <'
        ' (SELECT max("keyVersion") FROM "EncryptionKey" WHERE "organizationId" = %s)',
        [now(), org, org],
    )


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def deployed(conn):
    """TABLES as this deployment has them: tables and sealed columns that do not exist are left out."""
    found = {}
    for table, (columns, path) in TABLES.items():
        there = {
            name
            for (name,) in conn.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s", (table,)
            )
        }
        kept = {c: kind for c, kind in columns.items() if c in there}
        if there:
            found[table] = (kept, path)
    return found


def others_sql(columns):
    """Every column but the sealed ones, as one canonical text. `updatedAt` is among them."""
    names = ", ".join("'" + c + "'" for c in columns)
    return f"(to_jsonb(t) - ARRAY[{names}]::text[])::text"


def snapshot(conn, table, columns):
    """id -> (others' digest, updatedAt text, {column: stored text or None})."""
    cells = "".join(f', t."{c}"::text' for c in columns)
    rows = {}
    for row in conn.execute(f'SELECT t.id, {others_sql(columns)}, t."updatedAt"::text{cells} FROM "{table}" t'):
        rows[row[0]] = (digest(row[1]), row[2], dict(zip(columns, row[3:])))
    return rows
