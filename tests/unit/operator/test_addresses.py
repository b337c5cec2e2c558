"""Which addresses policies may name, whatever they call them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headstart_operator.sources.addresses import Address, permitted

ALLOWED = [
    Address.parse(text)
    for text in ("http://prometheus.monitoring:9090", "https://mimir/prometheus", "http://[::1]:81")
]


@pytest.mark.parametrize(
    ("text", "as_asked"),
    [
        ("http://prometheus.monitoring:9090", "http://prometheus.monitoring:9090"),
        ("HTTP://Prometheus.MONITORING:9090/", "http://prometheus.monitoring:9090"),
        ("http://prometheus.monitoring:09090/deeper", "http://prometheus.monitoring:9090/deeper"),
        ("https://mimir/prometheus/", "https://mimir/prometheus"),
        ("https://mimir:443/prometheus/tenant-a", "https://mimir/prometheus/tenant-a"),
        ("http://[0:0::0:1]:81/x", "http://[::1]:81/x"),
    ],
)
def test_other_spellings_of_an_allowed_address(text: str, as_asked: str) -> None:
    assert str(permitted(text, ALLOWED)) == as_asked


@pytest.mark.parametrize(
    "text",
    [
        "https://prometheus.monitoring:9090",
        "http://prometheus.monitoring",
        "http://prometheus.monitoring:9091",
        "http://prometheus.monitoring.:9090",
        "http://prometheus.monitoring.evil:9090",
        "http://evil.prometheus.monitoring:9090",
        "https://mimir",
        "https://mimir/prometheus-admin",
        "https://mimir/Prometheus",
        "https://mimir/other/prometheus",
        "https://mimir:444/prometheus",
        "http://[::2]:81",
        "http://[::ffff:127.0.0.1]:81",
        "http://127.0.0.1:81",
        "http://169.254.169.254",
        "http://2130706433:81",
        "http://0x7f.1:81",
    ],
)
def test_other_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="not among the addresses that policies may name: leave"):
        permitted(text, ALLOWED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with http"),
        ("prometheus:9090", "must begin with http"),
        ("ftp://prometheus", "must begin with http"),
        ("file:///etc/passwd", "must begin with http"),
        ("http://", "must be a host name or an IP, and perhaps a port"),
        ("http://prometheus.monitoring:9090@evil", "must have no credentials"),
        ("http://me:it@prometheus.monitoring:9090", "must have no credentials"),
        ("http://@prometheus.monitoring:9090", "must have no credentials"),
        ("http://evil#@prometheus.monitoring:9090", "must have no credentials"),
        ("http://prometheus.monitoring:9090?", "must have no credentials, query or fragment"),
        ("http://prometheus.monitoring:9090#", "must have no credentials, query or fragment"),
        ("http://prometheus.monitoring:9090/?query=up", "must have no credentials, query"),
        ("https://mimir/prometheus/../admin", "must have a path of letters"),
        ("https://mimir/prometheus/..", "must have a path of letters"),
        ("https://mimir/prometheus/./x", "must have a path of letters"),
        ("https://mimir/prometheus//x", "must have a path of letters"),
        ("https://mimir/prometheus/%2e%2e/admin", "must have a path of letters"),
        ("https://mimir/prometheus/..;/admin", "must have a path of letters"),
        ("https://mimir\\prometheus", "characters that do not belong"),
        ("https://mimir/prometheus\n/x", "characters that do not belong"),
        ("https://mimir/prometheus /x", "characters that do not belong"),
        ("http://evil\t@x", "characters that do not belong"),
        ("https://m\u0131mir/prometheus", "characters that do not belong"),
        ("http://prometheus.monitoring:0", "must have a port from 1 to 65535"),
        ("http://prometheus.monitoring:", "must be a host name or an IP, and perhaps a port"),
        ("http://prometheus.monitoring:65536", "must have a port from 1 to 65535"),
        ("http://prometheus.monitoring:+9090", "must be a host name or an IP, and perhaps a port"),
        ("http://prometheus..monitoring:9090", "must be a host name"),
        ("http://.prometheus:9090", "must be a host name"),
        (f"http://{'x' * 64}:9090", "must be a host name"),
        ("http://a%2eb:9090", "must be a host name"),
        ("http://[::1%25eth0]:81", "must be a host name or an IP, and perhaps a port"),
        ("http://[::1]x:81", "must be a host name or an IP, and perhaps a port"),
        ("http://[127.0.0.1]:81", r"IPv4|127"),
        ("http://[::1:81", "Invalid IPv6 URL"),
    ],
)
def test_spellings_that_nobody_needs_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        permitted(text, ALLOWED)


def test_a_password_is_not_said_back() -> None:
    with pytest.raises(ValueError, match="no credentials") as caught:
        Address.parse("http://me:sesame@prometheus")
    assert "sesame" not in str(caught.value)


PIECES = st.sampled_from(
    [
        *("http://", "https://", "mimir", "prometheus.monitoring", ":9090", "/prometheus", "evil"),
        *("@", "#", "?", "\\", "/", "..", "%2e", ".", ":", "[", "]", "::1", "\t", "\u3002", "xn--"),
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join))
@example("http://prometheus.monitoring:9090/x")
def test_what_is_permitted_is_what_is_asked(text: str) -> None:
    """Whatever is put together: refused as a ValueError, or one of the allowed servers."""
    try:
        address = permitted(text, ALLOWED)
    except ValueError:
        return
    assert Address.parse(str(address)) == address
    assert any(str(address).startswith(str(entry)) for entry in ALLOWED)
