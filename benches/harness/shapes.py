"""What is seeded and who owns it: a kind of row, how many of them, how many organizations.

One organization alone (`only`), or fifty of which the first owns half and the others an equal share of the rest: all of them (`all`), a
small one (`one`), the large one (`largest`). `sample` is a database in which a small organization owns about as many rows as the
application's way is measured on.
"""

from dataclasses import dataclass

ORGANIZATIONS = 50


@dataclass(frozen=True)
class Kind:
    """A table under test: its sealed columns (name, type), how a row's organization is found, rows a batch of the yardstick."""

    name: str
    table: str
    columns: tuple
    organization: str
    batch: int

    @property
    def sealed(self):
        """SQL that is true for rows with something to seal: NULL and empty values are stored as they are."""
        return "(" + " OR ".join(f"t.\"{c}\" <> ''" if kind == "text" else f't."{c}" IS NOT NULL' for c, kind in self.columns) + ")"

    def owned_by(self, organization):
        """SQL that is true for an organization's rows; `organization` is a SQL expression."""
        return self.organization.replace("?", organization)


def _kind(name, table, columns, through_client, batch):
    path = 't."orgId" = ?'
    if through_client:
        path = 't."clientId" IN (SELECT c.id FROM "Client" c WHERE c."orgId" = ?)'
    return Kind(name, table, columns, path, batch)


KINDS = {
    kind.name: kind
    for kind in (
        _kind("notes", "Note", (("content", "text"),), False, 1000),
        _kind("messages", "Message", (("content", "text"),), False, 1000),
        _kind(
            "calls",
            "Call",
            (
                ("transcriptRaw", "text"),
                ("transcriptJson", "jsonb"),
                ("extractedFields", "jsonb"),
                ("aiSummary", "jsonb"),
                ("confidenceScores", "jsonb"),
            ),
            True,
            100,
        ),
    )
}

SCOPES = ("only", "all", "one", "largest")


@dataclass(frozen=True)
class Scope:
    """Which organizations a contender moves. `owner` is an organization's id; None means every one."""

    name: str
    owner: str | None
    rows: int
    cells: int
    bytes: int
    organizations: int


def organizations_for(rows, sample):
    """How many organizations make the small ones own about `sample` rows of `rows`."""
    return max(2, round(1 + rows / (2 * sample)))


def scope(server, kind, name, owner, organizations, database):
    """Counts a scope in the seeded database: rows with something sealed, their cells, the bytes of their stored text."""
    owned = "true" if owner is None else kind.owned_by(f"'{owner}'")
    columns = [f'nullif(t."{c}"::text, \'\')' for c, _ in kind.columns]
    size = " + ".join(f"coalesce(octet_length({c}), 0)" for c in columns)
    rows, cells, size = server.run(
        f"""SELECT count(*), coalesce(sum(num_nonnulls({", ".join(columns)})), 0), coalesce(sum({size}), 0)
            FROM "{kind.table}" t WHERE {kind.sealed} AND {owned}""",
        database,
    )[0]
    return Scope(name, owner, int(rows), int(cells), int(size), organizations)
