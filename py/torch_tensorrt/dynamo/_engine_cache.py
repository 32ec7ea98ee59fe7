"""The engine cache: built engines, found again by the content of their networks."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import mmap
import os
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch_tensorrt._version import __version__
from torch_tensorrt.dynamo._settings import CompilationSettings

logger = logging.getLogger("torch_tensorrt")

#: A ``torch.classes.tensorrt.Engine``.
Engine = Any

_FORMAT = "torch_tensorrt engine cache 1"
_KEY = "cache_key"  # in the metadata of a cached plan
_NO_PART_OF_KEYS = ("timing_cache_path",)  # where measurements are kept, not what they are
_SUFFIX = ".engine"
_STALE_SECONDS = 3600.0  # a scratch file older than this was left by a process that died


class BaseEngineCache(ABC):
    """Where built engines are kept. Derive from it and give ``save`` and ``load`` for a store of
    your own (a database, memory); pass the object as ``custom_engine_cache``.

    A blob is a plan file: data only, checked when it is opened. What a store returns is used only
    if it is the engine that was asked for, undamaged. Methods may be called by many threads.
    """

    @abstractmethod
    def save(self, hash: str, blob: bytes) -> None:
        """Keep ``blob`` under ``hash`` (64 hexadecimal digits), replacing what was there."""

    @abstractmethod
    def load(self, hash: str) -> bytes | None:
        """The blob kept under this name; None when there is none."""

    def remove(self, hash: str) -> None:  # noqa: B027
        """Forget the blob of this name: it is damaged. Does nothing unless overridden."""

    @staticmethod
    def get_hash(network: Any, config: Mapping[str, Any]) -> str:
        """Name of the engine that ``config`` makes of ``network``.

        It covers the whole network (operators, arguments, edges, ranges of symbols, names, bytes of
        every weight), what steers the build, this build of the package, and the machine as far as
        kernels are chosen by it. No addresses or identities of Python objects.

        Args:
            network: A ``torch_tensorrt._C.Network``, not yet built.
            config: Options of the builder, as JSON values.
        """
        steering = {k: v for k, v in config.items() if k not in _NO_PART_OF_KEYS}
        hasher = hashlib.sha256()
        for part in (_FORMAT, _build_identity(), _machine(), json.dumps(steering, sort_keys=True)):
            hasher.update(part.encode() + b"\0")
        hasher.update(network.to_string(inline_elements=0).encode())
        return hasher.hexdigest()

    def insert(self, hash: str, engine: Engine) -> None:
        """Keep a built engine."""
        self.save(hash, bytes(_plan_bytes(engine)))

    def check(self, hash: str) -> Engine | None:
        """The engine kept under this name, ready to run; None when there is none.

        Raises:
            RuntimeError: the blob is damaged.
        """
        blob = self.load(hash)
        if blob is None:
            return None
        from torch_tensorrt.dynamo.runtime._module import to_engine

        return to_engine(blob)


class DiskEngineCache(BaseEngineCache):
    """Engines as files of one folder, the least recently used removed first.

    Any number of processes may share the folder: a file appears whole or not at all, and whoever
    has opened one keeps it, and shares its memory with others that have. Files are replaced and
    removed, never written to: do the same.

    Args:
        engine_cache_size: Cap on the sum of all entries in bytes. An engine larger than that is not
            kept.
        engine_cache_dir: The folder; made, for this user only, when first needed.
    """

    def __init__(self, engine_cache_size: int, engine_cache_dir: str | os.PathLike[str]) -> None:
        self.engine_cache_size = engine_cache_size
        self.engine_cache_dir = Path(engine_cache_dir)

    def save(self, hash: str, blob: bytes | memoryview) -> None:
        """Write the entry: scratch file, fsync, rename.

        Raises:
            OSError: it cannot be written; nothing is left behind.
        """
        size = len(blob)
        if size > self.engine_cache_size:
            logger.info("an engine of %d bytes exceeds engine_cache_size: not kept", size)
            return
        self.engine_cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_room(size, hash)
        scratch = self.engine_cache_dir / f".{hash}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            with open(scratch, "xb") as file:
                file.write(blob)
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, self._path(hash))
        except BaseException:
            _unlink(scratch)
            raise

    def load(self, hash: str) -> bytes | None:
        """The entry's bytes, or None. It becomes the most recently used."""
        try:
            blob = self._path(hash).read_bytes()
        except FileNotFoundError:
            return None
        self._touch(hash)
        return blob

    def remove(self, hash: str) -> None:
        """Delete the entry, if there is one."""
        _unlink(self._path(hash))

    def insert(self, hash: str, engine: Engine) -> None:
        self.save(hash, _plan_bytes(engine))

    def check(self, hash: str) -> Engine | None:
        path = self._path(hash)
        if not path.exists():
            return None
        engine: Engine = _core().load_engine(str(path))
        self._touch(hash)
        return engine

    def _path(self, hash: str) -> Path:
        return self.engine_cache_dir / (hash + _SUFFIX)

    def _touch(self, hash: str) -> None:
        with contextlib.suppress(OSError):  # a folder of somebody else's can be read all the same
            os.utime(self._path(hash))

    def _make_room(self, size: int, hash: str) -> None:
        """Remove old scratch files, and entries, oldest use first, until ``size`` bytes fit."""
        entries: list[tuple[int, int, Path]] = []
        stale = time.time() - _STALE_SECONDS
        for entry in self._files():
            if entry.name.endswith(_SUFFIX):
                info = entry.stat()
                if entry.name != hash + _SUFFIX:
                    entries.append((info.st_mtime_ns, info.st_size, Path(entry.path)))
            elif entry.name.startswith(".") and entry.stat().st_mtime < stale:
                _unlink(Path(entry.path))
        used = sum(entry[1] for entry in entries)
        for _, entry_size, path in sorted(entries):
            if used + size <= self.engine_cache_size:
                break
            _unlink(path)
            used -= entry_size

    def _files(self) -> list[os.DirEntry[str]]:
        found = []
        with os.scandir(self.engine_cache_dir) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # another process removed it
                    entry.stat()
                    found.append(entry)
        return found


