"""Finds kube-apiserver in the words that start a container or process.

A container counts only if its command really starts the server: one that has the name in a flag,
a file or as part of another name (`kube-apiserver-healthcheck`) does not.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from kcompliance.model.apiserver.arguments import Arguments, parse_argv
from kcompliance.model.apiserver.shell import simple_commands

__all__ = ["find_arguments", "parse_command_line"]


def find_arguments(command: Sequence[str], args: Sequence[str]) -> Arguments | None:
    """What a container's `command` and `args` start kube-apiserver with; None: they do not.

    Looks through wrappers (`go-runner`, `exec`, `env`, `timeout`, …) and shell scripts.
    """
    return _find([*command, *args], _DEEPEST)


def parse_command_line(text: str) -> Arguments | None:
    """What a process was started with: `/proc/PID/cmdline`, a line of `ps`, or a log line of k3s.

    Of several lines the first that starts kube-apiserver counts. In a line of `ps` the bounds of
    words with spaces are lost. None: nothing here starts kube-apiserver.
    """
    words = text.rstrip("\0").split("\0")
    if len(words) > 1:
        return _find(words, _DEEPEST)
    for line in re.sub(r"\\\r?\n", " ", words[0]).splitlines():
        if found := _in_line(line):
            return found
    return None


_DEEPEST = 8
_MOST_COMMANDS = 100
"""The server is started at the end of a script, if at all."""

_SERVER = "kube-apiserver"
_SUBCOMMANDS = {"hyperkube": ("apiserver", _SERVER)}
_EMBEDDING = frozenset({"k3s", "rke2"})
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_WRAPPER_NAMES = """
    busybox catatonit chroot chrt command docker-init dumb-init env exec go-runner gosu ionice
    kube-log-runner nice nohup nsenter numactl prlimit runuser setpriv setsid stdbuf su-exec sudo
    systemd-cat systemd-run taskset time timeout tini tini-static unshare watch-termination
