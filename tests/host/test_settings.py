"""The table of settings beside the messages of the wire, and beside what each host shows of it."""

import dataclasses

import pytest

from void_host.settings import LAYER_SETTINGS, NOT_SETTINGS, SETTINGS, Kind
from void_nuke.knobs import KNOBS, Code
from void_resolve.controls import CONTROLS
from void_wire.messages import JobSpec, PictureSettings, VoidSettings

ONLY_IN_NUKE = {
    "from_input": "in Fusion the range is the comp's render range until one is typed",
    "colorspace_from_script": "the project's colour management is read with every removal",
    "view": "a comp has one",
    "box": "four numbers there",
    "test_connection": "every removal asks the server first",
    "server_says": "see test_connection",
    "output_preview": "the script says the path with every removal",
    "result": "the Loader at input result",
    "result_origfirst": "belongs to Nuke's Read",
    "result_origlast": "belongs to Nuke's Read",
    "result_reload": "belongs to Nuke's Read",
    "job": "kept in the tool's data, which undo does not touch",
    "job_server": "kept in the tool's data",
    "job_output": "kept in the tool's data",
    "export_folder": "Savers are placed for an export and taken away",
    "exporting": "Savers are placed for an export and taken away",
}
"""Knob -> why the macro has no such control."""

ONLY_IN_FUSION = {
    "follow": "Nuke takes a job up again by itself",
    "box_x": "see box",
    "box_y": "see box",
    "box_width": "see box",
    "box_height": "see box",
}
"""Control -> why the node has no such knob."""


def test_every_field_of_a_job_is_set_or_says_why_not():
    fields = {field.name for field in dataclasses.fields(JobSpec)} - {"picture", "void"}
    fields |= {f"picture.{field.name}" for field in dataclasses.fields(PictureSettings)}
    fields |= {f"void.{field.name}" for field in dataclasses.fields(VoidSettings)}
    set_here = {setting.sets for setting in SETTINGS if setting.sets}
    assert set_here | set(NOT_SETTINGS) == fields
    assert not set_here & set(NOT_SETTINGS)
    assert all(NOT_SETTINGS.values())


def test_settings_begin_as_the_messages_do():
    """What an artist who touches nothing asks for is what `void submit` asks for without options."""
    begun = {"picture": PictureSettings(), "void": VoidSettings()}
    for setting in SETTINGS:
        part, _, name = setting.sets.partition(".")
        if part in begun and name != "layers":
            begin = setting.choices.get(setting.value, setting.value) if setting.choices else setting.value
            assert begin == getattr(begun[part], name), setting.name


def test_names_and_choices():
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert set(LAYER_SETTINGS) == {s.name for s in SETTINGS if s.sets == "picture.layers"}
    for setting in SETTINGS:
        assert (setting.kind is Kind.CHOICE) == bool(setting.choices)
        assert setting.kind is not Kind.CHOICE or setting.value in setting.choices, setting.name


def test_what_only_one_host_has_says_why():
    knobs = {k.name for k in KNOBS if k.code is not Code.TAB and not k.name.endswith("_divider")}
    controls = {control.name for control in CONTROLS}
    assert knobs - controls == set(ONLY_IN_NUKE)
    assert controls - knobs == set(ONLY_IN_FUSION)


@pytest.mark.parametrize(
    "name", ["plate_depth", "remove_channel", "affected_channel", "result_first", "result_last"]
)
def test_what_both_show_in_ways_of_their_own_is_called_the_same(name):
    (knob,) = (knob for knob in KNOBS if knob.name == name)
    (control,) = (control for control in CONTROLS if control.name == name)
    assert knob.label == control.label
