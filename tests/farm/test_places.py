"""Where a plan's paths are on a node."""

import json

import pytest

from void_server.farm.places import Places, read_rules
from void_wire.errors import SettingsError


def rules(tmp_path, *pairs):
    path = tmp_path / "rules.json"
    found = [
        {"source_path_format": kind, "source_path": source, "destination_path": str(target)}
        for kind, source, target in pairs
    ]
    path.write_text(json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": found} if found else {}))
    return read_rules(path)


def test_paths_are_mapped_by_the_closest_root(tmp_path):
    found = rules(
        tmp_path,
        ("POSIX", "/mnt/prod", "/a"),
        ("POSIX", "/mnt/prod/plates", "/b"),
        ("WINDOWS", "P:\\prod", "/c"),
    )
    places = Places(tmp_path, found)
    assert places.pattern("/mnt/prod/sh/p.%04d.exr") == "/a/sh/p.%04d.exr"
    assert places.pattern("/mnt/prod/plates/p.%04d.exr") == "/b/p.%04d.exr"
    assert places.pattern("p:\\PROD\\sh\\p.%04d.exr") == "/c/sh/p.%04d.exr"
    assert places.pattern("results/a.%04d.exr") == str(tmp_path / "results/a.%04d.exr")


def test_a_path_under_no_mapped_root_is_refused_unless_it_is_here(tmp_path):
    places = Places(tmp_path, rules(tmp_path, ("POSIX", "/mnt/prod", "/a")))
    with pytest.raises(
        SettingsError, match=r"/nowhere/prod/p.%04d.exr lies under no mapped root \(/mnt/prod\)"
    ):
        places.pattern("/nowhere/prod/p.%04d.exr")
    assert places.pattern(f"{tmp_path}/p.%04d.exr") == f"{tmp_path}/p.%04d.exr"


def test_without_rules_paths_stay(tmp_path):
    assert rules(tmp_path) == read_rules(None) == ()
    assert Places(tmp_path).pattern("/nowhere/p.%04d.exr") == "/nowhere/p.%04d.exr"


@pytest.mark.parametrize(
    "text", ["[1]", "no", '{"version": "2", "path_mapping_rules": []}', '{"version": 1}']
)
def test_what_is_no_rules_is_refused(tmp_path, text):
    (tmp_path / "rules.json").write_text(text)
    with pytest.raises(SettingsError, match="holds no path mapping rules"):
        read_rules(tmp_path / "rules.json")
