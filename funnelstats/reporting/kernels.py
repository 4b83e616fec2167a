"""A notebook's parameters, and its outputs from a kernel of its own over sockets no other run can meet."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, MutableSet
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from funnelstats.reporting.warm import KERNEL_ENV, Parent, fork_kernel
from funnelstats.stated.funnel import FunnelError, suggestion

START_SECONDS, CELL_SECONDS, IOPUB_SECONDS = 60, 120, 30
_RETRIED = ("died before replying", "didn't respond")
_LONGEST_SOCKET_FOLDER = 80
_MOMENT = 0.003


def known_parameters(notebook: Path) -> dict[str, Any]:
    """Names and defaults of the parameters that the notebook declares in its cell tagged ``parameters``."""
    import papermill

    if not notebook.is_file():
        raise FunnelError(f"no notebook {notebook}")
    declared = papermill.inspect_notebook(str(notebook)).values()
    return {parameter["name"]: _literal(parameter["default"]) for parameter in declared}


def typed_parameters(notebook: Path, texts: Mapping[str, str]) -> dict[str, Any]:
    """Texts of a command line, typed like the notebook's defaults: a number where the default is one."""
    known = known_parameters(notebook)
    check_names(notebook, texts, known)
    typed: dict[str, Any] = {}
    for name, text in texts.items():
        kind = type(known[name])
        if kind is bool and text.lower() not in ("true", "false"):
            raise FunnelError(f'{name} must be true or false, got "{text}"')
        try:
            typed[name] = text.lower() == "true" if kind is bool else kind(text) if kind in (int, float) else text
        except ValueError:
            raise FunnelError(f'{name} must be a number like {known[name]}, got "{text}"') from None
    return typed


def check_names(notebook: Path, names: Iterable[str], known: Mapping[str, Any]) -> None:
    """Refuse a parameter that the notebook does not declare."""
    # papermill only warns about an unknown parameter, and renders the default report under its name.
    for name in names:
        if name not in known:
            raise FunnelError(f'no parameter "{name}" in {notebook.name}; {suggestion(name, known)}')


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what a page shows."""
    names = "funnelstats ibis-framework duckdb pandas numpy scipy matplotlib babel nbconvert"
    found = {"python": platform.python_version()}
    for name in names.split():
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def fingerprint(notebook: Path, parameters: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Hash of all a page depends on: notebook, parameters, inputs (their hashes), this package, libraries."""
    stated = json.dumps([dict(parameters), dict(inputs), versions()], sort_keys=True, default=str)
    return hashlib.sha256(notebook.read_bytes() + _package() + stated.encode()).hexdigest()


@cache
def _package() -> bytes:
    """Hash of this package's files, read once: a year of pages is thousands."""
    digest, package = hashlib.sha256(), Path(__file__).parents[1]
    for path in sorted(
        path for path in package.rglob("*") if path.suffix in (".py", ".j2", ".css", ".json", ".toml", ".mo")
    ):
        digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return digest.digest()


