"""The HTTP client against a real server: what services do, and what goes wrong on the way."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import socket
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from http_server import Reply, Server

from imagedataextractor.articles.retrieve.http import (
    AccessError,
    Client,
    NotFoundError,
    Service,
    is_whole,
)
from imagedataextractor.articles.retrieve.http.cache import DiskCache
from imagedataextractor.articles.retrieve.http.throttle import Throttle
from imagedataextractor.errors import InputError, QuotaError, ServiceError
from imagedataextractor.settings import Keys, Services

JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 5000 + b"\xff\xd9"
PDF = b"%PDF-1.7\n" + b"x" * 3000 + b"\n%%EOF\n"


class Pauses(list[float]):
    """Stands for `time.sleep`, and keeps what it was asked for."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def client(services: Services, keys: Keys, cache: Path, pauses: Pauses) -> Client:
    return Client(services, keys, cache, sleep=pauses)


@pytest.fixture
def service(server: Server) -> Service:
    return Service("Test service", f"{server.url}/europepmc", interval_s=0.0)


def test_answer_is_kept_and_not_asked_for_again(client: Client, service: Service, server: Server) -> None:
    server.on("/europepmc/x", Reply({"a": 1}))
    first = client.get(service, service.url("x"), params={"q": "ü &"}, kind="json")
    second = client.get(service, service.url("x"), params={"q": "ü &"}, kind="json")
    assert first.json() == second.json() == {"a": 1}
    assert [request.query for request in server.requests] == [{"q": "ü &"}]
    client.get(service, service.url("x"), params={"q": "ü &"}, kind="json", max_age_s=0)
    assert len(server.requests) == 2


def test_every_request_says_who_asks(client: Client, service: Service, server: Server) -> None:
    server.on("/europepmc/x", Reply("<a/>"))
    client.get(service, service.url("x"), kind="xml")
    agent = server.requests[0].headers["user-agent"]
    assert "imagedataextractor/" in agent
    assert "mailto:someone@lab.example" in agent


@pytest.mark.parametrize("status", [500, 502, 503, 504, 202])
def test_fault_is_tried_again_with_growing_jittered_pauses(
    client: Client, service: Service, server: Server, pauses: Pauses, status: int
) -> None:
    server.on("/europepmc/x", Reply(status=status), Reply(status=status), Reply({"ok": True}))
    assert client.get(service, service.url("x"), kind="json").json() == {"ok": True}
    first, second = [pause for pause in pauses if pause > 0]
    assert 0.005 <= first <= 0.015
    assert 0.01 <= second <= 0.03


def test_attempts_end(client: Client, service: Service, server: Server) -> None:
    server.on("/europepmc/x", Reply("gone wrong", 500))
    with pytest.raises(ServiceError, match=r"Test service: HTTP 500.*3 attempts"):
        client.get(service, service.url("x"))
    assert len(server.requests) == 3


def test_too_many_requests_waits_as_long_as_asked(
    client: Client, service: Service, server: Server, pauses: Pauses
) -> None:
    server.on(
        "/europepmc/x",
        Reply(status=429, headers={"Retry-After": "7"}),
        Reply(status=429, headers={"Retry-After": formatdate(time.time() + 30, usegmt=True)}),
        Reply("fine"),
    )
    client.get(service, service.url("x"))
    asked = [pause for pause in pauses if pause > 1]
    assert asked[0] == 7
    assert 25 < asked[1] <= 30


def test_too_many_requests_without_a_time(client: Client, service: Service, server: Server, pauses: Pauses) -> None:
    server.on("/europepmc/x", Reply(status=429), Reply("fine"))
    client.get(service, service.url("x"))
    assert any(0.005 <= pause <= 0.015 for pause in pauses)


