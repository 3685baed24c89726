"""An emission to download: a SigMF archive."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from liveclf.view.clips import Clip
from liveclf.view.recordings import name_of, write
from liveclf.view.told import Entry


def archive(entry: Entry, clip: Clip) -> bytes:
    """Return a SigMF archive.

    Source: SigMF specification 1.2.6, SigMF archives: a folder of the archive's name.

    Raises:
        SinkError: There is no room for it.
    """
    name = name_of(entry.emission)
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="liveclf-") as folder:
        path = Path(folder) / f"{name}.sigmf-meta"
        write(path, entry, clip, entry.corrected or entry.emission.label)
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for part in (path, path.with_suffix(".sigmf-data")):
                tar.add(part, f"{name}/{part.name}", filter=_anonymous)
    return packed.getvalue()


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
