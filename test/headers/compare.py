#!/usr/bin/env python3
"""compare.py OURS REFERENCE: what a program may use of the headers in REFERENCE/gc must be there in
OURS/gc and be the same. Prints what is not and fails.

In each configuration a program may choose by macros:
  macros         exist with as many parameters; expand to the same value, or speak of the same functions
  functions, variables, types   exist and have the same type and attributes, says the compiler
what is new in ours and no declaration begins with GC_ or CORD_; and what is new and one is listed in
test/libgc/later-names.
"""
import os
import re
import subprocess
import sys
import tempfile

LATER = {line.split()[0] for line in open(os.path.dirname(os.path.abspath(__file__)) + "/../libgc/later-names")
         if line.strip() and not line.startswith("#")}

C = ["gc/gc.h", "gc/gc_mark.h", "gc/gc_typed.h", "gc/gc_inline.h", "gc/gc_gcj.h", "gc/gc_disclaim.h",
     "gc/gc_backptr.h", "gc/javaxfc.h"]
LEAKS = ["gc/leak_detector.h"] + C   # first, as it defines GC_DEBUG
CORDS = ["gc/cord.h", "gc/ec.h"]
CXX = C + CORDS + ["gc_cpp.h", "gc/gc_allocator.h"]
SETTINGS = """GC_DONT_EXPAND GC_FORCE_UNMAP_ON_GCOLLECT GC_MAX_RETRIES=3 GC_ALLOCD_BYTES_PER_FINALIZER=4
    GC_FREE_SPACE_DIVISOR=5 GC_FULL_FREQ=6 GC_TIME_LIMIT=7 GC_MARKERS=8 GC_SIG_SUSPEND=9
    GC_SIG_THR_RESTART=10 GC_MAXIMUM_HEAP_SIZE=11 GC_IGNORE_WARN GC_INITIAL_HEAP_SIZE=12""".split()

CONFIGURATIONS = [("c", C, definitions.split()) for definitions in (
    "", "GC_THREADS", "GC_DEBUG", "GC_DEBUG GC_DEBUG_REPLACEMENT", "GC_THREADS GC_NO_THREAD_REDIRECTS",
    "GC_THREADS GC_PTHREAD_REDIRECTS_ONLY", "GC_THREADS GC_USE_LD_WRAP", "GC_LINUX_THREADS",
    "LINUX_THREADS GC_NO_DLOPEN GC_NO_PTHREAD_CANCEL GC_NO_PTHREAD_SIGMASK", "USE_LD_WRAP",
    "GC_REQUIRE_WCSDUP", "GC_REQUIRE_WCSDUP GC_DEBUG", "I_HIDE_POINTERS", "GC_I_HIDE_POINTERS",
    "GC_OOM_FUNC_RETURNS_ALIAS", "GC_DONT_GC", "NDEBUG GC_NO_PREFETCH_FOR_WRITE", "NOT_GCBUILD",
    "GC_API=extern GC_ATTR_DEPRECATED= GC_ATTR_MALLOC=")]
CONFIGURATIONS += [
    ("c", C, SETTINGS), ("c", C, SETTINGS + ["GC_THREADS"]), ("c", LEAKS, []),
    ("c", LEAKS, ["GC_REQUIRE_WCSDUP", "GC_THREADS"])]
CONFIGURATIONS += [("c", CORDS, definitions.split()) for definitions in (
    "", "CORD_NO_IO", "CORD_BUFSZ=64", "CORD_API=extern")]
CONFIGURATIONS += [("c++", CXX, definitions.split()) for definitions in (
    "", "GC_NAMESPACE GC_INCLUDE_NEW", "GC_NEW_ABORTS_ON_OOM", "GC_NO_OPERATOR_NEW_ARRAY")]

# Not for programs: bdwgc's way to put its version together, and a function of Windows.
# What is ours to say, not what the reference is: which release's interface it is.
VERSION = {"GC_VERSION_MICRO"}
PRIVATE = {"GC_TMP_VERSION_MAJOR", "GC_TMP_VERSION_MINOR", "GC_TMP_VERSION_MICRO", "GC_win32_free_heap"}

# What releases after 8.2.2 have, and 8.2.2's headers do not: a macro that is no name of libgc's, and
# functions that take NULL, where they did not.
LATER_MACROS = {"malloc_usable_size"}
LATER_TAKE_NULL = {"GC_size", "GC_register_disclaim_proc"}

