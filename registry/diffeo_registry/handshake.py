"""Which plugin API a plugin was written for, and what to say where it isn't the one this registry has.

A plugin module may state ``PLUGIN_API = n``. Whether it does or not, a hook, a record or a field of a record that this
registry does not know is told as what it most likely is: misspelt, or of a newer diffeo-registry.
"""

import inspect
import re
from typing import Any, cast

from diffeo_registry.errors import PluginError
from diffeo_registry.hooks import OLDEST_API, PLUGIN_API, PROJECT, RegistryHooks, RunHooks
from diffeo_registry.wording import did_you_mean, show

__all__ = ["check_api", "check_hooks", "explain"]

_UPGRADE = f"this diffeo-registry has plugin API {PLUGIN_API}; a newer one may know it: pip install -U diffeo-registry"
_UNKNOWN_FIELD = re.compile(
    r"(Component|Kind|Recipe|field)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'"
)


def check_api(module: Any, package: str) -> None:
    """Raise ``PluginError`` where a plugin states a version of the API that isn't supported here, or no version at all."""
    api: Any = getattr(module, "PLUGIN_API", PLUGIN_API)
    if type(api) is not int or api < 1:
        raise PluginError(f"expected PLUGIN_API as an integer >= 1; got {show(api)}")
    if api > PLUGIN_API:
        raise PluginError(
            f"it needs plugin API {api}; this diffeo-registry has {PLUGIN_API}: pip install -U diffeo-registry"
        )
    if api < OLDEST_API:
        raise PluginError(
            f"it was written for plugin API {api}; this diffeo-registry supports {OLDEST_API} to {PLUGIN_API}: "
            f"pip install -U {package}"
        )


def check_hooks(module: Any) -> None:
    """Raise ``PluginError`` for a function marked as a hook whose name is none."""
    known = [name for hooks in (RegistryHooks, RunHooks) for name in vars(hooks) if name.startswith(PROJECT)]
    for name, value in cast("dict[str, Any]", vars(module)).items():
        if inspect.isfunction(value) and f"{PROJECT}_impl" in vars(value) and name not in known:
            raise PluginError(f"it implements an unknown hook {name!r}{did_you_mean(name, known)}; {_UPGRADE}")


def explain(error: BaseException) -> str:
    """What an error at import has to do with the plugin API; empty for one that hasn't."""
    if isinstance(error, PluginError):
        return str(error)
    if isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "diffeo_registry":
        return f"{type(error).__name__}: {error.msg}; {_UPGRADE}"
    unknown = _UNKNOWN_FIELD.search(str(error)) if isinstance(error, TypeError) else None
    return f"{unknown[1]} has no field {unknown[2]!r}; {_UPGRADE}" if unknown else ""
