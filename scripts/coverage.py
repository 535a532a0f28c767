"""Sums up an lcov file by crate: the lines of `crates/*/src` without the tests among them."""

import collections
import pathlib
import re
import sys

TESTS = re.compile(r"/tests?(/|\.rs$)|_tests(/|\.rs$)")
# From here to the end of a file are its tests.
MODULE = re.compile(r"^#\[cfg\(test\)\]\n(?!#\[path)mod \w+ \{", re.MULTILINE)
root = pathlib.Path.cwd()


def code(path):
    """The number of lines of a file before its tests."""
    text = path.read_text()
    found = MODULE.search(text)
    return text[: found.start()].count("\n") if found else text.count("\n") + 1


lines = collections.defaultdict(lambda: [0, 0])
for line in open(sys.argv[1], encoding="utf-8"):
    if line.startswith("SF:"):
        path = pathlib.Path(line[3:].strip())
        parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
        counted = parts[:1] == ("crates",) and parts[2] == "src" and not TESTS.search(str(path))
        end = code(path) if counted else 0
    elif line.startswith("DA:") and counted:
        number, executions = line[3:].split(",")[:2]
        if int(number) <= end:
            lines[parts[1]][0] += int(executions) > 0
            lines[parts[1]][1] += 1

total = [sum(column) for column in zip(*lines.values())]
for name, (covered, all) in [*sorted(lines.items()), ("in all", total)]:
    print(f"{name:<12} {covered:>6} of {all:>6} lines  {100 * covered / all:5.1f} %")
