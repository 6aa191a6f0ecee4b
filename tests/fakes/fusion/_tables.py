"""Tools of Fusion and their inputs, as far as the macro and the plugin use them.

From the Resolve reference manual and from .setting files that Fusion itself wrote.
"""

COMMON = {"EffectMask", "ApplyMaskInverted", "Blend", "Comments", "GlobalIn", "GlobalOut"}
_CUSTOM = {f"NumberIn{n}" for n in range(1, 9)} | {f"PointIn{n}" for n in range(1, 5)}
_CUSTOM |= {f"{what}{n}" for what in ("Setup", "Intermediate", "LUTIn") for n in range(1, 5)}
_CUSTOM |= {f"{what}Expression" for what in ("Red", "Green", "Blue", "Alpha")}
_CUSTOM |= {"Image1", "Image2", "Image3", "Matte"}

INPUTS = {
    "Background": {
        "UseFrameFormatSettings", "Width", "Height", "TopLeftRed", "TopLeftGreen", "TopLeftBlue", "TopLeftAlpha",
    },
    "PipeRouter": {"Input"},
    "Custom": _CUSTOM,
    "Crop": {"Input", "XOffset", "YOffset", "XSize", "YSize", "KeepCentered", "KeepAspect"},
    "BetterResize": {"Input", "Width", "Height", "KeepAspect", "FilterMethod", "UseFrameFormatSettings"},
    "Blur": {"Input", "Filter", "LockXY", "XBlurSize", "YBlurSize"},
    "EllipseMask": {"UseFrameFormatSettings", "Filter", "SoftEdge", "Level", "Center", "Width", "Height", "Angle"},
    "PolylineMask": {"UseFrameFormatSettings", "Filter", "SoftEdge", "Level"},
    "Loader": {
        "Clip", "ClipTimeStart", "ClipTimeEnd", "HoldFirstFrame", "HoldLastFrame", "Reverse", "Loop", "Depth",
        "TimeCodeOffset", "MissingFrames",
    },
    "Saver": {"Input", "Clip", "CreateDir", "OutputFormat", "OpenEXRFormat.Depth", "OpenEXRFormat.Compression"},
    "MediaIn": set(),
    "MediaOut": {"Input"},
}  # fmt: skip

MAIN_INPUT = {
    "PipeRouter": ["Input"],
    "Custom": ["Image1", "Image2", "Image3"],
    "Crop": ["Input"],
    "BetterResize": ["Input"],
    "Blur": ["Input"],
    "Saver": ["Input"],
    "MediaOut": ["Input"],
}

OUTPUT = {name: "Mask" if name.endswith("Mask") else "Output" for name in INPUTS}

NUMBERS = {
    "Loader": {
        "GlobalIn": 0, "GlobalOut": 0, "ClipTimeStart": 0, "ClipTimeEnd": 0, "HoldFirstFrame": 0, "HoldLastFrame": 0,
        "Reverse": 0, "Loop": 0, "Depth": 0, "TimeCodeOffset": 0, "MissingFrames": 0,
    },
    "Background": {
        "UseFrameFormatSettings": 1, "TopLeftRed": 0.0, "TopLeftGreen": 0.0, "TopLeftBlue": 0.0, "TopLeftAlpha": 1.0,
    },
    "BetterResize": {"KeepAspect": 1, "UseFrameFormatSettings": 1, "FilterMethod": 2},
    "Crop": {"XOffset": 0, "YOffset": 0, "KeepCentered": 0, "KeepAspect": 0},
    "Blur": {"XBlurSize": 1.0},
    "EllipseMask": {"Level": 1.0, "Angle": 0.0, "Width": 0.5, "Height": 0.5, "Center": (0.5, 0.5)},
    "Custom": {"Blend": 1.0, **{f"{what}Expression": "c1" for what in ("Red", "Green", "Blue", "Alpha")}},
}  # fmt: skip
"""Values of inputs before anybody sets them."""

IDS = {
    "Filter": {"Fast Gaussian", "Box", "Gaussian", "Multi-box", "Bartlett"},
    "OutputFormat": {"OpenEXRFormat"},
}
"""Choices that Fusion knows by a name."""

USER_CONTROLS = {
    "LINKS_Name", "LINKID_DataType", "INPID_InputControl", "INPS_StatusText", "INPS_DefaultText", "INP_Default",
    "INP_MinScale", "INP_MaxScale", "INP_MinAllowed", "INP_MaxAllowed", "INP_Integer", "INP_External", "INP_Passive",
    "ICS_ControlPage", "ICD_Width", "IC_Visible", "TEC_Lines", "TEC_Wrap", "TEC_ReadOnly", "BTNCS_Execute",
}  # fmt: skip
