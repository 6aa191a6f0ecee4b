"""Embeddings that are kept: found by the same prompt and encoder alone, bounded, and no prompt among them."""

import os
from pathlib import Path

import pytest
import torch

from void_server.engine.checkpoints import load_pipeline
from void_server.engine.conditioning import draw
from void_server.engine.pipeline import PASS2
from void_server.engine.prompt_cache import PromptCache

MODEL = Path(__file__).parents[1] / "golden" / "portable" / "model"
PROMPT = "a ball lies on the floor"


def test_what_was_kept_is_found_to_the_bit(tmp_path: Path) -> None:
    cache, embeddings = PromptCache(tmp_path / "prompts", "t5"), draw((1, 226, 32), 1).bfloat16()
    assert cache.find(PROMPT) is None
    cache.keep(PROMPT, embeddings)
    found = PromptCache(tmp_path / "prompts", "t5").find(PROMPT)
    assert found is not None
    assert found.equal(embeddings)
    assert found.dtype == torch.bfloat16


def test_another_prompt_or_encoder_finds_nothing(tmp_path: Path) -> None:
    PromptCache(tmp_path, "t5").keep(PROMPT, draw((1, 4, 8), 1))
    assert PromptCache(tmp_path, "t5").find(PROMPT + " ") is None
    assert PromptCache(tmp_path, "t5a").find(PROMPT) is None
    assert PromptCache(tmp_path, "t5a").find(PROMPT[1:]) is None


def test_neither_name_nor_bytes_hold_the_prompt(tmp_path: Path) -> None:
    PromptCache(tmp_path, "t5").keep(PROMPT, draw((1, 4, 8), 1))
    (file,) = tmp_path.iterdir()
    assert "ball" not in file.name
    assert b"ball" not in file.read_bytes()


def test_those_not_used_for_the_longest_go_first(tmp_path: Path) -> None:
    one = draw((1, 4, 8), 1)
    PromptCache(tmp_path, "t5").keep("measure", one)
    (file,) = tmp_path.iterdir()
    size = file.stat().st_size
    file.unlink()
    cache = PromptCache(tmp_path, "t5", limit_bytes=3 * size)
    for age, prompt in enumerate(("a", "b", "c")):
        cache.keep(prompt, one)
        newest = max(tmp_path.iterdir(), key=lambda found: found.stat().st_mtime_ns)
        os.utime(newest, (1000 + age, 1000 + age))
    assert cache.find("a") is not None  # now the newest
    cache.keep("d", one)
    assert [cache.find(prompt) is not None for prompt in "abcd"] == [True, False, True, True]


def test_a_broken_file_is_as_none(tmp_path: Path) -> None:
    cache = PromptCache(tmp_path, "t5")
    cache.keep(PROMPT, draw((1, 4, 8), 1))
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"broken")
    assert cache.find(PROMPT) is None
    cache.keep(PROMPT, draw((1, 4, 8), 1))
    assert cache.find(PROMPT) is not None


def test_a_disk_that_takes_nothing_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "prompts").write_text("a file where a folder should be")
    cache = PromptCache(tmp_path / "prompts", "t5")
    cache.keep(PROMPT, draw((1, 4, 8), 1))
    assert cache.find(PROMPT) is None


def test_a_prompt_that_is_kept_needs_no_text_encoder(tmp_path: Path) -> None:
    pipe = load_pipeline(MODEL, dtype=torch.float32)
    pipe.prompts = PromptCache(tmp_path, "t5")
    made = pipe.encode_text(PROMPT, PASS2)

    def refuse(*_: object) -> None:
        raise AssertionError("the text encoder was asked")

    pipe.text_encoder.register_forward_pre_hook(refuse)
    assert pipe.encode_text(PROMPT, PASS2).equal(made)
    with pytest.raises(AssertionError):
        pipe.encode_text("another", PASS2)