# Written otherwise, to the same effect: calls.c and cords.c use them. GC_MAKE_PROC converts its env since
# 8.2.4.
BY_BEHAVIOUR = {"GC_MAKE_PROC", "GC_FAST_MALLOC_GRANS", "GC_FAST_M_AO_STORE", "GC_MALLOC_WORDS_KIND", "GC_MALLOC_WORDS",
                "GC_MALLOC_ATOMIC_WORDS", "GC_CONS", "GC_ASSERT", "GC_WORDS_TO_GRANULES",
                "GC_WORDS_TO_WHOLE_GRANULES", "CORD_pos_to_index", "CORD_pos_to_cord", "CORD_pos_valid",
                "CORD_pos_chars_left", "CORD_pos_cur_char_addr", "CORD_ec_init"}


def preprocess(root, language, headers, definitions, more="", flags=()):
    source = "".join("#include <%s>\n" % header for header in headers) + more
    done = subprocess.run(
        ["gcc", "-x", language, "-E", *flags, "-I", root, *("-D" + each for each in definitions), "-"],
        input=source, capture_output=True, text=True)
    if done.returncode:
        sys.exit("compare.py: %s %s\n%s" % (root, definitions, done.stderr))
    return done.stdout


def own_lines(root, text):
    """The lines that come from the headers in root, without those that came with them."""
    mine = False
    for line in text.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            mine = re.match(re.escape(root) + r"/+(gc/\w+|gc_cpp|gc)\.h$", marker.group(1)) is not None
        elif mine:
            yield line


class Headers:
    def __init__(self, root, language, headers, definitions):
        self.arguments = (root, language, headers, definitions)
        self.macros = self.find_macros()
        self.statements = self.find_statements()

    def find_macros(self):
        found = {}
        root, language, headers, definitions = self.arguments
        for line in own_lines(root, preprocess(root, language, headers, definitions, flags=["-dD"])):
            directive = re.match(r"#(define|undef) (\w+)(\(([^)]*)\))?", line)
            if not directive:
                continue
            if directive.group(1) == "undef":
                found.pop(directive.group(2), None)
            else:
                found[directive.group(2)] = directive.group(4) if directive.group(3) else None
        return found

    def find_statements(self):
        """What is declared: name to (kind, text, attributes)."""
        if self.arguments[1] != "c":
            return {}
        text = " ".join(own_lines(self.arguments[0], preprocess(*self.arguments)))
        text = re.sub(r"\s+", " ", text)
        found = {}
        for statement in re.findall(r"(?:[^;{}]|\{[^}]*\})+;", text):
            attributes = re.findall(r"__attribute__ ?\(\((\w+(?: ?\([^)]*\))?)\)\)", statement)
            plain = re.sub(r"__attribute__ ?\(\(\w+(?: ?\([^)]*\))?\)\)", "", statement).strip()
            enumeration = re.match(r"typedef enum \{(.*)\} ?(\w+) ?;", plain)
            structure = re.match(r"struct (\w+) ?\{(.*)\} ?;", plain)
            named = re.match(r"typedef struct (\w+) ?\{(.*)\} ?((\w+)(\[\w+\])?) ?;", plain)
            opaque = re.match(r"struct (\w+) ?;", plain)
            if enumeration:
                found[enumeration.group(2)] = ("enum", enumeration.group(1), [])
            elif structure:
                found[structure.group(1)] = ("struct", structure.group(2), [])
            elif named:
                found[named.group(1)] = ("struct", named.group(2), [])
                found[named.group(4)] = (
                    "typedef", "typedef struct %s %s;" % (named.group(1), named.group(3)), [])
            elif opaque:
                found[opaque.group(1)] = ("opaque", "", [])
            else:
                name = (re.search(r"\( ?\* ?(\w+) ?\)", plain) or re.search(r"((?:GC|CORD)_\w+) ?\(", plain)
                        or re.search(r"(\w+) ?;$", plain)).group(1)
                kind = "typedef" if plain.startswith("typedef") else "object"
                found[name] = (kind, plain, sorted(each.replace(" ", "") for each in attributes))
        return found

    def expansions(self, names):
        """Each macro of these, used with its parameters' names as arguments."""
        lines = "".join('@"%s"@ %s%s\n' % (
            name, name, "" if self.macros[name] is None else "(%s)" % self.macros[name])
            for name in names)
        text = preprocess(*self.arguments, more="\n" + lines, flags=["-P"])
        return dict(re.findall(r'@"(\w+)"@([^@]*)', text))


def parameters(macro):
    return None if macro is None else len([each for each in macro.split(",") if each.strip()])


def value(expansion):
    """A number if it is one, otherwise its tokens."""
    if re.fullmatch(r"[\s\w()+*/<>|~-]*\d[\s\w()+*/<>|~-]*", expansion) and "GC" not in expansion:
        try:
            return eval(expansion, {"__builtins__": {}})
        except (SyntaxError, NameError, TypeError):
            pass
    return re.sub(r"\s+", "", expansion)


