"""Rows 15 and 16: disks that are full or read-only, quotas, and memory that runs out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from void_server.bench.trust.ground import (
    BOTH_PASSES,
    PATIENCE_S,
    Ground,
    bits,
    bring,
    finished,
    submit,
    until,
)
from void_server.bench.trust.tried_server import TriedServer
from void_server.bench.trust.verdict import Finding, NotMeasured
from void_server.frames.exr import write_frame
from void_server.room import RESERVE_BYTES
from void_wire.client import Client, Files
from void_wire.errors import IllegalTransition, SettingsError, VoidError
from void_wire.files import PART_SUFFIX
from void_wire.messages import FrameRange, JobSpec, Role, State

DISK_BYTES = 40_000_000
QUOTA_FRAME_BYTES = 220_000_000

NO_MEMORY = """
import sys
if "void_server.worker_process" in sys.orig_argv:
    import torch
    from void_server.engine.pipeline import VoidPipeline
    works, tries = VoidPipeline.denoise, []

    def denoise(*given, **named):
        tries.append(0)
        if len(tries) <= {times}:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return works(*given, **named)

    VoidPipeline.denoise = denoise
"""
"""A GPU that is full, for the first job."""


def full(ground: Ground, count: int) -> list[Finding]:
    """Row 15: ``count`` times the disk fills at the server, before and after the upload, and at the client."""
    wanted = ground.undisturbed("draft")
    findings, told = [], set[str]()
    went_on = broken = 0
    for turn in range(count):
        with _small_disk(ground.place("disk")) as disk, TriedServer(disk / "data") as server:
            for job, while_sending in ((f"full-sending-{turn}", True), (f"full-writing-{turn}", False)):
                sentence, same, half = _through_a_full_disk(
                    ground, server, disk, job, wanted, while_sending=while_sending
                )
                told.add(sentence)
                went_on += same
                broken += half
        sentence, same, half = _home_is_full(ground, wanted)
        told.add(sentence)
        went_on += same
        broken += half
    helps = all(re.search("room|space", text) for text in told) and any("needed" in text for text in told)
    findings.append(Finding(f"{3 * count} times full; said: " + " | ".join(sorted(told)), helps))
    findings.append(
        Finding(f"{went_on} jobs went on to the same bits after there was room", went_on == 3 * count)
    )
    findings.append(Finding(f"{broken} broken files under a final name", broken == 0))
    findings.append(_read_only(ground))
    findings.append(
        _over_quota(ground) if count > 1 else Finding("quota: not measured in the short form", None)
    )
    return findings


def out_of_memory(ground: Ground, count: int) -> list[Finding]:
    """Row 16: ``count`` jobs that a decoder's bound and a full GPU (a fake one) end, and the next job."""
    return [_decoder_without_memory(ground, count), _gpu_without_memory(ground)]


