#!/usr/bin/env python3
"""Whatever ends the program, what it lost is told first, and it dies as it would have.

Usage: ends.py --tithe COMMAND --program FILE
"""
import argparse
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

OPTIONS = None
LOST = 50
# Each way to end, the signal that it ends by, and how many blocks are lost.
WAYS = [("fault", signal.SIGSEGV, LOST), ("trap", signal.SIGILL, LOST),
        ("breakpoint", signal.SIGTRAP, LOST), ("division", signal.SIGFPE, LOST),
        ("overflow", signal.SIGSEGV, LOST), ("register", signal.SIGSEGV, LOST),
        ("handler", signal.SIGSEGV, LOST), ("handler-on-stack", signal.SIGTERM, LOST),
        ("double", signal.SIGABRT, LOST), ("pipe", signal.SIGPIPE, LOST),
        ("bus", signal.SIGBUS, LOST), ("pending", signal.SIGUSR1, LOST),
        ("abort", signal.SIGABRT, LOST)]
# Raised, and nothing else.
RAISED = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1,
          signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGXCPU,
          signal.SIGXFSZ, signal.SIGIO, signal.SIGPWR, signal.SIGSYS, 16]


def run(*arguments, **more):
    return subprocess.run([OPTIONS.tithe, *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False, **more)


def lost(text):
    return json.loads(text)["leaked_blocks"]


class Ends(unittest.TestCase):
    def hunt(self, way, *options):
        return run("leaks", "--format=json", *options, OPTIONS.program, way)

    def assert_told(self, way, number, blocks, *options):
        result = self.hunt(way, *options)
        report = result.stderr[result.stderr.index("{"):result.stderr.rindex("}") + 1]
        self.assertEqual(lost(report), blocks, result.stderr)
        self.assertIn(f"was ended by signal {int(number)} ", result.stderr)
        self.assertNotIn("before it was checked", result.stderr)
        self.assertEqual(result.returncode, 128 + number, result.stderr)

    def test_each_way(self):
        for way, number, blocks in WAYS:
            with self.subTest(way=way):
                self.assert_told(way, number, blocks)

    def test_raised(self):
        for number in RAISED:
            with self.subTest(number=number):
                self.assert_told(str(int(number)), number, LOST)

    def test_unmarked_while_collected(self):
        self.assert_told("fault", signal.SIGSEGV, LOST, "-o", "gc_every=64K")

    def test_threads_that_fault_together(self):
        result = self.hunt("threads")
        self.assertIn("was ended by signal 11 ", result.stderr)
        self.assertNotIn("before it was checked", result.stderr)
        self.assertEqual(result.returncode, 128 + 11)

    def test_in_malloc(self):
        for _ in range(3):
            result = self.hunt("malloc")
            self.assertIn("was ended by signal 14 ", result.stderr)
            report = result.stderr[result.stderr.index("{"):result.stderr.rindex("}") + 1]
            self.assertGreaterEqual(lost(report), LOST, result.stderr)

    def test_what_is_not_ours(self):
        result = self.hunt("return")
        self.assertEqual(result.returncode, 23, result.stderr)

    def test_bare_exit(self):
        result = self.hunt("bare")
        self.assertIn("was not checked: it ended by a system call of its own", result.stderr)
        self.assertEqual(result.returncode, 3)

    def test_children_in_a_line(self):
        """Not reported, but told of, and the exit status is theirs."""
        result = self.hunt("child")
        self.assertRegex(result.stderr, r"tithe: 1 other process checked, 1 lost memory: \d+ bytes in "
                         r"\d+ blocks, most in ends\[\d+\]; --children reports them")
        result = run("leaks", "sh", "-c", f"{OPTIONS.program} 0; {OPTIONS.program} 15; true")
        self.assertIn("tithe: 2 other processes checked, 2 lost memory: 10000 bytes in 100 blocks",
                      result.stderr)
        self.assertEqual(result.returncode, 23)
        result = run("leaks", "sh", "-c", "true; ls >/dev/null; true")
        self.assertIn("tithe: 1 other process checked, nothing lost", result.stderr)
        self.assertEqual(result.returncode, 0)

    def test_a_file_for_each_process(self):
        hunted = ["--children", "sh", "-c", f"{OPTIONS.program} 0; {OPTIONS.program} 0; true"]
        with tempfile.TemporaryDirectory() as directory:
            run("leaks", "--format=html", f"--output={directory}/all.html", *hunted)
            pages = sorted(os.listdir(directory))
            self.assertEqual(len(pages), 3, pages)
            for page in pages:
                with open(f"{directory}/{page}", encoding="utf-8") as file:
                    self.assertEqual(file.read().count("<html"), 1, page)
        with tempfile.TemporaryDirectory() as directory:
            run("leaks", "--format=json", f"--output={directory}/%n-%p%%.json", *hunted)
            names = os.listdir(directory)
            self.assertEqual(len(names), 3, names)
            for name in names:
                with open(f"{directory}/{name}", encoding="utf-8") as file:
                    told = json.load(file)
                self.assertEqual(name, f"{os.path.basename(told['program'])}-{told['pid']}%.json")
        with tempfile.TemporaryDirectory() as directory:
            run("leaks", f"--output={directory}/all.txt", *hunted)
            self.assertEqual(os.listdir(directory), ["all.txt"])
            with open(f"{directory}/all.txt", encoding="utf-8") as file:
                self.assertEqual(file.read().count("LEAKS  "), 3)

    def test_the_report_can_be_ended(self):
        """By a second Ctrl-C, and nothing is left behind. A page of pipes nobody reads never ends."""
        with tempfile.TemporaryDirectory() as directory:
            os.mkfifo(f"{directory}/report")
            process = subprocess.Popen([OPTIONS.tithe, "leaks", f"--output={directory}/report",
                                        OPTIONS.program, "0"], env=os.environ | {"TMPDIR": directory})
            while not any(name.endswith(".check") for _, _, names in os.walk(directory)
                          for name in names):
                time.sleep(0.01)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=20), 130)
            self.assertEqual(os.listdir(directory), ["report"])

    def test_unwritable_output(self):
        """It is told before the program runs."""
        for name in "/nonexistent/report", "/tmp", "":
            result = run("leaks", f"--output={name}", "sh", "-c", "echo ran")
            self.assertEqual((result.returncode, result.stdout), (125, ""), result.stderr)

    def test_child(self):
        result = self.hunt("child", "--children")
        counts = sorted(int(count) for count in re.findall('"leaked_blocks":([0-9]+),', result.stderr))
        self.assertEqual(len(counts), 2, result.stderr)
        self.assertGreaterEqual(counts[0], LOST - 1)  # a register may still hold the last one
        self.assertEqual(counts[1], LOST)
        self.assertEqual(result.returncode, 23, result.stderr)

    def test_same_core(self):
        """A core is dumped, or not, as without us, and tells of the same place."""
        def limit():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        native = subprocess.run([OPTIONS.program, "fault"], check=False, preexec_fn=limit)
        self.assertEqual(native.returncode, -11)
        ours = run("run", "-q", OPTIONS.program, "fault", preexec_fn=limit)
        self.assertEqual(ours.returncode, -11)

    def test_summary(self):
        """What ends a service does not take its line; and the status is its own."""
        for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
            result = run("run", "-o", "stats=1", OPTIONS.program, str(int(number)))
            self.assertIn("longest stop", result.stderr)
            self.assertEqual(result.returncode, -number)

    def test_quiet_leaves_dispositions(self):
        caught = run("run", "-q", "grep", "SigCgt", "/proc/self/status").stdout
        self.assertEqual(int(caught.split()[1], 16) & 1 << 14, 0, caught)

    def test_trial(self):
        result = run("run", "--trial", OPTIONS.program, "fault")
        self.assertIn("trial", result.stderr)
        self.assertIn("5,000", result.stderr.replace("5000", "5,000"))
        self.assertEqual(result.returncode, 128 + 11)

    def test_unfit_signals(self):
        for number in 4, 5, 6, 7, 8, 9, 11, 19, 31:
            result = run("leaks", f"--on-signal={number}", OPTIONS.program, "return")
            self.assertEqual(result.returncode, 125, result.stderr)
            self.assertIn("no check can be asked for by that signal", result.stderr)
        result = run("leaks", "-o", "check_signal=11", OPTIONS.program, "fault")
        self.assertIn("check_signal=11: that signal tells of a fault", result.stderr)
        self.assertEqual(result.returncode, 128 + 11)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tithe", required=True)
    parser.add_argument("--program", required=True)
    OPTIONS, rest = parser.parse_known_args()
    os.environ.pop("TITHE_OPTIONS", None)
    unittest.main(argv=sys.argv[:1] + rest, verbosity=1)
