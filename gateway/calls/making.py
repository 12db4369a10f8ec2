"""New keys and webhooks: what nobody can guess, and how it is kept."""

import base64
import hashlib
import secrets

import msgspec

from gateway.calls.things import ApiKey, Scope, Template, Webhook

KEY_PREFIX = "sk_"
SECRET_PREFIX = "whsec_"
SHOWN = 10
KEY_BYTES = 24
"""192 random bits: a hash of SHA-256 needs no salt and no slowness then."""
SECRET_BYTES = 32
_JSON = msgspec.json.Encoder()


def hashed(key: str) -> str:
    """How a key is kept."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_id(kind: str) -> str:
    """Of a key, a webhook, a made-up event."""
    return f"{kind}_{secrets.token_hex(8)}"


def new_secret() -> str:
    """To sign deliveries with."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def make_key(
    account: str, scopes: tuple[Scope, ...], utc: float, name: str = "", expires_utc: float = 0.0
) -> tuple[ApiKey, str]:
    """A new key: as it is kept, and as it is shown once."""
    secret = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    kept = ApiKey(
        id=new_id("key"),
        account=account,
        sha256=hashed(secret),
        prefix=secret[:SHOWN],
        scopes=tuple(dict.fromkeys(scopes)),
        name=name,
        created_utc=utc,
        expires_utc=expires_utc,
    )
    return kept, secret


def make_webhook(account: str, url: str, utc: float, events: tuple[str, ...] = (), *, batch: bool = False) -> Webhook:
    """A new webhook, with its secret."""
    return Webhook(
        id=new_id("wh"),
        account=account,
        url=url,
        secrets=(new_secret(),),
        events=tuple(dict.fromkeys(events)),
        batch=batch,
        created_utc=utc,
    )


def stored(thing: ApiKey | Webhook | Template) -> bytes:
    """As the core keeps it."""
    return _JSON.encode(thing)
