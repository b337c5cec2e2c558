"""The pages hold together: links lead somewhere, and commands are there as they are written."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from markdown_it import MarkdownIt

from headstart_cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "charts/**/*.md", "manifests/**/*.md")
    for page in ROOT.glob(pattern)
)
# What a shell makes of the rest is no argument.
_ENDS = {"|", "&&", ">", "#"}


@pytest.fixture(params=PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def page(request: pytest.FixtureRequest) -> Path:
    """Take each page in turn."""
    found: Path = request.param
    return found


def test_links_lead_somewhere(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def test_commands_are_there_as_they_are_written(page: Path) -> None:
    for line in _commands(page):
        command, rest = _resolve(shlex.split(line, comments=True))
        known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        # `train --fleet FILE` is `train fleet FILE`.
        known |= {"--help", "--fleet"} if command.name == "train" else {"--help"}
        options = [word for word in rest if word.startswith("--")]
        assert {option.split("=")[0] for option in options} <= known, line


def test_there_are_commands_to_find() -> None:
    assert sum(len(list(_commands(page))) for page in PAGES) > 10


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text())


def _links(page: Path) -> Iterator[str]:
    for token in _tokens(page):
        for part in token.children or []:
            link = part.attrs.get("href", part.attrs.get("src"))
            if link and not re.match(r"[a-z]+:", str(link)):
                yield str(link)


def _anchors(page: Path) -> set[str]:
    """Name the headings as GitHub does."""
    tokens = _tokens(page)
    headings = [
        "".join(part.content for part in following.children or [])
        for token, following in pairwise(tokens)
        if token.type == "heading_open"
    ]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def _commands(page: Path) -> Iterator[str]:
    """Find the lines of shells that call `headstart`, continued lines joined."""
    for token in _tokens(page):
        if token.type == "fence" and token.info in {"console", "sh", "bash"}:
            text = token.content.replace("\\\n", " ")
            yield from re.findall(r"^(?:\$ )?(?:\.venv/bin/)?headstart (.*)$", text, re.MULTILINE)


def _resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """Follow the words into the subcommand that they name."""
    command: click.Command = main
    rest = list(takewhile(lambda word: word not in _ENDS, words))
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"headstart {' '.join(words)}"
        command = found
    return command, rest
