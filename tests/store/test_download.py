"""Downloads arrive whole and right, or not at all and with a reason, whatever the server does."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, NetworkError, UntrustedError, UsageError
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.store.download import Download, NotFoundError, Retry, fetch, get

if TYPE_CHECKING:
    from pathlib import Path


def partial_of(cache, wanted) -> Path:
    return cache.root / "partial" / wanted.digest.hex


def begin(cache, wanted, content: bytes, validator: str | None = '"1"', source: str | None = None) -> None:
    """What an interrupted run leaves."""
    partial_of(cache, wanted).write_bytes(content)
    note = {"source": source or wanted.urls[0], "validator": validator}
    partial_of(cache, wanted).with_suffix(".json").write_text(json.dumps(note))


# What comes


def test_files_come_into_the_cache_and_are_not_fetched_again(cache, site, noise, quick, left_behind):
    downloads = [site.add(f"file-{number}", noise(50_000, number)) for number in range(20)]
    found = fetch(cache, downloads, retry=quick)
    assert {digest: path.read_bytes() for digest, path in found.items()} == {
        wanted.digest: site.files[f"/{wanted.name}"] for wanted in downloads
    }
    assert len(site.asked) == 20
    assert fetch(cache, downloads) == found
    assert len(site.asked) == 20
    assert left_behind() == []


def test_one_digest_wanted_twice_is_fetched_once(cache, site, noise):
    wanted = site.add("file", noise(1000))
    assert list(fetch(cache, [wanted, wanted, replace(wanted, name="again", size=None)])) == [wanted.digest]
    assert len(site.asked) == 1


def test_the_size_need_not_be_known_nor_told(cache, site, noise):
    wanted = site.add("file", noise(100_000), site.serve(length=False), size=False)
    assert fetch(cache, [wanted])[wanted.digest].stat().st_size == 100_000


def test_requests_name_envfreeze_and_want_the_file_as_it_is(cache, site, noise):
    fetch(cache, [site.add("file", noise(10))])
    (asked,) = site.asked
    assert asked.headers["user-agent"].startswith("envfreeze/")
    assert asked.headers["accept-encoding"] == "identity"


def test_progress_tells_every_byte_once_and_ends(cache, site, noise, quick, bars):
    small = site.add("small", noise(1000), site.serve(stop_after=500))
    large = site.add("large", noise(12_000_000), site.serve(stop_after=3_000_000, ranges=False))
    site.always["/large"] = site.serve(ranges=False)
    unknown = site.add("unknown", noise(1001), size=False)
    fetch(cache, [small, large], progress=bars, retry=quick)
    assert bars.totals == {"fetching 2 files": 12_001_000, "large": 12_000_000}
    assert dict(bars.done) == {"fetching 2 files": 12_001_000, "large": 12_000_000}
    fetch(cache, [unknown], progress=bars)
    assert bars.totals["fetching 1 file"] is bars.totals["unknown"] is None
    assert bars.done["unknown"] == 1001
    assert sorted(bars.finished) == ["fetching 1 file", "fetching 2 files", "large", "unknown"]
    assert any("asking again in" in note for note in bars.notes)


def test_the_largest_come_first(cache, site, noise):
    downloads = [site.add(f"{size}", noise(size)) for size in (10, 30, 20)]
    fetch(cache, downloads, workers=1)
    assert [asked.path for asked in site.asked] == ["/30", "/20", "/10"]


# Going on


@pytest.mark.parametrize("validator", [{}, {"etag": None, "modified": "Fri, 02 Jan 2026 00:00:00 GMT"}])
def test_a_cut_connection_is_gone_on_with(cache, site, noise, quick, validator):
    wanted = site.add("file", noise(300_000))
    site.plans["/file"].extend(site.serve(stop_after=100_000, **validator) for _ in range(2))
    site.always["/file"] = site.serve(**validator)
    fetch(cache, [wanted], retry=quick)
    assert site.ranges() == [None, "bytes=100000-", "bytes=200000-"]
    assert site.sent["/file"] == 300_000


def test_a_line_that_is_cut_often_but_moves_on_gets_there(cache, site, noise, quick):
    wanted = site.add("file", noise(400_000))
    site.always["/file"] = site.serve(stop_after=20_000)
    fetch(cache, [wanted], retry=quick)
    assert len(site.asked) == 20


def test_a_later_run_goes_on_where_an_earlier_one_stopped(cache, site, noise):
    content = noise(200_000)
    wanted = site.add("file", content)
    begin(cache, wanted, content[:150_000])
    fetch(cache, [wanted])
    assert site.ranges() == ["bytes=150000-"]
    assert site.asked[0].headers["if-range"] == '"1"'
    assert site.sent["/file"] == 50_000


def test_another_place_goes_on_where_the_first_stopped(cache, site, other_site, noise, quick):
    content = noise(200_000)
    site.add("file", content, site.serve(stop_after=120_000))
    wanted = other_site.add("file", content)
    site.always["/file"] = site.status(500)
    wanted = replace(wanted, urls=(f"{site.base}/file", *wanted.urls))
    fetch(cache, [wanted], retry=quick)
    assert other_site.ranges() == ["bytes=120000-"]
    assert "if-range" not in other_site.asked[0].headers


def test_a_file_that_is_all_there_is_not_asked_for(cache, site, noise):
    content = noise(1000)
    wanted = site.add("file", content)
    begin(cache, wanted, content)
    assert fetch(cache, [wanted])[wanted.digest].read_bytes() == content
    assert site.asked == []


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"source": 1}', b"NEWLINE", None])
def test_a_damaged_note_beside_the_beginning_does_no_harm(cache, site, noise, note):
    content = noise(1000)
    wanted = site.add("file", content)
    begin(cache, wanted, content[:500])
    sidecar = partial_of(cache, wanted).with_suffix(".json")
    if note is None:
        sidecar.unlink()
    elif note == b"NEWLINE":
        sidecar.write_text(json.dumps({"source": wanted.urls[0], "validator": '"1"\n'}))
    else:
        sidecar.write_bytes(note)
    fetch(cache, [wanted])
    assert "if-range" not in site.asked[0].headers
    assert site.sent["/file"] == 500


@pytest.mark.parametrize(
    ("before", "plan"),
    [
        pytest.param(b"x" * 700, {}, id="the beginning is wrong"),
        pytest.param(b"x" * 700, {"etag": '"2"'}, id="the file has changed since"),
        pytest.param(b"x" * 700, {"ranges": False}, id="ranges are not understood"),
        pytest.param(b"x" * 1000, {}, id="nothing is left to ask for"),
        pytest.param(b"x" * 5000, {}, id="the beginning is longer than the file"),
    ],
)
@pytest.mark.parametrize("size", [True, False])
def test_a_beginning_that_does_not_fit_is_begun_again(cache, site, noise, quick, before, plan, size):
    wanted = site.add("file", noise(1000), size=size)
    site.always["/file"] = site.serve(**plan)
    begin(cache, wanted, before)
    assert fetch(cache, [wanted], retry=quick)[wanted.digest].read_bytes() == noise(1000)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    size=st.integers(1, 70_000),
    kept=st.integers(0, 80_000),
    right=st.booleans(),
    cuts=st.lists(
        st.tuples(st.integers(0, 70_000), st.sampled_from(['"1"', '"2"', None]), st.booleans()), max_size=4
    ),
)
def test_whatever_came_before_and_however_often_it_is_cut_the_file_is_right(
    cache, site, noise, size, kept, right, cuts
):
    content = noise(size, size)
    wanted = site.add("file", content)
    cache.discard(wanted.digest)
    site.plans["/file"].clear()
    site.plans["/file"].extend(
        site.serve(stop_after=cut, etag=etag, ranges=ranges) for cut, etag, ranges in cuts
    )
    begin(cache, wanted, (content if right else noise(size, -1))[:kept])
    patient = Retry(attempts=8, first=0.0)
    assert fetch(cache, [wanted], retry=patient)[wanted.digest].read_bytes() == content


# What does not come


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_trouble_is_asked_again(cache, site, noise, quick, code):
    wanted = site.add("file", noise(10), site.status(code), site.status(code))
    fetch(cache, [wanted], retry=quick)
    assert len(site.asked) == 3


def test_the_server_is_given_the_time_it_asks_for(cache, site, noise, quick):
    wanted = site.add("file", noise(10), site.status(429, {"Retry-After": "1"}))
    began = time.monotonic()
    fetch(cache, [wanted], retry=quick)
    assert time.monotonic() - began >= 1.0


def test_a_server_that_asks_for_too_much_time_is_given_up(cache, site, noise, quick):
    wanted = site.add("file", noise(10))
    site.always["/file"] = site.status(503, {"Retry-After": "3600"})
    with pytest.raises(NetworkError, match="503 Service Unavailable"):
        fetch(cache, [wanted], retry=quick)
    assert len(site.asked) == 1


def test_trouble_that_does_not_pass_is_a_network_error(cache, site, noise, quick, left_behind):
    wanted = site.add("file", noise(10))
    site.always["/file"] = site.status(500)
    with pytest.raises(NetworkError, match=rf"file could not be fetched from {site.base}/file: 500"):
        fetch(cache, [wanted], retry=quick)
    assert len(site.asked) == 4
    assert left_behind() == []


@pytest.mark.parametrize("code", [400, 404, 405, 410, 451])
def test_a_refusal_is_final_and_the_next_place_is_asked(cache, site, other_site, noise, quick, code):
    wanted = other_site.add("file", noise(10))
    site.always["/file"] = site.status(code)
    fetch(cache, [replace(wanted, urls=(f"{site.base}/file", *wanted.urls))], retry=quick)
    assert len(site.asked) == 1


def test_a_file_that_is_nowhere_is_not_found_and_every_place_is_named(cache, site, other_site):
    wanted = Download("file", Digest.of(b"x"), 1, (f"{site.base}/a?key=SECRET", f"{other_site.base}/b"))
    with pytest.raises(NotFoundError) as caught:
        fetch(cache, [wanted])
    assert caught.value.details == (f"{site.base}/a: 404 Not Found", f"{other_site.base}/b: 404 Not Found")


def test_nobody_listening_is_a_network_error(cache, quick):
    with pytest.raises(NetworkError, match=r"http://127\.0\.0\.1:9/file: Connection refused") as caught:
        fetch(cache, [Download("file", Digest.of(b"x"), 1, ("http://127.0.0.1:9/file",))], retry=quick)
    assert "run it again" in caught.value.hint


@pytest.mark.parametrize("urls", [(), ("",), ("nonsense",), ("ftp://example.org/x",), ("http://[::1",)])
def test_an_address_that_leads_nowhere_is_a_network_error(cache, quick, urls):
    with pytest.raises(NetworkError, match="file"):
        fetch(cache, [Download("file", Digest.of(b"x"), 1, urls)], retry=quick)


def test_the_first_failure_ends_the_rest_and_keeps_their_beginnings(cache, site, noise, quick):
    release = threading.Event()
    slow = site.add("slow", noise(500_000), site.stall(200_000, release))

    def gone_when_the_other_has_begun(handler, name):
        while not partial_of(cache, slow).exists() or not partial_of(cache, slow).stat().st_size:
            time.sleep(0.01)
        site.status(404)(handler, name)

    site.always["/gone"] = gone_when_the_other_has_begun
    gone = Download("gone", Digest.of(b"x"), 1, (f"{site.base}/gone",))
    began = time.monotonic()
    with pytest.raises(NotFoundError, match="gone could not be fetched"):
        fetch(cache, [slow, gone], retry=quick)
    assert time.monotonic() - began < 10, "the server would have held the line for 30 s"
    release.set()
    begun = partial_of(cache, slow).stat().st_size
    fetch(cache, [slow], retry=quick)
    assert site.ranges()[-1] == f"bytes={begun}-"


# What is wrong


def test_wrong_content_is_untrusted_names_both_digests_and_leaves_nothing(cache, site, noise, left_behind):
    content = noise(1000)
    wanted = site.add("file", content)
    site.always["/file"] = site.serve(corrupt=True)
    with pytest.raises(UntrustedError) as caught:
        fetch(cache, [wanted])
    got = Digest.of(bytes([content[0] ^ 1]) + content[1:])
    assert f"expected {wanted.digest} of 1000 bytes, got {got}" in caught.value.message
    assert len(site.asked) == 1
    assert left_behind() == []
    assert cache.find(wanted.digest) is None


def test_wrong_content_at_one_place_is_made_good_by_the_next(cache, site, other_site, noise):
    wanted = other_site.add("file", noise(1000))
    site.add("file", noise(1000, 1))
    fetch(cache, [replace(wanted, urls=(f"{site.base}/file", *wanted.urls))])


def test_wrong_content_at_one_place_and_none_at_the_next_is_untrusted(cache, site, other_site, noise):
    wanted = site.add("file", noise(1000))
    site.files["/file"] = noise(1000, 1)
    with pytest.raises(UntrustedError) as caught:
        fetch(cache, [replace(wanted, urls=(*wanted.urls, f"{other_site.base}/file"))])
    assert caught.value.details[1] == f"{other_site.base}/file: 404 Not Found"


def test_a_wrong_beginning_and_wrong_content_are_tried_once_from_scratch(cache, site, noise):
    wanted = site.add("file", noise(1000))
    site.always["/file"] = site.serve(corrupt=True)
    begin(cache, wanted, b"x" * 500)
    with pytest.raises(UntrustedError):
        fetch(cache, [wanted])
    assert site.ranges() == ["bytes=500-", None]


def test_a_length_that_disagrees_is_refused_before_the_body(cache, site, noise):
    wanted = replace(site.add("file", noise(5_000_000)), size=1000)
    site.always["/file"] = site.serve(pace=0.01)
    with pytest.raises(UntrustedError, match="got 5000000 bytes"):
        fetch(cache, [wanted])
    assert site.sent["/file"] < 5_000_000


def test_a_body_without_end_is_not_followed(cache, site, noise, left_behind):
    wanted = site.add("file", noise(1000))
    site.always["/file"] = site.serve(length=False, append=bytes(50_000_000))
    with pytest.raises(UntrustedError, match="got more than 1000 bytes"):
        fetch(cache, [wanted])
    assert site.sent["/file"] < 50_000_000
    assert left_behind() == []


# Credentials and redirects


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def test_credentials_of_the_url_are_sent_and_not_shown(cache, site, noise, quick, bars):
    wanted = site.add("file", noise(10), site.status(500))
    url = wanted.urls[0].replace("http://", "http://me:SE%2FCRET@")
    fetch(cache, [replace(wanted, urls=(url,))], retry=quick, progress=bars)
    assert site.asked[0].headers["authorization"] == basic("me", "SE/CRET")
    assert "CRET" not in str(bars)
    site.always["/file"] = site.status(401)
    cache.discard(wanted.digest)
    with pytest.raises(NetworkError, match="refused the credentials") as caught:
        fetch(cache, [replace(wanted, urls=(url,))], retry=quick)
    assert "CRET" not in f"{caught.value} {caught.value.hint} {caught.value.details}"
    with pytest.raises(NetworkError, match="refused the credentials") as caught:
        get(url, retry=quick)
    assert "CRET" not in f"{caught.value} {caught.value.hint} {caught.value.details}"


def test_credentials_of_netrc_are_sent(site, isolated):
    (isolated / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (isolated / ".netrc").chmod(0o600)
    site.add("file", b"x")
    assert get(f"{site.base}/file") == b"x"
    assert site.asked[0].headers["authorization"] == basic("me", "secret")


def test_missing_credentials_are_named_as_the_cause(site, quick):
    site.always["/file"] = site.status(403)
    with pytest.raises(NetworkError, match=r"403 .*no credentials for 127\.0\.0\.1") as caught:
        get(f"{site.base}/file", retry=quick)
    assert "~/.netrc" in caught.value.hint


def test_a_netrc_that_cannot_be_read_is_told_without_its_words(site, isolated, quick):
    (isolated / ".netrc").write_text("machine 127.0.0.1\nlogin me SECRET word\n")
    site.add("public", b"x")
    assert get(f"{site.base}/public") == b"x"
    site.always["/file"] = site.status(401)
    with pytest.raises(NetworkError, match=r"\.netrc cannot be read, line \d") as caught:
        get(f"{site.base}/file", retry=quick)
    assert "SECRET" not in str(caught.value)


def test_credentials_do_not_follow_to_another_host(cache, site, other_site, noise):
    wanted = other_site.add("file", noise(10))
    site.always["/start"] = site.redirect("/next")
    site.always["/next"] = site.redirect(f"http://localhost:{other_site.port}/file")
    url = f"{site.base}/start".replace("http://", "http://me:secret@")
    fetch(cache, [replace(wanted, urls=(url,))])
    assert [asked.headers.get("authorization") for asked in site.asked] == [basic("me", "secret")] * 2
    assert "authorization" not in other_site.asked[0].headers


def test_a_redirect_that_goes_on_for_ever_is_ended(site, quick):
    site.always["/file"] = site.redirect("/file")
    with pytest.raises(NetworkError, match="more than 10 redirects"):
        get(f"{site.base}/file", retry=quick)


def test_a_redirected_file_is_gone_on_with(cache, site, other_site, noise, quick):
    wanted = other_site.add("file", noise(100_000), other_site.serve(stop_after=60_000))
    site.always["/start"] = site.redirect(f"{other_site.base}/file", 307)
    fetch(cache, [replace(wanted, urls=(f"{site.base}/start",))], retry=quick)
    assert other_site.ranges() == [None, "bytes=60000-"]


def test_a_certificate_that_the_environment_names_is_trusted(secure_site, certificate, monkeypatch):
    secure_site.add("file", b"x")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert get(f"{secure_site.base}/file") == b"x"


def test_an_unknown_certificate_is_refused_at_once(secure_site, quick):
    with pytest.raises(NetworkError, match="certificate is not trusted"):
        get(f"{secure_site.base}/file", retry=replace(quick, first=100.0, longest=100.0))


def test_certificates_that_cannot_be_read_are_a_machine_error(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(MachineError, match=r"/nowhere/ca\.pem"):
        get("https://127.0.0.1:9/")


def test_a_redirect_from_https_to_http_is_refused(secure_site, site, certificate, monkeypatch, quick):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    secure_site.always["/file"] = secure_site.redirect(f"{site.base}/file")
    with pytest.raises(NetworkError, match="from https to http is refused"):
        get(f"{secure_site.base}/file", retry=quick)
    assert site.asked == []


def test_a_proxy_of_the_environment_is_used(site, monkeypatch):
    site.always["http://example.org/file"] = site.serve()
    site.files["http://example.org/file"] = b"through the proxy"
    monkeypatch.setenv("HTTP_PROXY", site.base)
    assert get("http://example.org/file") == b"through the proxy"


def test_a_proxy_that_is_no_url_is_refused_without_its_password(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "gopher://me:SECRET@proxy.example.org")
    with pytest.raises(UsageError, match="proxy's address") as caught:
        get("http://127.0.0.1:9/")
    assert "SECRET" not in f"{caught.value} {caught.value.hint}"


# Files


def test_a_file_url_is_copied_and_checked(cache, tmp_path, noise, left_behind):
    content = noise(3_000_000)
    path = tmp_path / "a b.whl"
    path.write_bytes(content)
    wanted = Download("file", Digest.of(content), len(content), (path.as_uri(),))
    assert fetch(cache, [wanted], offline=True)[wanted.digest].read_bytes() == content
    path.write_bytes(content[:-1] + b"x")
    cache.discard(wanted.digest)
    with pytest.raises(UntrustedError):
        fetch(cache, [wanted])
    with pytest.raises(UntrustedError, match="got 3000000 bytes"):
        fetch(cache, [replace(wanted, size=1)])
    assert left_behind() == []


def test_a_file_url_that_leads_to_no_file_is_not_waited_for(cache, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NetworkError, match="not a file"):
        fetch(cache, [Download("file", Digest.of(b"x"), 1, ((tmp_path / "pipe").as_uri(),))])
    with pytest.raises(NotFoundError, match="No such file"):
        fetch(cache, [Download("file", Digest.of(b"x"), 1, ((tmp_path / "nothing").as_uri(),))])


# Offline


def test_offline_everything_that_is_missing_is_listed(cache, site, noise):
    here = site.add("here", noise(10))
    fetch(cache, [here])
    missing = [site.add(name, noise(10, 1 + number)) for number, name in enumerate(("b.whl", "a.whl"))]
    with pytest.raises(NetworkError, match="2 files are not in the cache") as caught:
        fetch(cache, [here, *missing], offline=True)
    assert caught.value.details == ("a.whl", "b.whl")
    assert fetch(cache, [here], offline=True)
    assert len(site.asked) == 1


# The disk


def test_a_full_disk_ends_a_download_and_keeps_nothing_of_it(small_disk, site, noise, quick):
    with Cache.open(small_disk / "cache") as cache:
        wanted = site.add("large", noise(3_000_000))
        with pytest.raises(MachineError, match=r"disk is full.*small-disk has .* of 1\.0 MB free"):
            fetch(cache, [wanted], retry=quick)
        assert list((cache.root / "partial").iterdir()) == []
        small = site.add("small", noise(500_000))
        assert fetch(cache, [small], retry=quick)


# Calling it off


@pytest.mark.parametrize("after", [0, 200_000], ids=["no answer yet", "in the body"])
def test_ctrl_c_ends_a_download_at_once_and_the_next_run_goes_on(cache, site, noise, quick, after):
    release = threading.Event()
    slow = [site.add(f"slow-{number}", noise(500_000, number)) for number in range(3)]
    for wanted in slow:
        site.plans[f"/{wanted.name}"].append(site.stall(after, release))
    pressed: list[float] = []

    def press() -> None:
        while len(site.asked) < 3 or any(partial_of(cache, each).stat().st_size < after for each in slow):
            time.sleep(0.01)
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        fetch(cache, slow, retry=quick)
    while any(each.name.startswith("envfreeze-fetch") for each in threading.enumerate()):
        time.sleep(0.001)
    assert time.monotonic() - pressed[0] < 1.0
    thread.join()
    release.set()
    fetch(cache, slow, retry=quick)
    assert set(site.ranges()[3:]) == {f"bytes={after}-" if after else None}


def test_ctrl_c_ends_a_pause_and_a_wait_for_another_process(cache, site, noise):
    wanted = site.add("file", noise(10))
    site.always["/file"] = site.status(500)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fetch(cache, [wanted], retry=Retry(first=30.0, longest=30.0))
    with cache.exclusive(f"download {wanted.digest}"):
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            fetch(cache, [wanted])
    assert time.monotonic() - began < 2.0


# Several at once, and killed

FETCH = """
import json, sys
from pathlib import Path
from envfreeze.digest import Digest
from envfreeze.store.cache import Cache
from envfreeze.store.download import Download, Retry, fetch
import httpx
wanted = [Download(name, Digest.parse(digest), size, tuple(urls))
          for name, digest, size, urls in json.loads(sys.argv[2])]
