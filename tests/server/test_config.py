from pathlib import Path

import pytest

from void_server.config import Config, load
from void_wire.errors import SettingsError


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "void.toml"
    file.write_text('credit = 2\nqueue_limit = 5\naddress = "tcp://127.0.0.1:1111"\n')
    environment = {"VOID_QUEUE_LIMIT": "6", "VOID_ADDRESS": "tcp://127.0.0.1:2222", "OTHER": "x"}
    config = load(file, environment, {"address": "127.0.0.1:3333", "credit": None})
    assert (config.credit, config.queue_limit, config.address) == (2, 6, "tcp://127.0.0.1:3333")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colour = 1", "has 'colour'; known are"),
        ('credit = "many"', "must be a whole number"),
        ("credit = 0", "from 1 to 64"),
        ('memory = "lots"', "choose one of auto, resident"),
        ('speed = "warp"', "choose one of plain, exact, fp8"),
        ('require_keys = "perhaps"', "must be true or false"),
        ('raft_weights = "/nowhere/raft.pth"', "there is no file"),
        ("credit = ", "is no TOML"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "void.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=sentence):
        load(file, {}, {})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "none.toml", {}, {})


def test_paths_are_absolute_and_weights_lie_in_the_data_folder(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path))
    assert config.weights == str(tmp_path / "weights")