def cores() -> int:
    """Cores this process may use: in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def own_kernel(
    running: MutableSet[Any], parent: Parent | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """Options for nbclient that give a kernel over IPC in a temporary folder, which is removed at the end.

    On TCP ports, kernels that start at once collide and never answer. The kernel's manager joins ``running``,
    so that another thread can end it. With a ``parent`` the kernel is forked from it where that is possible.
    """
    from jupyter_client import AsyncKernelManager
    from jupyter_client.provisioning import LocalProvisioner
    from jupyter_core.utils import ensure_event_loop

    class OwnProvisioner(LocalProvisioner):
        async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
            options["env"] = {**options["env"], **KERNEL_ENV, **(environment or {})}
            forked = fork_kernel(parent, cmd, options["env"], options.get("cwd")) if parent else None
            if forked is None:
                # What is written below Python belongs to no page, and the commands' own output is read by others.
                return await super().launch_kernel(cmd, stdout=subprocess.DEVNULL, **options)
            self.process = forked  # type: ignore[assignment]
            self.pid = self.pgid = forked.pid
            # A client that connects before there is a socket tries again only a tenth of a second later.
            last = Path(f"{self.connection_info['ip']}-{self.connection_info['hb_port']}")
            for _ in range(int(START_SECONDS / _MOMENT)):
                if last.exists() or forked.poll() is not None:
                    break
                await asyncio.sleep(_MOMENT)
            return self.connection_info

        async def kill(self, restart: bool = False) -> None:
            await super().kill(restart)
            # jupyter_client looks only every tenth of a second.
            while await self.poll() is None:
                await asyncio.sleep(_MOMENT)

    # A socket's path may not be longer than about a hundred characters.
    room = tempfile.gettempdir() if len(tempfile.gettempdir()) < _LONGEST_SOCKET_FOLDER else "/tmp"
    with tempfile.TemporaryDirectory(prefix="fs-", dir=room, ignore_cleanup_errors=True) as folder:

        class OwnKernelManager(AsyncKernelManager):
            def __init__(self, **options: Any) -> None:
                own = {"transport": "ipc", "ip": f"{folder}/k", "connection_file": f"{folder}/kernel.json"}
                super().__init__(**{**options, **own})
                self.provisioner = OwnProvisioner(kernel_spec=self.kernel_spec, parent=self)
                running.add(self)

        options = {
            "kernel_manager_class": OwnKernelManager,
            "shutdown_kernel": "immediate",
            "iopub_timeout": IOPUB_SECONDS,
            "coalesce_streams": True,
            "record_timing": False,
            "store_widget_state": False,
        }
        try:
            yield options
        finally:
            _close_loop(ensure_event_loop())


def _close_loop(loop: asyncio.AbstractEventLoop) -> None:
    """End what nbclient left waiting in this thread's event loop, which it makes and never closes."""
    if loop.is_running():
        return
    waiting = asyncio.all_tasks(loop)
    for task in waiting:
        task.cancel()
    if waiting:
        loop.run_until_complete(asyncio.wait(waiting))
    loop.close()
    asyncio.set_event_loop(None)


def kill(manager: Any) -> None:
    """End a kernel from another thread than its own; that thread then cleans up after it."""
    provisioner = getattr(manager, "provisioner", None)
    process = getattr(provisioner, "process", None)
    if process is not None and process.poll() is None:
        with suppress(ProcessLookupError):
            process.kill()


def execute(
    notebook: Path,
    parameters: Mapping[str, Any],
    executed: Path,
    running: MutableSet[Any],
    parent: Parent | None = None,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """The notebook with its outputs for these parameters; also written to ``executed``, errors included.

    Raises papermill's PapermillExecutionError when a cell fails, nbclient's errors when it takes too long or
    its kernel dies. A kernel that never answered is tried once more: nothing of the notebook has run then. So is
    one that went with the process it was forked from, whoever ended that.
    """
    import papermill

    for attempt in (1, 2):
        try:
            with own_kernel(running, parent, environment) as options:
                return papermill.execute_notebook(
                    str(notebook),
                    str(executed),
                    dict(parameters),
                    progress_bar=False,
                    request_save_on_cell_execute=False,
                    autosave_cell_every=0,
                    start_timeout=START_SECONDS,
                    execution_timeout=CELL_SECONDS,
                    **options,
                )
        except RuntimeError as error:
            if attempt == 2 or not (any(words in str(error) for words in _RETRIED) or _orphaned(parent)):
                raise
    raise AssertionError("unreachable")


def _orphaned(parent: Parent | None) -> bool:
    """Whether a kernel's end is that of the process it was forked from, which nobody had asked to end."""
    with suppress(subprocess.TimeoutExpired):
        # Not poll: while another thread asks, that says of an ended process that it runs.
        return parent is not None and not parent.ending.is_set() and parent.process.wait(timeout=1) is not None
    return False


def _literal(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return source