def cache_of(settings: CompilationSettings) -> BaseEngineCache | None:
    """The cache these settings ask for; None when they neither store nor look up engines."""
    if not (settings.cache_built_engines or settings.reuse_cached_engines):
        return None
    if settings.custom_engine_cache is not None:
        custom: BaseEngineCache = settings.custom_engine_cache
        return custom
    return DiskEngineCache(settings.engine_cache_size, settings.engine_cache_dir)


def find_engine(cache: BaseEngineCache, key: str) -> Engine | None:
    """The engine kept under ``key``. A damaged entry is removed; whatever goes wrong is a miss."""
    try:
        engine = cache.check(key)
        if engine is None or engine.metadata(_KEY) == key:
            return engine
        reason: object = "it holds another engine"
    except (OSError, _core().DeviceError) as error:
        logger.warning("the engine cache cannot be read: %s", error)
        return None
    except Exception as error:
        reason = error
    logger.warning("the engine cache entry %s cannot be used and is removed: %s", key[:16], reason)
    with contextlib.suppress(Exception):
        cache.remove(key)
    return None


def store_engine(cache: BaseEngineCache, key: str, engine: Engine) -> None:
    """Keep an engine built with :func:`key_metadata`; a failure is a warning, not an error."""
    try:
        cache.insert(key, engine)
    except Exception as error:
        logger.warning("the engine cache cannot keep an engine: %s", error)


def key_metadata(key: str) -> dict[str, str]:
    """What a plan must carry to be recognised under ``key``."""
    return {_KEY: key}


def _core() -> Any:
    from torch_tensorrt import _C

    return _C


def _plan_bytes(engine: Engine) -> memoryview:
    return memoryview(engine.serialize().numpy())


def _unlink(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


@functools.cache
def _build_identity() -> str:
    """The version, and the content of the compiled libraries: code under development changes
    without the version."""
    hashes = []
    for path in sorted(Path(_core().__file__).parent.glob("*.so")):
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            hashes.append(f"{_core().content_hash(content):016x}")
    return " ".join([__version__, *hashes])


def _machine() -> str:
    return f"{_core().cpu_isa()} {_core().max_threads()}"
