"""Compares what the probes say on Debian's library and on ours, and checks or writes the table.

probes.py --check|--write TABLE FOLDER: FOLDER has the files "ours" and "reference", lines of
"name: value" each; without "reference" the table's values stand for it. Each value that differs needs
a reason in the table. Before anything is checked, the checks are shown to be able to fail.
"""
import difflib
import os
import sys

HEAD = """# What probes of libgc's interface say
`test/libgc/probes` asks the library for what it documents; `test/libgc_probes.sh` runs it on Debian's libgc 8.2.2 and on ours
and fails if a value is not as it is here. `make libgc-probes-table` writes this page anew.

## What differs, and why
| what | bdwgc | here | why |
|---|---|---|---|
"""
MIDDLE = """
## What is the same
| what | both |
|---|---|
"""


def read_values(text):
    values = {}
    for line in text.splitlines():
        name, _, value = line.partition(": ")
        while name in values:
            name += ", again"
        values[name] = value
    return values


def read_table(text):
    """Reasons and the reference's values, by name."""
    reasons, reference = {}, {}
    for line in text.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in line.strip("|").split(" | ")]
        if len(cells) == 4 and cells[0] != "what":
            reasons[cells[0]] = cells[3]
        if line.startswith("| ") and cells[0] != "what":
            reference[cells[0]] = cells[1]
    return reasons, reference


def row(*cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def render(reference, ours, reasons):
    differing, same = "", ""
    for name, value in ours.items():
        if reference.get(name) == value:
            same += row(name, value)
        else:
            differing += row(name, reference.get(name, "-"), value, reasons.get(name, "?"))
    for name, value in reference.items():
        if name not in ours:
            differing += row(name, value, "-", reasons.get(name, "?"))
    return HEAD + differing + MIDDLE + same


def check(reference, ours, table):
    """What is wrong, as a list of lines."""
    reasons, _ = read_table(table)
    wanted = render(reference, ours, reasons)
    wrong = [line for line in difflib.unified_diff(table.splitlines(), wanted.splitlines(),
                                                   "the table", "the probes", lineterm="", n=0)]
    wrong += ["no reason is given: " + name for name, value in ours.items()
              if reference.get(name) != value and reasons.get(name, "?") in ("?", "")]
    return wrong


def self_test():
    reference, ours = {"a": "1", "b": "2"}, {"a": "1", "b": "3"}
    good = render(reference, ours, {"b": "because"})
    assert check(reference, ours, good) == []
    assert check(reference, ours, render(reference, ours, {}))
    assert check(reference, {"a": "1", "b": "4"}, good)
    assert check(reference, {"a": "2", "b": "3"}, good)
    assert check({"a": "1", "b": "5"}, ours, good)
    assert check(reference, {"a": "1"}, good)
    assert check(reference, {"a": "1", "b": "3", "c": "4"}, good)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main():
    mode, path, folder = sys.argv[1:]
    self_test()
    table = read(path) if os.path.exists(path) else ""
    reasons, known = read_table(table)
    ours = read_values(read(os.path.join(folder, "ours")))
    measured = os.path.join(folder, "reference")
    reference = read_values(read(measured)) if os.path.exists(measured) else known
    if mode == "--write":
        with open(path, "w", encoding="utf-8") as file:
            file.write(render(reference, ours, reasons))
        return 0
    wrong = check(reference, ours, table)
    for line in wrong:
        print("FAIL", line)
    if not wrong:
        differing = sum(reference.get(name) != value for name, value in ours.items())
        print(f"ok: {len(ours)} probes, {differing} of them meant to differ")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
