"""A store at an address while it grows: its chunks lie where they will stay, what says that it is one lies beside."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from convcli.addresses import is_address
from convcli.errors import ConvcliError
from convcli.stores.quick import system_error

# What says that there is an array or a group, in the order in which it may appear.
METADATA = (".zattrs", ".zmetadata", ".zarray", ".zgroup", "zarr.json")
UNFINISHED = ".unfinished"


def opened(folder: str) -> Any:
    """What zarr opens of a store that grows, in any process: a folder's name, or both layers of an address."""
    if not is_address(folder):
        return folder
    from zarr.storage import FsspecStore

    chunks, beside = FsspecStore.from_url(folder.removesuffix(UNFINISHED)), FsspecStore.from_url(folder)
    return _layered()(chunks, beside)


@contextmanager
def as_of_system(array: Any) -> Iterator[None]:
    """Let what the library behind an address raises (of connections, mostly) be an `OSError`: it is tried again.

    So is what zarrs says of the system. Damage stays what it is, and so does all that is raised about stores here.
    """
    try:
        yield
    except RuntimeError as error:
        refused = system_error(error)
        if refused is None:
            raise
        raise refused from error
    except (OSError, ConvcliError, MemoryError, ValueError, LookupError, TypeError, ArithmeticError):
        raise
    except Exception as error:
        if "Local" in type(array.store).__name__:
            raise
        raise OSError(f"{type(error).__name__}: {' '.join(str(error).split())[:160]}") from None


def _layered() -> Any:
    """The class, which is made late since its base is the library's."""
    from zarr.abc.store import ByteRequest, Store
    from zarr.core.buffer import Buffer, BufferPrototype
    from zarr.storage import WrapperStore

    class Layered(WrapperStore[Any]):  # type: ignore[misc]
        """Two stores as one."""

        def __init__(self, chunks: Any, beside: Any) -> None:
            super().__init__(chunks)
            self._beside = beside

        def _of(self, key: str) -> Any:
            return self._beside if key.rpartition("/")[2] in METADATA else self._store

        async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Any:
            return await self._of(key).get(key, prototype, byte_range)

        async def exists(self, key: str) -> bool:
            return bool(await self._of(key).exists(key))

        async def set(self, key: str, value: Buffer) -> None:
            await self._of(key).set(key, value)

        async def set_if_not_exists(self, key: str, value: Buffer) -> None:
            await self._of(key).set_if_not_exists(key, value)

        async def _set_many(self, values: Any) -> None:
            await Store._set_many(self, values)

        async def _get_many(self, requests: Any) -> AsyncIterator[Any]:
            async for each in Store._get_many(self, requests):
                yield each

        async def delete(self, key: str) -> None:
            await self._of(key).delete(key)

        async def delete_dir(self, prefix: str) -> None:
            await self._store.delete_dir(prefix)
            await self._beside.delete_dir(prefix)

        def list_dir(self, prefix: str) -> AsyncIterator[str]:
            return self._beside.list_dir(prefix)  # type: ignore[no-any-return]

        def with_read_only(self, read_only: bool = False) -> Any:
            return Layered(self._store.with_read_only(read_only), self._beside.with_read_only(read_only))

    return Layered
