"""Whether people reach what is on a page, by keyboard and on narrow screens."""

from __future__ import annotations

CONTROLS = "a[href], button, input, select, summary, [tabindex]"
_FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const { left, right, top, bottom } = one.getBoundingClientRect();
  const middle = (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2;
  const at = document.elementFromPoint(left + Math.min(right - left, 40) / 2, middle);
  const style = getComputedStyle(one);
  return {
    tag: one.localName,
    id: one.id,
    text: one.textContent.trim().replace(/\\s+/g, " ").slice(0, 60),
    seen: at !== null && (one.contains(at) || at.contains(one)),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    place: [...document.querySelectorAll("*")].indexOf(one),
  };
}"""


def focused(page):
    """What has the focus: what it is, whether it is seen, whether it is outlined, its place in the document."""
    return page.evaluate(_FOCUSED)


def tab_through(page, most=400):
    """Everything that the Tab key reaches, in its order."""
    stops = []
    while len(stops) < most:
        page.keyboard.press("Tab")
        if (stop := focused(page)) is None:
            return stops
        stops.append(stop)
    raise AssertionError(f"more than {most} stops")


def tab_to(page, wanted, most=100):
    """Press Tab until what is wanted has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", wanted):
            return
    raise AssertionError(f"Tab does not reach {wanted}")


def visible_controls(page):
    """Places in the document of all controls that are shown and work."""
    return page.evaluate(
        """selector => [...document.querySelectorAll("*")].flatMap((one, place) =>
            one.matches(selector) && !one.disabled && one.checkVisibility() ? [place] : [])""",
        CONTROLS,
    )


def faults(page):
    """Rules of accessibility that a page breaks, by axe-core, with the first place of each."""
    from axe_playwright_python.sync_playwright import Axe

    broken = Axe().run(page).response["violations"]
    return [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in broken]


def sideways(page):
    """Pixels that the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
