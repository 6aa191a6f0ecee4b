"""Calls from other threads, and the progress bar."""

import threading
import traceback

from nuke._session import Guarded, Hang, current


def _refuse(what):
    session = current()
    if not session.gui:  # hosts.md A1.4 'Not available without the GUI'
        raise RuntimeError("Invalid function call in non-gui mode")
    if threading.current_thread() is session.thread:
        raise Hang(what)
    return session


def _called(call, args, kwargs):
    """hosts.md A1.4: only a tuple is unpacked; an exception is printed and None comes back."""
    if not isinstance(args, tuple):
        args = (args,)
    try:
        return call(*args, **(kwargs or {}))
    except Exception:
        current().printed.append(traceback.format_exc())
        return None


def executeInMainThread(call, args=(), kwargs=None):
    """hosts.md A1.4: queues and returns at once; gives nothing back."""
    _refuse("executeInMainThread").calls.put(lambda: _called(call, args, kwargs))


def executeInMainThreadWithResult(call, args=(), kwargs=None):
    """hosts.md A1.4: waits for the main thread."""
    session = _refuse("executeInMainThreadWithResult")
    box, done = [], threading.Event()

    def job():
        box.append(_called(call, args, kwargs))
        done.set()

    session.calls.put(job)
    done.wait()
    return box[0]


class ProgressTask:
    """hosts.md A1.4: made on the main thread, may be told from a worker; whole numbers 0 to 100 alone."""

    def __init__(self, name):
        current().check("ProgressTask")
        self.name, self.progress, self.message, self.cancelled = name, 0, "", False
        current().tasks.append(self)

    def setMessage(self, message):
        if not isinstance(message, str):
            raise TypeError("setMessage takes text")
        self.message = message

    def setProgress(self, percent):
        if type(percent) is not int or not 0 <= percent <= 100:
            raise TypeError(f"setProgress takes a whole number from 0 to 100, not {percent!r}")
        self.progress = percent

    def isCancelled(self):
        return self.cancelled


class Undo(Guarded):
    """hosts.md A1.6 'Undo': static."""

    @staticmethod
    def begin():
        current().check("Undo.begin")
        current().undo_open = []

    @staticmethod
    def name(text):
        current().check("Undo.name")

    @staticmethod
    def end():
        session = current()
        session.check("Undo.end")
        if session.undo_open:
            session.undo.append(session.undo_open)
        session.undo_open = None

    @staticmethod
    def cancel():
        Undo.end()
        Undo.undo()

    @staticmethod
    def disable():
        current().check("Undo.disable")
        current().undo_enabled = False

    @staticmethod
    def enable():
        current().check("Undo.enable")
        current().undo_enabled = True

    @staticmethod
    def disabled():
        current().check("Undo.disabled")
        return not current().undo_enabled

    @staticmethod
    def undo():
        session = current()
        session.check("Undo.undo")
        for knob, value, expressions in reversed(session.undo.pop()):
            knob._value, knob._expressions = value, expressions
