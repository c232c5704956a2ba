#!/usr/bin/env python3
"""Runs every case of the corpus and compares what is reported with what the case loses.

Usage: corpus.py --tithe COMMAND --corpus PROGRAM [--corpus PROGRAM...] --library FILE [--peers] [--table FILE] [CASE...]
With --peers, the same cases also run under LeakSanitizer (preloaded), valgrind and heaptrack, as far
as they are installed, and all results go to a table. Exit status 1 where tithe's answer is wrong.
"""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

LIMIT_SECONDS = 60


def run(command, environment):
    return subprocess.run(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, errors="replace",
                          timeout=LIMIT_SECONDS, check=False)


def objects(text):
    """The JSON objects that a text begins with, one after the other."""
    decoder, found = json.JSONDecoder(), []
    while text.strip():
        value, end = decoder.raw_decode(text.lstrip())
        found.append(value)
        text = text.lstrip()[end:]
    return found


class Tithe:
    name = "tithe"

    def __init__(self, options):
        self.command = options.tithe
        self.seen = []  # of the last case, for a report of a failure

    def lost(self, corpus, case, environment):
        with tempfile.NamedTemporaryFile("r", suffix=".json") as output:
            result = run([self.command, "leaks", "--children", "--format=json",
                          "--output=" + output.name, corpus, case["name"]], environment)
            checks = [one for one in objects(output.read())
                      if os.path.basename(one["program"]) == os.path.basename(corpus)]
        self.seen = [result.stderr] + checks
        checks.sort(key=lambda one: one["pid"])
        wanted = checks[1:] if case["in_child"] else checks[:1]
        others = [one for one in checks if one not in wanted]
        if not wanted or any(one["leaked_blocks"] for one in others):
            return None
        return (sum(one["leaked_blocks"] for one in wanted),
                sum(one["leaked_bytes"] for one in wanted))


class LeakSanitizer:
    name = "LeakSanitizer"

    def __init__(self, _):
        found = glob.glob("/usr/lib/*/liblsan.so.0")
        self.library = found[0] if found else None

    def lost(self, corpus, case, environment):
        if not self.library:
            return None
        result = run([corpus, case["name"]], {**environment, "LD_PRELOAD": self.library})
        found = re.search(r"SUMMARY: \w+: (\d+) byte\(s\) leaked in (\d+)", result.stderr)
        if found:
            return int(found.group(2)), int(found.group(1))
        return (0, 0) if result.returncode == 0 else None


class Valgrind:
    name = "valgrind"

    def __init__(self, _):
        self.there = shutil.which("valgrind")

    def lost(self, corpus, case, environment):
        if not self.there:
            return None
        follow = "--child-silent-after-fork=" + ("no" if case["in_child"] else "yes")
        result = run(["valgrind", "--leak-check=full", follow, corpus, case["name"]], environment)
        processes = {}
        pattern = r"==(\d+)==\s+(?:definitely|indirectly|possibly) lost: ([\d,]+) bytes in ([\d,]+)"
        for process, size, blocks in re.findall(pattern, result.stderr):
            before = processes.get(int(process), (0, 0))
            processes[int(process)] = (before[0] + int(blocks.replace(",", "")),
                                       before[1] + int(size.replace(",", "")))
        numbers = sorted(processes)
        if not numbers:
            return (0, 0) if "no leaks are possible" in result.stderr else None
        return processes[numbers[-1 if case["in_child"] else 0]]


class Heaptrack:
    """It tells what was not freed, reachable or not."""
    name = "heaptrack"

    def __init__(self, _):
        self.there = shutil.which("heaptrack")

    def lost(self, corpus, case, environment):
        if not self.there or case["in_child"]:
            return None
        with tempfile.TemporaryDirectory() as directory:
            file = os.path.join(directory, "record")
            subprocess.run(["heaptrack", "-o", file, corpus, case["name"]], check=False,
                           env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=LIMIT_SECONDS)
            records = glob.glob(file + "*")
            if not records:
                return None
            told = subprocess.run(["heaptrack_print", records[0]], check=False, errors="replace",
                                  capture_output=True, text=True, timeout=LIMIT_SECONDS)
        found = re.search(r"total memory leaked: ([\d.]+)([KMG]?)B?", told.stdout)
        if not found:
            return None
        unit = {"": 1, "K": 1000, "M": 10**6, "G": 10**9}[found.group(2)]
        return None, round(float(found.group(1)) * unit)


def read_cases(options, corpus):
    listed = subprocess.run([corpus, "--list"], check=True, capture_output=True, text=True)
    cases = []
    for line in listed.stdout.splitlines():
        name, blocks, size, where = line.split()
        if not options.cases or name in options.cases:
            cases.append({"name": name, "program": corpus, "truth": (int(blocks), int(size)),
                          "in_child": where == "child"})
    return cases


def describe(result, truth):
    if result is None:
        return "no answer"
    if result == truth or (result[0] is None and result[1] == truth[1]):
        return "right"
    blocks = "" if result[0] is None else f" in {result[0]}"
    return f"{result[1]} B{blocks}"


def write_table(path, rows, tools):
    with open(path, "w", encoding="utf-8") as out:
        out.write("| case | lost | " + " | ".join(tool.name for tool in tools) + " |\n")
        out.write("|---|---" * 1 + "|---" * len(tools) + "|\n")
        for case, answers in rows:
            truth = case["truth"]
            told = "nothing" if truth == (0, 0) else f"{truth[1]} B in {truth[0]}"
            out.write(f"| {case['name']} | {told} | " + " | ".join(answers) + " |\n")
        right = [sum(answers[i] == "right" for _, answers in rows) for i in range(len(tools))]
        out.write(f"| right, of {len(rows)} | | " + " | ".join(map(str, right)) + " |\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tithe", required=True)
    parser.add_argument("--corpus", required=True, action="append")
    parser.add_argument("--library", required=True)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--table")
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    environment = {"CORPUS_LIBRARY": os.path.abspath(options.library)}
    kinds = [Tithe] + ([LeakSanitizer, Valgrind, Heaptrack] if options.peers else [])
    tools = [kind(options) for kind in kinds]
    rows, wrong = [], 0
    for case in [case for corpus in options.corpus for case in read_cases(options, corpus)]:
        answers = []
        for tool in tools:
            try:
                result = tool.lost(case["program"], case, environment)
            except subprocess.TimeoutExpired:
                result = None
            answers.append(describe(result, case["truth"]))
        rows.append((case, answers))
        if answers[0] != "right":
            wrong += 1
            print(f"FAIL {case['name']}: {case['truth']} wanted, {answers[0]}")
            for one in tools[0].seen:
                print("    ", str(one)[:1500])
    if options.table:
        write_table(options.table, rows, tools)
    print(f"{len(rows) - wrong} of {len(rows)} cases right")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
