"""What may stand in a tracked file: nothing huge, no path of one machine, no address of a package registry."""

import re

LARGEST = 3_000_000

# /usr is left out: where a Debian package installs its data, or env stands, is the same on every machine.
MACHINE_PATH = re.compile(r"(?<![\w.~$)}/-])/(work|root|tmp|home|Users|opt|mnt|farm)\b")
REGISTRY_ADDRESS = re.compile(
    r"pypi[.]org|pythonhosted[.]org|download[.]pytorch[.]org|registry[.]npmjs|anaconda[.]org"
    r"|--(extra-)?index[-]url|--find[-]links"
)


def test_no_file_is_huge(tracked, root):
    huge = {str(path.relative_to(root)): path.stat().st_size for path in tracked if path.stat().st_size > LARGEST}
    assert not huge, f"files above {LARGEST / 1e6:g} MB: {huge}"


def test_no_path_of_one_machine(texts):
    found = _lines(texts, MACHINE_PATH)
    assert not found, "paths that exist on one machine only:\n" + "\n".join(found)


def test_no_address_of_a_package_registry(texts):
    found = _lines(texts, REGISTRY_ADDRESS)
    assert not found, "where packages come from is the user's choice (pip's own configuration):\n" + "\n".join(found)


def test_nothing_is_left_unfinished(texts):
    found = _lines(texts, re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b"))
    assert not found, "finish it, or write down in the documentation that it is missing:\n" + "\n".join(found)


def test_text_files_end_with_one_newline(texts):
    by_hand = {path: text for path, text in texts.items() if "checkpoints" not in path.parts}
    ragged = [
        str(path) for path, text in by_hand.items() if text and (not text.endswith("\n") or text.endswith("\n\n"))
    ]
    assert not ragged, f"files that do not end with exactly one newline: {ragged}"


def test_rules_catch_what_they_forbid():
    folders = ["".join(parts) for parts in (("wo", "rk"), ("ro", "ot"), ("t", "mp"), ("ho", "me"))]
    assert all(MACHINE_PATH.search(f'open("/{folder}/data.csv")') for folder in folders)
    assert not MACHINE_PATH.search("/usr/share/datasets/fashion-mnist https://example.org/home and/or")
    assert REGISTRY_ADDRESS.search("https://" + ".".join(["pypi", "org"]) + "/simple")


def _lines(texts, pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
