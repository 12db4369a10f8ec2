"""Opening a store on Redis: which servers are accepted, how a URL is read, and that no error shows a password."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from redis_server import started

from bench.redis_server import RedisServer, free_port
from gateway.store.redis.address import read_url
from gateway.store.redis.opening import open_redis
from gateway.store.vault import VaultError, Write


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """One whose settings may be changed."""
    with started() as one:
        yield one


def refused(url: str, folder: Path, **options: bool) -> str:
    with pytest.raises(VaultError) as caught:
        open_redis(url, "t", folder, **options)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


def test_settings_that_lose_messages_are_all_named_at_once(server: RedisServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.config_set("appendfsync", "everysec")
        client.config_set("appendonly", "no")
        client.config_set("maxmemory-policy", "allkeys-lru")
    told = refused(server.url, tmp_path)
    assert "appendonly is no and must be yes" in told
    assert "appendfsync is everysec" in told
    assert "redis-cli CONFIG SET appendfsync always" in told
    assert "maxmemory-policy is allkeys-lru and must be noeviction" in told
    assert "store.redis.allow_unsafe" in told
    vault = open_redis(server.url, "t", tmp_path, allow_unsafe=True)
    vault.write(Write(1, b"page"))
    vault.close()


def test_a_server_that_does_not_tell_a_setting_is_not_trusted(server: RedisServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.acl_setuser("managed", enabled=True, passwords=["+hunter2"], keys=["*"], commands=["+@all", "-config"])
    url = server.url.replace("//", "//managed:hunter2@")
    told = refused(url, tmp_path)
    assert "it does not tell appendfsync, which must be always" in told
    assert "maxmemory-policy" not in told, "INFO has that one"
    open_redis(url, "t", tmp_path, allow_unsafe=True).close()


def test_a_user_without_the_rights_is_told_which(server: RedisServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.acl_setuser("poor", enabled=True, passwords=["+hunter2"], keys=["*"], commands=["+@all", "-function"])
    assert "it needs FCALL, FUNCTION LOAD" in refused(server.url.replace("//", "//poor:hunter2@"), tmp_path)


def test_a_password_is_used_and_never_shown(server: RedisServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.config_set("requirepass", "hunter2 is it")
        assert "Authentication" in refused(server.url, tmp_path)
    assert "invalid username-password" in refused(server.url.replace("//", "//:hunter2wrong@"), tmp_path)
    open_redis(server.url.replace("//", "//:hunter2%20is%20it@"), "t", tmp_path).close()


def test_a_replica_is_refused_whatever_is_allowed(server: RedisServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.replicaof("127.0.0.1", 1)
    assert "is a replica, of 127.0.0.1:1" in refused(server.url, tmp_path, allow_unsafe=True)


def test_a_member_of_a_cluster_is_refused(tmp_path: Path) -> None:
    with started(cluster_enabled="yes", cluster_port=str(free_port())) as server:
        assert "member of a cluster" in refused(server.url, tmp_path, allow_unsafe=True)


def test_a_server_that_is_not_there_is_told(server: RedisServer, tmp_path: Path) -> None:
    server.kill()
    told = refused(server.url.replace("//", "//:hunter2@"), tmp_path)
    assert f"Redis at 127.0.0.1:{server.port}" in told
    assert "is it running" in told


def test_over_a_socket_in_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with started(unixsocket=str(path)):
        vault = open_redis(f"unix://{path}?db=3", "t", tmp_path)
        vault.write(Write(1, b"page"))
        assert list(vault.pages()) == [(1, b"page")]
        vault.close()


@contextlib.contextmanager
def tls_in_front_of(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """A port that takes TLS off and passes on; servers for tests are built without it."""

    def serve(stranger: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(stranger, server_side=True) as outside,
            socket.create_connection(("127.0.0.1", port)) as inside,
        ):
            while True:
                ready, _, _ = select.select([outside, inside], [], [])
                source, sink = (outside, inside) if outside in ready else (inside, outside)
                if not (octets := source.recv(1 << 16)):
                    return
                sink.sendall(octets)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()

    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
    for thread in threads:
        thread.join()


def test_over_tls_the_server_must_be_the_one_it_says(redis_server: RedisServer, redis_prefix: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with tls_in_front_of(redis_server.port, context) as port:
        vault = open_redis(f"rediss://localhost:{port}?ssl_ca_certs={ca}", redis_prefix, tmp_path)
        vault.write(Write(1, b"page"))
        assert list(vault.pages()) == [(1, b"page")]
        vault.close()
        for url in (f"rediss://localhost:{port}", f"rediss://127.0.0.1:{port}?ssl_ca_certs={ca}"):
            assert "certificate verify failed" in refused(url, tmp_path)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://h", "h:6379"),
        ("redis://u:hunter2@h:7/0", "h:7"),
        ("rediss://:hunter2@h:7/3?ssl_ca_certs=/ca.pem", "h:7/3"),
        ("redis://[::1]:7/", "[::1]:7"),
        ("unix:///run/redis.sock?db=2", "/run/redis.sock/2"),
        ("unix://:hunter2@/run/redis.sock", "/run/redis.sock"),
    ],
)
def test_urls(url: str, place: str) -> None:
    address = read_url(url)
    assert str(address) == f"Redis at {place}"
    assert "hunter2" not in repr(address)
    address.connection(1, 1)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:6379",
        "http://h",
        "redis://",
        "redis://:hunter2/a@h:1",
        "redis://:1/hunter2@h:1",
        "redis://:a#hunter2@h:1",
        "redis://h:port",
        "redis://h/name",
        "redis://h?decode_responses=yes",
        "redis://h?db=hunter2",
        "unix://run/redis.sock",
        "redis://[hunter2",
    ],
)
def test_urls_that_are_not_understood(url: str) -> None:
    with pytest.raises(VaultError) as caught:
        read_url(url)
    assert "hunter2" not in str(caught.value)
    assert "URL of Redis" in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
