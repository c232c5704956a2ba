"""What the scripts that compare have in common: running a program under the program "measure", and
reading and telling what came of it. A run that failed in any way raises RunFailed, so that it can
never be taken for a figure.
"""

import collections
import json
import os
import platform
import re
import signal
import subprocess
import sys

# said: its standard output, a list of lines; complained: its standard error. others: how many
# processors were busy with anything else meanwhile.
Run = collections.namedtuple("Run", "said complained wall cpu peak_mib others")

PICTURE_BYTES = 60000


class RunFailed(Exception):
    """Says in a few words why a run gave no figures."""


def say(message):
    print(message, file=sys.stderr, flush=True)


def describe_status(status):
    if status <= 128:
        return f"exit status {status}"
    try:
        return signal.Signals(status - 128).name
    except ValueError:
        return f"exit status {status}"


def processor_seconds():
    """What all processes of the machine have used so far: all but the idle time in /proc/stat."""
    with open("/proc/stat", encoding="ascii") as lines:
        user, nice, system, _idle, _waiting, *interrupts_and_stolen = next(lines).split()[1:9]
    ticks = sum(map(int, [user, nice, system, *interrupts_and_stolen]))
    return ticks / os.sysconf("SC_CLK_TCK")


def check_programs(programs, folder):
    for program in ["measure", *programs]:
        path = os.path.join(folder, program)
        if not os.access(path, os.X_OK):
            sys.exit(f"{os.path.basename(sys.argv[0])}: there is no program {path}; "
                     "see --binaries")


def run_program(options, library, program, arguments, tithe_options="", environment=None,
                directory=None):
    """Runs a program of options.binaries, or of a whole path, with a library preloaded, or with none.

    tithe_options come after those of the environment, and so prevail; what else is given of an
    environment replaces what is there.
    """
    path = os.path.abspath(os.path.join(options.binaries, program))
    measure = os.path.abspath(os.path.join(options.binaries, "measure"))
    environment = {**os.environ, **(environment or {})}
    environment.pop("LD_PRELOAD", None)
    if tithe_options:
        given = environment.get("TITHE_OPTIONS", "")
        environment["TITHE_OPTIONS"] = f"{given}:{tithe_options}" if given else tithe_options
    used_before = processor_seconds()
    try:
        process = subprocess.run([measure, library, path, *arguments], env=environment, text=True,
                                 cwd=directory, stdin=subprocess.DEVNULL, capture_output=True,
                                 timeout=options.timeout, check=False)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"not finished after {options.timeout:g} s") from None
    used = processor_seconds() - used_before
    # The loader only warns, and the program would then be measured under glibc.
    if "cannot be preloaded" in process.stderr:
        raise RunFailed("not preloaded")
    if process.returncode != 0:
        raise RunFailed(f"measure failed: {process.stderr.strip()}")
    *said, measured = process.stdout.splitlines()
    figures = json.loads(measured)
    if figures["status"] != 0:
        complaints = process.stderr.splitlines()[-20:] or ["nothing on standard error"]
        say("\n".join(complaints))
        raise RunFailed(f"{describe_status(figures['status'])}, {complaints[-1].strip()}")
    cpu = figures["user"] + figures["system"]
    others = max(0, used - cpu) / figures["wall"]
    return Run(said, process.stderr, figures["wall"], cpu, figures["peak_kib"] / 1024, others)


def named_numbers(line):
    """The numbers of a line such as "goal 12K peak 7K stop 1.5 ms", each by the word before it.

    A word that comes twice keeps its first number; what the number counts is up to the reader.
    """
    words = line.split()
    numbers = {}
    for name, word in zip(words, words[1:]):
        number = re.fullmatch(r"(-?\d+(?:\.\d+)?)K?[,;]?", word)
        if number and not re.match(r"-?\d", name):
            numbers.setdefault(name, float(number.group(1)))
    return numbers


def ratio(value, base):
    return f"{value / base:.2f}" if base else "-"


def table_line(cells):
    return f"| {' | '.join(cells)} |"


def answer(*command):
    """The first line a command prints, or nothing where there is no such command or answer."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return result.stdout.splitlines()[0].strip() if result.stdout.strip() else ""


def package_of(library):
    for path in (library, os.path.realpath(library)):
        package = answer("dpkg-query", "--search", path).partition(": ")[0]
        if package:
            return answer("dpkg-query", "--show", "--showformat=${Package} ${Version}", package)
    return ""


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def describe_machine():
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    glibc = os.confstr("CS_GNU_LIBC_VERSION")
    package = answer("dpkg-query", "--show", "--showformat=${Version}", "libc6")
    yield f"- machine: {len(os.sched_getaffinity(0))} processors ({processor()}), {memory:.1f} GiB"
    yield f"- kernel: {platform.system()} {platform.release()}"
    yield f"- glibc: {glibc}{f' (libc6 {package})' if package else ''}"


def describe_environment():
    if os.environ.get("TITHE_OPTIONS"):
        yield f"- TITHE_OPTIONS of the environment: {os.environ['TITHE_OPTIONS']}"


def describe_library(name, library):
    package = package_of(library)
    return f"- {name}: {library}{f' ({package})' if package else ''}"


def draw(script, path):
    """Has gnuplot draw a picture into a file, by lines in which OUTPUT is that file."""
    drawn = subprocess.run(["gnuplot"], input="\n".join([f"OUTPUT = '{path}'", *script]) + "\n",
                           capture_output=True, text=True, check=False)
    if drawn.returncode != 0:
        sys.exit(f"{os.path.basename(sys.argv[0])}: gnuplot failed: {drawn.stderr.strip()}")
    if os.path.getsize(path) > PICTURE_BYTES:
        say(f"{path} has {os.path.getsize(path)} bytes, more than {PICTURE_BYTES}")


def write_report(report, path):
    print(report, end="")
    if path:
        with open(path, "w", encoding="utf-8") as file:
            file.write(report)
