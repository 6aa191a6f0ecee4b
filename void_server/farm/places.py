"""Where a plan's paths are on this node: beside the plan, as they were written, or mapped to another root."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from void_wire.errors import SettingsError

VERSION = "pathmapping-1.0"
"""Of the rules, as Open Job Description (2023-09) gives them to a task."""

_FORMATS: dict[str, type[PurePath]] = {"POSIX": PurePosixPath, "WINDOWS": PureWindowsPath}


@dataclass(frozen=True)
class Rule:
    """A folder of the machine that wrote the plan, and the same one here."""

    source: PurePath
    destination: str


@dataclass(frozen=True)
class Places:
    """Of one plan on one node."""

    bundle: Path  # the plan's folder
    rules: tuple[Rule, ...] = ()

    def pattern(self, text: str) -> str:
        """A file pattern of the plan as it is here.

        Raises SettingsError when there are rules, none is for it, and its folder is not here either.
        """
        for rule in self.rules:
            inside = _inside(rule.source, text)
            if inside is not None:
                return str(Path(rule.destination, *inside))
        if not any(kind(text).is_absolute() for kind in _FORMATS.values()):
            return str(self.bundle / text)
        if self.rules and not _has_root(Path(text)):
            roots = ", ".join(str(rule.source) for rule in self.rules)
            raise SettingsError(
                f"{text} lies under no mapped root ({roots}), nor is its folder here: map its root on the farm, or "
                "write the bundle with files under one that is."
            )
        return text


def read_rules(path: Path | None) -> tuple[Rule, ...]:
    """The rules of a file in Open Job Description's form; none of an empty object, or without a file.

    Raises SettingsError for a file that is none.
    """
    if path is None:
        return ()
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        if whole and whole["version"] != VERSION:
            raise ValueError(f"version {whole['version']}, not {VERSION}")
        rules = [_rule(one) for one in whole.get("path_mapping_rules", [])]
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}): give a file of path mapping rules."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{path} holds no path mapping rules ({error}).") from None
    return tuple(sorted(rules, key=lambda rule: -len(rule.source.parts)))


def _rule(one: Any) -> Rule:
    return Rule(_FORMATS[one["source_path_format"]](one["source_path"]), str(one["destination_path"]))


def _inside(root: PurePath, text: str) -> tuple[str, ...] | None:
    """The parts of ``text`` below ``root``; None when it lies elsewhere."""
    path = type(root)(text)
    return path.relative_to(root).parts if path.is_relative_to(root) else None


def _has_root(path: Path) -> bool:
    """Whether the folder of ``path`` is here, or would be once it is made in one that is not the root."""
    folders = list(path.parents)[:-1]
    return any(folder.is_dir() for folder in folders)
