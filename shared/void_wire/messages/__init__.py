"""The messages that cross the wire: frozen dataclasses and enums, nothing else.

Every message is checked whole when it is made, on either side, so an object that exists is valid.
What each is for, and who answers with what, stands in PROTOCOL.md.
"""

from __future__ import annotations

from void_wire.messages.answers import (
    Inventory,
    JobList,
    JobStatus,
    OthersJob,
    Purged,
    Refused,
    SignTable,
    Spec,
    Welcome,
)
from void_wire.messages.frames import (
    FetchFrame,
    FrameAck,
    FrameHeader,
    FrameRefused,
)
from void_wire.messages.job import (
    WORTH_A_LOOK,
    JobSpec,
    Signs,
    Stage,
    State,
    check_job_id,
    new_job_id,
)
from void_wire.messages.limits import (
    MAX_FRAME_BYTES,
    MAX_FRAMES,
    MAX_NUMBER,
    MAX_SEED,
    MAX_TEXT,
    PROTOCOL_VERSION,
)
from void_wire.messages.requests import (
    AskInventory,
    AskSigns,
    AskSpec,
    Cancel,
    Hello,
    ListJobs,
    Purge,
    Rerun,
    Submit,
    Watch,
)
from void_wire.messages.settings import (
    DRAFT_HAS_NO,
    LAYERS,
    MAX_REDONE,
    PREVIEW_STEPS,
    PictureSettings,
    VoidSettings,
    WindowSeed,
)
from void_wire.messages.shot import (
    SENT_ROLES,
    THUMBNAILS,
    FrameRange,
    Role,
)

__all__ = [
    "DRAFT_HAS_NO",
    "LAYERS",
    "MAX_FRAMES",
    "MAX_FRAME_BYTES",
    "MAX_NUMBER",
    "MAX_REDONE",
    "MAX_SEED",
    "MAX_TEXT",
    "PREVIEW_STEPS",
    "PROTOCOL_VERSION",
    "SENT_ROLES",
    "THUMBNAILS",
    "WORTH_A_LOOK",
    "AskInventory",
    "AskSigns",
    "AskSpec",
    "Cancel",
    "FetchFrame",
    "FrameAck",
    "FrameHeader",
    "FrameRange",
    "FrameRefused",
    "Hello",
    "Inventory",
    "JobList",
    "JobSpec",
    "JobStatus",
    "ListJobs",
    "OthersJob",
    "PictureSettings",
    "Purge",
    "Purged",
    "Refused",
    "Rerun",
    "Role",
    "SignTable",
    "Signs",
    "Spec",
    "Stage",
    "State",
    "Submit",
    "VoidSettings",
    "Watch",
    "Welcome",
    "WindowSeed",
    "check_job_id",
    "new_job_id",
]
