"""Fixtures for STACK-GEN: tiny pipelines on the disk, and a machine without a network."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

TinyPipeline = Callable[[str], Path]


@pytest.fixture(scope="session")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> TinyPipeline:
    """The folder of a tiny pipeline by its kind, a key of `tiny_pipelines.PIPELINES`."""
    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        from tiny_pipelines import PIPELINES

        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("pipelines") / kind
            PIPELINES[kind]().save_pretrained(made[kind])
        return made[kind]

    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt to connect fails the test."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
