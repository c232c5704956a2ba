#!/usr/bin/env python3
"""Runs the examples of README.md and compares what they print with what is printed there.

An example is an indented block with lines that begin with "$ ": commands, each with what it prints
below. Figures, addresses and ids may differ, and so may units; "..." stands for any lines. Blocks
that start a server are not run: what it prints depends on who asks it.

Usage: readme.py --readme FILE --build DIRECTORY --source DIRECTORY
"""
import argparse
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile

NEEDED = ["guile", "perl"]


def blocks(text):
    """Lists of (command, expected lines)."""
    block = []
    for line in text.splitlines() + [""]:
        if line.startswith("    "):
            block.append(line[4:])
        elif line == "" and block:
            block.append("")
        else:
            yield from commands_of(block)
            block = []
    yield from commands_of(block)


def commands_of(block):
    examples = []
    for line in block:
        if line.startswith("$ "):
            examples.append((line[2:], []))
        elif examples:
            examples[-1][1].append(line)
    if examples and not any(command.endswith("&") for command, _ in examples):
        yield examples


def plain(line):
    """A line without what may differ from run to run."""
    line = re.sub(r"\b0x[0-9a-f]+", "@", line)
    line = re.sub(r"\bid [0-9a-f]{8}\b", "id @", line)
    line = re.sub(r"[0-9][0-9,.]*( ?(KiB|MiB|GiB|[BKMG])\b)?", "#", line)
    return re.sub(r"\s+", " ", line).rstrip()


def pattern_of(expected):
    lines = [line for line in expected if line.strip()]
    parts = [".*" if line.strip() == "..." else re.escape(plain(line)) + "\n" for line in lines]
    return re.compile("".join(parts) + r"\Z", re.DOTALL)


def said_by(command, directory):
    """On a terminal, as the reader's: there a program's output comes before what is said at its end."""
    ours, its = pty.openpty()
    with subprocess.Popen(["bash", "-c", command], cwd=directory, stdout=its, stderr=its,
                          stdin=subprocess.DEVNULL, env=os.environ | {"NO_COLOR": "1"}):
        os.close(its)
        with open(ours, "rb", closefd=True) as terminal:
            said = b""
            while chunk := read(terminal):
                said += chunk
    return [line for line in said.decode().splitlines() if line.strip()]


def read(terminal):
    """At its end a terminal fails."""
    try:
        return os.read(terminal.fileno(), 65536)
    except OSError:
        return b""


def run(examples, directory):
    """How many do not print what they should."""
    failed = 0
    for command, expected in examples:
        said = said_by(command, directory)
        if command.startswith("make "):
            continue
        if pattern_of(expected).match("".join(plain(line) + "\n" for line in said)):
            print("ok", command)
            continue
        failed += 1
        print("FAIL", command, "\nsaid:", *said, "\nand not:", *expected, sep="\n")
    return failed


def main():
    parser = argparse.ArgumentParser()
    for name in "readme", "build", "source":
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing and os.environ.get("TITHE_REQUIRE_PROGRAMS") != "1":
        print("not installed:", *missing)
        return 77
    with open(options.readme, encoding="utf-8") as file:
        all_examples = list(blocks(file.read()))
    with tempfile.TemporaryDirectory() as directory:
        os.symlink(options.build, directory + "/build")
        for name in "examples", "bench":
            os.symlink(os.path.join(options.source, name), f"{directory}/{name}")
        failed = sum(run(examples, directory) for examples in all_examples)
    print(len(all_examples), "blocks,", failed, "failed")
    return 1 if failed or not all_examples else 0


if __name__ == "__main__":
    sys.exit(main())
