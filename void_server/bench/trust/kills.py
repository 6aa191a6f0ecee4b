"""Rows 1 to 4: kill -9 of the server, of a client, of a farm's runner."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from void_server.bench.trust.ground import (
    ENDLESS,
    PATIENCE_S,
    Bits,
    Ground,
    bits,
    bring,
    finished,
    submit,
    until,
)
from void_server.bench.trust.tried_server import TriedServer
from void_server.bench.trust.verdict import Finding, at_most
from void_wire.client import ENDED, Client
from void_wire.errors import UnknownJob, VoidError
from void_wire.messages import JobSpec, JobStatus, Role, Stage, State


@dataclass(frozen=True)
class Moment:
    """When a server is killed."""

    name: str
    engine: str
    reached: Callable[[JobStatus], bool]


def _stage(stage: Stage, *, first: int = 0) -> Callable[[JobStatus], bool]:
    return lambda status: status.stage is stage and status.step >= first


UPLOAD = Moment("upload", "draft", lambda status: False)
LOAD = Moment("load", "void", _stage(Stage.LOAD))
WRITE = Moment("writing a frame", "draft", lambda status: False)
MOMENTS = (
    UPLOAD,
    Moment("Pass 1", "void", _stage(Stage.PASS1, first=2)),
    WRITE,
    Moment("Pass 2", "void", _stage(Stage.PASS2, first=2)),
    LOAD,
    Moment("streaming", "draft", lambda status: len(status.ready.get(Role.RESULT, ())) > 1),
    Moment("between the passes", "void", _stage(Stage.NOISE)),
    Moment("decode", "void", lambda status: status.stage is Stage.PASS2 and status.step == status.steps),
)
"""Where a job can be hit, the quick ones among the others."""

KEEPS_STEPS = (Stage.PASS1, Stage.NOISE, Stage.PASS2)


def server_killed(ground: Ground, count: int) -> list[Finding]:
    """Row 1: the server dies at each moment in turn, alone or with its worker, and is started again."""
    return _Matrix(ground).strike([MOMENTS[turn % len(MOMENTS)] for turn in range(count)])


def killed_while_loading_and_writing(ground: Ground, count: int) -> list[Finding]:
    """Row 4: ``count`` kills while the model is loaded and as many while a frame is written."""
    return _Matrix(ground).strike([LOAD, WRITE] * count)


class _Matrix:
    """Kills of one server, a job each."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._hit: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._slowest_s = self._over_s = 0.0

    def strike(self, moments: list[Moment]) -> list[Finding]:
        """A job for each of ``moments``, and what came of all."""
        ground = self._ground
        for moment in moments:
            ground.undisturbed(moment.engine)
        with ground.server(model=any(moment.engine == "void" for moment in moments)) as server:
            for turn, moment in enumerate(moments):
                spec = ground.spec(moment.engine, f"struck-{turn:05d}")
                self._one(
                    server, moment, spec, ground.undisturbed(moment.engine), everything=turn // 2 % 2 == 1
                )
            self._seen["taken up"] = server.worker_log().count("goes on after step")
        return self._findings(len(moments))

    def _one(
        self, server: TriedServer, moment: Moment, spec: JobSpec, wanted: Bits, *, everything: bool
    ) -> None:
        folder = server.data_dir / "jobs" / spec.job / Role.RESULT.value
        with Client(server.address) as client:
            if moment is LOAD:
                for worker in server.workers():  # a model that is loaded is not loaded again
                    worker.kill()
            client.submit(spec)
            if moment is UPLOAD:
                self._upload_through_a_kill(client, server, spec, everything=everything)
            else:
                client.upload(spec, self._ground.shot_for(moment.engine).files)
                if moment is WRITE:
                    struck = _until_part(client, spec, folder)
                else:
                    struck = until(client, spec.job, moment.reached)
                self._hit["after its end" if struck.state in ENDED else moment.name] += 1
                began = self._kill_and_start(server, everything=everything)
                self._seen["half"] += _half_frames(folder, wanted)
                self._seen["steps"] += struck.stage in KEEPS_STEPS
                if struck.state not in ENDED:
                    over_s, whole_s = _goes_on_after(client, spec.job, struck, began)
                    self._over_s = max(self._over_s, over_s)
                    self._slowest_s = max(self._slowest_s, whole_s)
            finished(client, spec.job)
            made = bits(bring(client, spec, self._ground.place("home")))
        self._seen["lost"] += len(set(wanted) - set(made))
        self._seen["other"] += sum(made[frame] != wanted[frame] for frame in set(made) & set(wanted))
        self._seen["doubled"] += len(list(folder.iterdir())) - len(wanted)

    def _kill_and_start(self, server: TriedServer, *, everything: bool) -> float:
        """When it was started again, in monotonic seconds."""
        workers = server.workers()
        server.kill(everything=everything)
        self._seen["orphans"] += len(psutil.wait_procs(workers, timeout=10)[1])
        left = {path: path.stat().st_mtime_ns for path in server.parts()}
        began = time.monotonic()
        server.start()
        still = [path for path, at in left.items() if path.exists() and path.stat().st_mtime_ns == at]
        self._seen["parts"] += len(left)
        self._seen["unswept"] += len(still)
        return began

    def _upload_through_a_kill(
        self, client: Client, server: TriedServer, spec: JobSpec, *, everything: bool
    ) -> None:
        again = threading.Thread(
            target=self._kill_and_start, args=(server,), kwargs={"everything": everything}
        )

        def sent(done: int, total: int) -> None:
            if done >= total // 2 and again.ident is None:
                again.start()

        client.upload(spec, self._ground.shot_for(spec.engine).files, sent)
        again.join()
        self._hit[UPLOAD.name] += 1

    def _findings(self, count: int) -> list[Finding]:
        hits = ", ".join(f"{name} {times}" for name, times in self._hit.items())
        seen = self._seen
        return [
            Finding(f"{count} kills ({hits})", sum(self._hit.values()) == count),
            Finding(f"{seen['lost']} frames lost", seen["lost"] == 0),
            Finding(f"{seen['doubled']} doubled on disk", seen["doubled"] == 0),
            Finding(f"{seen['other']} frames with other bits", seen["other"] == 0),
            Finding(f"{seen['half']} half frames under a final name", seen["half"] == 0),
            Finding(
                f"{seen['parts']} .part left by kills, {seen['unswept']} not swept", seen["unswept"] == 0
            ),
            at_most(
                f"work goes on after {self._slowest_s:.1f} s, of which not for the model",
                self._over_s,
                5,
                "s",
            ),
        ]


