"""The classes, knobs and enumerations of Nuke that the fake knows; every other one it refuses.

Write and Read: hosts.md A1.7 and A1.9. Keymix, Crop, Merge2, Input, Output: A1.5. Of the others the knobs that saved
scripts of the field hold. An entry is (class of knob, value of a new node, choices).
"""

GENERATORS = ("Read", "Constant", "ColorBars", "Input", "CheckerBoard2")
"""Pop nothing without ``inputs``: hosts.md A1.5 'Default pop count'."""


def _string(value=""):
    return ("String_Knob", value, ())


def _file(value=""):
    return ("File_Knob", value, ())


def _int(value=0):
    return ("Int_Knob", value, ())


def _number(value=0.0):
    return ("Double_Knob", value, ())


def _bool(value=False):
    return ("Boolean_Knob", value, ())


def _enum(*choices):
    return ("Enumeration_Knob", choices[0], choices)


def _channels(value):
    return ("ChannelMask_Knob", value, ())


def _channel(value):
    return ("Channel_Knob", value, ())


COMMON = {
    "name": _string(), "label": _string(), "help": _string(), "xpos": _int(), "ypos": _int(), "selected": _bool(),
    "disable": _bool(), "tile_color": ("ColorChip_Knob", 0, ()), "knobChanged": _string(), "onCreate": _string(),
    "autolabel": _string(), "postage_stamp": _bool(),
}  # fmt: skip

_MIX = {"mix": _number(1.0), "maskChannel": _channel("none"), "invertMask": _bool()}

_FILTERS = (
    "Cubic", "impulse", "Keys", "Simon", "Rifman", "Mitchell", "Parzen", "Notch", "Lanczos4", "Lanczos6", "Sinc4",
)  # fmt: skip

_RANGE = {"first": _int(1), "last": _int(1)}

CLASSES = {
    "Input": {"number": _int()},
    "Output": {},
    "Dot": {},
    "NoOp": {},
    "Group": {},
    "Constant": {"channels": _channels("rgb"), "color": ("AColor_Knob", "0", ()), "format": _string()},
    "CheckerBoard2": {"format": _string()},
    "Roto": {"curves": _string(), "output": _channels("rgba.alpha")},
    "Read": {
        "file": _file(), **_RANGE, "origfirst": _int(1), "origlast": _int(1), "origset": _bool(),
        "frame_mode": _enum("expression", "start at", "offset"), "frame": _string(),
        "before": _enum("hold", "loop", "bounce", "black"), "after": _enum("hold", "loop", "bounce", "black"),
        "on_error": _enum("error", "black", "checkerboard", "nearest frame"), "colorspace": _string("default"),
        "raw": _bool(), "premultiplied": _bool(), "auto_alpha": _bool(), "format": _string(), "proxy": _file(),
        "localizationPolicy": _enum("on", "fromAutoLocalizePath", "onDemand", "off"),
        "reload": ("PyScript_Knob", "", ()),
    },
    "Write": {
        "file": _file(), "proxy": _file(), "file_type": _enum("", "exr", "png", "dpx"), "channels": _channels("rgb"),
        "datatype": _enum("16 bit half", "32 bit float"),
        "compression": _enum(
            "Zip (1 scanline)", "none", "Zip (16 scanlines)", "PIZ Wavelet (32 scanlines)", "RLE", "B44", "B44A",
            "DWAA", "DWAB",
        ),
        "autocrop": _bool(), "write_ACES_compliant_EXR": _bool(),
        "metadata": _enum(
            "default metadata", "no metadata", "default metadata and exr/*", "all metadata except input/*",
            "all metadata",
        ),
        "interleave": _enum("channels, layers and views", "channels and layers", "channels"),
        "colorspace": _string("default"), "raw": _bool(), "create_directories": _bool(), "use_limit": _bool(),
        **_RANGE, "views": _string("main"), "checkHashOnRead": _bool(True), "reading": _bool(),
        "beforeRender": _string(), "afterRender": _string(), "beforeFrameRender": _string(),
        "afterFrameRender": _string(),
    },
    "Expression": {
        **{f"temp_name{i}": _string() for i in range(4)}, **{f"temp_expr{i}": _string() for i in range(4)},
        **{f"channel{i}": _channels("") for i in range(4)}, **{f"expr{i}": _string() for i in range(4)}, **_MIX,
    },
    "Copy": {
        **{f"from{i}": _channel("rgba.alpha" if i == 0 else "none") for i in range(4)},
        **{f"to{i}": _channel("rgba.alpha" if i == 0 else "none") for i in range(4)}, **_MIX,
    },
    "Clamp": {"channels": _channels("all"), "minimum": _number(), "maximum": _number(1.0), **_MIX},
    "Dilate": {"channels": _channels("all"), "size": _number()},
    "Blur": {"channels": _channels("all"), "size": _number(), "filter": _enum("gaussian", "box"), **_MIX},
    "Keymix": {
        "channels": _channels("all"), "maskChannel": _channel("rgba.alpha"), "invertMask": _bool(),
        "mix": _number(1.0), "bbox": _enum("union", "A", "B", "intersection"),
    },
    "Switch": {"which": _number()},
    "Premult": {"channels": _channels("rgb"), "alpha": _channel("rgba.alpha")},
    "Crop": {"box": ("BBox_Knob", "0 0 0 0", ()), "reformat": _bool(), "crop": _bool(True)},
    "Reformat": {
        "type": _enum("to format", "to box", "scale"), "format": _string(), "box_width": _int(200),
        "box_height": _int(200), "box_fixed": _bool(), "box_pixel_aspect": _number(1.0),
        "resize": _enum("width", "none", "height", "fit", "fill", "distort"), "center": _bool(True),
        "filter": _enum(*_FILTERS), "black_outside": _bool(), "pbb": _bool(),
    },
    "Transform": {
        "translate": ("XY_Knob", "0 0", ()), "rotate": _number(), "scale": _number(1.0),
        "center": ("XY_Knob", "0 0", ()), "filter": _enum(*_FILTERS), "black_outside": _bool(True),
    },
    "Merge2": {
        "operation": _enum("over", "plus", "multiply", "copy", "from", "max", "min", "difference"),
        "output": _channels("rgba"), "Achannels": _channels("rgba"), "Bchannels": _channels("rgba"),
        "bbox": _enum("union", "B", "A", "intersection"), **_MIX,
    },
}  # fmt: skip
"""Class -> its knobs beside those every node has."""

ROOT = {
    "name": _string(), "first_frame": _int(1), "last_frame": _int(100), "frame": _int(1), "fps": _number(24.0),
    "format": _string("2048 1556 0 0 2048 1556 1 2K_Super_35(full-ap)"), "proxy": _bool(), "views": _string("main"),
    "colorManagement": _enum("Nuke", "OCIO"), "OCIO_config": _enum("nuke-default", "aces_1.2", "custom"),
    "customOCIOConfigPath": _file(), "workingSpaceLUT": _string("linear"),
}  # fmt: skip
"""hosts.md A1.6 'nuke.root()' and A1.7 'Colour management facts'."""
