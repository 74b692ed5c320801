"""Figures for people: medians and ratios, in plain tables that paste into Markdown.

A ratio is the median of the rounds' own ratios, each of two neighbours in time, not a ratio of medians: the machine's mood moves both.
"""

import statistics


class Table:
    """Rows of text under a head, printed as Markdown."""

    def __init__(self, *head):
        self.head, self.rows = head, []

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def text(self):
        widths = [max(len(row[n]) for row in [list(self.head), *self.rows]) for n in range(len(self.head))]

        def line(cells):
            first = cells[0].ljust(widths[0])
            return "| " + " | ".join([first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))]) + " |"

        rule = "|" + "|".join("-" * (width + 2 if n == 0 else width + 1) + ("" if n == 0 else ":") for n, width in enumerate(widths)) + "|"
        return "\n".join([line(list(self.head)), rule, *(line(row) for row in self.rows)])


def median(values):
    """Median of what is there; None when nothing is."""
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def number(value, digits=0):
    """`41,234`, `0.93`, `-` for what was not measured."""
    return "-" if value is None else f"{value:,.{digits}f}"


def spread(values):
    """`0.93 (0.88–0.97)`: median, lowest, highest."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def quantile(sorted_values, share):
    """The value below which a share of the sorted values lies; None of nothing."""
    if not sorted_values:
        return None
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def main_table(scope, runs):
    """One scope's contenders. `runs` maps a contender's name to its rounds, in order."""
    table = Table(
        "contender", "rows/s", "MB/s", "of yardstick", "dark s", "dark cell-s/org", "client CPU s", "server CPU s", "WAL B/row", "images", "HOT %", "peak MiB"
    )
    for name, rounds in runs.items():
        mates = runs.get(f"yardstick {rounds[0].get('workers', 1)}") if name.startswith("ours") else None
        ratios = [mate["seconds"] / own["seconds"] for own, mate in zip(rounds, mates)] if mates else []
        each = [own["darkCellSeconds"] / own["organizations"] for own in rounds if "organizations" in own]
        pick = lambda key: median([own.get(key) for own in rounds])  # noqa: E731
        peak = pick("peakKib") if name.startswith("ours") else None
        table.add(
            name,
            number(median([scope.rows / own["seconds"] for own in rounds])),
            number(median([scope.bytes / own["seconds"] / 1e6 for own in rounds]), 1),
            spread(ratios),
            number(pick("seconds"), 2),
            number(median(each)),
            number(pick("clientCpuSeconds"), 2),
            number(pick("serverCpuSeconds"), 2),
            number(median([own["walBytes"] / scope.rows for own in rounds])),
            number(pick("walPageImages")),
            number(median([100 * own["hotUpdates"] / max(1, own["updates"]) for own in rounds])),
            number(None if peak is None else peak / 1024, 1),
        )
    return table


def pass_table(scope, runs):
    """Ours alone: closing census and clean second pass, against the first."""
    table = Table("contender", "census cells/s", "first pass s", "second pass s", "times as fast", "whole process s", "second s")
    for name, rounds in runs.items():
        if not name.startswith("ours"):
            continue
        census = [own["censusCells"] / own["censusSeconds"] for own in rounds]
        both = [own for own in rounds if "second" in own]
        table.add(
            name,
            number(median(census)),
            number(median([own["jobSeconds"] for own in rounds]), 2),
            number(median([own["second"]["jobSeconds"] for own in both]), 2),
            spread([own["jobSeconds"] / own["second"]["jobSeconds"] for own in both]),
            number(median([own["wallSeconds"] for own in rounds]), 2),
            number(median([own["second"]["wallSeconds"] for own in both]), 2),
        )
    return table


def application_table(scope, runs):
    """The application's way beside ours on one organization's rows; ratios of our rate to each."""
    table = Table("contender", "rows/s", "ours is faster by", "dark cell-s", "rows/s after a checkpoint", "ours is faster by", "client CPU s", "server CPU s", "WAL B/row")
    ours = next(rounds for name, rounds in runs.items() if name.startswith("ours"))
    for name, rounds in runs.items():
        table.add(
            name,
            number(median([scope.rows / own["seconds"] for own in rounds])),
            spread([own["seconds"] / mine["seconds"] for own, mine in zip(rounds, ours)]),
            number(median([own.get("darkCellSeconds") for own in rounds])),
            number(median([scope.rows / own["firstSeconds"] for own in rounds])),
            spread([own["firstSeconds"] / mine["firstSeconds"] for own, mine in zip(rounds, ours)]),
            number(median([own.get("clientCpuSeconds") for own in rounds]), 2),
            number(median([own.get("serverCpuSeconds") for own in rounds]), 2),
            number(median([own["walBytes"] / scope.rows for own in rounds])),
        )
    return table
