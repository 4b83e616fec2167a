"""papermill's engine for pages: cells run by IPython's shell in this process, their outputs those of a kernel."""

from __future__ import annotations

import io
import json
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import papermill
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.jsonutil import json_default
from nbformat import NotebookNode
from nbformat.v4 import new_output
from papermill.engines import Engine, papermill_engines
from traitlets import Any as AnyTrait, Type
from traitlets.config import Config


def execute(
    notebook: Path, parameters: Mapping[str, Any], executed: Path, cell_begins: Callable[[int], None] = lambda _: None
) -> NotebookNode:
    """The notebook with its outputs for these parameters; also written to ``executed``, errors included.

    It takes this process for itself: standard streams, displays and the module ``__main__`` are the notebook's.
    Raises papermill's PapermillExecutionError when a cell fails.
    """
    return papermill.execute_notebook(
        str(notebook),
        str(executed),
        dict(parameters),
        engine_name="in-process",
        progress_bar=False,
        request_save_on_cell_execute=False,
        autosave_cell_every=0,
        cell_begins=cell_begins,
    )


class InProcess(Engine):
    """Runs each cell in a new shell of this process; ``cell_begins`` hears the number of each."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, _kernel_name: str, *, cell_begins: Callable[[int], None], **_options: Any
    ) -> None:
        shell = PageShell.instance(config=Config(HistoryManager={"enabled": False, "hist_file": ":memory:"}))
        # As a kernel does: modules beside where the run was started can be imported.
        sys.path.insert(0, "")
        for place, cell in enumerate(nb_man.nb.cells):
            if cell.cell_type != "code" or not cell.source.strip():
                continue
            cell_begins(shell.execution_count)
            nb_man.cell_start(cell, place)
            shell.run(cell)
            failed = any(output.output_type == "error" for output in cell.outputs)
            if failed:
                nb_man.cell_exception(cell, place)
            nb_man.cell_complete(cell, place)
            if failed:
                break


papermill_engines.register("in-process", InProcess)


class _Stream(io.TextIOBase):
    """Standard output or error of a cell: one output, at the place of its first text."""

    def __init__(self, shell: PageShell, name: str) -> None:
        self.shell, self.name = shell, name

    def write(self, text: str) -> int:
        streams = [output for output in self.shell.outputs if output.get("name") == self.name]
        if streams:
            streams[0].text += text
        elif text:
            self.shell.outputs.append(new_output("stream", name=self.name, text=text))
        return len(text)


class _Displays(DisplayPublisher):
    def publish(self, data: Any, metadata: Any = None, *_: Any, **_options: Any) -> None:
        self.shell.outputs.append(new_output("display_data", **_as_json(data=data, metadata=metadata or {})))


class _Results(DisplayHook):
    shell: Any

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        made = _as_json(data=format_dict, metadata=md_dict or {})
        self.shell.outputs.append(new_output("execute_result", execution_count=self.prompt_count, **made))

    def finish_displayhook(self) -> None:
        self._is_active = False


class PageShell(InteractiveShell):
    """A shell whose outputs go where a kernel's would: into the cell."""

    display_pub_class = Type(_Displays)
    displayhook_class = Type(_Results)
    outputs = AnyTrait()

    def run(self, cell: NotebookNode) -> None:
        """Run a code cell and write its outputs into it."""
        cell.outputs = self.outputs = []
        cell.execution_count = self.execution_count
        with redirect_stdout(_Stream(self, "stdout")), redirect_stderr(_Stream(self, "stderr")):
            result = self.run_cell(cell.source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        if error and not any(output.output_type == "error" for output in self.outputs):
            # IPython cannot show every traceback, one through a template for instance, and then only prints.
            lines = traceback.format_exception(error)
            self.outputs.append(new_output("error", ename=type(error).__name__, evalue=str(error), traceback=lines))

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.outputs.append(new_output("error", ename=etype.__name__, evalue=str(evalue), traceback=list(stb)))

    def enable_gui(self, gui: Any = None) -> None:
        """A page has no windows."""


def _as_json(**made: Any) -> Any:
    """Bytes, numbers of numpy and the like as a kernel sends them."""
    return json.loads(json.dumps(made, default=json_default))
