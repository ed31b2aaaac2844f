"""Every store of ours keeps the contract."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from ipymlops.store.base import Store
from ipymlops.store.memory import MemoryStore
from ipymlops.store.session import Opening
from ipymlops.store.sqlite import SqliteStore
from ipymlops.testing.shared_store_contract import SharedStoreContract
from ipymlops.testing.store_contract import StoreContract

PLENTY = 60.0  # seconds to wait for a lock: a busy machine is no failure


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class SqliteContract(SharedStoreContract):
    how = Opening(busy_timeout_s=PLENTY)

    @pytest.fixture
    def reopen(self, home: Path) -> Callable[[], Store]:
        return partial(SqliteStore, home, self.how)

    @pytest.fixture
    def store(self, reopen: Callable[[], Store]) -> Iterator[Store]:
        store = reopen()
        yield store
        store.close()


class TestSqliteStore(SqliteContract):
    pass


class TestSqliteStoreOnNetworkStorage(SqliteContract):
    how = Opening(busy_timeout_s=PLENTY, filesystem="nfs4")


class TestSqliteStoreWithoutTrigrams(SqliteContract):
    how = Opening(busy_timeout_s=PLENTY, with_index=False)
