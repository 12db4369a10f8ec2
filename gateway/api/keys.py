"""Keys of an account: made, listed, rotated, revoked. A key itself is shown once."""

import msgspec

from gateway.api.operation import Asked, Said
from gateway.api.problems import ProblemError, not_found
from gateway.api.render import moment, sure_moment
from gateway.api.schemas import KeyIn, KeyList, KeyOut, RotateIn
from gateway.calls.making import make_key, stored
from gateway.calls.messages import PutDocument
from gateway.calls.things import KEY, ApiKey


def _out(key: ApiKey, secret: str = "") -> KeyOut:
    return KeyOut(
        id=key.id,
        prefix=key.prefix,
        scopes=list(key.scopes),
        created_at=sure_moment(key.created_utc),
        name=key.name,
        expire_at=moment(key.expires_utc),
        key=secret,
    )


async def _put(asked: Asked, key: ApiKey) -> None:
    await asked.services.core.ask(PutDocument(KEY, key.id, stored(key)))


async def list_keys(asked: Asked) -> Said:
    """Those that work."""
    utc = asked.services.utc()
    keys = [one for one in asked.services.directory.keys(asked.account) if one.valid(utc)]
    return Said(200, KeyList(data=[_out(one) for one in keys]))


async def create_key(asked: Asked) -> Said:
    """A new one."""
    body: KeyIn = asked.body
    _may_give(asked, tuple(body.scopes))
    expires = 0.0 if body.expire_at is None else body.expire_at.timestamp()
    kept, secret = make_key(asked.account, tuple(body.scopes), asked.services.utc(), body.name, expires)
    await _put(asked, kept)
    return Said(201, _out(kept, secret), (("Location", f"/v1/keys/{kept.id}"),))


def _may_give(asked: Asked, scopes: tuple[str, ...]) -> None:
    missing = [one for one in scopes if one not in asked.key.scopes]
    if missing:
        raise ProblemError(403, "forbidden", f"this key cannot give what it does not have: {', '.join(missing)}")


def _own(asked: Asked) -> ApiKey:
    key = asked.services.directory.key(asked.account, asked.path["id"])
    if key is None or not key.valid(asked.services.utc()):
        not_found("key")
    return key


async def rotate_key(asked: Asked) -> Said:
    """A new key in the place of an old one, which works a while longer."""
    body: RotateIn = asked.body
    old = _own(asked)
    _may_give(asked, old.scopes)
    utc = asked.services.utc()
    kept, secret = make_key(asked.account, old.scopes, utc, old.name, old.expires_utc)
    await _put(asked, kept)
    until = utc + max(0.001, body.overlap_s)
    await _put(asked, msgspec.structs.replace(old, expires_utc=min(until, old.expires_utc or until)))
    return Said(201, _out(kept, secret), (("Location", f"/v1/keys/{kept.id}"),))


async def revoke_key(asked: Asked) -> Said:
    """It works no longer."""
    await asked.services.core.ask(PutDocument(KEY, _own(asked).id, b""))
    return Said(204)
