"""Reports failures from outside a run, with how to resume it: files that cannot be written, killed workers."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from cnngraph.atomic_files import WriteError
from cnngraph.diagnostics import SpecError
from cnngraph.train.data.images import FEWER_WORKERS, WORKER_KILLED, worker_death
from cnngraph.train.record.run_folder import RunFolder

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # disk full, or quota exceeded


@contextmanager
def reporting_failures(folder: RunFolder) -> Iterator[None]:
    """Raise SpecError if a file of the run cannot be written (E632) or an image-loading worker was killed (E623)."""
    try:
        yield
    except WriteError as error:
        help = "free disk space" if error.errno in FULL else "fix the cause"
        raise _failure("E632", f"cannot write {error.filename}: {error.strerror}", help, folder) from None
    except RuntimeError as error:
        message = worker_death(error)
        if message is None:
            raise
        raise _failure(WORKER_KILLED, message, FEWER_WORKERS, folder) from None


def _failure(code: str, message: str, help: str, folder: RunFolder) -> SpecError:
    next_step = f"then resume with `cnngraph train --resume {folder.path}`" if folder.started else "then start again"
    notes = (f"{folder.best.name} is unchanged",) if folder.best.is_file() else ()
    return SpecError.of(code, message, notes=notes, help=f"{help}; {next_step}")
