"""``void doctor``: whether a server can run here as configured, one line a thing, each fine or with its fix."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import platform
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zmq

from void_server import __version__, local_server
from void_server.config import Config
from void_server.devices import devices, gpu_numbers
from void_server.engines import missing_engine_parts
from void_server.frames.exr import read_plate, write_frame
from void_server.gate import ready_for
from void_server.key_folder import KeyFolder
from void_wire import sockets
from void_wire.client import ENDED, Client
from void_wire.errors import NotAuthorised, VoidError
from void_wire.messages import FrameRange, JobSpec, PictureSettings, Role, State

GB = 10**9
LITTLE_ROOM_GB = 20
"""A UHD shot of 200 frames is 10 GB, and as much again when it is made."""

SKEW_S = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``says`` holds the fix when it is not fine."""

    name: str
    fine: bool
    says: str


def examine(config: Config) -> Iterator[Finding]:
    """Look at everything that a server with ``config`` needs, one after the other; the loopback job comes last."""
    checks: dict[str, Callable[[Config], str]] = {
        "versions": _versions,
        "GPU": _gpu,
        "disk": _disk,
        "clock": _clock,
        "keys": _keys,
        "port": _port,
        "weights": _weights,
        "a job": _job,
    }
    for name, check in checks.items():
        try:
            yield Finding(name, True, check(config))
        except VoidError as error:
            yield Finding(name, False, str(error))


