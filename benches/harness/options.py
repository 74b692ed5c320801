"""Flags of the doors `measure`, `live` and `vary`, and the variables that stand in for them under `make`."""

import argparse
import os
import sys

from .shapes import KINDS, SCOPES
from .variants import VARIANTS

if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or later is needed")


def common(text):
    """What both doors take."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("program", help="the scrybe-keys to measure, e.g. target/release/scrybe-keys")
    parser.add_argument("--notes", type=_count, default=_variable("NOTES", 200_000), help="notes, 0.4 to 2 KB each; 1 and 5 million are meant to work")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", type=_setting, help="a PostgreSQL setting; repeat for more")
    parser.add_argument("--alter", action="append", default=[], metavar="SQL", help="a statement run in the seeded database, e.g. a column's STORAGE")
    parser.add_argument("--json", metavar="FILE", help="write every figure of every round here")
    parser.add_argument("--quiet", action="store_true", help="no line per measurement")
    return parser


def measuring(arguments):
    """Flags of `benches/measure`."""
    parser = common("Rows per second of re-encryption against what PostgreSQL alone does, and against the application's way.")
    parser.add_argument("--messages", type=_count, default=_variable("MESSAGES", 200_000), help="messages, 0.1 to 0.5 KB each")
    parser.add_argument("--calls", type=_count, default=_variable("CALLS", 10_000), help="calls, five columns and about 32 KB each")
    parser.add_argument("--rounds", type=_count, default=_variable("ROUNDS", 5))
    parser.add_argument("--only", type=_of(KINDS), default=list(KINDS), metavar="KINDS", help="of " + ",".join(KINDS))
    parser.add_argument("--scopes", type=_of((*SCOPES, "sample")), default=[*SCOPES, "sample"], metavar="SCOPES", help="of " + ",".join((*SCOPES, "sample")))
    parser.add_argument("--workers", type=_numbers, default=None, help="worker counts of ours, e.g. 1,2,4 [1, 2 and the policy's default]")
    parser.add_argument("--sample", type=_count, default=5_000, help="rows of the organization on which the application's way is measured; of calls a fifth")
    return parser.parse_args(arguments)


def living(arguments):
    """Flags of `benches/live`."""
    parser = common("What the live system feels of a rotation: failed opens, latencies, and how far joined processes scale.")
    parser.add_argument("--rounds", type=_count, default=_variable("ROUNDS", 3))
    parser.add_argument("--parts", type=_of(("readers", "load", "joined")), default=["readers", "load", "joined"], metavar="PARTS", help="of readers,load,joined")
    parser.add_argument("--cache", type=float, default=10.0, help="seconds that a warm application keeps a DEK; it is 300 in production")
    parser.add_argument("--reads", type=_count, default=100, help="reads per second of each kind of reader")
    parser.add_argument("--rate", type=_count, default=150, help="pgbench's transactions per second: below what the machine can do, so that waiting shows")
    parser.add_argument("--seconds", type=_count, default=15, help="how long pgbench runs undisturbed, and at least beside a rotation")
    parser.add_argument("--max-rate", type=_count, default=5_000, help="rows per second of the throttled rotation")
    parser.add_argument("--max-cutover", default="1h", help="passed with --cutover atomic, so that an estimate does not refuse it")
    parser.add_argument("--commit-delay", type=_count, default=20_000, help="microseconds that every flush of the WAL waits on the slowed server")
    return parser.parse_args(arguments)


def varying(arguments):
    """Flags of `benches/vary`."""
    parser = common("What a server or a table could be told that might help, one change at a time.")
    parser.add_argument("--calls", type=_count, default=_variable("CALLS", 10_000), help="calls, where --kind says so")
    parser.add_argument("--messages", type=_count, default=_variable("MESSAGES", 200_000), help="messages, where --kind says so")
    parser.add_argument("--kind", choices=list(KINDS), default="notes")
    parser.add_argument("--rounds", type=_count, default=_variable("ROUNDS", 3))
    parser.add_argument("--variants", type=_of(VARIANTS), default=list(VARIANTS), metavar="NAMES", help="of " + ",".join(VARIANTS))
    return parser.parse_args(arguments)


def _variable(name, otherwise):
    return int(os.environ.get(name, otherwise))


def _count(text):
    number = int(text.replace("_", "").replace(",", ""))
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _numbers(text):
    return [_count(part) for part in text.split(",")]


def _of(known):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in known:
                raise argparse.ArgumentTypeError(f"{word} is none of {', '.join(known)}")
        return words

    return parse


def _setting(text):
    name, equals, value = text.partition("=")
    if not equals or not name.replace("_", "").isalnum() or "'" in value:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value
