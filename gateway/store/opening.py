"""A store as the configuration wants it, opened: files made or migrated, servers checked, nothing recovered yet."""

from pathlib import Path

import msgspec

from config.schema import Store
from gateway.store.book import Book
from gateway.store.embedded.vault import EmbeddedVault
from gateway.store.history import History
from gateway.store.keeper import Keeper
from gateway.store.vault import Vault


class Opened(msgspec.Struct):
    """The parts of a store; only the book for the memory store."""

    book: Book
    keeper: Keeper | None = None
    vault: Vault | None = None
    history: History | None = None

    def close(self) -> None:
        """Let go of files and connections."""
        for one in (self.vault, self.history):
            if one is not None:
                one.close()


def open_parts(settings: Store, data_dir: Path, boot: str) -> Opened:
    """Raises VaultError with what to do."""
    if settings.kind == "memory":
        return Opened(Book(boot))
    book = Book(boot, alone=False)
    keeper = Keeper(book, working_set_max=settings.working_set_max)
    return Opened(book, keeper, open_vault(settings, data_dir), History(data_dir))


def open_vault(settings: Store, data_dir: Path) -> Vault:
    """Raises VaultError with what to do."""
    if settings.kind == "redis":
        from gateway.store.redis.opening import open_redis

        redis = settings.redis
        return open_redis(redis.url.reveal(), redis.prefix, data_dir, allow_unsafe=redis.allow_unsafe)
    return EmbeddedVault(data_dir)
