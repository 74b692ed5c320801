"""The application's way, as contenders: Node row by row in its ORM's transaction pattern, and the same walk in Rust.

A run measures two passes over one small organization of a big table. The first begins on a fresh copy right after a checkpoint, so that every
page's first change writes its whole image to the WAL, which in a short run is most of the work, for a slow contender as for a fast one.
The second begins where the first ended: pages warm, images written. Both are reported; the second is the ratio that counts.
Each pass begins as the application begins it: a new DEK from KMS, made the active one.
"""

import json
import shutil
import urllib.request
import uuid

from . import processes
from .database import COPY
from .meter import Meter
from .place import ROOT

SOURCES = ROOT / "benches" / "application"


class Application:
    """What it takes to play the application: Node's packages, the Rust program, KMS. `missing` says why Node is left out."""

    def __init__(self, place):
        self.place = place
        self.modules = ROOT / "target" / "bench" / "node"
        self.missing = self._install()
        built = sorted((place.program.parent / "deps").glob("row_by_row-*"), key=lambda path: path.stat().st_mtime)
        built = [path for path in built if "." not in path.name]
        self.rust = built[-1] if built else None

    def _install(self):
        if not shutil.which("node") or not shutil.which("npm"):
            return "node and npm are not installed"
        self.modules.mkdir(parents=True, exist_ok=True)
        wanted = (SOURCES / "package-lock.json").read_text()
        mark = self.modules / "installed.json"
        if not mark.exists() or mark.read_text() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCES / name, self.modules / name)
            env = self.place._outside()
            try:
                processes.run(["npm", "ci", "--prefix", self.modules, "--no-audit", "--no-fund", "--ignore-scripts", "--silent"], env)
            except processes.Failed as error:
                return f"npm could not install pg: {error}"
            mark.write_text(wanted)
        return None

    def env(self, database=COPY):
        """Where Node and the Rust program find the database and Node its packages."""
        return {**self.place.server.env(database), "NODE_PATH": str(self.modules / "node_modules"), "NO_PROXY": "127.0.0.1,localhost"}

    def command(self, way):
        """The words that start a way of walking."""
        return [self.rust] if way == "rust" else ["node", self.script("row_by_row")]

    def script(self, name):
        """One of the application's scripts for Node."""
        return SOURCES / f"{name}.cjs"

    def kms(self, operation, **body):
        """One call to the sandbox's KMS, which does not check signatures."""
        scope = f"bench/20260101/{self.place.variables['AWS_REGION']}/kms/aws4_request"
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"TrentService.{operation}",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
        }
        request = urllib.request.Request(self.place.variables["AWS_ENDPOINT_URL"] + "/", json.dumps(body).encode(), headers)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=20) as answer:
            return json.loads(answer.read())

    def flip(self, organization):
        """Rotates the DEK as the application does: one more version, the only active one. Returns both DEKs, old and new, in base64."""
        server = self.place.server
        key = self.place.variables["AWS_KMS_KEY_ID"]
        made = self.kms("GenerateDataKey", KeyId=key, KeySpec="AES_256")
        wrapped = server.one(
            f"""SELECT "encryptedDek" FROM "EncryptionKey" WHERE "organizationId" = '{organization}' AND "isActive" ORDER BY "keyVersion" DESC LIMIT 1"""
        )
        server.run(
            f"""BEGIN;
                INSERT INTO "EncryptionKey" (id, "organizationId", "encryptedDek", "keyVersion")
                    SELECT '{uuid.uuid4()}', '{organization}', '{made["CiphertextBlob"]}', max("keyVersion") + 1
                    FROM "EncryptionKey" WHERE "organizationId" = '{organization}';
                UPDATE "EncryptionKey" SET "isActive" = false, "rotatedAt" = now() WHERE "organizationId" = '{organization}'
                    AND "keyVersion" < (SELECT max("keyVersion") FROM "EncryptionKey" WHERE "organizationId" = '{organization}');
                COMMIT"""
        )
        return self.kms("Decrypt", CiphertextBlob=wrapped)["Plaintext"], made["Plaintext"]

    def measure(self, kind, scope, way):
        """Two passes on a fresh copy; the second one's figures, with the first one's rate as `firstSeconds`."""
        self.place.server.fresh_copy()
        first = self._pass(kind, scope, way)
        second = self._pass(kind, scope, way)
        self._prove(kind, scope)
        return {**second, "firstSeconds": first["seconds"]}

    def _pass(self, kind, scope, way):
        old, new = self.flip(scope.owner)
        owned = kind.owned_by(f"'{scope.owner}'")
        task = {"table": kind.table, "columns": kind.columns, "owned": owned, "from": old, "to": new}
        meter = Meter(self.place.server, kind.table)
        ended = processes.run(self.command(way), self.env(), json.dumps(task))
        used = meter.stop()
        done = ended.json()
        if done["rows"] != scope.rows or done["cells"] != scope.cells:
            raise processes.Failed(f"{way} wrote {done['rows']} rows of {kind.table}, not {scope.rows}")
        return {**used, "seconds": done["seconds"], "darkCellSeconds": done["darkCellSeconds"], "clientCpuSeconds": ended.cpu, "peakKib": ended.peak}

    def _prove(self, kind, scope):
        """What was written opens under the active DEK: the tool's own census says so, or the figure would be of nothing."""
        words = [self.place.program, "--json", "--progress", "none", "census", "--org", scope.owner, "--model", kind.table]
        counts = processes.run(words, self.place.inside(COPY), accept=(0, 3)).json()["data"]["counts"]
        current = sum(count["cells"] for count in counts if count["protection"] == "current")
        if current != scope.cells:
            raise processes.Failed(f"{current} of {scope.cells} cells open under the active DEK")
