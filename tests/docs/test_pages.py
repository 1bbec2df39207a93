"""What README and the pages point at is there: files, links, modules, commands and their options."""

import importlib.util
import re
from pathlib import Path

import click
import pytest

from cli.main import tasic

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = "asic_model|driver|cli|firmware|tests|benchmarks|rtl_tests|docs"
# Code in a line, and lines of a block.
CODE = re.compile(r"`([^`\n]+)`|^(?: {4}|(?=tasic |python -m ))(\S.*)$", re.M)


def pieces_of_code(page):
    return [inline or line for inline, line in CODE.findall(page.read_text(encoding="utf-8"))]


def command(words):
    """The click command that `words`, those behind `tasic`, name, and the words that are left."""
    found = tasic
    while words and isinstance(found, click.Group):
        inner = found.get_command(click.Context(found), words[0])
        if inner is None:
            break
        found, words = inner, words[1:]
    return found, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_are_there(page):
    named = {place for code in pieces_of_code(page) for place in re.findall(rf"^(?:{FOLDERS})/[\w/.-]*$", code)}
    linked = {link for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")) if "://" not in link}
    missing = [place for place in named if not (ROOT / place).exists()]
    missing += [link for link in linked if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_are_there(page):
    modules = {name for code in pieces_of_code(page) for name in re.findall(r"python -m ([\w.]+)", code)}
    assert not [name for name in modules if importlib.util.find_spec(name) is None]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_have_these_options(page):
    wrong = []
    for code in pieces_of_code(page):
        if not code.startswith("tasic "):
            continue
        line = code.split("  #")[0]
        found, words = command(line.split()[1:])
        known = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
        if isinstance(found, click.Group) and words and re.fullmatch(r"[a-z][\w-]*", words[0]):
            wrong.append(f"{line}: no command {words[0]}")
        free = found.context_settings.get("ignore_unknown_options")
        known |= {"--help", "--version"}
        options = {word.split("=")[0] for word in words if re.fullmatch(r"--[a-z][\w-]*(=.*)?", word)}
        wrong += [f"{line}: no option {option}" for option in sorted(options - known) if not free]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_benchmarks_have_these_options(page):
    wrong = []
    for code in pieces_of_code(page):
        for module, rest in re.findall(r"python -m (benchmarks\.\w+)([^#;|]*)", code):
            file = ROOT / (module.replace(".", "/") + ".py")
            source = file.read_text(encoding="utf-8") if file.exists() else ""
            options = re.findall(r"(?<!\S)--[a-z][\w-]*", rest)
            wrong += [f"{code}: no option {option}" for option in options if f'"{option}"' not in source]
    assert not wrong


def test_that_these_checks_see_something():
    """README alone names the three kinds that are looked for."""
    code = pieces_of_code(ROOT / "README.md")
    assert "asic_model/engines/motion_search.py" in code
    assert any(piece.startswith("tasic density --claim") for piece in code)
    assert command(["density", "--claim"])[0].name == "density"
