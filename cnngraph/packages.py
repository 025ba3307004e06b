"""Missing or broken packages: which package it is, and the command that installs it."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

OURS = "cnngraph"
TITLES = {
    "torch": "PyTorch", "ignite": "PyTorch-Ignite", "numpy": "NumPy", "PIL": "Pillow", "yaml": "PyYAML",
    "mlflow": "MLflow", "tensorboard": "TensorBoard", "wandb": "W&B",
}  # fmt: skip
CORE = ("click", "jsonschema", "networkx", "rich", "yaml")  # modules of the mandatory dependencies
EXTRAS = {  # modules of each extra in pyproject.toml
    "train": ("torch", "torchvision", "ignite", "safetensors", "numpy", "matplotlib", "PIL", "filelock"),
    "draw": ("matplotlib",),
    "svhn": ("scipy",),
    "tensorboard": ("tensorboard",),
}
NEEDED = (*CORE, *(module for modules in EXTRAS.values() for module in modules))
IMPORT = re.compile(r"\s*(?:from|import)\s+(\w+)")
SOURCES = {  # the packages to install for a module with another name
    "torch": "torch torchvision",
    "torchvision": "torch torchvision",  # each needs a specific version of the other
    "ignite": "pytorch-ignite",
    "PIL": "pillow",
    "yaml": "pyyaml",
}


class PackageError(ImportError):
    """A required package cannot be imported. `help` is the command that installs it."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}: {help}")
        self.message, self.help = message, help


@contextmanager
def explained() -> Iterator[None]:
    """Convert errors of importing third-party packages to PackageError."""
    try:
        yield
    except Exception as error:
        found = explain(error)
        if found is None or found is error:
            raise
        raise found from error


def require(*modules: str) -> None:
    """Raise PackageError if a module is not installed; call this before long work that needs it at the end."""
    for module in modules:
        if not _is_there(module):
            raise missing(module)


def require_extra(extra: str) -> None:
    """Raise PackageError if a module of an extra is not installed."""
    for module in EXTRAS[extra]:
        if not _is_there(module):
            raise PackageError(f"{_title(module)} is not installed", _extra_command(extra))


def missing(module: str) -> PackageError:
    """The error for a module that is not installed, with the command that installs it."""
    return PackageError(f"{_title(module)} is not installed", _install_command(module))


def _install_command(module: str) -> str:
    """The command that installs a module: by the extra that it belongs to, or else by its package."""
    extra = next((name for name, modules in EXTRAS.items() if module in modules), None)
    return _extra_command(extra) if extra else f"pip install {_source(module)}"


def _extra_command(extra: str) -> str:
    return f"pip install '{OURS}[{extra}]'"


def _is_there(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except Exception:  # whatever the import system of a broken installation raises
        return False


def explain(error: BaseException) -> PackageError | None:
    """The PackageError for an error, or None if installing a package would not help."""
    if isinstance(error, PackageError):
        return error
    importing = _imported(error.__traceback__)
    absent = _absent(error)
    if not isinstance(error, ImportError) and absent is None:
        return _broken(importing, error) if importing else None
    if absent is not None and absent != OURS and importing in (None, absent):
        return missing(absent)
    if importing is None:
        importing = absent or (_root(getattr(error, "name", None) or "") or None)
    if importing in (None, OURS):
        return None
    found = _broken(importing, error)
    return found if absent is None else PackageError(found.message, _install_command(absent))


def _absent(error: BaseException) -> str | None:
    """The missing package, if that is the cause of the error."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _root(error.name)
    return "numpy" if isinstance(error, RuntimeError) and str(error) == "Numpy is not available" else None


def _imported(trace: TracebackType | None) -> str | None:
    """The package that was being imported when the error was raised: the innermost one we depend on, if any."""
    found = None
    while trace:
        frame = trace.tb_frame
        ours = _root(str(frame.f_globals.get("__name__", ""))) == OURS
        if ours or frame.f_code.co_name == "<module>":
            statement = IMPORT.match(linecache.getline(frame.f_code.co_filename, trace.tb_lineno))
            imported = statement[1] if statement else None
            if ours:
                found = None if imported == OURS else imported
            elif found is None or imported in NEEDED:
                found = imported or _root(str(frame.f_globals.get("__name__", "")))
        trace = trace.tb_next
    return found


def _root(module: str) -> str:
    return module.partition(".")[0]


def _broken(module: str, error: BaseException) -> PackageError:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    message = f"{_title(module)} cannot be imported ({reason[:200]})"
    return PackageError(message, f"pip install --force-reinstall {_source(module)}")


def _title(module: str) -> str:
    return TITLES.get(module, module)


def _source(module: str) -> str:
    return SOURCES.get(module, module)
