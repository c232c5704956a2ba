#!/usr/bin/env python3
"""Opens the page of a leak report in a real Chromium and uses it, by WebDriver's plain HTTP.

Usage: page.py --tithe COMMAND --screenshot FILE
"""
import argparse
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

OPTIONS = None
NASTY = '<script>alert(1)</script> "quoted" & ünïcode'
GROUPS, CHECKS = 300, 20


def encoded(text):
    return "".join(chr(byte) if byte < 128 and chr(byte).isalnum() or chr(byte) in "/._-" else f"%{byte:02X}"
                   for byte in text.encode())


def write_checks(directory, count):
    """A process with many groups, one of which grows; its modules exist nowhere."""
    for number in range(1, count + 1):
        with open(f"{directory}/77.{number}.check", "w", encoding="ascii") as out:
            out.write("tithe-check 1\nprogram /nowhere/server\narguments /nowhere/server --port 1\n"
                      f"process 77 1\nnumber {number}\ntrigger request\ntime 1795469123000\n"
                      f"uptime {number * 1000}\npaused 1500000\ntook 2500000\n"
                      f"heap 5000 {1000000 + number * 50000}\nsampled 0\nwarning {encoded(NASTY)}\n"
                      f"collects 1 {number - 1}\nquarantine 12 3456\n")
            out.write("module 0 0x1000000 0x2000000 0x1000000 0 - - /nowhere/server\n")
            out.write(f"module 1 0x3000000 0x4000000 0x3000000 0 - - /nowhere/{encoded(NASTY.replace('/', '|'))}\n")
            for group in range(1, GROUPS + 1):
                out.write(f"stack {group} 0 0x{0x3000000 + group:x} 0x{0x1000000 + group % 7:x} 0x1000999\n")
            for group in range(1, GROUPS):
                out.write(f"lost {group} {group} {group * 100} 1 50 5 {number * 900} 0x7000{group:04x} 100x{group}\n")
            out.write(f"collected 1 {number * 1000} {number * 2000} 0 0 1 2\n")
            out.write(f"live {GROUPS} {number * 10} {number * 40000} 5 {number * 1000} {number - 1} 0x70009999\n")
            out.write(f"chain {GROUPS} data:0x1000500 block:0x70009998:64:16:{GROUPS}\n")
            out.write("dangling 0x70008880 100 1 2 data:0x1000600\ndangling 0x70008888 100 1 2 data:0x1000600\n"
                      f"dangling 0x70008890 50 3 2 block:0x7000a000:64:16:{GROUPS}\nend\n")


class Browser:
    def __init__(self, directory):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--window-size=1200,1000", f"--user-data-dir={directory}/profile"]
        wanted = {"browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
                  "goog:chromeOptions": {"args": arguments}}
        for _ in range(100):
            try:
                answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise RuntimeError("chromedriver does not answer")
        self.session = "/session/" + answer["sessionId"]

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self.call("POST", self.session + "/url", {"url": url})

    def run(self, script, *arguments):
        return self.call("POST", self.session + "/execute/sync", {"script": script, "args": list(arguments)})

    def log(self):
        return self.call("POST", self.session + "/se/log", {"type": "browser"})

    def screenshot(self, path):
        with open(path, "wb") as out:
            out.write(base64.b64decode(self.call("GET", self.session + "/screenshot")))

    def close(self):
        try:
            self.call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()