def test_a_pause_of_hours_is_not_slept(client: Client, service: Service, server: Server, pauses: Pauses) -> None:
    server.on("/europepmc/x", Reply(status=429, headers={"Retry-After": "7200"}))
    with pytest.raises(QuotaError, match="renewed at 20") as caught:
        client.get(service, service.url("x"))
    assert caught.value.resets_at == pytest.approx(time.time() + 7200, abs=60)
    assert max(pauses, default=0) < 1
    with pytest.raises(QuotaError):  # nor is the service asked again before that
        client.get(service, service.url("y"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
def test_spent_quota_pauses_the_service_in_every_process(
    client: Client, service: Service, server: Server, services: Services, cache: Path, unit: int
) -> None:
    resets_at = int(time.time()) + 3600
    headers = {"X-ELS-Status": "QUOTA_EXCEEDED - Quota Exceeded", "X-RateLimit-Reset": str(resets_at * unit)}
    server.on("/europepmc/x", Reply(status=429, headers=headers))
    with pytest.raises(QuotaError, match="its quota is spent, or it pauses; it is renewed at 20") as caught:
        client.get(service, service.url("x"))
    assert caught.value.resets_at == resets_at
    with pytest.raises(QuotaError):
        Client(services, Keys(), cache).get(service, service.url("y"))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFoundError), (410, NotFoundError), (401, AccessError), (403, AccessError), (400, ServiceError)],
)
def test_refusal_is_not_tried_again(
    client: Client, service: Service, server: Server, status: int, error: type[ServiceError]
) -> None:
    server.on("/europepmc/x", Reply({"service-error": {"status": {"statusText": "No such thing"}}}, status))
    with pytest.raises(error, match=f"HTTP {status}, No such thing"):
        client.get(service, service.url("x"))
    assert len(server.requests) == 1


def test_keys_never_show(client: Client, service: Service, server: Server, keys: Keys, cache: Path) -> None:
    echo = f"<response><apiKey>{keys.springer_api_key}</apiKey><p>bad key {keys.elsevier_api_key}</p></response>"
    server.on("/europepmc/bad", Reply(f'{{"message": "invalid key {keys.elsevier_api_key}"}}', 403))
    server.on("/europepmc/good", Reply(echo))
    with pytest.raises(AccessError) as caught:
        client.get(service, service.url("bad"), params={"api_key": keys.springer_api_key})
    params = {"api_key": keys.springer_api_key, "email": "someone@lab.example"}
    answer = client.get(service, service.url("good"), params=params, kind="xml")
    path = client.download(service, service.url("good"), cache / "kept.xml", params=params, kind="xml")
    kept = b"".join(p.read_bytes() + str(p).encode() for p in cache.rglob("*") if p.is_file())
    for secret in (keys.springer_api_key, keys.elsevier_api_key, "someone@lab.example"):
        assert secret not in str(caught.value)
        assert secret not in answer.url
        assert secret.encode() not in answer.body
        assert secret.encode() not in kept
    assert path.read_bytes().startswith(b"<response>")
    assert server.asked("/europepmc/good")[0].query["api_key"] == keys.springer_api_key


BAD = [
    ("json", b"<html><body>Please log in</body></html>", "not JSON but an HTML page"),
    ("json", b"{cut", "not JSON"),
    ("xml", b"<!DOCTYPE html><html></html>", "not XML but an HTML page"),
    ("xml", b"{}", "not XML but JSON"),
    ("pdf", b"<html>login</html>", "not a PDF but an HTML page"),
    ("pdf", PDF[:-8], "cut off"),
    ("image", b"<service-error><status/></service-error>", "not an image but XML"),
    ("image", JPEG[:-2], "cut off"),
    ("zip", b"nothing", "not a ZIP"),
    ("any", b"", "empty"),
]


@pytest.mark.parametrize(("kind", "body", "said"), BAD, ids=[f"{row[0]}-{row[2]}" for row in BAD])
def test_an_answer_that_is_something_else_is_refused(
    client: Client, service: Service, server: Server, cache: Path, kind: str, body: bytes, said: str
) -> None:
    server.on("/europepmc/x", Reply(body))
    with pytest.raises(ServiceError, match=said):
        client.download(service, service.url("x"), cache / "file", kind=kind)  # type: ignore[arg-type]
    assert not (cache / "file").exists()


