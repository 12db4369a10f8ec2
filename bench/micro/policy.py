"""CPU microseconds per message of the two decisions before a message leaves: may it be sent, and by which channel.

    python -m bench.micro.policy [--quick] [--repeats N] [--figures FILE]

`screen` and `plan` over batches of 1, 10, 100 and 1000 messages of all three classes, by the accounts and routes of
config/example.toml, with every channel up and with room. The batches of a job are the same messages again and again: neither
decision changes them but for a number that is in its normal form already.
"""

from pathlib import Path

import config
from bench.micro.rounds import Job, plain, run_jobs
from config.loader import load
from config.policy import Policy
from config.schema import CLASSES, Config
from routing.plan import Health, plan
from routing.policy.screen import Screen, screen
from routing.records import Content, Message
from routing.routes import RouteTable

EXAMPLE = Path(config.__file__).parent / "example.toml"
NOON_UTC = 1_800_086_400.0
KEYWORDS = 2_000
SIZES = (1, 10, 100, 1000)
ENDLESS = 1 << 60
"""More room than a bench can use up."""
TEXT = "【Tensec】您的验证码是482913，5分钟内有效。".encode("utf-16-be")


def messages(settings: Config, count: int) -> list[Message]:
    """Of the first account, the classes in turn, to numbers all over a country."""
    account = settings.accounts[0].system_id
    return [
        Message(
            (number + 1) << 22,
            account,
            class_=CLASSES[number % len(CLASSES)],
            source="10690000123",
            destination=f"86138{number * 7_919:08d}",
            content=Content(TEXT, data_coding=8),
        )
        for number in range(count)
    ]


def screen_anew(settings: Config, size: int, screens: dict[str, Screen]) -> None:
    """Fresh messages: rules add to texts, and to what was added nothing is added. Take off `policy.anew`, which makes them."""
    screen(messages(settings, size), screens, NOON_UTC)


def guards(batch: list[Message], screens: dict[str, Screen]) -> None:
    """What the store is asked to check."""
    for message in batch:
        screens[message.account].guards(message, NOON_UTC)


def jobs() -> list[Job]:
    """Both decisions at every size: `screen` without a policy, `rules` with that of example.toml and
    two thousand keywords, `signed` with these and the signature alone.
    """
    settings = load(EXAMPLE, {})
    screens = {account.system_id: Screen(account) for account in settings.accounts}
    table = RouteTable(settings.routes)
    health = {channel.name: Health(channel.name, True, ENDLESS) for channel in settings.channels}
    every = settings.policies[0]
    some = Policy(keywords=every.keywords, signature=every.signature)
    words = [f"坏词{at}" for at in range(KEYWORDS)]
    ruled, signed = ({one.system_id: Screen(one, rules, words) for one in settings.accounts} for rules in (every, some))
    made = []
    for size in SIZES:
        batch = messages(settings, size)
        assert set(screen(batch, screens)) == {None}
        assert set(plan(batch, table, health, {})) <= set(health)
        made.append(plain(f"policy.screen.{size}", size, lambda batch=batch: screen(batch, screens)))  # type: ignore[misc]
        made.append(plain(f"policy.rules.{size}", size, lambda size=size: screen_anew(settings, size, ruled)))  # type: ignore[misc]
        made.append(plain(f"policy.signed.{size}", size, lambda size=size: screen_anew(settings, size, signed)))  # type: ignore[misc]
        made.append(plain(f"policy.anew.{size}", size, lambda size=size: messages(settings, size)))  # type: ignore[misc]
        made.append(plain(f"policy.guards.{size}", size, lambda batch=batch: guards(batch, ruled)))  # type: ignore[misc]
        made.append(plain(f"policy.plan.{size}", size, lambda batch=batch: plan(batch, table, health, {})))  # type: ignore[misc]
    return sorted(made, key=lambda job: job.name.split(".")[1], reverse=True)


if __name__ == "__main__":
    run_jobs("CPU microseconds per message of screening and planning", jobs, "message")
