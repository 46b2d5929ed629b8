"""The simple commands in a shell script, as far as one needs to see what it starts.

Nothing is expanded or run: `$NAME` and the like stay in the words as they are written.
Source: POSIX.1-2017, Shell Command Language, 2.2 to 2.7.
"""

import re

__all__ = ["simple_commands"]


def simple_commands(script: str) -> list[list[str]]:
    """The words of each command in order, without quotes, comments and redirections.

    Grouping, loops and pipes are only looked through: `if true; then exec x; fi` gives
    `[["if", "true"], ["then", "exec", "x"], ["fi"]]`. Never raises; a quote that is not closed
    reaches to the end.
    """
    lexer = _Lexer(script)
    lexer.run()
    return lexer.commands


_BLANK = re.compile(r"(?:[ \t\r\f\v]|\\\r?\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_REDIRECTION = re.compile(r"&>>?|<<<|<<-?|>>|>&|<&|<>|>\||>|<")
_WITH_DESCRIPTOR = re.compile(rf"(?:\d+|\{{\w+\}})(?={_REDIRECTION.pattern})")
_SINGLE = re.compile(r"'([^']*)'?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*+)"?', re.DOTALL)
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_ESCAPED_IN_DOUBLE = re.compile(r'\\([$`"\\])|\\\n')
_PLAIN = re.compile(r"[^\s'\"\\;&|()<>`$]+")
_BACKQUOTED = re.compile(r"`(?:[^`\\]|\\.)*+`?", re.DOTALL)


class _Lexer:
    """One pass over the text; every step moves forward."""

    def __init__(self, script: str) -> None:
        self.commands: list[list[str]] = []
        self._text = script
        self._position = 0
        self._words: list[str] = []
        self._word: list[str] | None = None
        self._redirecting = ""
        self._heredocs: list[str] = []

    def run(self) -> None:
        while self._position < len(self._text):
            if self._word is None and self._take(_COMMENT):
                continue
            if self._take(_BLANK):
                self._end_word()
            elif not self._redirection() and not self._part_of_word():
                self._operator()
        self._end_command()

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._position)
        if found:
            self._position = found.end()
        return found

    def _redirection(self) -> bool:
        """`2>&1`, `>> file`, `<(command)`: the word that follows is not an argument."""
        if self._word is None:
            self._take(_WITH_DESCRIPTOR)
        found = self._take(_REDIRECTION)
        if not found:
            return False
        self._end_word()
        if self._text.startswith("(", self._position):
            self._balanced("(", ")")
        else:
            self._redirecting = found[0]
        return True

    def _part_of_word(self) -> bool:
        start = self._position
        if found := self._take(_PLAIN):
            self._append(found[0])
        elif found := self._take(_SINGLE):
            self._append(found[1])
        elif found := self._take(_DOUBLE):
            self._append(_ESCAPED_IN_DOUBLE.sub(r"\1", found[1]))
        elif found := self._take(_ESCAPED):
            self._append(found[1])
        elif found := self._take(_BACKQUOTED):
            self._append(found[0])
        elif self._text.startswith(("$(", "${"), start):
            self._position += 1
            self._balanced(*("()" if self._text[start + 1] == "(" else "{}"))
            self._append(self._text[start : self._position])
        elif self._text[start] == "$":
            self._position += 1
            self._append("$")
        else:
            return False
        return True

    def _balanced(self, opening: str, closing: str) -> None:
        """Step over a bracket and what it holds, to the end where it is not closed."""
        depth = 0
        while self._position < len(self._text):
            char = self._text[self._position]
            self._position += 1
            depth += (char == opening) - (char == closing)
            if depth == 0:
                return

    def _operator(self) -> None:
        char = self._text[self._position]
        self._position += 1
        self._end_command()
        if char == "\n":
            self._skip_heredocs()

    def _append(self, text: str) -> None:
        if self._word is None:
            self._word = []
        self._word.append(text)

    def _end_word(self) -> None:
        if self._word is None:
            return
        word, self._word = "".join(self._word), None
        if self._redirecting:
            if self._redirecting in ("<<", "<<-"):
                self._heredocs.append(word)
            self._redirecting = ""
        else:
            self._words.append(word)

    def _end_command(self) -> None:
        self._end_word()
        self._redirecting = ""
        if self._words:
            self.commands.append(self._words)
            self._words = []

    def _skip_heredocs(self) -> None:
        for mark in self._heredocs:
            end = re.compile(rf"^\t*{re.escape(mark)}$", re.MULTILINE)
            found = end.search(self._text, self._position)
            self._position = found.end() if found else len(self._text)
        self._heredocs = []
