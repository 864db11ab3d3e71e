# SPDX-License-Identifier: MIT
#
# check_python.py <file ...>: compiles each file with the interpreter that runs this, and reports global names that nothing
# defines: Python itself reports them only when it reaches them. A file declares the names that its caller provides in lines
# "# globals: name, name".
import builtins
import re
import symtable
import sys
import warnings

OF_EVERY_MODULE = {'__builtins__', '__doc__', '__file__', '__name__', '__spec__'}


def scopes(table):
    yield table
    for child in table.get_children():
        yield from scopes(child)


def defined_names(module):
    """The names that a module has: those that it assigns or imports, and what its functions assign as global."""
    for scope in scopes(module):
        for symbol in scope.get_symbols():
            if scope is module or symbol.is_declared_global():
                if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
                    yield symbol.get_name()


def problems(file, text):
    """The names that are used as global and not defined."""
    module = symtable.symtable(text, file, 'exec')
    declared = ' '.join(re.findall(r'^# globals: (.*)$', text, re.M))
    known = {*dir(builtins), *OF_EVERY_MODULE, *defined_names(module), *re.findall(r'\w+', declared)}
    for scope in scopes(module):
        for symbol in scope.get_symbols():
            is_global = scope is module or symbol.is_global()
            if is_global and symbol.is_referenced() and symbol.get_name() not in known:
                yield '%s: %s uses %s, which nothing defines' % (file, scope.get_name(), symbol.get_name())


def check(file):
    with open(file, encoding='utf-8') as stream:
        text = stream.read()
    try:
        compile(text, file, 'exec', dont_inherit=True)
    except SyntaxError as error:
        return ['%s:%s: %s' % (file, error.lineno, error.msg)]
    return sorted(problems(file, text))


warnings.simplefilter('error')
found = [problem for file in sys.argv[1:] for problem in check(file)]
for problem in found:
    print('Python %d.%d: %s' % (*sys.version_info[:2], problem), file=sys.stderr)
sys.exit(1 if found else 0)
