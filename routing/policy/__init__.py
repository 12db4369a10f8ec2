"""What may be sent: rules of configuration, compiled once, applied to messages. Pure: times and lists are arguments.

- `screen`     all rules of an account in order, and what they decide; read this first
- `numbers`    E.164, countries, time zones of recipients
- `lists`      countries and numbers that are refused
- `words`      keywords and patterns, and the plain form of a text they are looked for in
- `signature`, `hints`, `links`  what a text must carry, or may not
- `windows`    when messages may be sent
- `caps`       what must hold when a message is stored: duplicates, frequency, velocity, opt-outs, money, as guards
- `replies`    subscribers who want no more
- `verdict`    a refusal: which rule, and in whose words

To add a rule: a module with a class made of its configuration, one line in `screen`.
"""
