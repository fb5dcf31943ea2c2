"""From a DOI to the full text and its figures, source by source, against a server with their true payloads."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from http_server import Reply, Request, Server
from PIL import Image

from imagedataextractor.articles import retrieve as retrieve_module
from imagedataextractor.articles.read import read_article
from imagedataextractor.articles.retrieve import _prune, retrieve, retrieve_with
from imagedataextractor.articles.retrieve import arxiv as arxiv_source
from imagedataextractor.articles.retrieve import elsevier as elsevier_source
from imagedataextractor.articles.retrieve import europepmc as europepmc_source
from imagedataextractor.articles.retrieve import unpaywall as unpaywall_source
from imagedataextractor.articles.retrieve.http import Client
from imagedataextractor.articles.retrieve.source import Fetched, Source
from imagedataextractor.errors import LicenceError, QuotaError, ServiceError
from imagedataextractor.settings import Keys, Services

DOI = "10.3389/fchem.2020.00094"


def jpeg(shade: int = 128) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (64, 48), shade).save(stream, "JPEG")
    return stream.getvalue()


def pdf(words: str = "A text.") -> bytes:
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    canvas = Figure(figsize=(4, 4))
    canvas.text(0.1, 0.5, words)
    with PdfPages(stream) as pages:
        pages.savefig(canvas)
    return stream.getvalue()


def jats(figures: dict[str, str], doi: str = "10.1234/x") -> str:
    body = "".join(
        f'<fig id="f{i}"><label>Figure'
        f' {i}</label><caption><p>{caption}</p></caption><graphic xlink:href="{href}"/></fig>'
        for i, (href, caption) in enumerate(figures.items(), start=1)
    )
    return (
        '<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta>'
        f'<article-id pub-id-type="doi">{doi}</article-id></article-meta></front><body>{body}</body></article>'
    )


def known(server: Server, doi: str, **fields: str) -> None:
    """Europe PMC's answer to the search for a DOI."""
    record = {"id": "1", "source": "MED", "doi": doi, "isOpenAccess": "Y", "license": "cc by", **fields}
    answer = {"version": "6.9", "hitCount": 1, "resultList": {"result": [record]}}
    server.on("/europepmc/search", Reply(answer), query=f'DOI:"{doi}"')


def unknown(server: Server) -> None:
    server.on("/europepmc/search", Reply({"version": "6.9", "hitCount": 0, "resultList": {"result": []}}))
    server.on("/idconv/", Reply({"status": "ok", "records": []}))


def listing(*versions: str) -> Reply:
    prefixes = "".join(f"<CommonPrefixes><Prefix>{version}/</Prefix></CommonPrefixes>" for version in versions)
    return Reply(
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>pmc-oa-opendata</Name><KeyCount>{len(versions)}</KeyCount>{prefixes}</ListBucketResult>"
    )


def in_bucket(server: Server, version: str, text: bytes, media: dict[str, bytes]) -> None:
    """An article in PMC's bucket: listing, metadata with checksums, files."""
    pmcid = version.partition(".")[0]

    def s3(name: str, data: bytes) -> str:
        server.on(f"/bucket/{version}/{name}", Reply(data))
        return f"s3://pmc-oa-opendata/{version}/{name}?md5={hashlib.md5(data).hexdigest()}"

    metadata = {
        "pmcid": pmcid,
        "version": int(version.partition(".")[2]),
        "is_pmc_openaccess": True,
        "license_code": "CC BY",
        "xml_url": s3(f"{version}.xml", text),
        "media_urls": [s3(name, data) for name, data in media.items()],
    }
    server.on("/bucket/", listing(f"{pmcid}.1", version), prefix=f"{pmcid}.")
    server.on(f"/bucket/metadata/{version}.json", Reply(metadata))


