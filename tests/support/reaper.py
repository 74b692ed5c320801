"""Stops the tests' shared cluster when nobody has used it for a while.

Every test process holds a shared lock on `users`; the kernel drops it however the process ends. Usage: reaper.py DIR
"""

import fcntl
import json
import os
import shutil
import signal
import sys
import time

IDLE_SECONDS = 20


def main(directory):
    single = open(os.path.join(directory, "reaper"), "w")
    try:
        fcntl.flock(single, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    users = open(os.path.join(directory, "users"), "w")
    while True:
        time.sleep(IDLE_SECONDS / 2)
        fcntl.flock(users, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_UN)
        time.sleep(IDLE_SECONDS / 2)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        return remove(os.path.join(directory, "cluster"))


def remove(cluster):
    with open(os.path.join(cluster, "cluster.json")) as record:
        home = json.load(record)["home"]
    with open(os.path.join(home, "data", "postmaster.pid")) as file:
        pid = int(file.readline())
    try:
        os.kill(pid, signal.SIGQUIT)
        while True:
            time.sleep(0.1)
            os.kill(pid, 0)
    except ProcessLookupError:
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(cluster, ignore_errors=True)


main(sys.argv[1])
