"""Two packages of others that a command needs little of, imported when something of them is used.

KubeSpawner imports all of kubernetes_asyncio's 900 modules, and JupyterHub's tables all of alembic with four
dialects of SQL.  A command uses a few tens of the former, and of the latter nothing but for the look at the
database: importing them takes longer than all the rest of `ocfspawner explain`.  What is used is theirs, whole.
"""

import ast
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_CATALOGUES = frozenset(f"kubernetes_asyncio.client{part}" for part in ("", ".models", ".api"))
"""Packages that do nothing but import names from their modules."""

_ABSENT: Mapping[str, Sequence[str]] = {
    "alembic": (),
    "alembic.command": (),
    "alembic.config": (),
    "alembic.script": ("ScriptDirectory",),
}
"""Modules that are imported and hardly used, with what is imported from them by name (jupyterhub 6.1.1, orm.py:14)."""


def defer() -> None:
    """From now on in this process; what has been imported already stays as it is."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    if not any(name in sys.modules for name in _ABSENT):
        for name, objects in _ABSENT.items():
            sys.modules[name] = _StandIn(name, objects)


class _Finder(MetaPathFinder):
    """Finds the catalogues where Python does, and has them loaded by `_Catalogue`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in _CATALOGUES else None
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Catalogue(fullname, spec.loader.path)
        return spec


class _Catalogue(SourceFileLoader):
    """Loads a package by reading where its names come from, instead of importing all of them.

    A package that does more than import names is loaded as ever.
    """

    def exec_module(self, module: ModuleType) -> None:
        """Let *module* look for each name when it is asked for."""
        tree = ast.parse(self.get_source(module.__name__) or "")
        origins = _origins(tree)
        if origins is None:
            super().exec_module(module)
            return
        tree.body = [statement for statement in tree.body if not isinstance(statement, ast.ImportFrom)]
        exec(compile(tree, self.path, "exec"), vars(module))  # noqa: S102 - its __version__ and __all__

        def look(name: str) -> Any:
            if name in origins:
                origin, its_name = origins[name]
                found = getattr(import_module(origin), its_name)
            elif name.startswith("__"):
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            else:
                # One of its modules, which would be there had all been imported.
                found = _submodule(module.__name__, name)
            setattr(module, name, found)
            return found

        module.__getattr__ = look  # type: ignore[method-assign]


def _origins(tree: ast.Module) -> Mapping[str, tuple[str, str]] | None:
    """Module and name of each name that is imported; ``None`` when the code does anything else."""
    found = {}
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            for alias in statement.names:
                found[alias.asname or alias.name] = (statement.module, alias.name)
        elif isinstance(statement, ast.Assign) and all(_is_dunder(target) for target in statement.targets):
            pass
        elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            return None
    return found


def _is_dunder(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id.startswith("__")


def _submodule(package: str, name: str) -> ModuleType:
    whole = f"{package}.{name}"
    try:
        return import_module(whole)
    except ModuleNotFoundError as error:
        if error.name != whole:
            raise
        raise AttributeError(f"module {package!r} has no attribute {name!r}") from None


class _StandIn(ModuleType):
    """In the place of a module, or of an object in one, until something of it is asked for."""

    def __init__(self, module: str, objects: Sequence[str] = (), name: str = "") -> None:
        super().__init__(module)
        self._object = name
        self._objects = objects
        for each in objects:
            setattr(self, each, _StandIn(module, name=each))

    def __getattr__(self, name: str) -> Any:
        # __path__ is asked for by whoever imports a module in it, but also by whoever imports one of the objects;
        # __file__ and others by whoever looks through all modules.
        if name.startswith("__") and (name != "__path__" or self._objects):
            raise AttributeError(name)
        if isinstance(sys.modules.get(self.__name__), _StandIn):
            for each in _ABSENT:
                del sys.modules[each]
            for each in _ABSENT:
                import_module(each)
        real = import_module(self.__name__)
        return getattr(getattr(real, self._object) if self._object else real, name)
