#!/usr/bin/env python3
"""What `tithe leaks` and `tithe report` print: every format, names, ids, differences, suppressions.

Usage: report.py --tithe COMMAND --programs DIRECTORY --schema FILE
"""
import argparse
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import jsonschema
except ImportError:
    jsonschema = None

OPTIONS = None


def child_of(process):
    """The process that tithe leaks has started."""
    with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as children:
        return children.read().split()[0]


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


def valid(text):
    """A report in JSON, which is as its schema says."""
    report = json.loads(text)
    if jsonschema:
        with open(OPTIONS.schema, encoding="utf-8") as schema:
            jsonschema.validate(report, json.load(schema))
    return report


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
        return valid(self.report("--format=json", *options))

    def test_status_tells_of_leaks(self):
        self.assertEqual(self.first.returncode, 23)
        self.assertEqual(tithe("leaks", "--exit-code=0", OPTIONS.program).returncode, 0)
        self.assertEqual(tithe("leaks", "--exitcode=7", OPTIONS.program).returncode, 7)
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
        report = valid(result.stdout)
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
        self.assertNotIn("malloc", functions.values())
        self.assertEqual(strings[profile[14][0]], "lost_space")
        self.assertEqual(strings[message(profile[3][0])[5][0]], os.path.realpath(OPTIONS.program))
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

    def test_options_and_the_directory_come_in_any_order(self):
        result = tithe("report", self.kept.name, "--format=json")
        self.assertEqual(result.stdout, self.report("--format=json"))
        self.assertEqual(tithe("report", self.kept.name, self.kept.name).returncode, 125)
        self.assertEqual(tithe("report", "--format=json").returncode, 125)
        self.assertEqual([name for name in os.listdir(self.kept.name) if name.endswith(".socket")], [])

    @unittest.skipUnless(shutil.which("rustc"), "there is no rustc")
    def test_names_of_rust(self):
        with tempfile.TemporaryDirectory() as directory:
            source = os.path.join(directory, "m.rs")
            with open(source, "w", encoding="ascii") as out:
                out.write("fn leaked() -> usize { Box::leak(Box::new([1u8; 123])).len() }\n"
                          "fn main() { println!(\"{}\", leaked()); }\n")
            built = subprocess.run(["rustc", "-g", "-o", source[:-3], source], capture_output=True, check=False)
            if built.returncode != 0:
                self.skipTest("rustc does not work here")
            report = valid(tithe("leaks", "--format=json", source[:-3]).stderr)
        self.assertEqual((report["leaked_blocks"], report["leaked_bytes"]), (1, 123))
        frames = [group for group in report["groups"] if group["kind"] == "lost"][0]["frames"]
        at = [frame.get("function") for frame in frames].index("m::leaked")
        self.assertTrue(frames[at]["file"].endswith("m.rs"), frames[at])
        self.assertTrue(frames[at - 1]["inline"], frames[at - 1])

    def test_a_daemon_is_awaited(self):
        ran = tithe("leaks", "--format=json", OPTIONS.program, "daemon")
        self.assertEqual(ran.returncode, 23, ran.stderr)
        self.assertEqual(valid(ran.stderr)["leaked_bytes"], 1601)

    def test_suppressions_of_both_kinds(self):
        block = "{\n  known\n  Memcheck:Leak\n  fun:malloc\n  ...\n  fun:%s*\n}\n"
        for name in ("Widget", "_ZN6Widget4lose"):
            report = self.suppressed("leak:report_known_leak\n" + block % name)
            self.assertEqual(report["leaked_bytes"], 400)
            self.assertEqual(sorted(one["bytes"] for one in report["suppressed"]), [200, 1001])
            self.assertEqual(report["unused_suppressions"], [])

    def suppressed(self, text, form="json"):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(text)
            file.flush()
            if form == "text":
                return self.report("--suppressions=" + file.name)
            return self.groups("--suppressions=" + file.name)

    def test_unused_suppressions_are_told(self):
        text = "leak:nowhere\nleak:rust*lose\n{\n old\n Memcheck:Leak\n fun:calloc\n}\nleak:mycrate\n"
        self.assertEqual(self.suppressed(text)["unused_suppressions"],
                         ["leak:nowhere", "leak:rust*lose", "old"])
        self.assertIn("unused suppression: leak:nowhere\n", self.suppressed(text, "text"))

    def test_blocks_about_reachable_memory_suppress_nothing_lost(self):
        block = "{\n one\n Memcheck:Leak\n match-leak-kinds: %s\n ...\n}\n"
        self.assertEqual(self.suppressed(block % "reachable")["leaked_blocks"], 4)
        self.assertEqual(self.suppressed(block % "definite,indirect")["leaked_blocks"], 0)

    def test_generated_suppressions_suppress_all(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(self.report("--gen-suppressions"))
            self.assertEqual(self.report("--generate-suppressions"), self.report("--gen-suppressions"))
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


class Collecting(unittest.TestCase):
    """With --collect a server leaks on and on, and stays small."""

    def test_a_leaking_server_stays_small_and_each_block_is_told_once(self):
        for sample, threads in (((), "1"), ((), "4"), (("--sample=64K",), "1")):
            with tempfile.TemporaryDirectory() as kept:
                ran = tithe("leaks", "--collect", "--every=1", "--keep=" + kept, *sample, OPTIONS.server,
                            str(1024 // int(threads)), "0", threads)
                self.assertEqual(ran.returncode, 23, ran.stderr)
                blocks, size, most = map(int, ran.stdout.split())
                self.assertLess(most, 100 << 10)
                numbers = sorted(int(name.split(".")[1]) for name in os.listdir(kept) if name.endswith(".check"))
                reports = [valid(tithe("report", "--format=json", f"--check={number}", kept).stdout)
                           for number in numbers]
            self.assertIn("growth", {report["trigger"] for report in reports})
            self.assertEqual(sum(report["leaked_blocks"] for report in reports), blocks)
            last = reports[-1]
            self.assertFalse(last["collects"])
            self.assertEqual(last["leaked_blocks"] + last["collected"]["blocks"], blocks)
            if sample:
                self.assertGreaterEqual(last["leaked_bytes"] + last["collected"]["bytes"], size)
                continue
            self.assertEqual(last["leaked_bytes"] + last["collected"]["bytes"], size)
            for number, report in enumerate(reports[1:], 1):
                self.assertEqual(report["collected"]["blocks"],
                                 sum(one["leaked_blocks"] for one in reports[:number]))
            self.assertTrue(all(one["collects"] for one in reports[:-1]))
            groups = [group for group in last["groups"] if group["kind"] == "lost"]
            self.assertEqual(sum(group["direct"]["bytes"] + group["held"]["bytes"] + group["collected"]["bytes"]
                                 for group in groups), size)
            self.assertRegex(ran.stderr, r"collected by \d+ earlier checks: .* MiB in [\d,]+ blocks")

    def test_a_timer_collects_what_is_lost_slowly(self):
        ran = tithe("leaks", "--collect", "--every=1", "--format=json", OPTIONS.server, "30", "100")
        report = valid(ran.stderr)
        self.assertGreaterEqual(report["check"], 3)
        blocks, size, _ = map(int, ran.stdout.split())
        self.assertEqual(report["leaked_blocks"] + report["collected"]["blocks"], blocks)
        self.assertEqual(report["leaked_bytes"] + report["collected"]["bytes"], size)

    def test_without_it_nothing_is_freed(self):
        ran = tithe("leaks", "--format=json", OPTIONS.server, "20")
        report = valid(ran.stderr)
        blocks, size, _ = map(int, ran.stdout.split())
        self.assertEqual((report["leaked_blocks"], report["leaked_bytes"]), (blocks, size))
        self.assertNotIn("collected", report)


class Dangling(unittest.TestCase):
    """With --dangling, or the quarantine alone."""

    def test_dangling_pointers_are_told_with_both_stacks(self):
        ran = tithe("leaks", "--dangling", "--format=json", OPTIONS.dangling)
        self.assertEqual(ran.returncode, 23, ran.stderr)
        report = valid(ran.stderr)
        self.assertEqual((report["leaked_blocks"], report["leaked_bytes"]), (1, 77))
        found = [one for one in report["dangling"] if one["held_by"][0]["root"] == "data"]
        self.assertEqual(sorted((one["blocks"], one["bytes"], one["held_by"][0]["symbol"]) for one in found),
                         [(1, 72, "dangling_session"), (1, 72, "dangling_table"), (1, 72, "dangling_table")])
        self.assertEqual(len(report["dangling"]), 3)
        for one in report["dangling"]:
            self.assertEqual(one["allocated"][0]["function"], "session_open")
            self.assertEqual(one["freed"][0]["function"], "session_close")
        by_table = sorted(one["held_by"][1]["offset"] for one in found if len(one["held_by"]) > 1)
        self.assertEqual(by_table, [24, 32])
        self.assertLess(report["quarantine"]["bytes"], 100000)

    def test_text_tells_them_too(self):
        text = tithe("leaks", "--dangling=fill", OPTIONS.dangling).stderr
        self.assertIn("freed and still pointed to: 216 B in 3 blocks", text)
        self.assertRegex(text, r"freed by\n +session_close  dangling\.c:\d+\n(.*\n)+ +allocated by\n +session_open ")
        self.assertIn("held by: dangling_session+0", text)

    def test_a_line_at_the_end_tells_what_is_held_back(self):
        for how in ("on", "fill"):
            ran = tithe("run", "-o", "quarantine=" + how, OPTIONS.dangling)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertRegex(ran.stderr, r"quarantine: [\d.]+M in \d+ blocks held back now, most .*, of .* in 200004 ")
        self.assertNotIn("quarantine", tithe("run", OPTIONS.dangling).stderr)

    def test_freed_blocks_keep_their_contents_or_are_filled(self):
        def used(*options):
            return tithe("run", "-q", "-o", "min_heap=1M", *options, OPTIONS.dangling, "use").stdout
        self.assertEqual(used("-o", "quarantine=on"), f"{ord('h'):02x} {ord('e'):02x}\n")
        self.assertEqual(used("-o", "quarantine=fill"), "df df\n")

    def test_a_double_free_is_told(self):
        ran = tithe("run", "-o", "quarantine=on", OPTIONS.dangling, "twice")
        self.assertEqual(ran.returncode, -6)
        self.assertRegex(ran.stderr, r"tithe: double free of 0x[0-9a-f]+ \(80 bytes\)")


class Running(unittest.TestCase):
    """A program that is asked while it runs."""

    def setUp(self):
        self.program = subprocess.Popen([OPTIONS.tithe, "leaks", OPTIONS.program, "wait"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.grow()
        self.process = child_of(self.program)

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
            report = valid(answer.stdout)
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
        self.assertIn("GROWING", answer.stdout)
        self.assertIn("report_cache+0", answer.stdout)

    def test_others_are_refused(self):
        for _ in range(3):
            self.assertEqual(self.ask().returncode, 23)
            self.grow()
        self.assertEqual(tithe("leaks", "--pid=1").returncode, 125)


class Busy(unittest.TestCase):
    """Checks while the program's threads take and free blocks all the time."""

    def test_nothing_is_lost_and_nothing_breaks(self):
        for sample in (), ("--sample=64K",):
            ran = tithe("leaks", *sample, OPTIONS.churn, "200", "4")
            self.assertEqual((ran.returncode, ran.stdout), (0, "0\n"), ran.stderr)

    def test_the_signal_that_asks_breaks_no_call(self):
        with subprocess.Popen([OPTIONS.tithe, "leaks", f"--on-signal={signal.SIGUSR2:d}", OPTIONS.naps], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
            self.assertEqual(program.stdout.readline(), "begun\n")
            process = int(child_of(program))
            for _ in range(200):
                os.kill(process, signal.SIGUSR2)
                time.sleep(0.005)
            self.assertEqual(program.stdout.read(), "0\n")
            self.assertRegex(program.stderr.read(), r"check #\d+ \(exit\)")


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    for name in ("tithe", "programs", "schema"):
        parser.add_argument("--" + name, required=True)
    OPTIONS, rest = parser.parse_known_args()
    for name, file in (("program", "report"), ("server", "server"), ("churn", "churn"),
                       ("naps", "naps"), ("dangling", "dangling")):
        setattr(OPTIONS, name, os.path.join(OPTIONS.programs, file))
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
