"""The programs in the README and the documentation run as they stand; what they list is so."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import texts

import mplogging

TESTS = Path(__file__).parent
PACKAGE = Path(mplogging.__file__).parent
README = TESTS.parent / "README.rst"
DOCS = sorted((PACKAGE / "docs").glob("*.rst"))
PAGES = {page.name: page.read_text("utf-8") for page in (README, *DOCS)}
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", re.MULTILINE)
LINK = re.compile(r"(?:`[^`<]+ <|^\.\. image:: )([^>\s]+)(?:>`__)?", re.MULTILINE)

# What each program leaves in its logs, in the pages' order: lines, and a word of one.
TEN = (10, "number 9")
EXPECTED = {
    "README.rst": [
        (1000, "square of 12 is 144"),
        (1, "DEBUG the session lasts"),
        (None, "ready for the second pool"),
        (None, "ZeroDivisionError"),
        (1, "one of several programs"),
    ],
    "session.rst": [
        (1, "hello from another program"),
        (3, "number 2"),
        (4, "app.db: number 2"),
        (3, "three"),
        (6, "995 more were held back within 60 s"),
        TEN,
        TEN,
    ],
    "handler.rst": [(1, "this line is in")],
    "coming_from.rst": [TEN] * 13,
}
PROGRAMS = [(page, number) for page, wanted in EXPECTED.items() for number in range(len(wanted))]
# What is not the standard library's, where it is shown how it was before.
FOREIGN = ("concurrent_log_handler", "loguru", "multiprocessing_logging")


def programs(page: str) -> list[str]:
    return [textwrap.dedent(block) for block in BLOCK.findall(PAGES[page])]


def test_every_program_is_expected():
    """A new one gets a line above, or is run by a test that names its page."""
    others = "".join(test.read_text("utf-8") for test in TESTS.rglob("test_*.py"))
    for page in PAGES:
        if page in EXPECTED:
            assert len(programs(page)) == len(EXPECTED[page]), page
        else:
            assert not programs(page) or page in others, page


@pytest.mark.parametrize(("page", "number"), PROGRAMS)
def test_program(page, number, tmp_path):
    """It ends well, and what it says it logs is in the file."""
    program = programs(page)[number]
    for name in FOREIGN:
        if f"from {name} " in program and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    done = run(program, tmp_path)
    assert done.returncode == 0, done.stderr
    lines, word = EXPECTED[page][number]
    (text,) = [text for text in texts(tmp_path / "logs").values() if word in text]
    assert lines in (None, len(text.splitlines()))


def run(program: str, directory: Path) -> subprocess.CompletedProcess[str]:
    (directory / "example.py").write_text(program)
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "example.py"],
        cwd=directory, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_titles_and_tables_are_whole(page):
    """Each title has a line of its length under it; each table its top, its head and its end."""
    lines = PAGES[page].splitlines()
    borders = []
    for number, line in enumerate(lines):
        if re.fullmatch("=+( +=+)+", line):
            borders.append(line)
        elif re.fullmatch(r"(=|-|~){4,}", line):
            above = [""] + lines[:number]
            assert len(above[-1]) == len(line) and not above[-2], line
    assert len(borders) % 3 == 0
    for start in range(0, len(borders), 3):
        assert len(set(borders[start : start + 3])) == 1, borders[start]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """To a file of the repository; in an installed package, to one of the documentation."""
    start = README.parent if page == "README.rst" else PACKAGE / "docs"
    for link in LINK.findall(PAGES[page]):
        if link.startswith("mplogging/"):
            assert (PACKAGE.parent / link).is_file(), link
        elif not re.match("https?:", link) and ".." not in link:
            assert (start / link).is_file(), link


def test_the_table_of_arguments():
    """It has each argument of a session, in order, with its default; and names of the file's."""
    parameters = list(inspect.signature(mplogging.LogSession).parameters.values())
    found = re.findall(r"^   \* - ``(\w+)``\n     - ``(.*)``$", PAGES["README.rst"], re.MULTILINE)
    assert found == [
        (one.name, repr(one.default).replace("'", '"'))
        for one in parameters
        if one.kind is not one.VAR_KEYWORD
    ]
    (_, more) = PAGES["README.rst"].split("All arguments of ``DatedFileHandler`` work here too: ")
    names = re.findall(r"``(\w+)``", more.partition(" and more")[0])
    assert len(names) == 8 and set(names) < set(
        inspect.signature(mplogging.DatedFileHandler).parameters
    )


