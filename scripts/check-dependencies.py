"""Reads `cargo metadata` and says which rules of docs/testing.md are broken."""

import json
import pathlib
import re
import subprocess
import sys

DAEMONS = ["pulse", "lvs", "nanny", "fos", "send_arp"]
PURE = ["lvs-cf", "heartbeat", "health", "ipvs", "announce"]

# What may be linked into a program under GPL-2.0-or-later. One of the alternatives of an OR is enough.
LICENCES = {
    "GPL-2.0-or-later", "MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "Unlicense",
    "Unicode-3.0", "MIT-0", "0BSD", "CC0-1.0",
}
# Found in a daemon they would cost every nanny memory, or bring threads where nobody expects them.
HEAVY = {"smol", "mio", "rayon", "openssl", "serde-json", "fancy-regex"}
HEAVY_FAMILIES = ("regex", "tokio", "futures", "async-")
# Ways to the operating system, to randomness and to the clock.
IMPURE = {"nix", "libc", "rustix", "socket2", "netlink-sys", "rand", "getrandom", "chrono", "time", "signal-hook"}
MOST_CRATES_OF_A_DAEMON = 35

metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
members = {packages[id]["name"]: id for id in metadata["workspace_members"]}
problems = []


def tree(name):
    """The names of all crates that a member is linked with, itself left out; procedural macros run elsewhere."""
    command = ["cargo", "tree", "--locked", "-p", name, "-e", "normal,no-proc-macro", "--prefix", "none", "-f", "{lib}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    return {line.removesuffix(" (*)").replace("_", "-") for line in lines} - {name.replace("_", "-"), ""}


def permitted(expression):
    """Whether a licence expression can be satisfied. AND binds stronger than OR; parentheses are opened out."""
    alternatives = re.split(r"\s+OR\s+|/", re.sub(r"[()]", "", expression))
    wanted = lambda words: [word.split(" WITH ")[0].strip() for word in re.split(r"\s+AND\s+", words)]
    return any(all(word in LICENCES for word in wanted(words)) for words in alternatives)


for package in packages.values():
    licence = package["license"]
    if licence is None or not permitted(licence):
        problems.append(f"{package['name']} {package['version']}: licence {licence}")
    source = package["source"]
    if source is not None and not source.startswith("registry+"):
        problems.append(f"{package['name']} comes from {source}, not from a registry")

for daemon in DAEMONS:
    linked = tree(daemon)
    heavy = (name for name in linked if name in HEAVY or name.startswith(HEAVY_FAMILIES))
    problems += [f"{daemon} is linked with {name}" for name in sorted(heavy)]
    if len(linked) > MOST_CRATES_OF_A_DAEMON:
        problems.append(f"{daemon} is linked with {len(linked)} crates, more than {MOST_CRATES_OF_A_DAEMON}")

for name in PURE:
    problems += [f"{name} decides only, but is linked with {found}" for found in sorted(tree(name) & IMPURE)]
    root = pathlib.Path(packages[members[name]]["manifest_path"]).parent
    if "#![forbid(unsafe_code)]" not in (root / "src/lib.rs").read_text():
        problems.append(f"{name} does not forbid unsafe code")

for name, id in members.items():
    root = pathlib.Path(packages[id]["manifest_path"]).parent
    for path in sorted((root / "src").rglob("*.rs")) if name != "system" else []:
        text = re.sub(r"//.*", "", path.read_text())
        if re.search(r"\bunsafe\s*(\{|fn|impl|extern)|allow\(unsafe_code", text):
            problems.append(f"{path}: unsafe code belongs in crates/system")

for problem in problems:
    print(f"check-dependencies: {problem}", file=sys.stderr)
sizes = ", ".join(f"{daemon} {len(tree(daemon))}" for daemon in DAEMONS)
print(f"{len(packages)} crates in all; linked into the daemons: {sizes}")
sys.exit(1 if problems else 0)
