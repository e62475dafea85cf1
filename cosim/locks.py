"""Whether a file system has locks: network shares (NFS, GPFS, Lustre) are often mounted without."""

from __future__ import annotations

import errno
import fcntl
import tempfile
from pathlib import Path

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def locks_work(folder: Path) -> bool:
    """Whether files in a folder can be locked. Where none can be made there, others will say so."""
    try:
        # Without a name, where the system can: a process that is killed here leaves nothing.
        with tempfile.TemporaryFile(dir=folder, prefix=".lock-probe-") as probe:
            fcntl.lockf(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not is_without_locks(error)
    return True


def is_without_locks(error: OSError) -> bool:
    """Whether a lock failed because the file system has none, rather than because another holds it."""
    return error.errno in _NO_LOCKS
