"""Fixtures that several files share: small packages that are installed for one test."""

import itertools
import textwrap

import pytest

_FRESH = itertools.count()


@pytest.fixture
def rediscover(monkeypatch):
    """Components are discovered once per process and value of ``DIFFEO_DISABLE``: a new value, and it happens again."""

    def of(disable=""):
        monkeypatch.setenv("DIFFEO_DISABLE", f"{disable},nobody-{next(_FRESH)}")

    return of


@pytest.fixture
def install(tmp_path_factory, monkeypatch, rediscover):
    """Installs a small package: one module, which is its plugin too, and the dist-info that makes it one."""
    site = tmp_path_factory.mktemp("site")
    monkeypatch.syspath_prepend(str(site))
    rediscover()

    def write(package, source):
        module = f"{package.replace('-', '_')}_{next(_FRESH)}"
        (site / f"{module}.py").write_text(textwrap.dedent(source).replace("MODULE", module))
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[diffeo.plugins]\nmain = {module}\n")

    return write