"""
_WRAPPERS = frozenset(_WRAPPER_NAMES.split())
_RESERVED = frozenset({"!", "do", "elif", "else", "if", "then", "time", "until", "while", "{"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_SCRIPT_OPTION = re.compile(r"-[a-z]*c[a-z]*\Z")


def _find(words: Sequence[str], depth: int) -> Arguments | None:
    """Each step drops at least one word or goes into one script, so that the work is bounded."""
    start = 0
    while start < len(words) and (words[start] in _RESERVED or _ASSIGNMENT.match(words[start])):
        start += 1
    words = words[start:]
    if not words or not depth:
        return None
    program = _base_name(words[0])
    if program == _SERVER:
        return parse_argv(words[1:])
    if program in _SUBCOMMANDS:
        named = len(words) > 1 and words[1] in _SUBCOMMANDS[program]
        return parse_argv(words[2:]) if named else None
    if program in _EMBEDDING:
        return _embedded(words[1:])
    if program in _SHELLS:
        return _in_shell(words[1:], depth - 1)
    if program in _WRAPPERS or program.endswith(".sh"):
        return _behind_wrapper(words, depth - 1)
    return None


def _base_name(word: str) -> str:
    return word.rpartition("/")[2]


def _behind_wrapper(words: Sequence[str], depth: int) -> Arguments | None:
    for index in range(1, len(words)):
        if _starts_something(words, index):
            return _find(words[index:], depth)
    return None


def _starts_something(words: Sequence[str], index: int) -> bool:
    """Whether the word is a program here, and not, say, a log file of the same name."""
    program = _base_name(words[index])
    following = words[index + 1] if index + 1 < len(words) else "-"
    if program == _SERVER:
        return not following or following[0] in "-$"
    if program in _SUBCOMMANDS:
        return following in _SUBCOMMANDS[program]
    return program in _SHELLS or program in _WRAPPERS or program in _EMBEDDING


def _in_shell(words: Sequence[str], depth: int) -> Arguments | None:
    """`-c` and its script, or a script file that is handed the command."""
    for index, word in enumerate(words):
        if _SCRIPT_OPTION.match(word):
            rest = words[index + 1 :]
            if rest[:1] == ["--"]:
                rest = rest[1:]
            return _in_script(rest[0], rest[1:], depth) if rest else None
        if not word.startswith(("-", "+")) and word != "pipefail":
            return _find(words[index:], depth)
    return None


def _in_script(script: str, parameters: Sequence[str], depth: int) -> Arguments | None:
    """The server that the script starts; of several ways the last one."""
    found = []
    for words in simple_commands(script)[-_MOST_COMMANDS:]:
        arguments = _find(_with_parameters(words, parameters), depth)
        if arguments and not any(flag.name in ("help", "version") for flag in arguments.flags):
            found.append(arguments)
    if not found:
        return None
    last = found[-1]
    if all(each.flags == last.flags for each in found):
        return last
    problem = f"the script starts kube-apiserver in {len(found)} ways, the last was read"
    return replace(last, problems=(*last.problems, problem))


def _with_parameters(words: Sequence[str], parameters: Sequence[str]) -> list[str]:
    """Put the words after the script (the first is `$0`) where it asks for them."""
    if not parameters:
        return list(words)
    replaced: list[str] = []
    for word in words:
        if word in ("$@", "${@}", "$*", "${*}") and len(replaced) <= len(words):
            replaced.extend(parameters[1:])
        else:
            replaced.append(parameters[0] if word in ("$0", "${0}") else word)
    return replaced


def _embedded(words: Sequence[str]) -> Arguments | None:
    """`k3s server --kube-apiserver-arg=audit-log-path=/x`: the server runs inside of k3s."""
    if not words or words[0] != "server":
        return None
    wanted = "--kube-apiserver-arg"
    given: list[str] = []
    for index, word in enumerate(words):
        if word.startswith(wanted + "="):
            given.append(word[len(wanted) + 1 :])
        elif word == wanted and index + 1 < len(words):
            given.append(words[index + 1])
    arguments = parse_argv(["--" + each.removeprefix("--") for each in given])
    problem = "more flags may come from its config.yaml, which is not read here"
    return replace(arguments, problems=(*arguments.problems, problem), complete=False)


_WORD = re.compile(r"""(?:[^\s"']+|"[^"]*"|'[^']*'|["'])+""")
_UNIT = re.compile(r"\s*ExecStart\s*=\s*[-@:+!|]*")
_LOGGED = re.compile(r'msg="Running kube-apiserver (.*)"\s*\Z')
_TREE = " \t│├└─|`"
_COLUMN = re.compile(
    r"[\d:.,%+-]+|\?|(?:pts|tty)\S*|[A-Z][a-z]{2}(?:\d{2})?|[RSDTZIWX][<NLsl+]*|TS|RR|FF"
)
_MOST_COLUMNS = 16


def _in_line(line: str) -> Arguments | None:
    if logged := _LOGGED.search(line):
        return parse_argv(_words(logged[1].replace('\\"', '"')))
    unit = _UNIT.match(line)
    words = _words(line[unit.end() :] if unit else line.lstrip(_TREE))
    named = False
    for start, word in enumerate(words[:_MOST_COLUMNS]):
        found = _find(_script_in_one_word(words[start:]), _DEEPEST)
        # NOTE: `root 12 grep kube-apiserver` is not the server, which never runs without flags.
        if found and (found.flags or start == 0):
            return found
        if not _COLUMN.fullmatch(word):
            if named or start > 1:
                return None
            named = True
    return None


def _words(line: str) -> list[str]:
    """Words apart at blanks; a pair of quotes around a word or a value is the shell's."""
    return [
        re.sub(r"""\A(--?[\w-]+=)?(["'])(.*)\2\Z""", r"\1\3", word) for word in _WORD.findall(line)
    ]


def _script_in_one_word(words: list[str]) -> list[str]:
    """A process list shows `sh -c 'exec x'` without its quotes: all that follows is the script."""
    if words and _base_name(words[0]) in _SHELLS:
        for index, word in enumerate(words[1:], start=1):
            if _SCRIPT_OPTION.match(word):
                return [*words[: index + 1], " ".join(words[index + 1 :])]
    return words