# --- full ---------------------------------------------------------------------------------------------------


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """A disk of DISK_BYTES. Raises NotMeasured where none can be made."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not mount or not umount or not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise NotMeasured("a small disk is mounted by root alone")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "void-trust", str(folder)],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        raise NotMeasured(f"no small disk can be mounted: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run([umount, "-l", str(folder)], check=False)


def _fill(disk: Path, leave_bytes: int) -> Path:
    """Take all room but so much."""
    filler, free = disk / "filler", shutil.disk_usage(disk).free
    with filler.open("wb") as file:
        file.write(bytes(max(0, free - leave_bytes)))
    return filler


def _through_a_full_disk(
    ground: Ground,
    server: TriedServer,
    disk: Path,
    job: str,
    wanted: dict[int, bytes],
    *,
    while_sending: bool,
) -> tuple[str, bool, int]:
    """What was said, whether the job went on to the same bits, and broken files under a final name."""
    spec, shot, home = ground.spec("draft", job), ground.shot_for("draft"), ground.place("home")
    last = shot.frames.last
    with Client(server.address) as client:
        client.submit(spec)
        if not while_sending:
            client.upload(replace(spec, frames=FrameRange(shot.frames.first, last - 1)), shot.files)
        sent = sum(files[last].stat().st_size for files in shot.files.values())
        filler = _fill(disk, RESERVE_BYTES + (sent if while_sending else 2 * sent))
        sender = threading.Thread(target=_send, args=(server.address, spec, shot.files), daemon=True)
        sender.start()
        sentence = until(client, job, lambda status: bool(status.waits)).waits
        half = _broken(server.data_dir / "jobs" / job, shot.files, wanted)
        filler.unlink()
        sender.join(PATIENCE_S)
        finished(client, job)
        same = bits(bring(client, spec, home)) == wanted
        client.purge(job)
    return _without_numbers(sentence), same and not sender.is_alive(), half


def _send(address: str, spec: JobSpec, files: Files) -> None:
    """As a client does that waits until there is room, or until the job is no more."""
    with Client(address) as client, suppress(IllegalTransition):
        client.upload(spec, files)


def _broken(folder: Path, files: dict[Role, dict[int, Path]], wanted: dict[int, bytes]) -> int:
    """Received files that are not those sent, and made ones that are not those wanted."""
    wrong = 0
    for role, sent in files.items():
        for frame, path in sent.items():
            there = folder / role.value / f"{frame}.exr"
            wrong += there.exists() and there.read_bytes() != path.read_bytes()
    for there in (folder / Role.RESULT.value).glob("*.exr"):
        try:
            wrong += bits({int(there.stem): there})[int(there.stem)] != wanted[int(there.stem)]
        except VoidError:
            wrong += 1
    return wrong


def _home_is_full(ground: Ground, wanted: dict[int, bytes]) -> tuple[str, bool, int]:
    spec, sentence = ground.spec("draft", "home-is-full"), "nothing"
    with (
        ground.server() as server,
        Client(server.address) as client,
        _small_disk(ground.place("home")) as home,
    ):
        submit(client, spec, ground.shot_for("draft"))
        finished(client, spec.job)
        filler = _fill(home, 30_000)
        try:
            bring(client, spec, home)
        except VoidError as error:
            sentence = str(error)
        there = {int(path.stem): path for path in home.glob("*.exr")}
        half = sum(bits({frame: path})[frame] != wanted[frame] for frame, path in there.items())
        half += len(list(home.glob(f"*{PART_SUFFIX}")))
        filler.unlink()
        same = bits(bring(client, spec, home)) == wanted
    named = sentence.replace(str(home), "HOME")
    return _without_numbers(named), same, half


def _without_numbers(sentence: str) -> str:
    """Alike for every job and frame, so that it is shown once."""
    words = ("N" + word.lstrip("0123456789") if word[:1].isdigit() else word for word in sentence.split())
    return " ".join("JOB" if word.startswith("full-") else word for word in words)


def _read_only(ground: Ground) -> Finding:
    """A folder that cannot be written, at home."""
    spec = ground.tiny_shot.spec("read-only-home")
    mount = shutil.which("mount") or ""
    with (
        ground.server() as server,
        Client(server.address) as client,
        _small_disk(ground.place("home")) as home,
    ):
        submit(client, spec, ground.tiny_shot)
        finished(client, spec.job)
        subprocess.run([mount, "-o", "remount,ro", str(home)], check=True)
        try:
            bring(client, spec, home)
        except SettingsError as error:
            says = str(error)
        else:
            says = "nothing"
        return Finding(f"read-only: {says.replace(str(home), 'HOME')}", str(home) in says)


def _over_quota(ground: Ground) -> Finding:
    """A key's gigabyte and its last frame."""
    path = ground.place("large") / "frame"
    with path.open("wb") as file:
        file.truncate(QUOTA_FRAME_BYTES)
    spec = JobSpec("over-quota-1", "s", "draft", FrameRange(1, 5), (Role.PLATE, Role.REMOVE))
    small = ground.tiny_shot.path(Role.REMOVE, 1001)
    files = {Role.PLATE: dict.fromkeys(range(1, 6), path), Role.REMOVE: dict.fromkeys(range(1, 6), small)}
    with ground.server(settings={"quota_gb": 1}) as server, Client(server.address) as client:
        client.submit(spec)
        sender = threading.Thread(target=_send, args=(server.address, spec, files), daemon=True)
        sender.start()
        says = until(client, spec.job, lambda status: bool(status.waits)).waits
        client.cancel(spec.job)
        sender.join(PATIENCE_S)
    return Finding(
        f"quota: {says}", "quota_gb" in says and "MB more are needed" in says and not sender.is_alive()
    )


# --- out of memory --------------------------------------------------------------------------------------------


def _decoder_without_memory(ground: Ground, count: int) -> Finding:
    """A plate under OpenImageIO's limit and over the worker's."""
    shot, huge = ground.tiny_shot, ground.place("huge") / "plate.exr"
    write_frame(huge, 1001, np.zeros((7800, 7800, 3), np.float32), "RGB")  # 730 MB
    ended = done = 0
    code = ""
    with ground.server(settings={"worker_memory_gb": 1}) as server, Client(server.address) as client:
        for turn in range(count):
            spec = replace(shot.spec(f"huge-job-{turn}"), frames=FrameRange(1001, 1001))
            client.submit(spec)
            client.upload(spec, {**shot.files, Role.PLATE: {1001: huge}})
            status = until(client, spec.job, lambda status: False)
            ended, code = ended + (status.state is State.FAILED), status.error_code
            spec = shot.spec(f"small-job-{turn}")
            submit(client, spec, shot)
            done += finished(client, spec.job).state is State.DONE
    return Finding(
        f"decoder over its bound: {ended} of {count} failed ({code}), {done} next jobs done",
        ended == done == count,
    )


def _gpu_without_memory(ground: Ground) -> Finding:
    """The first job finds the GPU full: it fails with its sentence or is done in another way; the next one is done."""
    shot = ground.shot_for("void")
    with (
        ground.server(model=True, hook=NO_MEMORY.format(times=1)) as server,
        Client(server.address) as client,
    ):
        first, second = (shot.spec(job, BOTH_PASSES) for job in ("gpu-is-full", "gpu-has-room"))
        submit(client, first, shot)
        status = until(client, first.job, lambda status: False)
        submit(client, second, shot)
        finished(client, second.job)
        fine = status.state is State.DONE or status.error_code == "engine.gpu_memory"
        how = "done with less" if status.state is State.DONE else f"failed ({status.error_code})"
        return Finding(f"full GPU (fake): {how}, next job done", fine)
