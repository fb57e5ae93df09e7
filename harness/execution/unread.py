"""Stand-ins for parts of a fit that a method's card says it does not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from harness.errors import PluginError

if TYPE_CHECKING:
    from harness.store.choices import Choice


def unread(part: str, method: Choice) -> Any:
    """Make a stand-in for a part of a fit; any use of it is an error.

    Args:
        part: its name on the card, such as `backbone`.
        method: the method.
    """
    return _Unread(part, method.name)


class _Unread:
    def __init__(self, part: str, method: str) -> None:
        self._part = part
        self._method = method

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse(name)

    def __len__(self) -> NoReturn:
        self._refuse("len()")

    def _refuse(self, use: str) -> NoReturn:
        msg = (
            f"method {self._method!r} uses {use} of its {self._part}, and its card says that it does not read it; "
            f"add {self._part!r} to `reads` of the card"
        )
        raise PluginError(msg)
