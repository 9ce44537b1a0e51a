"""Names that are imported when they are used."""

import sys

import pytest

from diffeo_registry import lazy_names


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "acme_lazy"
    folder.mkdir()
    (folder / "heavy.py").write_text("class Heavy:\n    pass\n")
    (folder / "__init__.py").write_text(
        "from diffeo_registry import lazy_names\n\n__getattr__, __dir__ = lazy_names(__name__, {'Heavy': 'heavy'})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__("acme_lazy")
    for name in ("acme_lazy", "acme_lazy.heavy"):
        sys.modules.pop(name, None)


def test_a_name_is_imported_when_it_is_used(package):
    assert "acme_lazy.heavy" not in sys.modules
    assert "Heavy" in dir(package)
    assert package.Heavy is sys.modules["acme_lazy.heavy"].Heavy


def test_a_name_that_is_not_there(package):
    with pytest.raises(AttributeError, match="module 'acme_lazy' has no attribute 'Light'"):
        _ = package.Light


def test_it_gives_two_functions():
    get, names = lazy_names("diffeo_registry", {})
    assert callable(get)
    assert "lazy_names" in names()