def served(server: Server, shared: Path) -> None:
    """A real article on all the services that a DOI of PubMed Central needs."""
    folder = shared / "samples/jats/PMC7058583"
    media = {path.name: path.read_bytes() for path in folder.glob("*.jpg")}
    media["supplement.pdf"] = b"%PDF-1.7 supplement"
    known(server, DOI, pmcid="PMC7058583")
    in_bucket(server, "PMC7058583.2", (folder / "PMC7058583.xml").read_bytes(), media)


# ---------------------------------------------------------------- PubMed Central


def test_article_and_figures_come_whole_and_only_once(
    server: Server, services: Services, keys: Keys, cache: Path, shared: Path
) -> None:
    served(server, shared)
    found = retrieve(f"https://doi.org/{DOI.upper()}", services=services, keys=keys, cache=cache)
    assert (found.doi, found.source, found.licence, found.missing) == (DOI, "PMC open data", "CC BY", ())
    assert found.attempts == (("PMC open data", "full text with 6 figures"),)
    assert found.article_file.parent == found.folder
    article = read_article(found.article_file, figure_dir=found.folder)
    assert not any(figure.missing for figure in article.figures)
    assert server.asked("/bucket/PMC7058583.2/supplement.pdf") == []
    count = len(server.requests)
    assert retrieve(DOI, services=services, keys=keys, cache=cache) == found
    assert len(server.requests) == count


def test_interrupted_retrieval_goes_on(
    server: Server, services: Services, keys: Keys, cache: Path, shared: Path
) -> None:
    """The fourth picture fails for good the first time; the second time only it is fetched."""
    broken = [True]

    def fails(request: Request) -> Reply | None:
        return Reply(status=500) if broken[0] and request.path.endswith("g0002.jpg") else None

    server.routes.append(fails)
    served(server, shared)
    for path in ("/crossref/works/" + DOI, "/europepmc/PMC7058583/fullTextXML"):
        server.on(path, Reply(status=404))
    first = retrieve(DOI, services=services, keys=keys, cache=cache)
    assert first.missing == ("fchem-08-00094-g0002",)
    broken[0] = False
    before = len(server.requests)
    second = retrieve(DOI, services=services, keys=keys, cache=cache)
    assert second.missing == ()
    asked = [r.path for r in server.requests[before:]]
    assert asked == ["/bucket/PMC7058583.2/fchem-08-00094-g0002.jpg"]


def test_converter_where_europe_pmc_fails(
    server: Server, services: Services, keys: Keys, cache: Path, shared: Path
) -> None:
    server.on("/europepmc/search", Reply(status=500))
    server.on("/idconv/", Reply({"status": "ok", "records": [{"pmcid": "PMC7058583", "doi": DOI}]}), ids=DOI)
    served(server, shared)
    found = retrieve(DOI, services=services, keys=keys, cache=cache)
    assert found.source == "PMC open data"
    asked = server.asked("/idconv/")[0].query
    assert (asked["idtype"], asked["tool"], asked["email"]) == ("doi", "imagedataextractor", "someone@lab.example")


