"""All is in setup.cfg, but the description that an index page shows: the README without its
pictures and links, since the page has none of the repository's files."""

import re
from pathlib import Path

from setuptools import setup

readme = Path(__file__).with_name("README.rst").read_text(encoding="utf-8")
readme = re.sub(r"^\.\. image::.*\n( +:.*\n)*\n", "", readme, flags=re.MULTILINE)
readme = re.sub(r"`[^`<]+ <(mplogging/[^`>]+)>`__", r"``\1``", readme)

setup(long_description=readme)