def _until_part(client: Client, spec: JobSpec, folder: Path) -> JobStatus:
    """Wait until a frame of the result is being written."""
    deadline = time.monotonic() + PATIENCE_S
    while not any(folder.glob("*.part")):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no frame of {spec.job} was written")
        if len(list(folder.iterdir())) == len(spec.frames):
            break
    return client.watch(spec.job)


def _half_frames(folder: Path, wanted: Bits) -> int:
    """Frames under a final name that are not what they are to be."""
    there = {int(path.stem): path for path in (folder / Role.RESULT.value).glob("*.exr")}
    wrong = 0
    for frame, path in there.items():
        try:
            wrong += bits({frame: path})[frame] != wanted[frame]
        except VoidError:
            wrong += 1
    return wrong


def _goes_on_after(client: Client, job: str, struck: JobStatus, began: float) -> tuple[float, float]:
    """Seconds since ``began`` until the frames were read again, and until the work was where it was struck."""
    read = began

    def there(status: JobStatus) -> bool:
        nonlocal read
        if status.stage in (None, Stage.DECODE):
            read = time.monotonic()
        return _beyond(status, struck)

    until(client, job, there)
    return read - began, time.monotonic() - began


def _beyond(status: JobStatus, struck: JobStatus) -> bool:
    """Whether the work goes on where it was struck, or after it."""
    if status.state is not State.RUNNING or status.stage is None:
        return False
    order = list(Stage)
    before = order.index(struck.stage) if struck.stage else 0
    return order.index(status.stage) >= before and status.stage is not Stage.DECODE


