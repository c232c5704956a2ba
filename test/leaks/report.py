#!/usr/bin/env python3
"""What `tithe leaks` and `tithe report` print: every format, names, ids, differences, suppressions.

Usage: report.py --tithe COMMAND --program PROGRAM --schema FILE
"""
import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

try:
    import jsonschema
except ImportError:
    jsonschema = None

OPTIONS = None


def tithe(*arguments, **more):
    return subprocess.run([OPTIONS.tithe, *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False, **more)


def message(data):
    """The fields of a protobuf message: numbers and byte strings by field."""
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            value = number()
        else:
            size = number()
            value = data[at:at + size]
            at += size
        fields.setdefault(key >> 3, []).append(value)
    return fields


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.TemporaryDirectory()
        cls.first = tithe("leaks", "--keep=" + cls.kept.name, OPTIONS.program)

    def report(self, *options):
        result = tithe("report", *options, self.kept.name)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def groups(self, *options):
        report = json.loads(self.report("--format=json", *options))
        if jsonschema:
            with open(OPTIONS.schema, encoding="utf-8") as schema:
                jsonschema.validate(report, json.load(schema))
        return report

    def test_status_tells_of_leaks(self):
        self.assertEqual(self.first.returncode, 23)
        self.assertEqual(tithe("leaks", "--exit-code=0", OPTIONS.program).returncode, 0)
        self.assertEqual(tithe("leaks", "true").returncode, 0)
        self.assertEqual(tithe("leaks", "false").returncode, 1)
        self.assertEqual(tithe("leaks", "sh", "-c", "kill -9 $$").returncode, 128 + 9)

    def test_text_names_what_was_lost(self):
        text = self.first.stderr
        self.assertIn("lost 1.6 KiB in 4 blocks", text)
        self.assertRegex(text, r"take_inlined  report\.c:\d+ \(inlined\)\n +report_lose  report\.c:")
        self.assertIn("report_known_leak", text)
        self.assertIn("Widget::lose(", text)
        self.assertIn("mycrate::lose", text)
        self.assertNotIn("\033", text)
        self.assertIn("\033[", self.report("--color=always"))
        self.assertIn(" malloc  ", self.report("--frames=all"))

    def test_json_has_exact_sums(self):
        report = self.groups()
        self.assertEqual((report["leaked_blocks"], report["leaked_bytes"]), (4, 100 + 1001 + 500))
        self.assertEqual(sorted(group["direct"]["bytes"] for group in report["groups"]
                                if group["kind"] == "lost"), [100, 200, 300, 1001])

    def test_a_sample_counts_all_and_estimates_groups(self):
        blocks = 50000
        with tempfile.TemporaryDirectory() as kept:
            tithe("leaks", "--sample=4K", "--keep=" + kept, OPTIONS.program, "many", str(blocks))
            result = tithe("report", "--format=json", kept)
            folded = tithe("report", "--format=folded", kept).stdout
        report = json.loads(result.stdout)
        if jsonschema:
            with open(OPTIONS.schema, encoding="utf-8") as schema:
                jsonschema.validate(report, json.load(schema))
        self.assertEqual(report["leaked_blocks"], blocks + 4)
        self.assertGreaterEqual(report["leaked_bytes"], blocks * 100)
        self.assertLess(report["leaked_bytes"], blocks * 113)
        first = report["groups"][0]
        self.assertIn("lose_many", [frame["function"] for frame in first["frames"]])
        self.assertTrue(blocks // 100 < first["direct"]["blocks"] < blocks // 10, first)
        self.assertAlmostEqual(first["estimated"]["blocks"] / blocks, 1, delta=0.2)
        self.assertAlmostEqual(int(re.search(r"lose_many;.* (\d+)\n", folded)[1]) / 100 / blocks, 1,
                               delta=0.2)

    def test_ids_are_the_same_in_the_next_run(self):
        with tempfile.TemporaryDirectory() as other:
            tithe("leaks", "--keep=" + other, OPTIONS.program)
            again = json.loads(tithe("report", "--format=json", other).stdout)
        ids = [{group["id"] for group in one["groups"] if group["kind"] == "lost"}
               for one in (self.groups(), again)]
        self.assertEqual(ids[0], ids[1])
        self.assertEqual(len(ids[0]), 4)

    def test_folded_stacks_begin_outside(self):
        lines = self.report("--format=folded").splitlines()
        self.assertTrue(any(re.fullmatch(r".*;main;report_known_leak;report_lose;take_inlined 1001",
                                         line) for line in lines), lines)

    def test_profile_can_be_decoded(self):
        with tempfile.NamedTemporaryFile() as output:
            self.report("--format=pprof", "--output=" + output.name)
            profile = message(gzip.decompress(output.read()))
        strings = [one.decode() for one in profile[6]]
        self.assertEqual(strings[0], "")
        types = [strings[message(one)[1][0]] for one in profile[1]]
        self.assertEqual(types, ["lost_objects", "lost_space", "inuse_objects", "inuse_space"])
        functions = {message(one)[1][0]: strings[message(one)[2][0]] for one in profile[5]}
        self.assertIn("report_known_leak", functions.values())
        lost = 0
        for sample in profile[2]:
            values = message(sample)[2][0]
            numbers, at = [], 0
            while at < len(values):
                value = shift = 0
                while True:
                    byte = values[at]
                    at += 1
                    value |= (byte & 127) << shift
                    shift += 7
                    if byte < 128:
                        break
                numbers.append(value)
            lost += numbers[1]
        self.assertEqual(lost, 1601)

    def test_suppressions_of_both_kinds(self):
        text = "leak:report_known_leak\n{\n  known\n  Memcheck:Leak\n  fun:malloc\n  ...\n  fun:Widget*\n}\n"
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            report = self.groups("--suppressions=" + file.name)
        self.assertEqual(report["leaked_bytes"], 400)
        self.assertEqual(sorted(one["bytes"] for one in report["suppressed"]), [200, 1001])

    def test_generated_suppressions_suppress_all(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(self.report("--generate-suppressions"))
            file.flush()
            self.assertEqual(self.groups("--suppressions=" + file.name)["leaked_blocks"], 0)
            result = tithe("leaks", "--suppressions=" + file.name, OPTIONS.program)
        self.assertEqual(result.returncode, 0)

    def test_broken_files_are_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            name = [name for name in os.listdir(self.kept.name) if name.endswith(".check")][0]
            with open(os.path.join(self.kept.name, name), encoding="utf-8") as whole:
                lines = whole.readlines()
            with open(os.path.join(directory, name), "w", encoding="utf-8") as part:
                part.writelines(lines[:-1])
            result = tithe("report", directory)
            self.assertEqual(result.returncode, 1)
            self.assertIn("no whole check file", result.stderr)
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual(tithe("report", directory).returncode, 1)
        self.assertEqual(tithe("report", "/nowhere").returncode, 1)
        for wrong in ("--format=none", "--top=x", "--nothing", "--suppressions=/nowhere"):
            self.assertEqual(tithe("report", wrong, self.kept.name).returncode, 125, wrong)


class Running(unittest.TestCase):
    """A program that is asked while it runs."""

    def setUp(self):
        self.program = subprocess.Popen([OPTIONS.tithe, "leaks", OPTIONS.program, "wait"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.grow()
        with open(f"/proc/{self.program.pid}/task/{self.program.pid}/children",
                  encoding="ascii") as children:
            self.process = children.read().split()[0]

    def tearDown(self):
        self.program.stdin.close()
        self.assertIn("LEAKS", self.program.stderr.read())
        self.program.stdout.close()
        self.program.stderr.close()
        self.assertEqual(self.program.wait(), 23)

    def grow(self):
        self.program.stdin.write("\n")
        self.program.stdin.flush()
        self.assertEqual(self.program.stdout.readline(), "grown\n")

    def ask(self, *options):
        return tithe("leaks", "--pid=" + self.process, *options)

    def test_checks_show_what_grows_and_why_it_lives(self):
        for _ in range(4):
            answer = self.ask("--format=json")
            self.assertEqual(answer.returncode, 23, answer.stderr)
            report = json.loads(answer.stderr)
            self.grow()
        self.assertEqual(report["trigger"], "request")
        growing = [group for group in report["groups"] if group["kind"] == "growing"]
        self.assertEqual(len(growing), 1)
        self.assertEqual(growing[0]["direct"]["blocks"], 400)
        self.assertEqual(growing[0]["delta"], {"blocks": 100, "bytes": 4800})
        self.assertEqual(growing[0]["held_by"][0]["symbol"], "report_cache")
        lost = [group for group in report["groups"] if group["delta"]["bytes"] == 100]
        self.assertEqual(len(lost), 1)
        answer = self.ask()
        self.assertIn("GROWING", answer.stderr)
        self.assertIn("report_cache+0", answer.stderr)

    def test_others_are_refused(self):
        for _ in range(3):
            self.assertEqual(self.ask().returncode, 23)
            self.grow()
        self.assertEqual(tithe("leaks", "--pid=1").returncode, 125)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    for name in ("tithe", "program", "schema"):
        parser.add_argument("--" + name, required=True)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
