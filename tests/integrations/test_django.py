"""Django: LOGGING in all processes, and a command with a pool."""

from __future__ import annotations

import sys

import pytest

from integrations.recipes import (
    free_port,
    get,
    laid_out,
    log_has,
    logged,
    numbers,
    output,
    served,
    started,
    stopped,
)

pytest.importorskip("django")
URLS = """
import logging
from django.http import HttpResponse
from django.urls import path

def answer(request, word, number):
    logging.getLogger("shop").info("asked for %s %d", word, number)
    return HttpResponse("thank you")

urlpatterns = [path("<str:word>/<int:number>", answer)]
"""
ADMIN = [sys.executable, "-m", "django"]
SETTINGS = {"DJANGO_SETTINGS_MODULE": "django_settings"}


@pytest.fixture
def project(tmp_path):
    """With the recipes in their places."""
    laid_out("django_settings.py", tmp_path)
    (tmp_path / "urls.py").write_text(URLS)
    commands = tmp_path / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    for package in (commands, commands.parent, commands.parent.parent):
        (package / "__init__.py").touch()
    laid_out("django_command.py", commands)
    return tmp_path


def test_the_server_with_its_reloader(project):
    """Every line is there once: of views, and of the server itself, in each process."""
    port = free_port()
    with started([*ADMIN, "runserver", str(port)], project, **SETTINGS) as server:
        served(port, project)
        for number in range(100):
            assert get(port, f"/before/{number}") == "thank you"
        (project / "urls.py").write_text(URLS + "\n")
        log_has(project, "changed, reloading")
        log_has(project, "Watching for file changes", 2)
        served(port, project)
        for number in range(100):
            assert get(port, f"/after/{number}") == "thank you"
        stopped(server, project)
    text = logged(project)
    for word in ("before", "after"):
        assert numbers(text, rf"shop: asked for {word} (\d+)$") == list(range(100))
        assert numbers(text, rf'django.server: "GET /{word}/(\d+) ') == list(range(100))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_command_with_a_pool(project, method):
    """Every line of its workers is there once, whether LOGGING is set up there again or not."""
    program = (
        "import multiprocessing, sys; from django.core.management import execute_from_command_line"
        f"\nif __name__ == '__main__':\n    multiprocessing.set_start_method({method!r})"
        "\n    execute_from_command_line(sys.argv)\n"
    )
    (project / "manage.py").write_text(program)
    command = [sys.executable, "manage.py", "django_command", "1000"]
    with started(command, project, **SETTINGS) as process:
        assert process.wait(60) == 0, output(project)
    text = logged(project)
    assert numbers(text, r"shop: number (\d+)$") == list(range(1000))
    assert f"[{process.pid}] shop:" not in text
    assert output(project) == ""
