"""Runs clang-tidy over the C++ sources that git tracks, or over those named, and remembers which were clean.

What decides whether a source has to be checked again: its text, the text of every header of ours and of protoc's that
it includes, its compiler options, .clang-tidy, the version of clang-tidy, and the versions of the installed libraries.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(os.environ["SANKOFA_ROOT"])
BUILD = ROOT / "build" / "dev"
TIDY = os.environ["SANKOFA_CLANG_TIDY"]
CLEAN = pathlib.Path(os.environ["SANKOFA_CACHE"]) / "lint"
REMEMBERED_DAYS = 30

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
# Options of the real build that clang does not have or that a check must not depend on.
DROPPED = ("-fpch-preprocess", "-Winvalid-pch", "-Werror", "-fsanitize", "-fno-sanitize", "-fno-omit-frame-pointer")


def run(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def options_of(entry):
    """The compiler's arguments for one source, without the precompiled header."""
    arguments = shlex.split(entry["command"])
    kept = []
    skip = False
    for position, argument in enumerate(arguments):
        if skip:
            skip = False
        elif argument == "-include" and "cmake_pch" in arguments[position + 1]:
            skip = True
        elif not argument.startswith(DROPPED):
            kept.append(argument)
    return kept + ["-Wno-unknown-warning-option"]


def include_folders(commands):
    """The folders of this checkout in which the compiler looks for headers."""
    found = {ROOT}
    for entry in commands.values():
        for folder in re.findall(r"-(?:I|isystem)\s*(\S+)", entry["command"]):
            if ROOT in pathlib.Path(folder).resolve().parents:
                found.add(pathlib.Path(folder).resolve())
    return sorted(found)


class Includes:
    """Texts of our own files, and the digest of one with all of ours that it includes. Headers of installed libraries
    are not looked at: `installed_libraries` stands for them."""

    def __init__(self, folders):
        self._folders = folders
        self._files = {}

    def _read(self, path):
        if path not in self._files:
            text = path.read_text(encoding="utf-8")
            found = []
            for name in INCLUDE.findall(text):
                for folder in (path.parent, *self._folders):
                    if (folder / name).is_file():
                        found.append((folder / name).resolve())
                        break
            self._files[path] = (hashlib.sha256(text.encode()).hexdigest(), found)
        return self._files[path]

    def digest(self, source):
        seen, waiting = {}, [source]
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen[path], found = self._read(path)
                waiting += found
        return "\n".join(f"{path.relative_to(ROOT)} {digest}" for path, digest in sorted(seen.items()))


def installed_libraries():
    return hashlib.sha256(run("dpkg-query", "-W", "*-dev").encode()).hexdigest()


def check(folder, source):
    started = time.monotonic()
    result = subprocess.run(
        [TIDY, "--quiet", "-p", str(folder), f"--header-filter=^{re.escape(str(ROOT))}/(services|tests)/", str(source)],
        cwd=ROOT, capture_output=True, text=True, check=False)
    # The standard error holds counts of findings that were not asked for, and what went wrong with clang-tidy itself.
    output = result.stdout
    if result.returncode and not output.strip():
        output = result.stderr
    return result.returncode == 0, output.replace(f"{ROOT}/", ""), time.monotonic() - started


def main():
    commands = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8")):
        commands[pathlib.Path(entry["directory"], entry["file"]).resolve()] = entry
    wanted = sys.argv[1:] or run("git", "ls-files", "--", "*.cc").split("\n")
    sources = [(ROOT / name).resolve() for name in wanted if name and (ROOT / name).is_file()]
    stray = [path for path in sources if path not in commands]
    for path in stray:
        print(f"lint: {path.relative_to(ROOT)} belongs to no target of build/dev and is not checked", file=sys.stderr)

    folder = ROOT / "build" / "lint"
    folder.mkdir(parents=True, exist_ok=True)
    CLEAN.mkdir(parents=True, exist_ok=True)
    for mark in CLEAN.iterdir():
        if time.time() - mark.stat().st_mtime > REMEMBERED_DAYS * 86400:
            mark.unlink(missing_ok=True)

    includes = Includes(include_folders(commands))
    common = "\n".join((
        run(TIDY, "--version"), installed_libraries(), 
        *((ROOT / name).read_text(encoding="utf-8") for name in (".clang-tidy", "tests/.clang-tidy"))))
    entries, marks = [], {}
    for path in sources:
        if path in commands:
            options = options_of(commands[path])
            entries.append({"directory": commands[path]["directory"], "file": str(path), "arguments": options})
            # Without the folder of the checkout, so that another checkout profits.
            text = "\n".join((common, " ".join(options).replace(str(ROOT), ""), includes.digest(path)))
            marks[path] = CLEAN / hashlib.sha256(text.encode()).hexdigest()
    (folder / "compile_commands.json").write_text(json.dumps(entries), encoding="utf-8")

    open_sources = [path for path, mark in marks.items() if not mark.exists()]
    for path, mark in marks.items():
        if path not in open_sources:
            mark.touch()
    if open_sources:
        print(f"lint: checking {len(open_sources)} of {len(marks)} C++ sources", file=sys.stderr)
    dirty = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(check, folder, path): path for path in open_sources}
        for number, done in enumerate(concurrent.futures.as_completed(running), 1):
            path = running[done]
            clean, output, seconds = done.result()
            print(f"lint: {number}/{len(open_sources)} {path.relative_to(ROOT)}: "
                  f"{'clean' if clean else 'FINDINGS'} ({seconds:.0f} s)", file=sys.stderr)
            if clean:
                marks[path].touch()
            else:
                dirty += 1
                print(output, flush=True)
    if dirty:
        print(f"lint: {dirty} of {len(marks)} C++ sources have findings", file=sys.stderr)
        return 1
    print(f"lint: {len(marks)} C++ sources are clean", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
