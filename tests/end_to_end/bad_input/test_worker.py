"""What reaches the server all the same."""

from real_shots import ShotOnDisk
from refusals import Say, sentence_of, through

from void_server import local_server
from void_wire.client import Client
from void_wire.errors import (
    SettingsError,
    UnsupportedImage,
    from_code,
)
from void_wire.messages import JobSpec, PictureSettings, Role, State


def test_the_worker_looks_again(shot: ShotOnDisk, server: local_server.LocalServer) -> None:
    """A client that checks nothing: the job fails with the same sentence, and the next one runs."""
    good = shot.path(Role.PLATE, 1003).read_bytes()
    with Client(server.address) as client:
        shot.path(Role.PLATE, 1003).write_bytes(b"no picture")
        status = through(client, shot, shot.spec("unchecked-1"))
        assert status.state is State.FAILED
        assert isinstance(from_code(status.error_code, status.error), UnsupportedImage)
        assert status.error == "Frame 1003 (1003.exr) is no EXR file: write the frame as EXR."
        shot.path(Role.PLATE, 1003).write_bytes(good)
        unknown = JobSpec(
            **{**vars(shot.spec("unchecked-2")), "picture": PictureSettings(colorspace="ACEScgg")}
        )
        status = through(client, shot, unknown)
        assert isinstance(from_code(status.error_code, status.error), SettingsError)
        assert "did you mean 'ACEScg'" in status.error
        assert through(client, shot, shot.spec("checked-3")).state is State.DONE


def test_fetch_tells_why_a_job_failed(shot: ShotOnDisk, say: Say, server: local_server.LocalServer) -> None:
    with Client(server.address) as client:
        for path in shot.files[Role.PLATE].values():
            path.write_bytes(b"no picture")
        through(client, shot, shot.spec("failed-job-1"))
    sentence = sentence_of(*say("fetch", "failed-job-1", "--out", shot.folder / "r.%04d.exr"))
    assert sentence.startswith("Frame 1001 (1001.exr) is no EXR file")
