"""Fusion's own windows: what is asked of them by the names in its scripting guide, and a person who clicks."""

_KNOWN = {
    "VGroup": set(),
    "HGroup": {"Weight"},
    "Button": {"ID", "Text", "Weight"},
    "Label": {"ID", "Text", "Weight", "WordWrap"},
    "ComboBox": {"ID", "Weight"},
    "Timer": {"ID", "Interval"},
}


class Element:
    def __init__(self, kind, properties, children):
        unknown = set(properties) - _KNOWN[kind]
        assert not unknown, f"{kind} has no {unknown}"
        self.kind, self.ID, self.children = kind, properties.get("ID", ""), children
        self.Text, self.CurrentIndex, self.items, self.running = properties.get("Text", ""), -1, [], False

    def Clear(self):
        self.items, self.CurrentIndex = [], -1

    def AddItems(self, items):
        self.items += items
        self.CurrentIndex = max(self.CurrentIndex, 0)

    def Start(self):
        self.running = True

    def Stop(self):
        self.running = False


class UIManager:
    def __getattr__(self, kind):
        def make(*given):
            properties = next((one for one in given if isinstance(one, dict)), {})
            children = next((one for one in given if isinstance(one, list)), [])
            return Element(kind, properties, children)

        return make


class Events(dict):
    """``On["id"].Clicked = call``."""

    def __missing__(self, name):
        self[name] = type("Handlers", (), {})()
        return self[name]


class Window:
    def __init__(self, properties, children):
        self.ID, self.On, self.shown = properties["ID"], Events(), False
        self._items, waiting = {}, list(children)
        while waiting:
            element = waiting.pop()
            self._items[element.ID] = element
            waiting += element.children

    def GetItems(self):
        return self._items

    def Show(self):
        self.shown = True

    def Hide(self):
        self.shown = False


class Dispatcher:
    """``person`` is called by RunLoop with the dispatcher, and clicks until it calls ExitLoop.

    What a timer does is told by the dispatcher, ``On.Timeout``, and by no window.
    """

    def __init__(self, person):
        self.On, self.person, self.window, self.left = type("Handlers", (), {})(), person, None, False

    def AddWindow(self, properties, children):
        self.window = Window(properties, children)
        return self.window

    def RunLoop(self):
        self.person(self)
        assert self.left, "the window was never closed"

    def ExitLoop(self):
        self.left = True

    def click(self, name):
        self.window.On[name].Clicked({})

    def later(self):
        self.On.Timeout({"who": "look"})


class Bmd:
    def __init__(self, person):
        self.person = person

    def UIDispatcher(self, ui):
        self.dispatcher = Dispatcher(self.person)
        return self.dispatcher
