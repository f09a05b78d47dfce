# The part of the guest side that is easier said in Python: see python.c.  Its names live in a
# dictionary of their own; nothing of it is a module, and nothing is left in __main__.
#
# What the interpreter does at its end is in Python/pylifecycle.c (Py_FinalizeEx) and pythonrun.c.
import _io
import _weakref
import gc
import os
import posix
import sys


environment = posix.environ
SourceFileLoader = sys.modules["_frozen_importlib_external"].SourceFileLoader
register_at_fork = os.register_at_fork
hooks = []  # what is to be called in a child


def load(modules):
    """In the zygote, once: what programs would load, and what all of them need.

    Returns ",a,b,": beside which scripts, if they import one of these, it is not to be used.
    """
    global newest
    before = set(sys.modules)
    os.register_at_fork = remember
    for name in modules.split(","):
        try:
            if name:
                __import__(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            # It is not installed: a program that wants it will be told.
    os.register_at_fork = register_at_fork
    add_hooks()
    warm()
    close_files()
    newest = next(reversed(sys.modules))
    gc.collect()
    gc.freeze()  # a program's collections shall not write to what it shares
    renew_main()
    ahead = {name.partition(".")[0] for name in set(sys.modules) - before}
    return "," + "".join(name + "," for name in ahead)


def close_files():
    """What modules keep open: a program has none of their descriptors, and under the same numbers
    files of its own, which they would write to or close."""
    for thing in gc.get_objects():
        if issubclass(type(thing), _io._IOBase) and not thing.closed:
            try:
                if thing.fileno() > 2:
                    thing.close()
            except (OSError, ValueError):
                pass  # it has none


def renew_main():
    """A program's own module is to be collected at its end, which what is frozen never is."""
    old = sys.modules["__main__"]
    new = type(old)("__main__")
    vars(new).clear()
    vars(new).update(vars(old))
    sys.modules["__main__"] = new


def remember(**functions):
    register_at_fork(**functions)  # for forks of the program's own
    after_in_child = functions.get("after_in_child")
    # threading's would make locks anew that nobody holds: there is one thread.
    if after_in_child is not None and getattr(after_in_child, "__module__", "") != "threading":
        hooks.append(after_in_child)


def warm():
    """The usual ways through the interpreter, once, so that what they make is there already."""
    import traceback
    space = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(compile("x = [i * i for i in range(9)]\nd = {str(k): k for k in x}\n"
                 "s = f'{d} {1.5:.2f}'\ndef f(n):\n    return n and f(n - 1)\nf(3)\n"
                 "class C:\n    pass\nC()\n", "<warm>", "exec"), space)
    try:
        exec(compile("f(0)[1]", "<warm>", "exec"), space)
    except TypeError:
        traceback.format_exc()


def add_hooks():
    """Random states that modules keep beside what they ask to be called for."""
    loaded = sys.modules
    if "numpy.random" in loaded:
        hooks.append(loaded["numpy.random"].seed)
    if "tempfile" in loaded:
        hooks.append(lambda: setattr(loaded["tempfile"], "_name_sequence", None))
    if "multiprocessing.process" in loaded:
        hooks.append(renew_key)
    if "_ssl" in loaded:
        hooks.append(lambda: loaded["_ssl"].RAND_add(os.urandom(64), 64.0))


def renew_key():
    process = sys.modules["multiprocessing.process"]
    process.current_process()._config["authkey"] = process.AuthenticationString(os.urandom(32))


def after_fork():
    for hook in hooks:
        hook()


def exit_code(value):
    """What sys.exit(value) means."""
    code = getattr(value, "code", None) if isinstance(value, BaseException) else value
    if code is None:
        return 0
    if isinstance(code, int):
        return int(code) & 0xff
    sys.stdout.flush()
    print(code, file=sys.stderr, flush=True)
    return 1


def clear():
    """The end of what the program made: its modules go, and with them what they hold."""
    if gc.isenabled():
        gc.collect()  # once while they are there, as the interpreter does
    names = ["__main__"]
    for name in reversed(sys.modules):  # the order in which they came
        if name == newest:
            break  # to look at the others would cost more than all the rest
        names.append(name)
    references = []
    for name in names:
        module = sys.modules.pop(name, None)
        try:
            references.append(_weakref.ref(module))
        except TypeError:
            pass  # somebody's own kind of module
    module = None
    gc.collect()
    for reference in references:
        module = reference()
        if module is not None:  # something else holds on to it
            clear_module(vars(module))
    module = None
    gc.collect()


def clear_module(space):
    for private in True, False:
        for name in list(space):
            if name != "__builtins__" and (not private or name[0] == "_" and name[1:2] != "_"):
                space[name] = None