def test_body_that_is_cut_off_is_fetched_again(client: Client, service: Service, server: Server, cache: Path) -> None:
    server.on("/europepmc/x", Reply(JPEG, cut_after=900), Reply(JPEG))
    path = client.download(service, service.url("x"), cache / "a.jpg", kind="image")
    assert path.read_bytes() == JPEG
    assert len(server.requests) == 2
    assert [p.name for p in cache.iterdir() if p.is_file()] == ["a.jpg"]


def test_checksum(client: Client, service: Service, server: Server, cache: Path) -> None:
    server.on("/europepmc/x", Reply(JPEG))
    digest = hashlib.md5(JPEG).hexdigest()
    client.download(service, service.url("x"), cache / "a.jpg", kind="image", md5=digest)
    client.download(service, service.url("x"), cache / "a.jpg", kind="image", md5=digest)
    assert len(server.requests) == 1
    with pytest.raises(ServiceError, match="MD5"):
        client.download(service, service.url("x"), cache / "b.jpg", kind="image", md5="0" * 32)


def test_slow_answer(client: Client, service: Service, server: Server) -> None:
    server.on("/europepmc/x", Reply("late", delay_s=0.9), Reply("in time"))
    assert client.get(service, service.url("x")).body == b"in time"


def test_no_server(client: Client, service: Service, server: Server) -> None:
    server.close()
    with pytest.raises(ServiceError, match="connection refused"):
        client.get(service, service.url("x"))


def test_redirect_to_another_host_takes_no_key_along(client: Client, service: Service, server: Server) -> None:
    """Another port is another host; on this machine's own network it is refused altogether."""
    other = Server()
    other.on("/stolen", Reply("x"))
    server.on("/europepmc/x", Reply(status=302, headers={"Location": f"{other.url}/stolen"}))
    server.on("/europepmc/y", Reply(status=302, headers={"Location": "/europepmc/z"}))
    server.on("/europepmc/z", Reply("home"))
    try:
        with pytest.raises(ServiceError, match="own network"):
            client.get(service, service.url("x"), headers={"X-ELS-APIKey": "k"})
        assert other.requests == []
        assert client.get(service, service.url("y"), headers={"X-ELS-APIKey": "k"}).body == b"home"
        assert server.asked("/europepmc/z")[0].headers["x-els-apikey"] == "k"
    finally:
        other.close()


def test_redirects_without_end(client: Client, service: Service, server: Server) -> None:
    server.on("/europepmc/x", Reply(status=302, headers={"Location": "/europepmc/x"}))
    with pytest.raises(ServiceError, match="without end"):
        client.get(service, service.url("x"))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/x",
        "http://127.0.0.1:9/x",
        "http://localhost:9/x",
        "http://10.0.0.1/x",
        "http://[::1]/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:127.0.0.1]/x",
        "gopher://x",
        "http:///x",
        "nonsense",
    ],
)
def test_addresses_that_a_document_may_not_lead_to(client: Client, cache: Path, url: str) -> None:
    listener = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    url = url.replace(":9/", f":{listener.server_port}/")
    service = Service("a document's link", "")
    try:
        with pytest.raises(ServiceError):
            client.download(service, url, cache / "x", kind="any")
    finally:
        listener.server_close()


def test_redirect_into_the_own_network_is_not_followed(client: Client, service: Service, server: Server) -> None:
    inner = Server()
    try:
        server.on("/europepmc/x", Reply(status=302, headers={"Location": f"{inner.url}/secret"}))
        with pytest.raises(ServiceError, match="own network"):
            client.get(service, service.url("x"))
        assert inner.requests == []
    finally:
        inner.close()


