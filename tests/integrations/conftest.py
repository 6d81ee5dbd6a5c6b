"""A Redis of the test's own."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from integrations.recipes import free_port, served


@pytest.fixture
def redis_url(tmp_path):
    """Where one listens that ends with the test."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with open(tmp_path / "output", "wb") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=output)
    with process:
        try:
            served(port, tmp_path)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()