def test_wrong_checksum_is_not_kept(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    known(server, "10.1234/x", pmcid="PMC5")
    server.on("/bucket/PMC5.1/PMC5.1.xml", Reply(b"<article>damaged</article>"))
    in_bucket(server, "PMC5.1", jats({"a": "TEM."}).encode(), {})
    with pytest.raises(ServiceError, match="MD5"):
        retrieve("10.1234/x", services=services, keys=keys, cache=cache)
    assert list(cache.rglob("*.xml")) == []


def test_europe_pmc_where_the_bucket_has_nothing(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    known(server, "10.1234/x", pmcid="PMC5")
    server.on("/bucket/", listing())
    server.on("/europepmc/PMC5/fullTextXML", Reply(jats({"fig1": "TEM.", "fig2": "Scheme."})))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../fig1.jpg", jpeg())
        archive.writestr("sub/fig1.gif", b"GIF89a small;")
        archive.writestr("fig9.jpg", jpeg())
    server.on("/europepmc/PMC5/supplementaryFiles", Reply(stream.getvalue()), includeInlineImage="true")
    found = retrieve("10.1234/x", services=services, keys=keys, cache=cache)
    assert found.source == "Europe PMC"
    assert found.missing == ("fig2",)
    assert sorted(path.name for path in found.folder.iterdir()) == ["PMC5.xml", "fig1.jpg"]
    assert not (cache / "fig1.jpg").exists()


def test_offline_says_its_cause_first(services: Services, keys: Keys, cache: Path) -> None:
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
        bases = {name: nowhere for name, value in vars(services).items() if "://" in str(value)}
        offline = replace(services, **bases, attempts=1)
        with pytest.raises(ServiceError) as caught:
            retrieve("10.1234/nothing", services=offline, keys=keys, cache=cache)
    assert str(caught.value).startswith(
        "10.1234/nothing: no service can be reached (connection refused); is this machine online?"
    )


def test_doi_that_nobody_knows(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    unknown(server)
    with pytest.raises(ServiceError) as caught:
        retrieve("10.1234/nothing", services=services, keys=keys, cache=cache)
    for name in ("PMC open data", "Europe PMC", "Crossref", "Unpaywall"):
        assert name in str(caught.value)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- the other sources, one by one


def from_source(
    source: Source, doi: str, services: Services, keys: Keys, cache: Path
) -> tuple[str, Sequence[str], Path]:
    found = retrieve_with(Client(services, keys, cache), doi, cache, [source])
    return found.licence or "", found.missing, found.article_file


def test_springer_nature(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    from imagedataextractor.articles.retrieve import springer

    doi = "10.1186/s11671-021-03631-x"
    envelope = (
        '<?xml version="1.0"?><response><apiMessage>This XML was provided by Springer Nature</apiMessage>'
        f"<query>doi:{doi}</query><apiKey>{keys.springer_api_key}</apiKey><result><total>1</total></result><records>"
        + jats({"MediaObjects/1_Fig1_HTML.png": "TEM.", "MediaObjects/1_Fig2_HTML": "SEM."}, doi)
        + "</records></response>"
    )
    server.on("/springer/openaccess/jats", Reply(envelope), q=f"doi:{doi}", api_key=keys.springer_api_key)

    def static(request: Request) -> Reply | None:
        large = request.path.startswith("/static/full/springer-static/image/art%3A10.1186%2F")
        reduced = request.path.startswith("/static/lw1200/") and "Fig2" in request.path
        return Reply(jpeg()) if (large and "Fig1" in request.path) or reduced else None

    server.routes.append(static)
    _, missing, path = from_source(springer.SOURCE, doi, services, keys, cache)
    assert missing == ()
    assert keys.springer_api_key not in path.read_text()
    assert len(read_article(path).figures) == 2


def test_springer_nature_without_the_article(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    from imagedataextractor.articles.retrieve import springer

    server.on("/springer/openaccess/jats", Reply("<response><result><total>0</total></result><records/></response>"))
    with pytest.raises(ServiceError, match="no open-access full text"):
        from_source(springer.SOURCE, "10.1007/x", services, keys, cache)


EID = "1-s2.0-S0008"


def elsevier_xml(server: Server, references: Sequence[str], *, listed: bool = True) -> str:
    def entry(reference: str, category: str, end: str) -> str:
        url = f"https://api.elsevier.com/content/object/eid/{EID}-{reference}{end}?httpAccept=%2A%2F%2A"
        return f'<object ref="{reference}" category="{category}" mimetype="image/jpeg" width="9">{url}</object>'

    figures = "".join(
        f'<ce:figure id="{r}"><ce:label>Fig. {r[2:]}</ce:label><ce:caption><ce:simple-para>TEM image.</ce:simple-para>'
        f'</ce:caption><ce:link locator="{r}"/></ce:figure>'
        for r in references
    )
    objects = "".join(
        entry(r, "thumbnail", ".sml") + entry(r, "standard", ".jpg") + entry(r, "high", "_lrg.jpg") for r in references
    )
    return (
        '<full-text-retrieval-response xmlns:ce="http://www.elsevier.com/xml/common/dtd" '
        'xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/"><coredata><prism:doi>10.1016/j.x.2019</prism:doi>'
        f"<eid>{EID}</eid><openaccessUserLicense>http://creativecommons.org/licenses/by/4.0/</openaccessUserLicense>"
        f"</coredata><objects>{objects if listed else ''}</objects><originalText>{figures}</originalText>"
        "</full-text-retrieval-response>"
    )


def test_elsevier_takes_the_largest_pictures(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    server.on(
        "/elsevier/content/article/doi/10.1016/j.x.2019", Reply(elsevier_xml(server, ["gr1", "gr2"])), view="FULL"
    )
    stub = Reply("<?xml version='1.0'?><service-error><status><statusCode>x</statusCode></status></service-error>")
    server.on(f"/elsevier/content/object/eid/{EID}-gr1_lrg.jpg", Reply(jpeg(10)))
    server.on(f"/elsevier/content/object/eid/{EID}-gr2_lrg.jpg", stub)
    server.on(f"/elsevier/content/object/eid/{EID}-gr2.jpg", Reply(jpeg(20)))
    licence, missing, path = from_source(elsevier_source.SOURCE, "10.1016/j.x.2019", services, keys, cache)
    assert (licence, missing) == ("CC BY 4.0", ())
    files = [Path(f.graphics[0]) for f in read_article(path).figures]
    assert [file.read_bytes() for file in files] == [jpeg(10), jpeg(20)]
    for request in server.requests:
        assert request.headers["x-els-apikey"] == keys.elsevier_api_key
        assert request.headers["x-els-insttoken"] == keys.elsevier_insttoken
    assert not any(request.path.endswith(".sml") for request in server.requests)


def test_pictures_that_a_document_keeps_in_the_own_network_are_not_asked_for(
    server: Server, services: Services, keys: Keys, cache: Path
) -> None:
    inner = Server()
    try:
        text = elsevier_xml(server, ["gr1"]).replace("https://api.elsevier.com", inner.url)
        server.on("/elsevier/content/article/doi/10.1016/j.x.2019", Reply(text))
        _, missing, _ = from_source(elsevier_source.SOURCE, "10.1016/j.x.2019", services, keys, cache)
        assert len(missing) == 1
        assert inner.requests == []
    finally:
        inner.close()


def test_zip_that_unpacks_to_more_than_figures_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(europepmc_source, "_MAX_MEMBER_BYTES", 100_000)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fig1.jpg", jpeg())
        archive.writestr("fig2.jpg", b"\xff\xd8\xff" + b"\0" * 5_000_000 + b"\xff\xd9")
    europepmc_source.unpack_figures(stream.getvalue(), tmp_path, ["fig1", "fig2"])
    assert [path.name for path in tmp_path.iterdir()] == ["fig1.jpg"]
    monkeypatch.setattr(europepmc_source, "_MAX_ZIP_BYTES", 1_000_000)
    with pytest.raises(ServiceError, match="too large"):
        europepmc_source.unpack_figures(stream.getvalue(), tmp_path, ["fig1", "fig2"])


def test_elsevier_asks_for_the_list_of_objects(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    server.on("/elsevier/content/article/doi/10.1016/j.x.2019", Reply(elsevier_xml(server, ["gr1"], listed=False)))
    attachments = [
        {"filename": "gr1.sml", "type": "IMAGE-THUMBNAIL"},
        {
            "prism:url": f"https://api.elsevier.com/content/object/eid/{EID}-gr1_lrg.jpg?httpAccept=*/*",
            "eid": f"{EID}-gr1_lrg.jpg",
            "filename": "gr1_lrg.jpg",
            "width": "1700",
            "height": "900",
        },
        {"ref": "gr1", "prism:url": f"https://api.elsevier.com/content/object/eid/{EID}-gr1.jpg", "size": "900"},
    ]
    listed = {"attachment-metadata-response": {"attachment": attachments}}
    server.on("/elsevier/content/object/doi/10.1016/j.x.2019", Reply(listed), view="META")
    server.on(f"/elsevier/content/object/eid/{EID}-gr1_lrg.jpg", Reply(jpeg()))
    _, missing, _ = from_source(elsevier_source.SOURCE, "10.1016/j.x.2019", services, keys, cache)
    assert missing == ()


def test_elsevier_without_entitlement(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    text = "<full-text-retrieval-response><coredata><title>T</title></coredata></full-text-retrieval-response>"
    server.on("/elsevier/content/article/doi/10.1016/j.x.2019", Reply(text))
    with pytest.raises(ServiceError, match="abstract only"):
        from_source(elsevier_source.SOURCE, "10.1016/j.x.2019", services, keys, cache)


def test_elsevier_page_one_as_pdf_is_no_article(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    page = Reply(pdf("Page one"), headers={"X-ELS-Status": "WARNING - Response limited to first page"})
    server.on("/elsevier/content/article/doi/10.1016/j.x.2019", page)
    with pytest.raises(ServiceError, match="not XML"):
        from_source(elsevier_source.SOURCE, "10.1016/j.x.2019", services, keys, cache)


def test_spent_quota_is_told_apart(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    unknown(server)
    quota = Reply(status=429, headers={"X-ELS-Status": "QUOTA_EXCEEDED", "X-RateLimit-Reset": "4102444800"})
    server.on("/elsevier/content/article/doi/10.1016/j.x.2019", quota)
    with pytest.raises(QuotaError, match="renewed at 2100-01-01") as caught:
        retrieve("10.1016/j.x.2019", services=services, keys=keys, cache=cache)
    assert caught.value.resets_at == 4102444800


def test_absent_keys_are_told_in_one_line(server: Server, services: Services, cache: Path) -> None:
    unknown(server)
    with pytest.raises(ServiceError) as caught:
        retrieve("10.1016/j.x.2019", services=replace(services, contact=""), keys=Keys(), cache=cache)
    assert "IDE_ELSEVIER_API_KEY" in str(caught.value)
    assert "IDE_CONTACT" in str(caught.value)
    assert not any(request.path.startswith(("/elsevier", "/unpaywall")) for request in server.requests)


def crossref_record(
    *links: tuple[str, str, str], licence: str = "http://creativecommons.org/licenses/by/4.0/"
) -> Reply:
    return Reply(
        {
            "status": "ok",
            "message-type": "work",
            "message": {
                "DOI": "10.1234/x",
                "title": ["T"],
                "license": [{"URL": licence, "content-version": "vor", "start": {}}],
                "link": [{"URL": u, "content-type": t, "intended-application": a} for u, t, a in links],
            },
        }
    )


def test_crossref_takes_links_for_mining_under_open_licences(
    server: Server, services: Services, keys: Keys, cache: Path
) -> None:
    from imagedataextractor.articles.retrieve import crossref

    links = [
        (f"{server.url}/publisher/x.pdf", "application/pdf", "similarity-checking"),
        (f"{server.url}/publisher/x.xml", "application/xml", "text-mining"),
    ]
    server.on("/crossref/works/10.1234%2Fx", crossref_record(*links))
    server.on("/publisher/x.xml", Reply(jats({})))
    licence, _, path = from_source(crossref.SOURCE, "10.1234/x", services, keys, cache)
    assert (licence, path.name) == ("CC BY 4.0", "article.xml")
    assert server.requests[0].query["mailto"] == "someone@lab.example"


def test_crossref_leaves_closed_articles_alone(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    from imagedataextractor.articles.retrieve import crossref

    links = [(f"{server.url}/publisher/x.pdf", "application/pdf", "text-mining")]
    server.on(
        "/crossref/works/10.1234%2Fx", crossref_record(*links, licence="https://www.elsevier.com/tdm/userlicense/1.0/")
    )
    with pytest.raises(ServiceError, match="is not open"):
        from_source(crossref.SOURCE, "10.1234/x", services, keys, cache)
    assert server.asked("/publisher/x.pdf") == []


def test_unpaywall_tries_place_after_place(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    locations = [
        {"url_for_pdf": f"{server.url}/login", "license": "cc-by", "version": "publishedVersion"},
        {"url_for_pdf": f"{server.url}/repository.pdf", "license": "cc-by-nc", "version": "acceptedVersion"},
        {"url_for_pdf": None},
    ]
    record = {"doi": "10.1234/x", "best_oa_location": locations[0], "oa_locations": locations}
    server.on("/unpaywall/v2/10.1234/x", Reply(record), email="someone@lab.example")
    server.on("/login", Reply("<html>Please log in to read this article</html>"))
    server.on("/repository.pdf", Reply(pdf()))
    licence, _, path = from_source(unpaywall_source.SOURCE, "10.1234/x", services, keys, cache)
    assert (licence, path.name) == ("CC BY-NC", "article.pdf")


def test_arxiv(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    server.on("/arxiv/pdf/2101.00001", Reply(pdf()))
    record = "<OAI-PMH><GetRecord><license>http://creativecommons.org/licenses/by/4.0/</license></GetRecord></OAI-PMH>"
    server.on("/arxiv/oai2", Reply(record), identifier="oai:arXiv.org:2101.00001")
    client = Client(services, keys, cache, sleep=lambda _: None)
    found = retrieve_with(client, "10.48550/arXiv.2101.00001", cache, [arxiv_source.SOURCE])
    assert found.licence == "CC BY 4.0"
    assert found.article_file.read_bytes() == pdf() or found.article_file.stat().st_size > 500


def test_best_of_several_sources_is_kept(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    """The first source lacks the micrograph, the second has it; both are told."""
    known(server, "10.1234/x", pmcid="PMC5")
    in_bucket(server, "PMC5.1", jats({"fig1": "TEM image."}).encode(), {})
    server.on("/europepmc/PMC5/fullTextXML", Reply(jats({"fig1": "TEM image."})))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("fig1.jpg", jpeg())
    server.on("/europepmc/PMC5/supplementaryFiles", Reply(stream.getvalue()))
    found = retrieve("10.1234/x", services=services, keys=keys, cache=cache)
    assert found.source == "Europe PMC"
    assert [name for name, _ in found.attempts] == ["PMC open data", "Europe PMC"]
    assert found.attempts[0][1] == "full text with 1 figures, 1 figure files missing"


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"doi": "10.1234/x"}', "not json"])
def test_damaged_manifest_is_made_anew(
    server: Server, services: Services, keys: Keys, cache: Path, shared: Path, content: str
) -> None:
    served(server, shared)
    found = retrieve(DOI, services=services, keys=keys, cache=cache)
    manifest = found.folder.parent / "retrieved.json"
    assert json.loads(manifest.read_text())["source"] == "PMC open data"
    manifest.write_text(content)
    assert retrieve(DOI, services=services, keys=keys, cache=cache).article_file == found.article_file


# ---------------------------------------------------------------- licences


@pytest.mark.parametrize(("licence", "wanted"), [("cc by-nc", "CC BY"), ("cc by", "CC0"), ("cc by-nd", "CC BY-NC")])
def test_another_licence_is_refused_without_a_download(
    server: Server, services: Services, keys: Keys, cache: Path, licence: str, wanted: str
) -> None:
    known(server, "10.1234/x", pmcid="PMC5", license=licence)
    in_bucket(server, "PMC5.1", jats({}).encode(), {})
    with pytest.raises(LicenceError, match=f"its licence is {licence.upper()}, not {wanted}"):
        retrieve("10.1234/x", services=services, keys=keys, cache=cache, licences=[wanted])
    assert {request.path for request in server.requests} == {"/europepmc/search"}


def test_licence_from_crossref_where_europe_pmc_tells_none(
    server: Server, services: Services, keys: Keys, cache: Path
) -> None:
    unknown(server)
    server.on("/crossref/works/10.1234%2Fx", crossref_record(licence="https://creativecommons.org/licenses/by-nc/4.0/"))
    with pytest.raises(LicenceError, match=r"CC BY-NC 4\.0, not CC BY or CC0"):
        retrieve("10.1234/x", services=services, keys=keys, cache=cache, licences=["CC BY", "CC0"])


def test_licence_that_only_the_text_tells(server: Server, services: Services, keys: Keys, cache: Path) -> None:
    """What no metadata tell is found in the text; an article in the cache is held to it as well."""
    known(server, "10.1234/x", pmcid="PMC5", license="")
    server.on("/crossref/works/10.1234%2Fx", Reply(status=404))
    licence = '<permissions><license xlink:href="http://creativecommons.org/licenses/by-nd/4.0/"/></permissions>'
    text = jats({"fig1": "Scheme."}).replace("</article-meta>", f"{licence}</article-meta>")
    server.on("/bucket/", listing())
    server.on("/europepmc/PMC5/fullTextXML", Reply(text))
    for _ in range(2):
        with pytest.raises(LicenceError, match=r"CC BY-ND 4\.0, not CC BY;"):
            retrieve("10.1234/x", services=services, keys=keys, cache=cache, licences=["CC BY"])
    assert len(server.asked("/europepmc/PMC5/fullTextXML")) == 1
    assert retrieve("10.1234/x", services=services, keys=keys, cache=cache, licences=["CC"]).licence == "CC BY-ND 4.0"


def test_article_without_a_licence_is_refused_where_one_is_asked_for(
    server: Server, services: Services, keys: Keys, cache: Path
) -> None:
    known(server, "10.1234/x", pmcid="PMC5", license="")
    server.on("/bucket/", listing())
    server.on("/europepmc/PMC5/fullTextXML", Reply(jats({"fig1": "Scheme."})))
    with pytest.raises(LicenceError, match="states no licence"):
        retrieve("10.1234/x", services=services, keys=keys, cache=cache, licences=["CC BY"])


# ---------------------------------------------------------------- spent quotas


def test_other_sources_are_asked_where_a_quota_is_spent(
    server: Server, services: Services, keys: Keys, cache: Path
) -> None:
    unknown(server)
    quota = Reply(status=429, headers={"X-ELS-Status": "QUOTA_EXCEEDED", "X-RateLimit-Reset": "4102444800"})
    server.on("/elsevier/content/article/doi/10.1016/j.x.2019", quota)
    record = {"best_oa_location": {"url_for_pdf": f"{server.url}/x.pdf", "license": "cc-by"}}
    server.on("/unpaywall/v2/10.1016/j.x.2019", Reply(record))
    server.on("/x.pdf", Reply(pdf()))
    found = retrieve("10.1016/j.x.2019", services=services, keys=keys, cache=cache)
    assert found.source == "Unpaywall"
    assert any(name == "Elsevier" and "2100-01-01" in outcome for name, outcome in found.attempts)
    manifest = json.loads((found.folder.parent / "retrieved.json").read_text())
    assert not manifest["complete"]  # asked for again once the quota is renewed


def test_quota_spent_amid_the_pictures_keeps_the_article_back(
    server: Server, services: Services, keys: Keys, cache: Path
) -> None:
    unknown(server)
    server.on("/elsevier/content/article/doi/10.1016/j.x.2019", Reply(elsevier_xml(server, ["gr1", "gr2"])))
    server.on(f"/elsevier/content/object/eid/{EID}-gr1_lrg.jpg", Reply(jpeg(10)))
    quota = Reply(status=429, headers={"X-ELS-Status": "QUOTA_EXCEEDED", "X-RateLimit-Reset": "4102444800"})
    server.on(f"/elsevier/content/object/eid/{EID}-gr2_lrg.jpg", quota, Reply(jpeg(20)))
    with pytest.raises(QuotaError):
        retrieve("10.1016/j.x.2019", services=services, keys=keys, cache=cache)
    (cache / "pace" / "elsevier.spent").unlink()  # the week is over
    found = retrieve("10.1016/j.x.2019", services=services, keys=keys, cache=cache)
    assert (found.source, found.missing) == ("Elsevier", ())
    assert len(server.asked(f"/elsevier/content/object/eid/{EID}-gr1_lrg.jpg")) == 1


# ---------------------------------------------------------------- the bound of the cache


def kept_article(cache: Path, name: str, size: int, age_s: float) -> Path:
    """An article in the cache that was last used so long ago."""
    folder = cache / "articles" / name[-2:] / name
    folder.mkdir(parents=True)
    (folder / "figure.jpg").write_bytes(b"x" * size)
    (folder / "retrieved.json").write_text("{}")
    used = time.time() - age_s
    os.utime(folder / "retrieved.json", (used, used))
    return folder


def test_cache_of_articles_is_bounded(
    server: Server, services: Services, keys: Keys, cache: Path, shared: Path
) -> None:
    served(server, shared)
    old = kept_article(cache, "10.1234_old", 1000, age_s=7 * 86_400)
    found = retrieve(DOI, services=replace(services, cache_bytes=1000), keys=keys, cache=cache)
    assert not old.exists()
    assert found.article_file.is_file()


class Small:
    """A source that gives an article of 1,000 bytes and more."""

    name = "small"

    def declines(self, doi: str, services: Services, keys: Keys) -> str | None:
        return None

    def fetch(self, doi: str, client: Client, folder: Path) -> Fetched:
        folder.mkdir(parents=True)
        (folder / "article.xml").write_text(jats({}, doi).ljust(1000))
        return Fetched(folder / "article.xml")


def looked_through(
    monkeypatch: pytest.MonkeyPatch, services: Services, cache: Path, articles: int, bound: int, *, age_s: float = 0.0
) -> int:
    """How often the whole cache is looked through while so many articles are fetched."""
    looks = []

    def prune(*arguments: Any) -> int:
        looks.append(arguments)
        return _prune(*arguments)

    monkeypatch.setattr(retrieve_module, "_prune", prune)
    client = Client(replace(services, cache_bytes=bound), Keys(), cache)
    for number in range(articles):
        found = retrieve_with(client, f"10.1234/{number}", cache, [Small()])
        used = time.time() - age_s
        os.utime(found.folder.parent / "retrieved.json", (used, used))
    return len(looks)


def test_a_large_cache_is_not_looked_through_after_each_article(
    monkeypatch: pytest.MonkeyPatch, services: Services, cache: Path
) -> None:
    assert looked_through(monkeypatch, services, cache, 150, bound=10**9) <= 1


def test_a_cache_in_which_all_is_in_use_is_looked_through_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch, services: Services, cache: Path
) -> None:
    assert looked_through(monkeypatch, services, cache, 150, bound=10_000) <= 15
    assert len(list((cache / "articles").glob("??/*"))) == 150


def test_a_full_cache_stays_within_its_bound(monkeypatch: pytest.MonkeyPatch, services: Services, cache: Path) -> None:
    looks = looked_through(monkeypatch, services, cache, 150, bound=60_000, age_s=7 * 86_400)
    size = sum(path.stat().st_size for path in (cache / "articles").rglob("*") if path.is_file())
    assert size <= 62_000  # the last one fetched is never pruned
    assert looks < 30


@pytest.mark.parametrize("content", ["", "x y z", "1 2", "-5 0 0"])
def test_damaged_note_of_the_size_is_made_anew(services: Services, cache: Path, content: str) -> None:
    old = kept_article(cache, "10.1234_old", 5000, age_s=7 * 86_400)
    (cache / "articles" / ".size").write_text(content)
    retrieve_with(Client(replace(services, cache_bytes=3000), Keys(), cache), "10.1234/x", cache, [Small()])
    assert not old.exists()
