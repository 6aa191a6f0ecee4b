"""The published layout: what is accepted, what is refused and with which sentence."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from void_server.engine import checkpoints
from void_server.engine.checkpoints import load_pipeline, mismatches
from void_server.engine.weights import check_weights, header, missing_weights, quick_digest
from void_wire.errors import CheckpointError

MODEL = Path(__file__).parents[1] / "golden" / "portable" / "model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL, tmp_path / "weights"))


def edit(file: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


def test_a_whole_folder_loads_strictly_in_the_dtype_asked_for(folder: Path) -> None:
    assert missing_weights(folder) == ""
    pipe = load_pipeline(folder, dtype=torch.bfloat16)
    for name, file in (("transformer", "void_pass1"), ("transformer_2", "void_pass2")):
        stored, loaded = load_file(folder / f"{file}.safetensors"), getattr(pipe, name).state_dict()
        assert stored.keys() == loaded.keys()
        assert all(loaded[key].equal(stored[key].to(torch.bfloat16)) for key in stored)
    for part in (pipe.text_encoder, pipe.vae, pipe.transformer, pipe.transformer_2):
        assert {p.dtype for p in part.parameters()} == {torch.bfloat16}
        assert not any(tensor.is_meta for tensor in [*part.parameters(), *part.buffers()])
        assert not part.training
    assert pipe.transformer.config.in_channels == 48


def test_a_part_is_read_onto_the_device_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU: asked of the reader, which is given the CPU instead."""
    asked = {}
    reader = checkpoints.safe_open

    def opened(file: Path, framework: str, device: str) -> object:
        asked[file.name] = device
        return reader(file, framework=framework, device="cpu")

    monkeypatch.setattr(checkpoints, "safe_open", opened)
    load_pipeline(MODEL, dtype=torch.float32, onto={"transformer_2": torch.device("cuda", 1)})
    assert asked.pop("void_pass2.safetensors") == "cuda:1"
    assert set(asked.values()) == {"cpu"}


def test_the_bases_own_transformer_weights_are_neither_needed_nor_opened(folder: Path) -> None:
    base = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    base.write_bytes(b"not weights at all")
    load_pipeline(folder, dtype=torch.float32)
    base.unlink()
    load_pipeline(folder, dtype=torch.float32)


def test_both_void_files_may_lie_beside_the_folder(folder: Path) -> None:
    for number in (1, 2):
        name = f"void_pass{number}.safetensors"
        (folder / name).rename(folder.parent / name)
    assert missing_weights(folder) == ""
    load_pipeline(folder, dtype=torch.float32)
    assert all(not report.problem for report in check_weights(folder, mismatches))


