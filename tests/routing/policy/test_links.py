"""Web addresses: well-formed, of allowed domains, however they stand in a sentence."""

import re
import unicodedata

import pytest
from ruled import judged

from config.policy import Links, Policy
from routing.policy.links import DOTS, SLASHES

CHECKED = Policy(links=Links(check=True))
OWN = Policy(links=Links(domains=["shop.com", ".Brand.cn"]))


@pytest.mark.parametrize(
    "text",
    [
        "no link at all. None.",
        "see https://shop.com",
        "see https://shop.com.",
        "see https://shop.com, and buy",
        "(see https://shop.com/a)",
        "see https://shop.com/a_(b)",
        "https://shop.com:8443/a?b=c@d#e!",
        "https://shop.com?mail=me@brand.cn",
        "点击https://shop.com/活动",
        "点击https://shop.com，立即购买",
        "点击 https://shop.com。",
        "《https://shop.com》",
        "“www.shop.com”",
        "HTTPS://WWW.SHOP.COM/A",
        "Visita www.shop.com: hoy",
    ],
)
def test_links_stand_in_sentences(text: str) -> None:
    assert judged(CHECKED, text)[0] == ""
    assert judged(OWN, text)[0] == ""


@pytest.mark.parametrize(
    "text",
    [
        *("http://", "https://localhost/a", "http://1.2.3.4/a", "http://shop", "http://-shop.com", "http://shop..com"),
        *(
            "http://shop.com:0/",
            "http://shop.com:99999/",
            "http://shop.com:/x",
            "https://user@shop.com/",
            "https://a:b@shop.com",
        ),
        *("https://shop.com@evil.com/a", "http://例子.测试", "ｈｔｔｐ：／／shop", "www.x"),
    ],
)
def test_what_is_no_web_address_is_refused(text: str) -> None:
    assert judged(CHECKED, text)[0] == "link"


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.com.evil.com",
        "https://evilshop.com",
        "http://evil.com/shop.com",
        "http://evil.com?shop.com",
        "https://evil.com#shop.com",
        "www.evil.com",
        "ｈｔｔｐｓ：／／ｅｖｉｌ．ｃｏｍ",
        "evil.com",
        "点t.cn/abc",
        "go evil.com/shop.com now",
        "EVIL.COM",
        "ftp://shop.com.evil.org/x",
        "weixin://dl/x",
        "https://shop.com https://evil.com",
        "https://shop.com\u200b.evil.com and evil.com",
    ],
)
def test_only_allowed_domains_and_what_is_below_them(text: str) -> None:
    assert judged(OWN, text)[0] == "link"


@pytest.mark.parametrize(
    "text",
    [
        "shop.com",
        "m.shop.com/x",
        "https://a.b.brand.cn/x",
        "brand.cn.",
        "a@evil.com",
        "Gracias.Por favor",
        "1.5/2 kg",
        "3.14",
        "…/.",
    ],
)
def test_sentences_and_mail_addresses_are_no_links(text: str) -> None:
    assert judged(OWN, text)[0] == ""


def test_links_count_for_the_classes_they_are_for() -> None:
    policy = Policy(links=Links(domains=["shop.com"], classes=["marketing"]))
    assert judged(policy, "https://evil.com", class_="verification")[0] == ""
    assert judged(policy, "https://evil.com", class_="marketing")[0] == "link"


def test_a_long_line_of_dots_and_dashes_is_looked_at_in_no_time() -> None:
    for text in ("a-" * 5_000, "a." * 5_000, "http://" + "a." * 5_000, "x" * 10_000 + "://"):
        judged(OWN, text, parts=255)


@pytest.mark.parametrize(("listed", "sign"), [(DOTS, "."), (SLASHES, "/")])
def test_every_character_that_is_folded_to_a_sign_of_links_is_looked_for(listed: str, sign: str) -> None:
    signs = re.compile(f"[{listed}]")
    every = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    folded = [one for one in every if sign in unicodedata.normalize("NFKC", one)]
    assert [one for one in folded if signs.match(one) is None] == []
