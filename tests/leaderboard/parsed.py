"""A page of HTML taken apart."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser

import pytest


class Page(HTMLParser):
    """Tags with attributes, and the text of scripts, styles and table cells."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts, self.styles, self.rows, self.text = [], [], [], [], []
        self._inside = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)
        if tag in {"script", "style"}:
            (self.scripts if tag == "script" else self.styles).append([dict(attrs), ""])
        elif tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        last = self._inside[-1] if self._inside else ""
        if last in {"script", "style"}:
            (self.scripts if last == "script" else self.styles)[-1][1] += data
            return
        self.text.append(data)
        if {"td", "th"} & set(self._inside):
            self.rows[-1][-1] += data

    @property
    def island(self):
        [island] = [text for attributes, text in self.scripts if attributes.get("type") == "application/json"]

        def refuse(constant):
            pytest.fail(f"{constant} is not JSON")

        return json.loads(island, parse_constant=refuse)

    @property
    def policy(self):
        [content] = [
            attrs["content"] for tag, attrs in self.tags if attrs.get("http-equiv") == "Content-Security-Policy"
        ]
        return dict(part.strip().split(" ", 1) for part in content.split(";"))


def sha(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