def test_a_split_text_encoder_loads_as_the_whole_one(folder: Path) -> None:
    whole = folder / "text_encoder" / "model.safetensors"
    tensors = load_file(whole)
    keys = sorted(tensors)
    halves = {"model-00001-of-00002.safetensors": keys[::2], "model-00002-of-00002.safetensors": keys[1::2]}
    for name, some in halves.items():
        save_file({key: tensors[key] for key in some}, whole.with_name(name))
    index = {"weight_map": {key: name for name, some in halves.items() for key in some}}
    whole.with_name("model.safetensors.index.json").write_text(json.dumps(index))
    before = load_pipeline(folder, dtype=torch.float32).encode_prompt("a table")
    whole.unlink()
    assert load_pipeline(folder, dtype=torch.float32).encode_prompt("a table").equal(before)
    whole.with_name("model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors" in missing_weights(folder)


def test_t5s_table_may_be_stored_under_either_of_its_names(folder: Path) -> None:
    file = folder / "text_encoder" / "model.safetensors"
    before = load_pipeline(folder, dtype=torch.float32).encode_prompt("a table")
    edit(file, lambda tensors: tensors.update({"encoder.embed_tokens.weight": tensors.pop("shared.weight")}))
    pipe = load_pipeline(folder, dtype=torch.float32)
    assert pipe.encode_prompt("a table").equal(before)
    assert pipe.text_encoder.shared.weight is pipe.text_encoder.encoder.embed_tokens.weight


@pytest.mark.parametrize(
    "part", ["void_pass1", "void_pass2", "vae/diffusion_pytorch_model", "text_encoder/model"]
)
def test_missing_unexpected_and_misshapen_tensors_are_listed(folder: Path, part: str) -> None:
    file = folder / f"{part}.safetensors"
    lost, bent = sorted(key for key, value in load_file(file).items() if value.ndim == 2 or "vae" in part)[:2]

    def change(tensors: dict[str, torch.Tensor]) -> None:
        del tensors[lost]
        tensors["extra.weight"] = torch.zeros(3)
        tensors[bent] = torch.zeros(7, 5)

    edit(file, change)
    with pytest.raises(CheckpointError) as caught:
        load_pipeline(folder, dtype=torch.float32)
    sentence = str(caught.value)
    assert f"1 missing ({lost})" in sentence
    assert "1 unexpected (extra.weight)" in sentence
    assert f"1 of another shape ({bent} [7, 5] instead of" in sentence
    assert file.name in sentence
    assert [report.file for report in check_weights(folder, mismatches) if report.problem] == [file]


def test_many_wrong_keys_are_counted_and_the_first_few_named(folder: Path) -> None:
    edit(
        folder / "void_pass1.safetensors", lambda tensors: [tensors.pop(key) for key in sorted(tensors)[:20]]
    )
    with pytest.raises(CheckpointError, match=r"20 missing \(norm_final.bias, .*, \.\.\.\)"):
        load_pipeline(folder, dtype=torch.float32)


def test_the_bases_transformer_under_voids_name_is_refused(folder: Path) -> None:
    shutil.copy(
        folder / "transformer" / "diffusion_pytorch_model.safetensors", folder / "void_pass1.safetensors"
    )
    with pytest.raises(CheckpointError, match=r"patch_embed\.proj\.weight"):
        load_pipeline(folder, dtype=torch.float32)


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".pth", ".ckpt", ".pkl"])
def test_a_pickle_is_refused_by_name_and_never_opened(folder: Path, suffix: str) -> None:
    file = folder / "void_pass2.safetensors"
    pickle = file.with_suffix(suffix)
    file.unlink()
    pickle.write_bytes(b"\x80\x04cos\nsystem\n")
    assert pickle.name in missing_weights(folder)
    with pytest.raises(
        CheckpointError, match=r"is a pickle: opening one can run any program.*void weights pull"
    ):
        load_pipeline(folder, dtype=torch.float32)
    assert any(pickle.name in report.problem for report in check_weights(folder, mismatches))
    with pytest.raises(CheckpointError, match="is a pickle"):
        header(pickle)


def test_transformers_old_name_for_a_pickle_is_known(folder: Path) -> None:
    (folder / "text_encoder" / "model.safetensors").rename(folder / "text_encoder" / "pytorch_model.bin")
    assert "pytorch_model.bin is a pickle" in missing_weights(folder)


def test_what_lacks_is_named_with_the_command_that_gets_it(folder: Path) -> None:
    (folder / "void_pass1.safetensors").unlink()
    (folder / "vae" / "config.json").unlink()
    assert missing_weights(folder) == (
        f"The weights in {folder} lack vae/config.json, void_pass1.safetensors. Get it with: void weights pull {folder}"
    )
    nowhere = folder / "nowhere"
    assert (
        missing_weights(nowhere)
        == f"There is no folder of weights at {nowhere}. Get it with: void weights pull {nowhere}"
    )
    shutil.rmtree(folder)
    folder.mkdir()
    assert "and 6 more" in missing_weights(folder)


@pytest.mark.parametrize("kept", [0, 4, 8, 200, 100_000])
def test_a_file_cut_short_is_refused(folder: Path, kept: int) -> None:
    file = folder / "void_pass1.safetensors"
    os.truncate(file, kept)
    with pytest.raises(CheckpointError, match=r"void_pass1\.safetensors is not a whole safetensors file"):
        load_pipeline(folder, dtype=torch.float32)
    assert [report.file for report in check_weights(folder, mismatches) if report.problem] == [file]


