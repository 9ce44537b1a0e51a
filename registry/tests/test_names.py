import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffeo_registry import DiffeoError, Name
from diffeo_registry.names import normalized_package

PACKAGES = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True)


@given(st.builds(Name, NAMES, package=st.none() | PACKAGES, version=st.none() | st.integers(1, 10**6)))
def test_text_and_name_are_two_spellings(name: Name) -> None:
    assert Name.parse(str(name)) == name


@pytest.mark.parametrize("package", ["Acme_Flows", "acme.flows", "ACME--flows"])
def test_packages_are_compared_in_their_normal_spelling(package: str) -> None:
    assert Name.parse(f"{package}/rqs").package == normalized_package(package) == "acme-flows"


@pytest.mark.parametrize("text", ["", "a b", "loft@", "loft@0", "loft@x", "/loft", "a/b/c", "3d", "lo-ft", "loft\n"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DiffeoError) as caught:
        Name.parse(text)
    assert str(caught.value) == f"expected a name as [package/]name[@version]; got {text!r}"
