"""What the node's knobs do among themselves, without a server."""

from nuke_artist import press


def test_knobs_that_do_nothing_are_grey(node):
    def grey():
        return {name for name, knob in node.knobs().items() if not knob.enabled()}

    node["engine"].setValue("draft")
    assert {"prompt", "detail", "seed", "passes", "crop", "exposure"} <= grey()
    assert not {"grow", "feather", "layer_fill", "segments"} & grey()
    node["engine"].setValue("void")
    assert grey() == {"rate"}
    node["time_base"].setValue("model")
    node["crop"].setValue("full")
    node["quality"].setValue("preview")
    assert grey() == {"box", "crop_context", "passes"}


def test_a_new_node_takes_the_plates_range_and_an_old_one_keeps_its_own(nuke, node):
    new = nuke.createNode("VOID", inpanel=False)
    new.setInput(0, node.input(0))
    assert (new["first"].value(), new["last"].value()) == (1001, 1003)
    new["first"].setValue(1002)
    new.setInput(0, None)
    new.setInput(0, node.input(0))
    assert (new["first"].value(), new["last"].value()) == (1002, 1003)
    new["output_preview"].setValue("")
    new.showControlPanel()
    assert "/VOID2/v001/" in new["output_preview"].value()


def test_the_preview_of_the_path_is_the_path(node, tmp_path):
    node["output"].setValue("<folder>/<node>/<version>/x.%04d.exr")
    assert node["output_preview"].value() == f"{tmp_path}/VOID1/v001/x.%04d.exr"
    node["output"].setValue("<folder>/x.%04d.exr")
    assert "<version>" in node["output_preview"].value()


def test_the_working_space_is_taken(nuke, node):
    nuke.root()["workingSpaceLUT"].setValue("ACES - ACEScg")
    press(node, "colorspace_from_script")
    assert node["colorspace"].value() == "ACES - ACEScg"
    nuke.Undo.undo()
    assert node["colorspace"].value() == "lin_rec709"