def header_or_sentence(file: Path) -> object:
    """What the header holds, or the name of the file when the error's sentence has it. Other errors go through."""
    try:
        return header(file)
    except CheckpointError as error:
        return file.name if str(file) in str(error) else str(error)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_a_header_or_a_checkpoint_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, framed: bool
) -> None:
    file = tmp_path_factory.getbasetemp() / "wild.safetensors"
    file.write_bytes((len(data).to_bytes(8, "little") if framed else b"") + data)
    assert header_or_sentence(file) in ({}, "wild.safetensors")


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets"]), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=3,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_json_is_a_header_or_a_checkpoint_error(
    tmp_path_factory: pytest.TempPathFactory, table: dict
) -> None:
    file = tmp_path_factory.getbasetemp() / "json.safetensors"
    data = json.dumps(table).encode()
    file.write_bytes(len(data).to_bytes(8, "little") + data)
    read = header_or_sentence(file)
    assert read == "json.safetensors" or set(read) == set(table) - {"__metadata__"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vae/config.json", "{"),
        ("text_encoder/config.json", "[]"),
        ("scheduler/scheduler_config.json", "\xff"),
        ("transformer/config.json", '{"num_layers": "many"}'),
    ],
)
def test_a_spoilt_config_is_a_sentence(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match="pull the weights again"):
        load_pipeline(folder, dtype=torch.float32)


def test_an_index_that_leads_elsewhere_is_refused(folder: Path) -> None:
    (folder / "text_encoder" / "model.safetensors").unlink()
    index = folder / "text_encoder" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"shared.weight": "../../secret.safetensors"}}))
    assert "names no safetensors files of its own folder" in missing_weights(folder)
    assert [report.file for report in check_weights(folder, mismatches) if report.problem] == [index]


def test_a_report_says_what_every_file_is(folder: Path) -> None:
    case = json.loads((MODEL.parent / "cases" / "pp_p1_windows_w21_s4" / "case.json").read_text())
    reports = {str(report.file.relative_to(folder)): report for report in check_weights(folder, mismatches)}
    for name in (
        "void_pass1.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "tokenizer/spiece.model",
    ):
        assert reports[name].sha256 == case["tiny_sha256"][name]
    first = reports["void_pass1.safetensors"]
    assert (first.keys, first.dtype, first.size_bytes, first.problem) == (64, "F32", 724584, "")
    assert reports["vae/config.json"].keys == 0
    assert all(report.present for report in reports.values())
    (folder / "vae" / "config.json").unlink()
    gone = next(
        report
        for report in check_weights(folder, mismatches)
        if report.file.name == "config.json" and not report.present
    )
    assert gone.problem == f"{folder / 'vae' / 'config.json'} is not there."


def test_a_report_without_torch_knows_the_files_alone(folder: Path) -> None:
    edit(folder / "void_pass1.safetensors", lambda tensors: tensors.update(extra=torch.zeros(3)))
    assert not any(report.problem for report in check_weights(folder))
    assert any(report.problem for report in check_weights(folder, mismatches))


def test_a_quick_digest_tells_two_sets_of_weights_apart(folder: Path) -> None:
    first, second = (quick_digest(folder / f"void_pass{number}.safetensors") for number in (1, 2))
    assert first != second
    assert first == quick_digest(MODEL / "void_pass1.safetensors")


def test_asking_what_lacks_imports_no_torch() -> None:
    program = (
        "import sys; from pathlib import Path; from void_server.engine.weights import missing_weights;"
        f"assert missing_weights(Path({str(MODEL)!r})) == '';"
        "sys.exit(any(name in sys.modules for name in ('torch', 'diffusers', 'transformers', 'huggingface_hub')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_hub_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from void_server.engine.weights import pull_weights;"
        "from void_wire.errors import Unreachable\n"
        f"try: pull_weights(Path({str(tmp_path / 'new')!r}))\n"
        "except Unreachable as error: print(error)"
    )
    nobody = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_DISABLE_TELEMETRY": "1"}
    nobody.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=nobody, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("The weights cannot be fetched from huggingface.co")
    assert "netflix/void-model" in done.stdout
    assert done.stdout.count("\n") == 1
