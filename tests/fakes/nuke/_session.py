"""What the fake Nuke knows: one session, its thread, its script, and what it showed the user."""

import functools
import queue
import threading


class WrongThread(AssertionError):
    """Nuke was called from another thread than its main one: hosts.md A1.4, 'main-thread only'."""


class Hang(AssertionError):
    """The real Nuke would stand still here: hosts.md A1.4, 'Called from the main thread, both can hang Nuke'."""


class Session:
    """``gui`` False is ``nuke -t`` and ``-x``."""

    def __init__(self, gui=True):
        self.gui = gui
        self.thread = threading.current_thread()
        self.calls = queue.Queue()  # what executeInMainThread queued
        self.messages = []  # shown by nuke.message
        self.answer = True  # to nuke.ask
        self.printed = []  # tracebacks of swallowed exceptions
        self.plugin_path = []
        self.context = []  # open groups, the innermost last
        self.this = []  # (node, knob) while a callback or a button runs
        self.callbacks = {}  # "knobChanged" -> [(call, args, kwargs, nodeClass, node)]
        self.undo = []  # chunks: [(knob, what it was)]
        self.undo_open = None
        self.undo_enabled = True
        self.root = None
        self.commands = {}  # menu path -> script, or what is called
        self.panels = {}  # id -> what opens it
        self.main = {}  # the names of menu.py and of the Script Editor
        self.shown = []  # full names of nodes whose properties were opened
        self.zoomed_to = []
        self.tasks = []  # every ProgressTask
        self.views = ["main"]
        self.licence = ""  # "indie" or "nc"
        self.cancel_after = None  # nuke.execute: the user cancels after so many frames

    def check(self, what):
        if threading.current_thread() is not self.thread:
            raise WrongThread(f"{what} from thread {threading.current_thread().name}")

    def pump(self, wait_s=0.0):
        """What the event loop does: run what other threads queued. Returns how many calls that were."""
        self.check("pump")
        count = 0
        while True:
            try:
                call = self.calls.get(timeout=wait_s) if wait_s and not count else self.calls.get_nowait()
            except queue.Empty:
                return count
            call()
            count += 1


_current = None


def current():
    return _current


def start(gui=True):
    """A new session, on the thread that calls this."""
    global _current
    _current = Session(gui)
    from nuke._nodes import Root

    _current.root = Root()
    return _current


def main_only(function):
    """The function may be called on the main thread alone."""

    @functools.wraps(function)
    def guarded(*args, **kwargs):
        current().check(f"nuke.{function.__name__}")
        return function(*args, **kwargs)

    return guarded


class Guarded:
    """Every public attribute may be touched on the main thread alone."""

    def __getattribute__(self, name):
        if not name.startswith("_"):
            current().check(f"{type(self).__name__}.{name}")
        return object.__getattribute__(self, name)
