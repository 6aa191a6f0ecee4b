"""Resolve's own objects around a comp: project, timeline, the clip at the playhead."""

from fusion._session import Fusion, Proxy


class PoolItem(Proxy):
    def __init__(self, session, path):
        super().__init__(session)
        self._path = path

    def GetClipProperty(self, name):
        return self._path if name == "File Path" else None


class TimelineItem(Proxy):
    """``source``: first and last frame of the file that the timeline shows; ``handles``: what lies beyond."""

    def __init__(self, session, path="", source=(86400, 86447), handles=(10, 5), start=90000, duration=None):
        super().__init__(session)
        self._path, self._source, self._handles, self._start = path, source, handles, start
        self._duration = duration or source[1] - source[0] + 1

    def GetStart(self, subframe_precision):
        return self._start

    def GetDuration(self, subframe_precision):
        return self._duration

    def GetSourceStartFrame(self):
        return self._source[0]

    def GetSourceEndFrame(self):
        return self._source[1]

    def GetLeftOffset(self, subframe_precision):
        return self._handles[0]

    def GetRightOffset(self, subframe_precision):
        return self._handles[1]

    def GetMediaPoolItem(self):
        return PoolItem(self._session, self._path) if self._path else None


class Timeline(Proxy):
    def __init__(self, session, item):
        super().__init__(session)
        self._item = item

    def GetCurrentVideoItem(self):
        return self._item


class Project(Proxy):
    def __init__(self, session, name, settings, item):
        super().__init__(session)
        self._name, self._settings, self._item = name, settings, item

    def GetName(self):
        return self._name

    def GetSetting(self, name):
        return self._settings.get(name, "")

    def GetCurrentTimeline(self):
        return Timeline(self._session, self._item)


class ProjectManager(Proxy):
    def __init__(self, session, project):
        super().__init__(session)
        self._project = project

    def GetCurrentProject(self):
        return self._project


class Resolve(Proxy):
    """``settings`` None: no project is open."""

    def __init__(self, session, settings, item=None, name="Show.01", product="DaVinci Resolve Studio"):
        super().__init__(session)
        self._project = Project(session, name, settings, item) if settings is not None else None
        self._product = product

    def Fusion(self):
        return Fusion(self._session)

    def GetProductName(self):
        return self._product

    def GetVersionString(self):
        return "21.1.0b.7"

    def GetProjectManager(self):
        return ProjectManager(self._session, self._project)
