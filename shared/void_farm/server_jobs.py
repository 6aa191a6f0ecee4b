"""Jobs that a server has, as shots of a farm: their plates and mattes come into the bundle, and are seen from there.

What comes is compared by digest, and what is in the bundle already stays: a second call goes on with the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple

from void_farm import bundle as bundles
from void_farm import plan as plans
from void_farm.plan import Plan, Shot
from void_wire.client import Client
from void_wire.errors import MissingFrames, SettingsError, ShotError, VoidError, from_code
from void_wire.messages import JobSpec, JobStatus, Role, State

Told = Callable[[str, int, int], None]
"""Called with a shot's name, how many of its files are in the bundle, and how many there are. May raise to give up."""


@dataclass(frozen=True)
class HeldJob:
    """A job whose plate and mattes a server holds."""

    spec: JobSpec  # as a farm does it, under the server's id
    digests: Dict[Role, Tuple[str, ...]]  # of its files, in order
    notes: Tuple[str, ...] = ()  # for the plan
    going_on: str = ""  # the server does it too: a sentence for whoever writes the bundle

    def patterns(self) -> Dict[Role, str]:
        """Where its files go, as seen from the bundle."""
        return {role: plans.input_in(self.spec.shot, role) for role in self.spec.roles}

    def files(self, bundle: Path) -> Dict[Role, Dict[int, Path]]:
        """The same as files of a bundle: role -> frame number -> file."""
        numbers = self.spec.frames.numbers()
        return {role: {n: bundle / (one % n) for n in numbers} for role, one in self.patterns().items()}

    def whole(self) -> Shot:
        """It as a shot that is not cut."""
        return plans.whole(
            self.spec, self.patterns(), self.digests, plans.output_in(self.spec.shot), self.notes
        )


def ask(client: Client, jobs: Sequence[str]) -> List[HeldJob]:
    """What the server has of ``jobs``, before a frame is brought.

    Raises UnknownJob, also for a job of another key; MissingFrames for one that was not sent whole or lost a frame;
    the error of one that failed for what a farm would fail for too; SettingsError for two jobs of one shot.
    """
    found: Dict[str, HeldJob] = {}
    for job in jobs:
        one = _held(client, job)
        other = found.setdefault(one.spec.shot, one)
        if other is not one:
            raise SettingsError(
                f"Jobs {other.spec.job} and {job} are both of shot {one.spec.shot}: write each into its own bundle."
            )
    return list(found.values())


def bring(client: Client, held: HeldJob, bundle: Path, told: Told) -> None:
    """Bring what the bundle lacks of the job's files.

    Raises SettingsError when one cannot be written, MissingFrames when the server lost one, what else `Client.fetch`
    raises.
    """
    spec, of, here = held.spec, held.spec.sent_frames(), 0
    for role, files in held.files(bundle).items():
        there = client.at_home(spec.job, role, files)
        here += len(there)
        told(spec.shot, here, of)
        try:
            for _ in client.fetch(spec.job, role, [n for n in files if n not in there], files.__getitem__):
                here += 1
                told(spec.shot, here, of)
        except MissingFrames as error:
            raise _lost(spec.job, str(error)) from None


def write(client: Client, jobs: Sequence[str], folder: Path, told: Told) -> Plan:
    """Write a bundle of jobs that a server has, each shot whole: no pixel is looked at. Returns its plan.

    Raises what `ask`, `bring` and `bundle.write` raise. What was brought by then stays for the next call.
    """
    bundles.check_free(folder)
    held = ask(client, jobs)
    for one in held:
        bring(client, one, folder, told)
    plan = Plan(folder.name, tuple(one.whole() for one in held))
    bundles.write(
        folder,
        plan,
        needs=bundles.Needs.of(plan),
        inputs=[file for one in held for files in one.files(folder).values() for file in files.values()],
        outputs=[(folder / shot.output).parent for shot in plan.shots],
    )
    return plan


def _held(client: Client, job: str) -> HeldJob:
    status, spec = client.watch(job), client.spec(job)
    _check(status)
    digests = client.inventory(job)
    numbers = spec.frames.numbers()
    for role in spec.roles:
        lacking = [number for number in numbers if number not in digests.get(role, {})]
        if lacking:
            raise _lost(job, f"frame {lacking[0]} of the {role.label} is not there")
    preview = spec.void is not None and spec.void.preview
    if preview and spec.void is not None:
        spec = replace(spec, void=replace(spec.void, preview=False))
    return HeldJob(
        plans.unattended(spec),
        {role: tuple(digests[role][number] for number in numbers) for role in spec.roles},
        ("The server's job is a preview; this is it in full.",) if preview else (),
        f"The server has job {job} to do too ({status.state.value}): void cancel {job} leaves it to the farm."
        if status.state in (State.QUEUED, State.RUNNING)
        else "",
    )


def _check(status: JobStatus) -> None:
    if status.received < status.expected:
        raise MissingFrames(
            f"Job {status.job} has {status.received} of its {status.expected} files: send the rest first (void submit "
            f"--job {status.job}), or write the farm job from the shot's own files."
        )
    if status.state is State.FAILED:
        error = from_code(status.error_code, status.error)
        if isinstance(error, (ShotError, SettingsError)):
            raise type(error)(f"Job {status.job} failed, and would on a farm: {status.error}")


def _lost(job: str, why: str) -> VoidError:
    return MissingFrames(
        f"Job {job} has lost files on the server ({why.rstrip('.')}): write the farm job from the shot's own files."
    )
