"""Keys of an account: made, listed, rotated, revoked. A key itself is shown once."""

import msgspec

from gateway.api.corelink import put_document
from gateway.api.operation import Asked, Said
from gateway.api.problems import ProblemError, invalid, not_found
from gateway.api.render import moment, sure_moment
from gateway.api.schemas import KeyIn, KeyList, KeyOut, RotateIn
from gateway.calls.making import make_key, stored
from gateway.calls.messages import MOMENT_MAX
from gateway.calls.things import KEY, ApiKey

KEYS_MAX = 200


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
    await put_document(asked.services.core, KEY, key.id, stored(key))


async def _make_room(asked: Asked, utc: float) -> None:
    """Keys whose time is over go, so that a rotation every day fills nothing; an account has so many that work."""
    keys = list(asked.services.directory.keys(asked.account))
    over = [one for one in keys if not one.valid(utc)]
    if len(keys) - len(over) >= KEYS_MAX:
        invalid("", "too_many", f"an account has at most {KEYS_MAX} keys")
    for one in over:
        await put_document(asked.services.core, KEY, one.id, b"")


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
    utc = asked.services.utc()
    if body.expire_at is not None and not utc < expires <= MOMENT_MAX:
        invalid("/expire_at", "out_of_range", "a moment to come, and not some thousands of years away")
    await _make_room(asked, utc)
    kept, secret = make_key(asked.account, tuple(body.scopes), utc, body.name, expires)
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
    await _make_room(asked, utc)
    kept, secret = make_key(asked.account, old.scopes, utc, old.name, old.expires_utc)
    await _put(asked, kept)
    until = utc + max(0.001, body.overlap_s)
    over = msgspec.structs.replace(old, expires_utc=min(until, old.expires_utc or until))
    if not await put_document(asked.services.core, KEY, old.id, stored(over), stored(old)):
        # It was revoked, or rotated, at the same time: that stands, and this does not.
        await put_document(asked.services.core, KEY, kept.id, b"")
        not_found("key")
    return Said(201, _out(kept, secret), (("Location", f"/v1/keys/{kept.id}"),))


async def revoke_key(asked: Asked) -> Said:
    """It works no longer."""
    await put_document(asked.services.core, KEY, _own(asked).id, b"")
    return Said(204)
