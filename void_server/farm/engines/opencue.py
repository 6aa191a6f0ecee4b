"""OpenCue: a job specification in its XML (cjsl), which `cuesubmit`'s library and pycue's ``launchSpec`` take.

Cuebot puts ``#IFRAME#`` in before RQD gives the command to a shell, so every argument is quoted for one.
"""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from xml.etree import ElementTree

from void_server.farm.engines.work import INDEX, Handed, Step, Work
from void_wire.errors import SettingsError

VERSION = "1.15"
"""Of the specification; gpus and gpu_memory came with 1.12."""

FILE = "opencue.xml"
PLACEHOLDER = "#IFRAME#"


def handed(work: Work, *, show: str, shot: str, user: str, uid: int, facility: str = "local") -> Handed:
    """The specification of ``work``.

    Args:
        work: what is to be done.
        show: a show that Cuebot knows.
        shot: any name.
        user: who it runs as, where RQD becomes the job's user, and ``uid`` that user's number.
        uid: see ``user``; RQD refuses 0.
        facility: one that Cuebot knows.

    Raises SettingsError for an argument that OpenCue would take for a token of its own.
    """
    root = ElementTree.Element("spec")
    for tag, text in (
        ("facility", facility),
        ("show", _name(show)),
        ("shot", _name(shot)),
        ("user", user),
        ("uid", uid),
    ):
        _element(root, tag, text)
    job = ElementTree.SubElement(root, "job", {"name": _name(work.name)})
    for tag, text in (("paused", "False"), ("priority", 100), ("maxretries", 2), ("autoeat", "False")):
        _element(job, tag, text)
    _environment(job, work)
    layers = ElementTree.SubElement(job, "layers")
    for step in work.steps:
        _layer(layers, step)
    depends = ElementTree.SubElement(root, "depends")
    for before, after in pairwise(work.steps):
        depend = ElementTree.SubElement(depends, "depend", {"type": "LAYER_ON_LAYER", "anyframe": "False"})
        for tag, text in (("depjob", work.name), ("deplayer", after.name),
                          ("onjob", work.name), ("onlayer", before.name)):  # fmt: skip
            _element(depend, tag, _name(str(text)))
    ElementTree.indent(root)
    head = (
        '<?xml version="1.0"?>\n<!DOCTYPE spec PUBLIC "SPI Cue  Specification Language" '
        f'"http://localhost:8080/spcue/dtd/cjsl-{VERSION}.dtd">\n'
    )
    launch = (
        f"import opencue; print([job.name() for job in opencue.api.launchSpecAndWait(open({FILE!r}).read())])"
    )
    return Handed(
        {FILE: head + ElementTree.tostring(root, encoding="unicode") + "\n"}, ("python3", "-c", launch)
    )


def _layer(layers: ElementTree.Element, step: Step) -> None:
    layer = ElementTree.SubElement(layers, "layer", {"name": _name(step.name), "type": "Render"})
    if token := next((word for word in step.command if re.search(r"#[A-Z_]+#", word)), None):
        raise SettingsError(f"{token} holds a token of OpenCue's (#NAME#): give the path another name.")
    _element(layer, "cmd", shlex.join(step.command).replace(INDEX, PLACEHOLDER))
    _element(layer, "range", f"0-{step.tasks - 1}" if step.tasks > 1 else "0")
    _element(layer, "chunk", 1)
    if step.memory_mib:
        _element(layer, "memory", f"{step.memory_mib}m")
    if step.gpu_memory_mib:
        _element(layer, "gpus", 1)
        _element(layer, "gpu_memory", f"{step.gpu_memory_mib}m")
    if step.licence:
        _element(ElementTree.SubElement(layer, "limits"), "limit", step.licence)
    ElementTree.SubElement(layer, "env")
    _element(ElementTree.SubElement(layer, "services"), "service", "default")


def _environment(job: ElementTree.Element, work: Work) -> None:
    env = ElementTree.SubElement(job, "env")
    for name, value in work.environment.items():
        _element(env, "key", value).set("name", name)


def _element(parent: ElementTree.Element, tag: str, text: object) -> ElementTree.Element:
    made = ElementTree.SubElement(parent, tag)
    made.text = str(text)
    return made


def _name(text: str) -> str:
    """As OpenCue's jobs, layers and shots may be named."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)