LINES_ARE_MISSING = {
    "a pool older than the session": (
        """
        with multiprocessing.Pool(1) as pool, mplogging.LogSession("logs/app.log"):
            pool.apply(work)
        """,
        """
        with mplogging.LogSession("logs/app.log"), multiprocessing.Pool(1) as pool:
            pool.apply(work)
        """,
        """
        with multiprocessing.Pool(1) as pool:
            with mplogging.LogSession("logs/app.log"):
                pool.apply(decorated)
            pool.close()
            pool.join()
        """,
    ),
    "nothing attaches the workers": (
        """
        with mplogging.LogSession("logs/app.log", autoAttach=False):
            with context.Pool(1) as pool:
                pool.apply(work)
        """,
        """
        with mplogging.LogSession("logs/app.log", autoAttach=False) as session:
            with context.Pool(1, initializer=session.initializer) as pool:
                pool.apply(work)
        """,
    ),
    "the level is INFO": (
        """
        with mplogging.LogSession("logs/app.log"):
            logging.debug("here")
        """,
        """
        with mplogging.LogSession("logs/app.log", level="DEBUG"):
            logging.debug("here")
        """,
    ),
    "a worker sets up logging": (
        """
        with mplogging.LogSession("logs/app.log"):
            process = context.Process(target=set_up_and_work)
            process.start()
            process.join()
        """,
        """
        with mplogging.LogSession("logs/app.log"):
            process = context.Process(target=work)
            process.start()
            process.join()
        """,
    ),
    "a logger does not propagate": (
        """
        logging.getLogger("app").propagate = False
        with mplogging.LogSession("logs/app.log"):
            logging.getLogger("app").warning("here")
        """,
        """
        with mplogging.LogSession("logs/app.log"):
            logging.getLogger("app").warning("here")
        """,
        """
        logging.getLogger("app").propagate = False
        logging.getLogger("app").addHandler(mplogging.DatedFileHandler("logs/app.log"))
        with mplogging.LogSession():
            logging.getLogger("app").warning("here")
        """,
    ),
}
BEGINNING = """
import logging, multiprocessing
import mplogging


def work():
    logging.warning("here")


def set_up_and_work():
    logging.basicConfig(force=True)
    work()


@mplogging.worker
def decorated():
    work()


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
"""


@pytest.mark.parametrize("why", LINES_ARE_MISSING)
def test_my_lines_are_missing(why, tmp_path):
    """As the README's table says why, and they are there with what it says to do."""
    missing, *right = LINES_ARE_MISSING[why]
    for number, part in enumerate((missing, *right)):
        (tmp_path / str(number)).mkdir()
        program = BEGINNING + textwrap.indent(textwrap.dedent(part), "    ")
        done = run(program, tmp_path / str(number))
        assert done.returncode == 0, done.stderr
        text = "".join(texts(tmp_path / str(number) / "logs").values())
        assert ("here" in text) is (number > 0), (part, done.stderr)
        if why == "a worker sets up logging":
            assert ("MPLoggingWarning" in done.stderr) is (number == 0)


def test_what_is_shown_of_the_console_and_the_format(tmp_path):
    """The defaults that the first screen tells."""
    form = re.search(r"^  ``(%\(asctime\)s.*)`` by default", PAGES["README.rst"], re.MULTILINE)[1]
    done = run(
        "import logging, mplogging\n"
        "logging.basicConfig()\n"
        "for arguments in {}, {'console': True}:\n"
        "    with mplogging.LogSession('logs/app.log', **arguments):\n"
        "        logging.debug('not there')\n"
        "        logging.info('there %s', arguments)\n",
        tmp_path,
    )
    (text,) = texts(tmp_path / "logs").values()
    first, second = text.splitlines()
    assert "not there" not in text
    assert second in done.stderr and first not in done.stderr
    shape = re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+)", re.escape(form))
    found = re.fullmatch(shape.replace(r"%\(process\)d", r"(?P<process>\d+)"), first)
    assert (found["levelname"], found["message"]) == ("INFO", "there {}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", found["asctime"])
