"""Text from outside made safe to print.

Names of classes, files and plugins, titles and reasons come from files that somebody else wrote. Whatever of them
reaches a terminal, a page, a plot, a README or a record passes `printable` first.
"""

import re
import unicodedata

LIMIT = 500
_BREAK = re.compile(r" ?[\t-\r\x1c-\x1f\x85\u2028\u2029]\s*")
_JOINERS = "\u200c\u200d"  # Persian and Indic words, and emoji of several, are spelt with them.
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF  # A byte that is no UTF-8, as `os.fsdecode` keeps it.
_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links, other strings
    r"|\x1b[ -/]*[0-~]"  # the short ones
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_PLAIN_CONTROLS = "\n\t"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~&#$!@]|:(?=\S))")
_AUTOLINK = re.compile(r"\bwww\.", re.IGNORECASE)
_BLOCK = re.compile(r"^(\d+)([.)])|^([-+=])")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def printable(text: str, limit: int = LIMIT) -> str:
    r"""Write text as one printable line of at most `limit` characters.

    Line breaks and tabs become a space; control characters, terminal escapes, direction marks and lone surrogates
    are spelt out, so that two names which differ in them still differ; what is longer ends with an ellipsis.

    >>> print(printable("Jump\x1b[31m\x07 high\nand\u202e far"))
    Jump\x1b[31m\x07 high and\u202e far
    >>> print(printable("caf\udce9.mp4"))
    caf\xe9.mp4
    >>> printable("x" * 20_000, limit=5)
    'xxxx…'
    >>> printable("Straße 跑步")
    'Straße 跑步'
    """
    begun = text[: 2 * limit + 2]
    line = _spelt_out(_BREAK.sub(" ", begun)).strip()
    return line if len(line) <= limit and len(begun) == len(text) else line[: limit - 1] + "…"


def one_line(text: str, limit: int = 4000) -> str:
    r"""Write text as one printable line with single spaces.

    >>> print(one_line("a\n b\x1b[31m\u202ec"))
    a b\x1b[31m\u202ec
    """
    return re.sub(" +", " ", printable(text, limit))


def markdown(text: str) -> str:
    r"""Escape text for Markdown, also within a table.

    >>> markdown("a|b `c` <script> https://x")
    'a\\|b \\`c\\` \\<script\\> https\\://x'
    """
    escaped = _AUTOLINK.sub(lambda match: match[0][:-1] + "\\.", _MARKUP.sub(r"\\\1", one_line(text)))
    return _BLOCK.sub(lambda match: f"{match[1]}\\{match[2]}" if match[1] else f"\\{match[3]}", escaped)


def code(text: str) -> str:
    """Quote text as a Markdown code span, whatever backticks it contains.

    >>> code("harness run x"), code("a`b")
    ('`harness run x`', '`` a`b ``')
    """
    line = one_line(text)
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * (1 + max(len(run) for run in re.findall("`+", line)))
    return f"{fence} {line} {fence}"


def csv_cell(text: str) -> str:
    """Escape text for CSV: a formula of spreadsheets gets an apostrophe in front.

    >>> csv_cell("=HYPERLINK(1)"), csv_cell("sfa")
    ("'=HYPERLINK(1)", 'sfa')
    """
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def without_escapes(text: str) -> str:
    r"""Remove terminal escapes from lines, and spell out their control characters.

    >>> without_escapes("\x1b]0;title\x07\x1b[31mred\x1b[0m\nand\x07 more")
    'red\nand\\x07 more'
    """
    plain = _ESCAPE_SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _spelt_out(plain, keep=_PLAIN_CONTROLS)


def _spelt_out(text: str, keep: str = "") -> str:
    if text.isprintable():
        return text
    return "".join(char if _shows(char) or char in keep else _code(char) for char in text)


def _shows(char: str) -> bool:
    return char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs"


def _code(char: str) -> str:
    number = ord(char)
    if _FIRST_BYTE <= number <= _LAST_BYTE:
        number -= 0xDC00
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
