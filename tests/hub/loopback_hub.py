"""A stand-in for the part of the Hugging Face Hub's protocol that its clients use, on this machine.

It exists so that `huggingface_hub` and `datasets`, as they are, can be run without a network: state in memory, large
objects in a folder, faults on demand. Not a Hub: nothing is safe, fast or complete.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from loopback_hub_account import AccountRoutes
from loopback_hub_files import FileRoutes
from loopback_hub_state import Fault, HubState, Tree, User

WRITE_TOKEN = "hf_" + "writesForUser" * 2
READ_TOKEN = "hf_" + "readsForUser" * 2
OTHER_TOKEN = "hf_" + "somebodyElse" * 2
BAD_TOKEN = "hf_" + "nobodyKnowsThis" * 2

TOKENS = (WRITE_TOKEN, READ_TOKEN, OTHER_TOKEN, BAD_TOKEN)
"""Formed like real ones, so that what looks for tokens finds them."""


class LoopbackHub:
    """`with LoopbackHub(folder) as hub:` serves at `hub.url`; what it holds and what goes wrong is in `hub.state`."""

    def __init__(self, root: Path) -> None:
        users = {
            WRITE_TOKEN: User("user", orgs=("lab",)),
            READ_TOKEN: User("user", role="read"),
            OTHER_TOKEN: User("other"),
        }
        self.state = HubState(root, users)
        self._connections: set[socket.socket] = set()
        served = {"state": self.state, "connections": self._connections}
        handler: Any = type("LoopbackHandler", (AccountRoutes, FileRoutes), served)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the client has gone
        self.url = self.state.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> LoopbackHub:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):  # kept alive by the client otherwise
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def environment(self, home: Path, token: str = WRITE_TOKEN, xet: bool = False) -> dict[str, str]:
        """For a child process: the clients read most of this when they are imported."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
        ours = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_TOKEN": token}
        ours |= {"HF_HUB_DISABLE_XET": "0" if xet else "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return kept | ours | {"HF_UPDATE_DOWNLOAD_COUNTS": "0", "OMP_NUM_THREADS": "1"}

    def api(self, token: str | bool = WRITE_TOKEN) -> Any:
        """A client in this process. `datasets`, and what takes no `endpoint`, need a process of their own."""
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.url, token=token)

    def fault(self, path: str = ".*", **what: Any) -> Fault:
        """Let something go wrong from now on; see `Fault`."""
        self.state.faults.append(fault := Fault(path, **what))
        return fault

    def files(self, name: str, kind: str = "dataset", revision: str | None = None) -> dict[str, bytes]:
        """Every file of a revision, but .gitattributes."""
        return self.state.files(kind, name, revision)

    def trees(self, name: str, kind: str = "dataset", branch: str = "main") -> list[Tree]:
        """Every state that a branch ever had, without .gitattributes."""
        states = self.state.repositories[kind, name].states
        return [
            {path: entry for path, entry in tree.items() if path != ".gitattributes"}
            for where, tree, _ in states
            if where == branch
        ]
