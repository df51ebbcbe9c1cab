"""Annotations of the package checked while it runs: every function is decorated by beartype as its module is imported.

Not by `beartype.claw`, which decorates classes too: named tuples of the package hold what their annotations merely
describe. Nor by jaxtyping's hook: it binds the arguments of each call once more, for shapes, which nothing here names.
"""

import ast
import importlib.machinery
import re
import sys

_CHECK = "_check_annotations"


class _Decorated(ast.NodeTransformer):
    """Decorates; annotations with names that are imported for type checkers alone are left out."""

    def __init__(self):
        self.unknown = set()

    def visit_If(self, node):
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            self.unknown |= {name.asname or name.name for line in node.body for name in getattr(line, "names", ())}
        return self.generic_visit(node)

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        for holder in (part for part in ast.walk(node.args) if isinstance(part, ast.arg)):
            if self._is_unknown(holder.annotation):
                holder.annotation = None
        if self._is_unknown(node.returns):
            node.returns = None
        node.decorator_list.append(ast.copy_location(ast.Name(_CHECK, ast.Load()), node))  # the innermost
        return node

    def _is_unknown(self, annotation):
        texts = [part.value for part in ast.walk(annotation or ast.Pass()) if isinstance(part, ast.Constant)]
        return any(self.unknown & set(re.findall(r"\w+", text)) for text in texts if isinstance(text, str))


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):  # never from bytecode, which may be of undecorated source
        path = self.get_filename(fullname)
        tree = _Decorated().visit(ast.parse(self.get_data(path), path))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)

    def exec_module(self, module):
        import beartype

        setattr(module, _CHECK, beartype.beartype)
        super().exec_module(module)


class _Finder(importlib.machinery.PathFinder):
    package = ""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname != cls.package and not fullname.startswith(f"{cls.package}."):
            return None
        spec = super().find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def check(package: str) -> None:
    """From now on, for modules of `package` that aren't imported yet."""
    _Finder.package = package
    sys.meta_path.insert(0, _Finder)