ROWS = "return [...document.querySelectorAll('#rows tr.group')].map(row => [...row.cells].map(cell => cell.textContent))"


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp()
        for name, count in (("many", CHECKS), ("one", 1)):
            os.mkdir(f"{cls.directory}/{name}")
            write_checks(f"{cls.directory}/{name}", count)
            subprocess.run([OPTIONS.tithe, "report", "--format=html", "--growing=2",
                            f"--output={cls.directory}/{name}.html", f"{cls.directory}/{name}"],
                           check=True)
        cls.browser = Browser(cls.directory)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        shutil.rmtree(cls.directory, ignore_errors=True)

    def setUp(self):
        self.browser.open(f"file://{self.directory}/many.html")

    def tearDown(self):
        self.assertEqual([entry for entry in self.browser.log() if entry["level"] == "SEVERE"], [])
        self.assertEqual(self.browser.run("return performance.getEntriesByType('resource').length"), 0)

    def rows(self):
        return self.browser.run(ROWS)

    def click(self, script):
        self.browser.run(script + ".click()")

    def test_head_tells_the_sums(self):
        text = self.browser.run("return document.querySelector('header').textContent")
        blocks = sum(range(1, GROUPS)) + GROUPS - 1
        self.assertIn("Leaks of server, process 77", text)
        self.assertIn(f"lost in {blocks:,} blocks", text)
        self.assertIn(NASTY, text)

    def test_rows_are_sorted_filtered_and_unfolded(self):
        self.assertEqual(len(self.rows()), 200)
        self.click("document.getElementById('more')")
        self.assertEqual(len(self.rows()), GROUPS)
        by_blocks = "[...document.querySelectorAll('#head button')].find(one => one.textContent === 'blocks')"
        self.click(by_blocks)
        counts = [int(row[4].replace(",", "")) for row in self.rows()]
        self.assertEqual(counts, sorted(counts, reverse=True))
        self.click(by_blocks)
        counts = [int(row[4].replace(",", "")) for row in self.rows()]
        self.assertEqual(counts, sorted(counts))
        self.browser.run("const filter = document.getElementById('filter'); filter.value = arguments[0];"
                         "filter.dispatchEvent(new Event('input'))", self.rows()[0][8])
        self.assertEqual(len(self.rows()), 1)
        self.click("document.querySelector('#rows tr.group')")
        detail = self.browser.run("return document.querySelector('#rows tr.detail').textContent")
        self.assertIn(NASTY.replace("/", "|"), detail)
        self.assertIn("server+0x999", detail)

    def test_what_was_collected_counts(self):
        text = self.browser.run("return document.querySelector('header').textContent")
        self.assertIn(f"collected before in {CHECKS * 1000:,} blocks", text)
        self.click("document.getElementById('more')")
        most = max((int(row[4].replace(",", "")), row) for row in self.rows())
        self.assertEqual(most[0], 2 + CHECKS * 1000)

    def test_dangling_pointers_have_both_stacks(self):
        boxes = self.browser.run("return [...document.querySelectorAll('#dangling details')].map(one => one.textContent)")
        self.assertEqual(len(boxes), 2)
        self.assertIn("200 B in 2 blocks, held by: data of server", boxes[0])
        self.assertRegex(boxes[0], "freed by.*allocated by")
        self.assertIn("64 B from", boxes[1])
        self.assertIn("freed and held back in 12 blocks", self.browser.run(
            "return document.querySelector('header').textContent"))

    def test_kinds_and_why_it_lives(self):
        self.browser.run("const kind = document.getElementById('kind'); kind.value = 'growing';"
                         "kind.dispatchEvent(new Event('change'))")
        self.assertEqual(len(self.rows()), 1)
        self.click("document.querySelector('#rows tr.group')")
        detail = self.browser.run("return document.querySelector('#rows tr.detail').textContent")
        self.assertIn("held by: data of server", detail)
        self.assertIn("64 B from", detail)

    def test_flames_zoom_search_and_switch(self):
        count = "return document.querySelectorAll('#flames g.frame').length"
        time.sleep(1)
        self.browser.screenshot(OPTIONS.screenshot)
        self.assertGreater(self.browser.run(count), 8)
        widest = ("return Math.max(...[...document.querySelectorAll('#flames g.frame')]"
                  ".filter(one => one.textContent.includes('server+0x3')).map(one => one.getBoundingClientRect().width))")
        time.sleep(0.5)
        before = self.browser.run(widest)
        self.browser.run("[...document.querySelectorAll('#flames g.frame')].find(one => "
                         "one.textContent.includes('server+0x3')).dispatchEvent(new MouseEvent('click'))")
        time.sleep(0.5)
        self.assertGreater(self.browser.run(widest), 2 * before)
        self.click("document.getElementById('whole')")
        self.browser.run("const search = document.getElementById('search'); search.value = 'server\\\\+0x3';"
                         "search.dispatchEvent(new Event('input'))")
        self.assertTrue(self.browser.run("return chart !== null"))
        self.click("document.querySelectorAll('#measures button')[2]")
        self.assertIn("live bytes", self.browser.run(
            "return document.querySelector('#measures [aria-pressed=true]').textContent"))
        self.assertGreater(self.browser.run(count), 2)

    def test_growth_is_drawn_over_all_checks(self):
        points = self.browser.run("return [...document.querySelectorAll('#growth polyline:not(.axis)')]"
                                  ".map(one => one.getAttribute('points').split(' ').length)")
        self.assertEqual(points, [CHECKS] * 3)
        self.browser.open(f"file://{self.directory}/one.html")
        self.assertTrue(self.browser.run("return document.getElementById('growth-section').hidden"))
        self.assertEqual(len(self.rows()), 200)


def main():
    global OPTIONS
    parser = argparse.ArgumentParser()
    parser.add_argument("--tithe", required=True)
    parser.add_argument("--screenshot", required=True)
    OPTIONS, rest = parser.parse_known_args()
    if not shutil.which("chromedriver"):
        print("chromedriver is not installed")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
