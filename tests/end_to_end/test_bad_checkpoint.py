"""Weights that are not what they should be: `void weights check` and a job say the same, and which file it is."""

import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from real_shots import TINY_MODEL, ShotOnDisk, make_shot
from safetensors.torch import load_file, save_file

from void_server import cli, local_server
from void_wire.client import ENDED, Client
from void_wire.errors import CheckpointError, EngineError, from_code
from void_wire.messages import JobStatus, Role, State, VoidSettings

PASS2 = "void_pass2.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
SMALL = VoidSettings(
    passes=1,
    pass1_steps=1,
    raster_height_px=32,
    raster_width_px=64,
    window_frames=21,
    warped_noise="corrected",
)


@dataclass(frozen=True)
class House:
    """A server whose folder of weights can be swapped between jobs; its worker imports torch once."""

    server: local_server.LocalServer
    weights: Path

    def install(self, spoil: Callable[[Path], None]) -> None:
        shutil.rmtree(self.weights, ignore_errors=True)
        shutil.copytree(TINY_MODEL, self.weights)
        spoil(self.weights)

    def run(self, shot: ShotOnDisk, job: str) -> JobStatus:
        with Client(self.server.address) as client:
            spec = shot.spec(job, SMALL)
            client.submit(spec)
            client.upload(spec, shot.files)
            status = client.watch(job)
            while status.state not in ENDED:
                status = client.watch(job, status.revision, 5.0)
            return status


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    server = local_server.start(
        "tcp://127.0.0.1:0", data_dir=folder / "data", weights=folder / "weights", idle_exit_s=0
    )
    yield House(server, folder / "weights")
    server.stop()


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> ShotOnDisk:
    return make_shot(tmp_path_factory.mktemp("shot"), 2, (32, 64))


Check = Callable[[Path], tuple[int, str]]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Check]:
    """Runs ``void weights check``; gives exit code and what was told, as one line of words."""
    before = signal.getsignal(signal.SIGTERM)

    def run(folder: Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["void", "weights", "check", str(folder)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        return int(left.value.code or 0), " ".join((told.out + told.err).split())

    yield run
    signal.signal(signal.SIGTERM, before)


def edit(folder: Path, name: str, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / name)
    change(tensors)
    save_file(tensors, folder / name)


def without_a_key(folder: Path) -> None:
    edit(folder, PASS2, lambda tensors: tensors.pop("norm_final.weight"))


def with_another_key(folder: Path) -> None:
    edit(folder, PASS2, lambda tensors: tensors.update({"lora_up.weight": torch.zeros(3)}))


def with_another_shape(folder: Path) -> None:
    edit(folder, VAE, lambda tensors: tensors.update({"decoder.conv_out.conv.bias": torch.zeros(7)}))


def cut_short(folder: Path) -> None:
    (folder / PASS2).write_bytes((folder / PASS2).read_bytes()[:100_000])


def a_pickle_under_its_name(folder: Path) -> None:
    torch.save(load_file(folder / PASS2), folder / "pickle")
    (folder / "pickle").replace(folder / PASS2)


def as_a_pickle(name: str, suffix: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        whole = folder / name
        torch.save(load_file(whole), whole.with_suffix(suffix))
        whole.unlink()

    return spoil


def a_broken_vocabulary(folder: Path) -> None:
    (folder / "tokenizer" / "spiece.model").write_bytes(b"no")


def gone(folder: Path) -> None:
    (folder / PASS2).unlink()


SEEN_WHEN_LOADED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a missing key": (
        without_a_key,
        rf"\S*{PASS2} does not fit the model: 1 missing \(norm_final.weight\)\.",
    ),
    "a key too many": (
        with_another_key,
        rf"\S*{PASS2} does not fit the model: 1 unexpected \(lora_up.weight\)\.",
    ),
    "another shape": (
        with_another_shape,
        rf"\S*{VAE} does not fit the model: 1 of another shape \(decoder.conv_out.conv.bias \[7\] instead of \[3\]\)\.",
    ),
}

SEEN_BEFORE_SENDING: dict[str, tuple[Callable[[Path], None], str]] = {
    ".bin": (
        as_a_pickle(PASS2, ".bin"),
        r"\S*void_pass2.bin is a pickle: opening one can run any program, so only",
    ),
    ".ckpt": (as_a_pickle(VAE, ".ckpt"), r"\S*diffusion_pytorch_model.ckpt is a pickle: opening one can run"),
    "cut short": (
        cut_short,
        rf"\S*{PASS2} is not a whole safetensors file \(100000 bytes instead of \d+, cut short",
    ),
    "a pickle under its name": (a_pickle_under_its_name, rf"\S*{PASS2} is not a whole safetensors file"),
    "gone": (
        gone,
        rf"(\S*{PASS2} is not there|The weights in \S* lack {PASS2}. Get it with: void weights pull)",
    ),
}


@pytest.mark.parametrize("name", SEEN_WHEN_LOADED)
def test_what_does_not_fit_fails_the_check_and_the_job(
    name: str, house: House, shot: ShotOnDisk, check: Check
) -> None:
    spoil, expected = SEEN_WHEN_LOADED[name]
    house.install(spoil)
    code, told = check(house.weights)
    assert code == 1
    assert re.match(expected, told.partition("void: ")[2]), told
    status = house.run(shot, f"job-{name.replace(' ', '-')}")
    assert status.state is State.FAILED
    assert isinstance(from_code(status.error_code, status.error), CheckpointError)
    assert re.match(expected, status.error), status.error
    assert Role.RESULT not in status.ready


@pytest.mark.parametrize("name", SEEN_BEFORE_SENDING)
def test_what_is_not_there_is_refused_before_anything_is_sent(
    name: str, house: House, shot: ShotOnDisk, check: Check
) -> None:
    spoil, expected = SEEN_BEFORE_SENDING[name]
    house.install(spoil)
    code, told = check(house.weights)
    assert code == 1
    assert re.match(expected, told.partition("void: ")[2]), told
    with Client(house.server.address) as client:
        client.connect()
        before = [status.job for status in client.jobs()]
        with pytest.raises(EngineError, match=expected):
            client.submit(shot.spec("never-sent-1", SMALL))
        assert [status.job for status in client.jobs()] == before


def test_a_vocabulary_that_cannot_be_read_is_no_model(house: House, shot: ShotOnDisk) -> None:
    house.install(a_broken_vocabulary)
    status = house.run(shot, "no-vocabulary")
    assert status.state is State.FAILED
    assert re.match(r"\S*spiece.model is no SentencePiece vocabulary", status.error), status.error


def test_the_right_weights_run_in_the_same_server(house: House, shot: ShotOnDisk, check: Check) -> None:
    house.install(without_a_key)
    assert house.run(shot, "wrong-weights").state is State.FAILED
    house.install(lambda folder: None)
    assert check(house.weights)[0] == 0
    status = house.run(shot, "right-weights")
    assert status.state is State.DONE, status.error
    assert status.ready[Role.RESULT] == [1001, 1002]
