"""A .setting file by a real Lua: its tables, with the name of each constructor."""

from dataclasses import dataclass, field

from fusion._lua import LuaRuntime

_READER = """
return function(text)
  local place = setmetatable({}, {__index = function(_, name)
    return function(given)
      if given == nil then return function(later) later.__class = name; return later end end
      given.__class = name
      return given
    end
  end})
  local chunk, wrong = load("return " .. text, "setting", "t", place)
  if not chunk then error(wrong) end
  return chunk()
end
"""


@dataclass
class Table:
    """``Name { ... }``: ``cls`` is "" for a table without a name; what has no key is in ``rows``."""

    cls: str = ""
    keys: dict = field(default_factory=dict)
    rows: list = field(default_factory=list)

    def __getitem__(self, key):
        return self.keys[key]

    def get(self, key, otherwise=None):
        return self.keys.get(key, otherwise)


def read(text):
    """The file's one table. Raises LuaError where Lua does not read it."""
    return _table(LuaRuntime(register_eval=False).execute(_READER)(text))


def _table(value):
    if not hasattr(value, "items"):
        return value
    made = Table()
    for key, inner in sorted(value.items(), key=lambda pair: (isinstance(pair[0], str), pair[0])):
        if key == "__class":
            made.cls = "" if inner == "ordered" else inner
        elif isinstance(key, str):
            made.keys[key] = _table(inner)
        else:
            made.rows.append(_table(inner))
    return made