cache = Cache.open(Path(sys.argv[1]))
print("ready", flush=True)
found = fetch(cache, wanted, retry=Retry(first=0.01))
with cache.writer() as writer:
    for path in sorted(found.values()):
        writer.write(path.read_bytes())
    writer.commit(Digest.of_file(writer.path))
cache.remember("rule", "key", {str(digest): path.name for digest, path in found.items()})
"""


def start(cache_root: Path, downloads: list[Download]) -> subprocess.Popen[str]:
    wanted = [(each.name, str(each.digest), each.size, each.urls) for each in downloads]
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, str(cache_root), json.dumps(wanted)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_eight_processes_that_want_the_same_files_fetch_each_once(tmp_path, site, noise):
    downloads = [site.add(f"file-{number}", noise(300_000, number)) for number in range(3)]
    for wanted in downloads:
        site.always[f"/{wanted.name}"] = site.serve(pace=0.01)
    running = [start(tmp_path / "cache", downloads) for _ in range(8)]
    assert [process.wait(30) for process in running] == [0] * 8
    for process in running:
        process.stdout.close()
    assert site.sent == {f"/{wanted.name}": 300_000 for wanted in downloads}
    with Cache.open(tmp_path / "cache") as cache:
        assert cache.verify() == ()


def test_two_threads_of_one_process_fetch_a_file_once(cache, site, noise):
    wanted = site.add("file", noise(300_000))
    site.always["/file"] = site.serve(pace=0.01)
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch(cache, [wanted]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{wanted.digest: cache.find(wanted.digest)}] * 4
    assert site.sent["/file"] == 300_000


def test_killed_at_any_moment_the_cache_is_sound_and_the_next_run_succeeds(tmp_path, site, noise):
    downloads = [site.add(f"file-{number}", noise(200_000, number)) for number in range(4)]
    for wanted in downloads:
        site.always[f"/{wanted.name}"] = site.serve(pace=0.005)
    root = tmp_path / "cache"
    # Killed later and later: before, in the middle of and after the downloads, and while committing.
    for moment in range(12):
        process = start(root, downloads)
        process.stdout.readline()
        time.sleep(moment * 0.012)
        process.kill()
        process.wait()
        process.stdout.close()
        if moment % 4 == 3:  # so that not all of it is there after the first few
            shutil.rmtree(root / "blobs")
    with Cache.open(root) as cache:
        assert cache.verify() == ()
        assert [path.name for path in (root / "tmp").iterdir()] == [cache._session.folder.name]
        found = fetch(cache, downloads)
        assert sorted(found) == sorted(wanted.digest for wanted in downloads)
        assert cache.verify() == ()
        cache.prune()
        assert list((root / "partial").iterdir()) == []


# Documents


def test_a_document_comes_as_it_is(site):
    site.add("index.xz", b"\xfd7zXZ")
    assert get(f"{site.base}/index.xz") == b"\xfd7zXZ"


def test_a_document_is_asked_for_again(site, quick, bars):
    site.add("index", b"content", site.status(503), site.serve(stop_after=3))
    assert get(f"{site.base}/index", retry=quick, progress=bars) == b"content"
    assert len(bars.notes) == 2


@pytest.mark.parametrize("code", [404, 410])
def test_a_document_that_is_not_there_is_not_found(site, code):
    site.always["/index"] = site.status(code)
    with pytest.raises(NotFoundError, match=str(code)):
        get(f"{site.base}/index")


def test_a_document_has_a_limit(site, tmp_path):
    site.add("index", b"content")
    (tmp_path / "index").write_bytes(b"content")
    for url in (f"{site.base}/index", (tmp_path / "index").as_uri()):
        assert get(url, limit=7) == b"content"
        with pytest.raises(NetworkError, match="larger than 6 bytes"):
            get(url, limit=6)


def test_a_document_may_be_a_file(tmp_path):
    with pytest.raises(NotFoundError, match="No such file"):
        get((tmp_path / "nothing").as_uri())
    with pytest.raises(NetworkError, match="folder"):
        get(tmp_path.as_uri())