def compare_macros(ours, reference, complain):
    common = []
    for name, macro in reference.macros.items():
        if name in PRIVATE:
            continue
        if name not in ours.macros:
            complain("macro %s is missing" % name)
        elif parameters(ours.macros[name]) != parameters(macro):
            complain("macro %s takes other arguments" % name)
        else:
            common.append(name)
    for name in ours.macros.keys() - reference.macros.keys() - LATER_MACROS:
        if not name.startswith(("GC_", "CORD_")):
            complain("macro %s is not ours to define" % name)
    for name in common:   # its arguments must have the same names for the expansions to compare
        ours.macros[name] = reference.macros[name]
    left, right = ours.expansions(common), reference.expansions(common)
    for name in common:
        if name in BY_BEHAVIOUR or name in VERSION:
            continue
        one, other = left[name], right[name]
        if value(one) == value(other):
            continue
        speak_of = [set(re.findall(r"\b(?:GC_|CORD_|std::|boehmgc::)\w+", each)) - {"GC_word"}
                    for each in (one, other)]
        if speak_of[0] != speak_of[1] or not speak_of[1]:
            complain("macro %s is %s, not %s" % (name, one.strip(), other.strip()))


def compare_declarations(ours, reference, complain):
    checks, uses = [], []
    for name, (kind, text, attributes) in reference.statements.items():
        if name in PRIVATE:
            continue
        mine = ours.statements.get(name)
        if not mine or mine[0] != kind:
            complain("%s %s is missing" % (kind, name))
        elif kind == "object":
            uses.append("(void)&%s;" % name)
            checks.append("#undef %s\n%s" % (name, text))   # it may be a macro as well
            if name in LATER_TAKE_NULL:
                attributes = [each for each in attributes if not each.startswith("__nonnull__")]
            if mine[2] != attributes:
                complain("%s has attributes %s, not %s" % (name, mine[2], attributes))
        elif kind == "typedef":
            checks.append(text)
        elif kind == "struct":
            checks.append("struct reference_%s {%s};" % (name, text))
            checks.append('_Static_assert(sizeof(struct %s) == sizeof(struct reference_%s), "%s");'
                          % (name, name, name))
            for field in re.findall(r"(\w+) ?(?:\[[^]]*\])? ?;", text):
                member = "((struct %s *)0)->" + field
                checks.append(
                    '_Static_assert(offsetof(struct %s, %s) == offsetof(struct reference_%s, %s) &&'
                    " __builtin_types_compatible_p(__typeof__(%s), __typeof__(%s)),"
                    ' "%s.%s");' % (name, field, name, field, member % name,
                                    member % ("reference_" + name), name, field))
        elif kind == "enum":
            checks.append("enum {%s};" % re.sub(r"\bGC_", "reference_GC_", text))
            for enumerator in re.findall(r"\bGC_\w+", text):
                checks.append('_Static_assert(%s == (int)reference_%s, "%s");'
                              % (enumerator, enumerator, enumerator))
    for name in ours.statements.keys() - reference.statements.keys() - LATER:
        complain("%s is declared, but not by the reference" % name)
    root, language, headers, definitions = ours.arguments
    source = "".join("#define %s %s\n" % tuple((each + "=1").split("=")[:2]) for each in definitions)
    source += "".join("#include <%s>\n" % header for header in headers)
    source += "#include <stddef.h>\nvoid uses(void);\nvoid uses(void) {\n%s\n}\n%s\n" % (
        "\n".join(uses), "\n".join(checks))
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write(source)
        file.flush()
        done = subprocess.run(
            ["gcc", "-std=gnu11", "-w", "-fsyntax-only", "-I", root, file.name],
            capture_output=True, text=True)
    if done.returncode:
        for line in re.findall(r"error: .*", done.stderr):
            complain(line)


def main():
    ours_root, reference_root = sys.argv[1:]
    complaints = []
    counted = [set(), set()]
    for language, headers, definitions in CONFIGURATIONS:
        def complain(text):
            line = "%s [%s %s]" % (text, language, " ".join(definitions))
            if not any(each.startswith(text + " [") for each in complaints):
                complaints.append(line)
        ours = Headers(ours_root, language, headers, definitions)
        reference = Headers(reference_root, language, headers, definitions)
        counted[0] |= reference.macros.keys()
        counted[1] |= reference.statements.keys()
        compare_macros(ours, reference, complain)
        if language == "c":
            compare_declarations(ours, reference, complain)
    for complaint in complaints:
        print(complaint)
    print("%d macros, %d declarations in %d configurations: %d differ" % (
        len(counted[0]), len(counted[1]), len(CONFIGURATIONS), len(complaints)))
    if len(counted[0]) < 150 or len(counted[1]) < 200:
        sys.exit("compare.py: hardly anything was found in %s" % reference_root)
    sys.exit(1 if complaints else 0)


main()