def client_killed(ground: Ground, count: int) -> list[Finding]:
    """Row 2: ``void submit`` dies while it sends or while it waits; the same line again brings every frame home."""
    wanted = ground.undisturbed("draft")
    shot, complete, went_on, slowest_s = ground.shot, 0, 0, 0.0
    with ground.server() as server, Client(server.address) as client:
        client.connect()
        for turn in range(count):
            spec, home = ground.spec("draft", f"left-alone-{turn:04d}"), ground.place("home")
            command = [sys.executable, "-m", "void_server.cli", "submit", "--server", server.address]
            command += [
                "--engine",
                "draft",
                "--colorspace",
                "lin_rec709",
                "--job",
                spec.job,
                "--shot",
                spec.shot,
            ]
            command += ["--prompt", spec.prompt, "--out", str(home / "%d.exr")]
            command += [f"--{role.value}={shot.pattern(role)}" for role in spec.roles]
            first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            sending = turn % 2 == 0
            held = _until_held(client, spec.job, 1 if sending else spec.sent_frames())
            first.kill()
            first.wait()
            began = time.monotonic()
            if held.received == spec.sent_frames():  # all is there: it goes on without the client
                until(client, spec.job, lambda status: status.state is not State.QUEUED)
                went_on += 1
                slowest_s = max(slowest_s, time.monotonic() - began)
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            complete += bits({int(path.stem): path for path in home.glob("*.exr")}) == wanted
        jobs = len(client.jobs())
    return [
        Finding(f"{count} clients killed, {went_on} of them when all was sent", True),
        at_most("their jobs went on after", slowest_s, 10, "s"),
        Finding(f"{complete} of {count} had every frame, bit for bit, when asked again", complete == count),
        Finding(f"{jobs} jobs made", jobs == count),
    ]


def runner_killed(ground: Ground, count: int) -> list[Finding]:
    """Row 3: a farm's runner dies; the server that was started with ``--exit-with`` leaves, and its worker."""
    slowest_s, left, before_mb = 0.0, 0, _gpu_used_mb()
    for _ in range(count):
        with (
            subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as runner,
            ground.server(model=True, settings={"exit_with": runner.pid}) as server,
        ):
            spec = ground.shot_for("void").spec("on-a-farm-1", ENDLESS)
            with Client(server.address) as client:
                submit(client, spec, ground.shot_for("void"))
                until(client, spec.job, lambda status: status.stage is Stage.PASS1)
            there = [server.seen, *server.workers()]
            runner.kill()
            began = time.monotonic()
            _, still = psutil.wait_procs(there, timeout=30)
            slowest_s = max(slowest_s, time.monotonic() - began)
            left += len(still)
    return [
        Finding(f"{left} processes left of {count} servers with a job at work", left == 0),
        at_most("gone after", slowest_s, 5, "s"),
        _gpu_idle(before_mb),
    ]


def _gpu_used_mb() -> float | None:
    """What is in use on the first GPU; None without one."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    query = [command, "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    told = subprocess.run(query, capture_output=True, text=True, check=False)
    return None if told.returncode else float(told.stdout)


def _gpu_idle(before_mb: float | None) -> Finding:
    """Whether a GPU is as empty as it was."""
    after_mb = _gpu_used_mb()
    if before_mb is None or after_mb is None:
        return Finding("GPU memory: not measured, no GPU here", None)
    return Finding(
        f"GPU memory in use: {before_mb:.0f} MB before, {after_mb:.0f} after", after_mb <= before_mb + 64
    )


def _until_held(client: Client, job: str, files: int) -> JobStatus:
    """Wait for a job that another client makes, and until so many files of it are there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(UnknownJob):
            status = client.watch(job)
            if status.received >= files:
                return status
        time.sleep(0.01)
    raise TimeoutError(f"job {job} never came")
