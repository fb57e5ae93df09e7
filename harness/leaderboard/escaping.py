"""Names, reasons and captions come from plugins and data: text for Markdown and CSV that stays text."""

from __future__ import annotations

import re
import unicodedata

_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~&#$!@]|:(?=\S))")
_AUTOLINK = re.compile(r"\bwww\.", re.IGNORECASE)
_BLOCK = re.compile(r"^(\d+)([.)])|^([-+=])")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def one_line(text: str) -> str:
    r"""`text` without line breaks, control characters and characters that reorder what is shown.

    >>> one_line("a\n b\x1b[31m\u202ec")
    'a b [31m c'
    """
    shown = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in text)
    return re.sub(" +", " ", shown).strip()


def markdown(text: str) -> str:
    r"""`text` as Markdown that renders as the same text, also within a table.

    >>> markdown("a|b `c` <script> https://x")
    'a\\|b \\`c\\` \\<script\\> https\\://x'
    """
    escaped = _AUTOLINK.sub(lambda match: match[0][:-1] + "\\.", _MARKUP.sub(r"\\\1", one_line(text)))
    return _BLOCK.sub(lambda match: f"{match[1]}\\{match[2]}" if match[1] else f"\\{match[3]}", escaped)


def code(text: str) -> str:
    """`text` as a Markdown code span, whatever backticks it contains.

    >>> code("harness run x"), code("a`b")
    ('`harness run x`', '`` a`b ``')
    """
    line = one_line(text)
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * (1 + max(len(run) for run in re.findall("`+", line)))
    return f"{fence} {line} {fence}"


def file_name(text: str) -> str:
    """`text` as a part of a file name, 40 characters at most; several texts may share one.

    >>> file_name("few_shot"), file_name("../x y"), file_name("<>")
    ('few_shot', 'x-y', '')
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower())[:40].strip("-")


def cell(text: str) -> str:
    """`text` for a CSV file: what a spreadsheet would run as a formula gets an apostrophe in front.

    >>> cell("=HYPERLINK(1)"), cell("sfa")
    ("'=HYPERLINK(1)", 'sfa')
    """
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line
