"""The panel over real servers: found, lost, found again; jobs shown, stopped, done again, brought home."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from real_shots import ShotOnDisk, StartServer, bring, make_shot

from void_farm import plan as plans
from void_panel import farm
from void_panel.farm import farm_folder
from void_panel.host import Host
from void_panel.pictures import Look
from void_panel.requests import Change
from void_panel.state import Link
from void_wire.client import Client
from void_wire.messages import Role, State, VoidSettings

if TYPE_CHECKING:
    from void_panel.panel import VoidPanel

Calls = list[tuple[str, str]]
Until = Callable[..., None]
Open = Callable[..., "VoidPanel"]

MANY_STEPS = VoidSettings(
    passes=1,
    pass1_steps=1000,
    raster_height_px=64,
    raster_width_px=64,
    window_frames=21,
    warped_noise="corrected",
)


@pytest.fixture
def open_panel(app: Any, calls: Calls) -> Iterator[Open]:
    """Opens a panel as a host does; closed at the end."""
    from void_panel.panel import VoidPanel

    panels: list[VoidPanel] = []

    def opened(address: str, host: Host | None = None) -> VoidPanel:
        panel = VoidPanel(address, host=host)
        panels.append(panel)
        panel.show()
        return panel

    yield opened
    for panel in panels:
        panel.close()


def said(panel: "VoidPanel") -> str:
    return "\n".join(line.sentence for line in panel.state.log)


def send(address: str, shot: ShotOnDisk, job: str, void: VoidSettings | None = None) -> None:
    with Client(address) as client:
        client.submit(shot.spec(job, void))
        client.upload(shot.spec(job, void), shot.files)


def state_of(address: str, job: str) -> State:
    with Client(address) as client:
        return client.watch(job).state


def test_a_job_is_shown_from_its_first_file_to_its_picture_and_signs(
    start_server: StartServer, open_panel: Open, until: Until, tmp_path: Path
) -> None:
    address, shot = start_server().address, make_shot(tmp_path / "shot")
    panel = open_panel(address)
    until(lambda: panel.state.link is Link.THERE and panel.empty.isVisible(), lambda: said(panel))
    assert panel.state.empty.startswith("No jobs yet.")
    with Client(address) as client:
        client.submit(shot.spec("job-shown"))
        until(lambda: panel.state.rows and panel.table.isVisible())
        assert panel.state.rows["job-shown"].doing == "files 0/18"
        client.upload(shot.spec("job-shown"), shot.files)
    until(lambda: panel.state.rows["job-shown"].state is State.DONE, lambda: said(panel))
    until(lambda: panel.state.wanted is None and panel.state.picture()[1], lambda: panel.state.blank)
    until(lambda: "6 judged" in panel.state.verdict or panel.state.faults)
    look, _ = panel.state.picture()
    assert look is not None
    assert panel.job.compare._halves is not None
    plate, made = panel.job.compare._halves
    assert (look.role, look.frame) == (Role.RESULT, 1006)
    assert (plate.width(), plate.height()) == (made.width(), made.height()) == (96, 64)
    assert plate != made
    assert "shot runs.\nshot is done: 6 frames." in said(panel)
    assert (panel.job.strip.isVisible(), panel.job.verdict.isVisible()) == (True, True)
    panel.job.strip.picked.emit(1002)
    until(lambda: panel.state.picture()[0] == panel.state.look and panel.state.picture()[1])
    assert panel.job.frame.text() == "Frame 1002"
    panel.job.newest.click()
    assert panel.job.frame.text() == "Frame 1006, the newest"


def test_a_server_that_is_not_there_freezes_dies_and_comes_back(
    start_server: StartServer, open_panel: Open, until: Until, tmp_path: Path
) -> None:
    first = start_server()
    address = first.address
    send(address, make_shot(tmp_path / "shot", 2), "job-kept")
    first.stop()
    panel = open_panel(address)
    until(lambda: panel.state.link is Link.LOST)
    assert panel.bar.report.text() == (
        f"No VOID server answers at {address}. Start one there with: void serve --address {address}"
    )
    assert panel.bar.report.isVisible()
    second = start_server(address)
    until(lambda: panel.state.link is Link.THERE and panel.state.selected == "job-kept", lambda: said(panel))
    assert not panel.bar.report.isVisible()
    second.process.send_signal(signal.SIGSTOP)
    until(lambda: panel.state.link is Link.LOST)
    assert "stopped answering" in panel.bar.report.text()
    assert not panel.job.cancel.isEnabled()
    assert panel.state.rows
    second.process.send_signal(signal.SIGCONT)
    until(lambda: panel.state.link is Link.THERE)
    second.process.kill()
    second.process.wait()
    until(lambda: panel.state.link is Link.LOST)
    start_server(address)
    until(lambda: panel.state.link is Link.THERE and panel.state.rows, lambda: said(panel))
    assert said(panel).count(f"The server at {address} is back.") == 3


def test_a_running_job_is_stopped_and_done_again(
    start_server: StartServer, open_panel: Open, until: Until, tmp_path: Path
) -> None:
    address = start_server().address
    send(address, make_shot(tmp_path / "shot", 5), "job-long", MANY_STEPS)
    panel = open_panel(address)
    until(
        lambda: panel.state.rows and panel.state.rows["job-long"].doing.startswith("pass 1"),
        lambda: said(panel),
    )
    until(lambda: panel.state.rows["job-long"].left)
    panel.job.cancel.click()
    until(lambda: panel.state.rows["job-long"].state is State.CANCELLED, lambda: said(panel))
    assert "shot: asked to stop." in said(panel)
    assert not panel.job.cancel.isEnabled()
    assert [action.text() for action in panel.job.menu.actions()] == ["With another seed", "As it was"]
    panel.job.menu.actions()[1].trigger()
    until(lambda: len(panel.state.rows) == 2 and panel.state.selected != "job-long", lambda: said(panel))
    again = panel.state.selected
    assert again is not None
    with Client(address) as client:
        before, after = client.spec("job-long"), client.spec(again)
    assert (after.void, after.prompt, after.picture) == (before.void, before.prompt, before.picture)
    until(lambda: panel.state.rows[again].state is State.RUNNING)
    panel.close()
    assert state_of(address, again) is State.RUNNING  # nobody's window keeps a job alive, or ends it
    with Client(address) as client:
        client.cancel(again)


def test_a_refusal_is_said_and_the_panel_goes_on(
    start_server: StartServer, open_panel: Open, until: Until, tmp_path: Path
) -> None:
    shot = make_shot(tmp_path / "shot", 5)
    first = start_server()
    send(first.address, shot, "job-void1", MANY_STEPS)
    with Client(first.address) as client:
        client.cancel("job-void1")
    first.stop()
    panel = open_panel(start_server(first.address, weights=tmp_path).address)
    until(lambda: panel.state.again)
    panel.job.again.emit(Change.SEED)
    until(lambda: panel.state.log[-1].bad)
    assert "void_pass1" in said(panel) or "weights" in said(panel)
    assert panel.state.link is Link.THERE
    assert list(panel.state.rows) == ["job-void1"]
    panel.bar.test.click()
    until(lambda: panel.state.link is Link.THERE)
    assert "\ndraft: ready.\nvoid: " in panel.bar.report.text()
    assert panel.bar.report.isVisible()


def test_frames_are_brought_home_once_more(
    start_server: StartServer,
    open_panel: Open,
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, shot = start_server().address, make_shot(tmp_path / "shot")
    send(address, shot, "job-home1")
    revealed: list[str] = []

    def target(job: str) -> Callable[[int], Path] | None:
        return (lambda frame: tmp_path / "node" / f"r.{frame}.exr") if job == "job-home1" else None

    def reveal(job: str) -> bool:
        revealed.append(job)
        return False

    panel = open_panel(address, Host(reveal, target))
    until(lambda: panel.state.rows and panel.state.rows["job-home1"].state is State.DONE, lambda: said(panel))
    newest = Look("job-home1", Role.RESULT, 1006)
    until(lambda: panel.state.picture()[0] == newest and not panel.state.wanted, lambda: panel.state.blank)
    until(lambda: panel.job.compare._halves)
    plate, made = panel.job.compare._halves
    assert (plate.width(), plate.height()) == (made.width(), made.height()) == (96, 64)
    changed = [
        (x, y) for x in range(96) for y in range(64) if plate.pixelColor(x, y) != made.pixelColor(x, y)
    ]
    assert changed, "the object is gone on the right"
    assert plate.pixelColor(2, 60) == made.pixelColor(2, 60)
    panel.job.fetch.click()
    until(lambda: f"shot: 6 frames in {tmp_path / 'node'}." in said(panel), lambda: said(panel))
    panel.job.reveal.click()
    assert revealed == ["job-home1"]
    assert said(panel).endswith("no node of this script made job job-home1.")
    with Client(address) as client:
        known = bring(client, shot.spec("job-home1"), Role.RESULT, tmp_path / "known")
    assert {frame: (tmp_path / "node" / f"r.{frame}.exr").read_bytes() for frame in known} == known

    alone = open_panel(address)
    monkeypatch.setattr("void_panel.panel.ask_folder", lambda parent, question: tmp_path / "chosen")
    until(lambda: alone.state.fetchable)
    assert not alone.job.reveal.isEnabled()
    alone.job.fetch.click()
    until(lambda: "6 frames in" in said(alone), lambda: said(alone))
    names = sorted(path.name for path in (tmp_path / "chosen" / "job-home1").iterdir())
    assert names == [f"shot.{frame:04d}.exr" for frame in shot.frames.numbers()]
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr("void_panel.panel.ask_folder", lambda parent, question: tmp_path / "file")
    alone.job.fetch.click()
    until(lambda: alone.state.log[-1].bad)
    assert alone.state.log[-1].sentence.startswith("shot: 0 of 6 frames are here. ")


def test_marked_jobs_become_a_farm_job_that_the_studio_s_command_sends(
    start_server: StartServer,
    open_panel: Open,
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, shot = start_server().address, make_shot(tmp_path / "shot", 3)
    for name in ("job-far-1", "job-far-2"):
        with Client(address) as client:
            spec = replace(shot.spec(name), shot=name)
            client.submit(spec)
            client.upload(spec, shot.files)
    monkeypatch.delenv("VOID_FARM_SUBMIT", raising=False)
    monkeypatch.setattr("void_panel.panel.ask_folder", lambda parent, question: tmp_path / "farm")
    panel = open_panel(address)
    until(lambda: len(panel.state.rows) == 2 and panel.state.farmable, lambda: said(panel))
    panel.table.selectAll()
    assert panel.job.farm.text() == "Write farm job (2)"
    jobs = panel.state.marked
    panel.job.farm.click()
    until(lambda: "Farm job written: " in said(panel), lambda: said(panel))
    folder = farm_folder(tmp_path / "farm", jobs)
    assert f"{folder}. Nobody is told: VOID_FARM_SUBMIT names no command that sends it." in said(panel)
    assert [one.spec.job for one in plans.read(folder / plans.NAME).shots] == list(jobs)
    panel.job.farm.click()
    until(lambda: panel.state.log[-1].bad, lambda: said(panel))
    assert "holds a bundle already" in panel.state.log[-1].sentence

    command = f'"{sys.executable}" -c "import sys; print(sys.argv[1][-3:] * 3)"'
    monkeypatch.setenv("VOID_FARM_SUBMIT", command)
    panel.table.selectRow(0)
    panel.job.farm.click()
    until(lambda: "took the bundle and said: " in said(panel), lambda: said(panel))
    assert panel.state.log[-1].sentence.endswith(f"said: {panel.state.marked[0][-3:] * 3}")
    monkeypatch.setenv("VOID_FARM_SUBMIT", "/nowhere/send")
    panel.table.selectRow(1)
    panel.job.farm.click()
    until(lambda: panel.state.log[-1].bad, lambda: said(panel))
    assert "/nowhere/send of VOID_FARM_SUBMIT cannot be run" in panel.state.log[-1].sentence


def test_a_farm_job_that_is_being_written_ends_with_the_panel_and_goes_on_later(
    start_server: StartServer, open_panel: Open, until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, shot = start_server().address, make_shot(tmp_path / "shot", 3)
    send(address, shot, "job-far-3")
    monkeypatch.setattr("void_panel.panel.ask_folder", lambda parent, question: tmp_path)
    panel = open_panel(address)
    until(lambda: panel.state.farmable, lambda: said(panel))
    brought = farm.FarmThread._brought
    first, go_on = threading.Event(), threading.Event()

    def slow(self: farm.FarmThread, shot: str, here: int, of: int) -> None:
        if here == 2:
            first.set()
            go_on.wait(60.0)
        brought(self, shot, here, of)

    monkeypatch.setattr(farm.FarmThread, "_brought", slow)
    panel.job.farm.click()
    until(first.is_set, lambda: said(panel))
    panel.job.farm.click()
    assert said(panel).endswith("A farm job is being written already: wait until it is told of.")
    writing = panel._farm
    assert writing is not None
    panel.close()
    go_on.set()
    writing.join(60.0)
    folder = farm_folder(tmp_path, ["job-far-3"])
    assert not (folder / plans.NAME).exists()
    assert len(list(folder.rglob("*.exr"))) == 2
    panel.show()
    until(lambda: panel.state.farmable, lambda: said(panel))
    panel.job.farm.click()
    until(lambda: (folder / plans.NAME).exists(), lambda: said(panel))


def test_another_address_is_used_at_once_and_a_wrong_one_is_said(
    start_server: StartServer, open_panel: Open, until: Until, app: Any
) -> None:
    panel = open_panel("tcp://127.0.0.1:9")
    changed: list[str] = []
    panel.address_changed.connect(changed.append)
    panel.bar.address.setText("http://nowhere")
    panel.bar.test.click()
    until(lambda: panel.state.link is Link.LOST)
    assert panel.bar.headline.text() == "No server"
    assert panel.bar.report.text() == "Address 'http://nowhere' is neither tcp://host:port nor ipc:///path."
    address = start_server().address
    panel.bar.address.setText(address)
    panel.bar.address.returnPressed.emit()
    until(lambda: panel.state.link is Link.THERE)
    until(lambda: panel.state.log)
    assert changed == ["http://nowhere", address]


def test_threads_end_when_the_panel_is_closed_or_deleted(
    start_server: StartServer, open_panel: Open, until: Until, app: Any
) -> None:
    others = set(threading.enumerate())  # panels of other tests may still be closing

    def threads() -> list[str]:
        mine = set(threading.enumerate()) - others
        return [thread.name for thread in mine if thread.name.startswith("void panel")]

    address = start_server().address
    panel = open_panel(address)
    until(lambda: panel.state.link is Link.THERE)
    assert sorted(threads()) == ["void panel", "void panel frames"]
    panel.close()
    until(lambda: not threads(), threads)
    panel.show()  # docked again
    until(lambda: panel.state.link is Link.THERE and len(threads()) == 2)
    panel.close()

    from shiboken6 import delete

    from void_panel.panel import VoidPanel

    docked = VoidPanel(address)
    docked.show()
    until(lambda: docked.state.link is Link.THERE)
    delete(docked)
    until(lambda: not threads(), threads)
