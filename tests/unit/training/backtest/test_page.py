"""The page stands alone, and can be read on a phone, in the dark, and without colours."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from headstart_training.backtest.contenders import CLAIRVOYANT, HEADSTART, HPA_TUNED
from headstart_training.backtest.manifests import Manifest, manifest
from headstart_training.backtest.page.palette import VARIABLES, look
from headstart_training.backtest.page.render import render
from headstart_training.backtest.summary import records

if TYPE_CHECKING:
    from pathlib import Path

    from headstart_training.backtest.judgement import Judgement

_VOID = {"meta", "br", "use", "path", "rect"}


class _Parser(HTMLParser):
    """Collects what a browser would load, and tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in _VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "data"} and not (value or "").startswith("#"):
                self.loaded.append(f"{tag} {name}={value}")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag


def _manifest(judgement: Judgement) -> Manifest:
    return manifest(judgement.contest.service, judgement.contest.profile)


@pytest.fixture(scope="module")
def page(judgement: Judgement) -> str:
    """Write the page of one service."""
    found = records([judgement.contest])
    return render([judgement], found, [_manifest(judgement)], "sha256:0")


@pytest.fixture(scope="module")
def pages(judgement: Judgement) -> str:
    """Write the page of two, one of which has a name that nobody should have."""
    contest = judgement.contest
    evil = replace(contest, service=replace(contest.service, name="<b>shop</b>"))
    both = [judgement, judgement._replace(contest=evil)]
    return render(both, records([contest, evil]), [_manifest(judgement)] * 2, "sha256:0")


@pytest.mark.parametrize("name", ["page", "pages"])
def test_nothing_is_loaded_and_no_script_runs(name: str, request: pytest.FixtureRequest) -> None:
    text: str = request.getfixturevalue(name)
    parser = _Parser()
    parser.feed(text)
    assert not parser.open
    assert not parser.loaded
    assert not parser.tags & {"script", "link", "img", "iframe"}
    assert "@import" not in text
    assert "url(http" not in text
    assert len(parser.ids) == len(set(parser.ids))


def test_every_figure_is_there_for_both_widths_and_says_what_it_shows(page: str) -> None:
    assert page.count('<div class="wide" role="img" aria-label="') == 6
    assert page.count('<div class="narrow" role="img" aria-label="') == 6


def test_plots_follow_the_theme(page: str) -> None:
    """No colour of the plots stays as it was drawn, black text least of all."""
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert not [color for color in VARIABLES if color in figures]
    assert "#000000" not in figures
    style = page[: page.index("</style>")]
    assert all(style.count(f"{variable}: #") == 2 for variable in VARIABLES.values())


def test_contenders_differ_without_colours() -> None:
    looks = [look(name) for name in (HEADSTART, HPA_TUNED, CLAIRVOYANT)]
    assert len({one.line for one in looks}) == len({one.marker for one in looks}) == 3


def test_it_says_what_it_assumed_and_ends_with_what_to_apply(page: str) -> None:
    assert "nobody gave it, so it is assumed" in page
    assert page.index("If the assumptions are wrong") < page.index("kind: ScalingPolicy")
    assert "kubectl apply -f checkout.yaml" in page


def test_names_are_text_and_no_markup(pages: str) -> None:
    assert "<b>shop" not in pages
    assert "&lt;b&gt;shop" in pages


@pytest.mark.parametrize("width", [390, 1280])
def test_no_browser_has_to_scroll_sideways(pages: str, width: int, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium here: the layout is not checked")
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe id="f" style="border:0;width:{width}px;height:800px" srcdoc="{escape(pages)}">'
        "</iframe><script>onload = () => { const d = f.contentDocument;"
        "d.querySelectorAll('details').forEach((e) => { e.open = true; });"
        "const e = d.documentElement;"
        "document.title = 'too wide by ' + (e.scrollWidth - e.clientWidth); }</script>"
    )
    shown = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "<title>too wide by 0</title>" in shown.stdout
