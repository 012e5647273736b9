"""Packages of others that a command needs little of, imported when something of them is used.

KubeSpawner imports all of kubernetes_asyncio's 900 modules; JupyterHub all of alembic, with four dialects of SQL, and
aiohttp, which reads every certificate authority of the system.  `ocfspawner explain` uses a few tens of the first and
nothing of the others, and importing them takes longer than all the rest of it.  What is used is theirs, whole.
"""

import ast
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

_CATALOGUES = frozenset(f"kubernetes_asyncio{part}" for part in ("", ".client", ".client.models", ".client.api"))
"""Packages that do nothing but import their modules, or names from them."""

_ABSENT: Sequence[Mapping[str, Sequence[str]]] = (
    {"alembic": (), "alembic.command": (), "alembic.config": (), "alembic.script": ("ScriptDirectory",)},
    {"jupyterhub.httpclient": ("fetch",)},
    {"aiohttp": ()},
    {"kubernetes_asyncio.watch": ()},
)
"""Modules that are imported and hardly used, with what is imported from them by name (jupyterhub 6.1.1, orm.py:14 and
utils.py:34; kubespawner 7.1.0, reflector.py:8).  Those that stand together are replaced together."""


def defer() -> None:
    """From now on in this process; what has been imported already stays as it is."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    for group in _ABSENT:
        if not any(name in sys.modules for name in group):
            sys.modules.update((name, _StandIn(name, group)) for name in group)


class _Finder(MetaPathFinder):
    """Finds the catalogues where Python does, and has them loaded by `_Catalogue`.

    And what is there already: who imports a module in one that a stand-in stands for has the whole package imported
    by asking for its ``__path__``, and with it perhaps this very module.  It must not be there twice.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in sys.modules and target is None:
            return ModuleSpec(fullname, _There(sys.modules[fullname]))
        spec = PathFinder.find_spec(fullname, path, target) if fullname in _CATALOGUES else None
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Catalogue(fullname, spec.loader.path)
        return spec


class _There(Loader):
    """Loads a module that has been imported."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module as it is."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to be done, but for what Python has just noted."""
        module.__spec__ = self._spec


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
        tree.body = [statement for statement in tree.body if not isinstance(statement, ast.ImportFrom | ast.Import)]
        exec(compile(tree, self.path, "exec"), vars(module))  # noqa: S102 - its __version__ and __all__

        def look(name: str) -> Any:
            if name in origins:
                origin, its_name = origins[name]
                found = getattr(import_module(origin), its_name) if its_name else import_module(origin)
            elif name.startswith("__"):
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            else:
                # One of its modules, which would be there had all been imported.
                found = _submodule(module.__name__, name)
            setattr(module, name, found)
            return found

        module.__getattr__ = look  # type: ignore[method-assign]


def _origins(tree: ast.Module) -> Mapping[str, tuple[str, str]] | None:
    """Module and name there, if it is not the module itself, of all that is imported.

    ``None`` when the code does anything else.
    """
    found = {}
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            for alias in statement.names:
                found[alias.asname or alias.name] = (statement.module, alias.name)
        elif isinstance(statement, ast.Import) and all(alias.asname for alias in statement.names):
            for alias in statement.names:
                found[str(alias.asname)] = (alias.name, "")
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

    def __init__(self, module: str, group: Mapping[str, Sequence[str]], name: str = "") -> None:
        super().__init__(module)
        self._group = group
        self._object = name
        for each in () if name else group[module]:
            setattr(self, each, _StandIn(module, group, each))

    def __getattr__(self, name: str) -> Any:
        # __path__ is asked for by whoever imports a module in it, but also by whoever imports one of the objects;
        # __file__ and others by whoever looks through all modules.
        if name.startswith("__") and (name != "__path__" or self._group[self.__name__]):
            raise AttributeError(name)
        return getattr(self._real(), name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._real()(*arguments, **options)

    def _real(self) -> Any:
        if isinstance(sys.modules.get(self.__name__), _StandIn):
            for each in self._group:
                del sys.modules[each]
            for each in self._group:
                import_module(each)
        real = import_module(self.__name__)
        return getattr(real, self._object) if self._object else real
