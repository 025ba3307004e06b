"""Packages that are missing or broken: which one it is, and the line that installs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

OURS = "cnngraph"
TITLES = {"torch": "PyTorch", "ignite": "PyTorch-Ignite", "numpy": "NumPy", "PIL": "Pillow", "yaml": "PyYAML"}
SOURCES = {  # what pip installs for a module, where that is not called as the module is
    "torch": "torch torchvision",
    "torchvision": "torch torchvision",  # a pair: either fits one version of the other
    "ignite": "pytorch-ignite",
    "PIL": "pillow",
    "yaml": "pyyaml",
}


class PackageError(ImportError):
    """A package that is needed cannot be imported. `help` is the line to paste."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}: {help}")
        self.message, self.help = message, help


@contextmanager
def explained() -> Iterator[None]:
    """Turn an error of importing what another project wrote into PackageError."""
    try:
        yield
    except Exception as error:
        found = explain(error)
        if found is None or found is error:
            raise
        raise found from error


def require(*modules: str) -> None:
    """Raise PackageError where one of them is not installed; before long work that needs it in the end."""
    from importlib.util import find_spec

    for each in modules:
        with explained():
            if find_spec(each) is None:
                raise missing(each)


def missing(module: str) -> PackageError:
    """The error for a module that is not installed."""
    return PackageError(f"{_title(module)} is not installed", f"pip install {_source(module)}")


def explain(error: BaseException) -> PackageError | None:
    """The error that says what to install, where that is what helps."""
    if isinstance(error, PackageError):
        return error
    importing = _imported(error.__traceback__)
    absent = _absent(error)
    if not isinstance(error, ImportError) and absent is None:
        return _broken(importing, error) if importing else None
    if absent is not None and absent != OURS and importing in (None, absent):
        return missing(absent)
    if importing is None:
        importing = absent or ((getattr(error, "name", None) or "").partition(".")[0] or None)
    if importing in (None, OURS):
        return None
    found = _broken(importing, error)
    return found if absent is None else PackageError(found.message, f"pip install {_source(absent)}")


def _absent(error: BaseException) -> str | None:
    """The package that is not there, if that is what is wrong."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return error.name.partition(".")[0]
    return "numpy" if isinstance(error, RuntimeError) and str(error) == "Numpy is not available" else None


def _imported(trace: TracebackType | None) -> str | None:
    """The package whose module was being loaded for one of ours when the error came."""
    found = None
    while trace:
        module = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if module == OURS:
            found = None
        elif found is None and trace.tb_frame.f_code.co_name == "<module>":
            found = module
        trace = trace.tb_next
    return found


def _broken(module: str, error: BaseException) -> PackageError:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    message = f"{_title(module)} cannot be imported ({reason[:200]})"
    return PackageError(message, f"pip install --force-reinstall {_source(module)}")


def _title(module: str) -> str:
    return TITLES.get(module, module)


def _source(module: str) -> str:
    return SOURCES.get(module, module)
