"""The rules of every account, made of a configuration."""

from config.loader import read_words
from config.schema import CLASSES, Config
from routing.policy.screen import Screen, policy_of
from routing.policy.shared import SharedNumbers


def screens_of(config: Config) -> dict[str, Screen]:
    """By account."""
    policies = {policy.name: policy for policy in config.policies}
    words = {name: read_words(policy.keywords.words_file) for name, policy in policies.items()}
    validity_s: dict[str, float] = {name: getattr(config.classes, name).validity_s for name in CLASSES}
    shared = SharedNumbers(config.accounts, config.core.replies_days)
    return {
        one.system_id: Screen(
            one,
            policy := policy_of(one, policies),
            words[policy.name] if policy else (),
            validity_s,
            shared if shared.sharing(one.system_id) else None,
        )
        for one in config.accounts
    }
