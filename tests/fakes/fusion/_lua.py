"""Fusion's Lua is LuaJIT: what speaks 5.1. Where lupa was built without it, its newest one."""

try:
    from lupa.luajit21 import LuaError, LuaRuntime, lua_type
except ImportError:
    from lupa import LuaError, LuaRuntime, lua_type

__all__ = ["LuaError", "LuaRuntime", "lua_type"]