def _versions(config: Config) -> str:
    found = {"void": __version__, "Python": platform.python_version(), "libzmq": zmq.zmq_version()}
    for package in ("OpenImageIO", "opencolorio", "numpy", "torch", "diffusers"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    if not zmq.has("curve"):
        raise VoidError(
            "This pyzmq was built without CURVE, so there are no keys: pip install --force-reinstall pyzmq"
        )
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _gpu(config: Config) -> str:
    if importlib.util.find_spec("torch") is None:
        return "no torch here, so engine draft alone: it needs no GPU"
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = devices(config.device)
    wanted = [0] if named == ("auto",) else gpu_numbers(named)
    if named != ("auto",) and (lacking := [number for number in wanted if number >= there]):
        raise VoidError(
            f"device is {config.device} and torch sees {there} GPUs, none of them {lacking[0]}: look at nvidia-smi, or "
            "take --device auto."
        )
    if not wanted or not there:
        return "none in use: engine void works on the CPU, for tests at most"
    says = []
    for number in wanted:
        free, total = torch.cuda.mem_get_info(number)
        says.append(f"{torch.cuda.get_device_name(number)}, {free / GB:.0f} of {total / GB:.0f} GB free")
    return "; ".join(says) + (f": {len(named)} jobs at once" if len(named) > 1 else "")


def _disk(config: Config) -> str:
    folder = Path(config.data_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free / GB
    except OSError as error:
        raise VoidError(
            f"{folder} cannot be written ({error.strerror}): name another with --data-dir, or have it given to this "
            "user."
        ) from None
    if free < LITTLE_ROOM_GB:
        raise VoidError(
            f"{folder} has {free:.1f} GB free, and one long shot may need {LITTLE_ROOM_GB}: make room, or name another "
            "with --data-dir."
        )
    return f"{free:.0f} GB free in {folder}"


def _clock(config: Config) -> str:
    try:
        with tempfile.NamedTemporaryFile(dir=config.data_dir) as file:
            skew_s = Path(file.name).stat().st_mtime - time.time()
    except OSError:
        raise VoidError("It cannot be compared with the disk's before the disk can be written.") from None
    if abs(skew_s) > SKEW_S:
        raise VoidError(
            f"The clock of the disk under {config.data_dir} and this machine's differ by {skew_s:.0f} s, and jobs are "
            "deleted by it: have both set by NTP."
        )
    return time.strftime("%Y-%m-%d %H:%M:%S %Z")


def _keys(config: Config) -> str:
    keys = KeyFolder(Path(config.keys))
    ready_for(config.address, keys)
    if not config.asks_for_keys:
        return f"none asked for at {config.address}: whoever is on this machine gets in"
    keys.server_secret()
    listed = keys.listed()
    if not listed:
        raise VoidError("Nobody is let in yet: void keys add NAME for each artist and farm node.")
    names = {key.name for key in listed}
    if unknown := [name for name, _ in config.priorities.of_names if name not in names]:
        raise VoidError(
            f"priorities name {unknown[0]}, and no key is called so: void keys list shows who is let in."
        )
    return f"{len(listed)} let in: {', '.join(key.name for key in listed[:8])}{', ...' if listed[8:] else ''}"


def _port(config: Config) -> str:
    if config.address.startswith("ipc://"):
        return config.address
    host, port = sockets.host_and_port(config.address)
    reached = "127.0.0.1" if host in ("*", "[::]") or not host.strip("0.") else host
    try:
        with Client(f"tcp://{reached}:{port}", patience_s=1.0) as client:
            return f"a server of release {client.connect().server} is running at {config.address}"
    except NotAuthorised:
        if config.asks_for_keys:
            return f"a server that asks for keys is running at {config.address}"
    except VoidError:
        pass  # nobody, or somebody else
    for one in (port, port + 1):
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((reached.strip("[]"), one)) == 0:
                raise VoidError(f"Port {one} is taken by another program: choose another with --address.")
    return f"{port} and {port + 1} are free; through a firewall both are needed"


def _weights(config: Config) -> str:
    if importlib.util.find_spec("torch") is None:
        return "not needed for engine draft"
    if missing := missing_engine_parts(Path(config.weights))["void"]:
        raise VoidError(missing)
    return f"whole in {config.weights}; every byte is looked at by void weights check"


def _scratch(data_dir: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="void_doctor_", dir=data_dir)
    except OSError:
        raise VoidError("It cannot be tried before the disk can be written.") from None


def _job(config: Config) -> str:
    """Engine draft over loopback, on the server's disk: what is outside the matte must come back bit for bit."""
    began = time.monotonic()
    with _scratch(Path(config.data_dir)) as scratch:
        folder = Path(scratch)
        spec = JobSpec(
            job="void-doctor",
            shot="doctor",
            engine="draft",
            frames=FrameRange(1, 2),
            roles=(Role.PLATE, Role.REMOVE),
            picture=PictureSettings(grow_px=0, feather_px=0),
        )
        files = {role: {n: folder / f"{role.value}.{n}.exr" for n in (1, 2)} for role in spec.roles}
        matte = np.zeros((32, 48, 1), np.float16)
        matte[8:16, 8:16] = 1.0
        for frame in (1, 2):
            plate = np.random.default_rng(frame).random((32, 48, 3)).astype(np.float16)
            write_frame(files[Role.PLATE][frame], frame, plate, "RGB")
            write_frame(files[Role.REMOVE][frame], frame, matte, "A")
        server = local_server.start(
            "tcp://127.0.0.1:0", data_dir=folder / "data", weights=None, idle_exit_s=60
        )
        try:
            with Client(server.address) as client:
                client.submit(spec)
                client.upload(spec, files)
                status = client.watch(spec.job)
                while status.state not in ENDED:
                    status = client.watch(spec.job, status.revision, 5.0)
                if status.state is not State.DONE:
                    raise VoidError(f"It failed: {status.error}")
                for frame, path in client.fetch(
                    spec.job, Role.RESULT, (1, 2), lambda n: folder / f"result.{n}.exr"
                ):
                    made, sent = (read_plate(one, frame).pixels for one in (path, files[Role.PLATE][frame]))
                    if not np.array_equal(made[matte[..., 0] == 0], sent[matte[..., 0] == 0]):
                        raise VoidError("It changed pixels outside its matte: this installation is broken.")
        finally:
            server.stop()
    return f"sent, made and fetched over loopback in {time.monotonic() - began:.1f} s"
