"""What may befall a run from outside, told so that a person knows how it goes on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from cnngraph.diagnostics import SpecError
from cnngraph.files import WriteError
from cnngraph.train.data.images import FEWER_WORKERS, WORKER_DIED, worker_death
from cnngraph.train.record.run_folder import RunFolder

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # no room on the disk, or none left of a person's share


@contextmanager
def troubles_told(folder: RunFolder) -> Iterator[None]:
    """Raises SpecError where a file of the run cannot be written (E632), or an image worker was killed (E623)."""
    try:
        yield
    except WriteError as error:
        help = "make room" if error.errno in FULL else "see to it"
        raise _trouble("E632", f"cannot write {error.filename}: {error.strerror}", help, folder) from None
    except RuntimeError as error:
        message = worker_death(error)
        if message is None:
            raise
        raise _trouble(WORKER_DIED, message, FEWER_WORKERS, folder) from None


def _trouble(code: str, message: str, help: str, folder: RunFolder) -> SpecError:
    goes_on = f"cnngraph train --resume {folder.path} then goes on" if folder.begun else "then begin again"
    kept = (f"{folder.best.name} is as it was",) if folder.best.is_file() else ()
    return SpecError.of(code, message, notes=kept, help=f"{help}; {goes_on}")