def test_name_that_leads_into_the_own_network(
    client: Client, cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name on the public network whose address is the machine's own: connected to, but nothing is sent."""
    resolve = socket.getaddrinfo

    def rebound(host: str, *arguments: Any, **options: Any) -> Any:
        return resolve("127.0.0.1" if host == "figures.publisher.example" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    url = server.url.replace("127.0.0.1", "figures.publisher.example")
    with pytest.raises(ServiceError, match="own network"):
        client.download(Service("a document's link", ""), f"{url}/x.jpg", cache / "x", kind="any")
    assert server.requests == []


def test_login_page_behind_a_redirect_is_no_picture(client: Client, service: Service, server: Server) -> None:
    server.on("/europepmc/x", Reply(status=302, headers={"Location": "/login"}))
    server.on("/login", Reply("<!doctype html><html><title>Log in</title></html>"))
    with pytest.raises(ServiceError, match="not an image but an HTML page"):
        client.get(service, service.url("x"), kind="image")


def test_huge_answer_is_refused(
    client: Client, service: Service, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagedataextractor.articles.retrieve.http.answers.MAX_BYTES", 100_000)
    server.on("/europepmc/x", Reply(b"x" * 200_000))
    with pytest.raises(ServiceError, match="refused"):
        client.get(service, service.url("x"))


def test_decompression_is_bounded(
    client: Client, service: Service, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    monkeypatch.setattr("imagedataextractor.articles.retrieve.http.answers.MAX_BYTES", 100_000)
    server.on("/europepmc/x", Reply(gzip.compress(b"\0" * 5_000_000), headers={"Content-Encoding": "gzip"}))
    with pytest.raises(ServiceError, match="refused"):
        client.get(service, service.url("x"))


def test_cache_folder_that_cannot_be_written(services: Services, server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    service = Service("Test service", f"{server.url}/europepmc", interval_s=0.0)
    with pytest.raises(InputError, match="IDE_CACHE"):
        Client(services, Keys(), tmp_path / "file").get(service, service.url("x"))


# ---------------------------------------------------------------- the parts


def test_requests_are_spaced_over_all_clients(cache: Path) -> None:
    pauses = Pauses()
    for throttle in (Throttle(cache, pauses), Throttle(cache, pauses)):
        for _ in range(2):
            with throttle.turn("Slow service", 3.0):
                pass
    assert [round(pause) for pause in pauses] == [3, 6, 9]


def test_single_services_are_asked_by_one_at_a_time(cache: Path) -> None:
    throttle, running, most = Throttle(cache), [0], [0]

    def ask() -> None:
        with throttle.turn("One", 0.0, single=True):
            running[0] += 1
            most[0] = max(most[0], running[0])
            time.sleep(0.02)
            running[0] -= 1

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_cache_is_bounded_and_drops_what_was_not_used(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    for number in range(12):
        cache.put(f"key {number}", {"n": str(number)}, b"x" * 1000)
        cache.get("key 0", 1000.0)
        time.sleep(0.002)
    assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) <= 10_000
    assert cache.get("key 0", 1000.0) is not None
    assert cache.get("key 1", 1000.0) is None
    kept = cache.get("key 11", 1000.0)
    assert kept is not None
    assert kept[0] == {"n": "11"}


def test_damaged_cache_entry_is_no_answer(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10_000)
    cache.put("k", {}, b"body")
    path = next(p for p in tmp_path.rglob("*") if p.is_file())
    for damaged in (b"", b"not json\nbody", path.read_bytes()[:-1]):
        path.write_bytes(damaged)
        assert cache.get("k", 1000.0) is None


def test_whole_and_cut_files() -> None:
    assert is_whole(JPEG)
    assert not is_whole(JPEG[:-2])
    assert is_whole(PDF)
    assert not is_whole(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)


def test_other_settings_keep_the_guard(services: Services, keys: Keys, cache: Path, server: Server) -> None:
    """Only the services' own addresses are exempt from the ban on the machine's network."""
    elsewhere = dataclasses.replace(services, **{n: "https://example.org" for n in vars(services) if n.startswith("e")})
    elsewhere = dataclasses.replace(elsewhere, **dict.fromkeys(("pmc_idconv", "pmc_bucket"), "https://example.org"))
    elsewhere = dataclasses.replace(
        elsewhere,
        **dict.fromkeys(("springer", "springer_static", "crossref", "unpaywall", "arxiv"), "https://example.org"),
    )
    service = Service("Test service", f"{server.url}/europepmc", interval_s=0.0)
    with pytest.raises(ServiceError, match="own network"):
        Client(elsewhere, keys, cache).get(service, service.url("x"))
    assert server.requests == []
