"""The rules of every account, made of a configuration."""

from config.loader import read_words
from config.schema import CLASSES, Config
from routing.policy.screen import Screen, policy_of
from routing.policy.shared import SharedNumbers
from routing.policy.watch import Watches


def screens_of(config: Config, watches: Watches) -> dict[str, Screen]:
    """By account; `watches` keep what they remember. Raises OSError when a file of words cannot be read."""
    policies = {policy.name: policy for policy in config.policies}
    words = {name: read_words(policy.keywords.words_file) for name, policy in policies.items()}
    validity_s: dict[str, float] = {name: getattr(config.classes, name).validity_s for name in CLASSES}
    numbers = SharedNumbers(config.accounts, config.core.replies_days, unlisted=config.core.replies_unlisted)
    screens = {}
    for account in config.accounts:
        policy, name = policy_of(account, policies), account.system_id
        watch, shared = watches.of(name, policy), numbers if numbers.sharing(name) else None
        screens[name] = Screen(account, policy, words[policy.name] if policy else (), validity_s, watch, shared)
    return screens
