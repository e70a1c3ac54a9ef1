"""The shape of the project: imports flow one way, folders list what they hold, CONTRIBUTING's tree is the tree."""

import ast
import graphlib
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("model", "hub_cards", "stackmix", "stackgen", "evaluate")
MAY_IMPORT = {
    "model": {"model"},
    "hub_cards": {"model", "hub_cards"},
    "stackmix": {"model", "hub_cards", "stackmix"},
    "stackgen": {"model", "hub_cards", "stackgen"},
    "evaluate": {"model", "hub_cards", "evaluate"},
}
COMPOSERS = ("stackgen/cli.py", "stackgen/commands/")
"""The command line composes every folder."""
PEERS = (
    "pytorch_grad_cam",
    "captum",
    "quantus",
    "torchcam",
    "torchmetrics",
    "zennit",
    "timm",
    "torchvision",
    "diffusers",
    "transformers",
    "scipy",
)
"""Libraries that are imported only where one of their methods, networks or functions is asked for."""
HEAVY = (*PEERS, "torch", "datasets", "pyarrow", "pandas", "matplotlib", "numpy", "huggingface_hub")

MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PACKAGES = sorted(path.parent for path in MODULES if path.name == "__init__.py")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}:{node.lineno}: relative imports hide the layer"
            found.add(node.module or "")
    return found


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_flow_one_way(path: Path) -> None:
    if relative(path).startswith(COMPOSERS):
        return
    allowed = MAY_IMPORT[path.relative_to(ROOT).parts[0]]
    layers = {name.split(".")[1] for name in imported(path) if name.startswith("stackwalls.")}
    assert layers <= allowed, f"{relative(path)} imports {sorted(layers - allowed)}"


def module_name(path: Path) -> str:
    name = "stackwalls." + relative(path).removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")


def listed_names(package: Path) -> dict[str, str]:
    """Name → the module that it comes from, as the stub of a package lists them, those of its folders included."""
    found: dict[str, str] = {}
    stub = package / "__init__.pyi"
    for node in ast.parse(stub.read_text(encoding="utf-8")).body if stub.exists() else ():
        if isinstance(node, ast.ImportFrom):
            home = module_name(package / "__init__.py") + "." + (node.module or "")
            folder = package / (node.module or "").replace(".", "/")
            own = listed_names(folder) if folder.is_dir() else {}
            found |= {alias.name: own.get(alias.name, home) for alias in node.names}
    return found


def imported_modules(path: Path, modules: set[str], names: dict[str, dict[str, str]]) -> set[str]:
    """The project's modules that a file imports, wherever in it; a package's names count as the modules they are in."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            home = names.get(node.module, {})
            found |= {home.get(alias.name, f"{node.module}.{alias.name}") for alias in node.names} | {node.module}
    return found & modules


def test_no_import_circles() -> None:
    """No module imports itself through others, lazily or for types either."""
    modules = {module_name(path) for path in MODULES if path.name != "__init__.py"}
    names = {module_name(package / "__init__.py"): listed_names(package) for package in PACKAGES}
    graph = {
        module_name(path): imported_modules(path, modules, names) for path in MODULES if path.name != "__init__.py"
    }
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


@pytest.mark.parametrize("path", PACKAGES, ids=relative)
def test_a_folder_lists_what_it_holds(path: Path) -> None:
    """The docstring of `__init__.py` names every module and sub-folder."""
    docstring = ast.get_docstring(ast.parse((path / "__init__.py").read_text(encoding="utf-8"))) or ""
    if path.name == "commands":
        return  # one file a sub-command; `cli.COMMANDS` lists them, see below
    holds = {item.stem for item in path.glob("*.py") if not item.stem.startswith("__")}
    holds |= {item.parent.name for item in path.glob("*/__init__.py")}
    missing = sorted(name for name in holds if f"`{name}`" not in docstring and f"`{name}/`" not in docstring)
    assert not missing, f"{relative(path)}/__init__.py does not name {missing}"


@pytest.mark.parametrize("path", [p for p in PACKAGES if (p / "__init__.pyi").exists()], ids=relative)
def test_every_listed_name_is_there(path: Path) -> None:
    stub = ast.parse((path / "__init__.pyi").read_text(encoding="utf-8"))
    named = {
        alias.asname or alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    package = importlib.import_module("stackwalls." + relative(path).replace("/", "."))
    assert named == set(package.__all__)
    assert all(hasattr(package, name) for name in named)
    modules = {item.stem for item in path.glob("*.py")}
    assert not named & modules, "a name that is also a module's hides it"


@pytest.mark.parametrize("path", PACKAGES, ids=relative)
def test_init_files_hold_nothing_else(path: Path) -> None:
    body = ast.parse((path / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(body[0], ast.Expr), "an __init__ begins with its docstring"
    assert len(body) <= 3


TELLS_HUB_ERRORS_APART = {
    "model/hub/failures.py": "the one translator",
    "model/hub/client.py": "an answer that is none",
    "model/hub/ids.py": "reads ids",
    "hub_cards/reading.py": "reads the cache if offline; a dataset without a manifest is somebody else's",
}
"""Modules that name the errors of the Hub's clients or spell its ids, and why."""

HUB_ERRORS = re.compile(r"huggingface_hub\.errors|huggingface_hub import .*\berrors\b|(Hub|Repo|Dataset)\w+Error\b")
HUB_ID = re.compile(r'"[^"]*\\w[^"]*/[^"]*\\w[^"]*@[^"]*"')
"""A pattern of `owner/name@revision`."""


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_the_hubs_failures_and_ids_have_one_owner(path: Path) -> None:
    """`hub_failures` translates what the clients raise, and `HubId.parse` reads ids."""
    text = path.read_text(encoding="utf-8")
    found = [match[0] for pattern in (HUB_ERRORS, HUB_ID) for match in pattern.finditer(text)]
    assert not found or relative(path) in TELLS_HUB_ERRORS_APART


SAFE = {
    "from_pretrained": ("trust_remote_code", False),
    "from_config": ("trust_remote_code", False),
    "torch.load": ("weights_only", True),
}
"""Loaders of others' files that can run code which comes with them, and what each use of them must say."""

CANNOT = {
    "load_dataset", "load_dataset_builder", "get_dataset_split_names",  # `datasets` has no loading scripts since 4.0
    "timm.create_model", "models.get_model",  # architectures of the library, weights as tensors
}  # fmt: skip
UNSAFE = re.compile(
    r"(from_pretrained|from_config|from_single_file|from_pipe|from_hub|load_dataset\w*|get_dataset_\w+|create_model|"
    r"get_model|transformers\.pipeline|torch\.load|hub\.load|jit\.load|pickle\.loads?|joblib\.load|unsafe_load|full_load)"
)


@pytest.mark.parametrize("path", [path for path in MODULES if UNSAFE.search(path.read_text("utf-8"))], ids=relative)
def test_no_code_of_others_is_run(path: Path) -> None:
    """Whatever loads a model or a dataset is told not to run its code, or cannot."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        id(loader): {word.arg: getattr(word.value, "value", None) for word in call.keywords}
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for loader in (call.func, *call.args[:1])  # called, or bound by `partial`
    }
    for node in ast.walk(tree):
        name = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
        if not re.search(f"{UNSAFE.pattern}$", name) or any(name == can or name.endswith(f".{can}") for can in CANNOT):
            continue
        word, value = next((said for loader, said in SAFE.items() if name.endswith(loader)), ("", None))
        assert word, f"{relative(path)}:{node.lineno}: {name} may run code of others"
        assert told.get(id(node), {}).get(word) is value, f"{relative(path)}:{node.lineno}: {name} needs {word}={value}"


def test_datasets_has_no_loading_scripts() -> None:
    from importlib.metadata import version

    assert int(version("datasets").split(".")[0]) >= 4


def test_the_front_door_has_what_it_lists_and_imports_nothing_heavy() -> None:
    """In a process of its own, started in the repository's folder, where `stackwalls/` hides the installed packages."""
    code = (
        "import sys, stackwalls; "
        f"assert not [name for name in {HEAVY!r} if name in sys.modules]; "
        "missing = [name for name in dir(stackwalls) if not hasattr(stackwalls, name)]; "
        "from stackwalls.evaluate import evaluate; "
        f"assert not [name for name in {PEERS!r} if name in sys.modules]; "
        "print(missing, stackwalls.Wall.parse('bottom:54'), stackwalls.__version__)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\[\] bottom:54 \d+\.\d+\.\d+\S*", result.stdout.strip())


PRIVATE_TORCH = "evaluate/engine/kernels.py"
"""The only module that may use torch's private names: operators, which change between releases."""


def private_torch(path: Path) -> set[str]:
    """The private names of torch that a module uses: `torch.ops.…`, `torch._C`, `torch.utils._…`, oneDNN, cuDNN."""
    names = imported(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            names.add(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if re.match(r"torch(\.\w+)*\.(_[^_]\w*|ops|mkldnn\w*|cudnn_\w+)\b", name)}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_torchs_private_operators_are_in_one_module(path: Path) -> None:
    assert relative(path) == PRIVATE_TORCH or not private_torch(path)


def test_every_command_is_listed() -> None:
    from stackwalls.stackgen.cli import COMMANDS

    files = {path.stem for path in (ROOT / "stackgen/commands").glob("[!_]*.py")}
    assert files == set(COMMANDS)


@pytest.mark.parametrize("path", sorted((ROOT / "stackgen/commands").glob("*.py")), ids=relative)
def test_commands_share_only_their_options(path: Path) -> None:
    """No command imports another one; what they share is in `_options`, and smaller modules beside it."""
    package = "stackwalls.stackgen.commands"
    found = {name for name in imported(path) if name.startswith(package)}
    shared = {f"{package}.{name}" for name in ("_options", "_cluster", "_layers", "_network", "_nouns", "_settings")}
    assert found <= shared, f"{relative(path)} imports {sorted(found)}"


def test_every_package_is_installed_by_pyproject() -> None:
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == [
        "stackwalls",
        *sorted("stackwalls." + relative(path).replace("/", ".") for path in PACKAGES),
    ]


def test_files_stay_short() -> None:
    long = {relative(path): n for path in MODULES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 300}
    assert not long


def test_help_and_schema_answer_at_once_and_import_nothing_heavy() -> None:
    code = (
        "import sys; from stackwalls.stackgen.cli import build_parser, main; build_parser().format_help(); "
        f"main(['leaderboard', '--schema']); print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
    for arguments in (["--help"], ["leaderboard", "--schema"]):
        times = []
        for _ in range(2):
            before = os.times()
            subprocess.run([sys.executable, "-m", "stackwalls.stackgen", *arguments], capture_output=True, check=True)
            after = os.times()  # not the clock's, which counts whatever else this machine does
            times.append(after.children_user + after.children_system - before.children_user - before.children_system)
        assert min(times) < 0.5


def test_the_tree_is_the_tree() -> None:
    """What CONTRIBUTING's tree names is there, and every folder of two levels; the rest is in each `__init__`."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = re.search(r"```text\n(stackwalls/\n.*?)```", page, re.DOTALL)
    assert tree, "CONTRIBUTING.md shows the project's files"
    named, folder = set(), ""
    for line in tree[1].splitlines()[1:]:
        entry = re.match(r"( +)([\w./-]+)", line)
        assert entry, line
        top = len(entry[1]) == 2
        named.add(entry[2] if top else folder + entry[2])
        folder = entry[2] if top else folder
    assert not [name for name in named if not (ROOT / name).exists()]
    assert not {relative(path) + "/" for path in PACKAGES if len(path.relative_to(ROOT).parts) <= 2} - named


def stackwalls_names(path: Path) -> list[tuple[str, str]]:
    """Each (module, name) of `from stackwalls… import name`, wherever in a file."""
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "stackwalls"
        for alias in node.names
    ]


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=relative)
def test_benchmarks_import_names_that_are_there(path: Path) -> None:
    """Nothing else runs the benchmarks' scripts, so a name that moves would break them unseen."""
    names = stackwalls_names(path)
    missing = [f"{module}.{name}" for module, name in names if not hasattr(importlib.import_module(module), name)]
    assert not missing


OWNERS: dict[str, tuple[str, set[str]]] = {
    "decodes image files": (r"Image\.open\(|decode_jpeg\(|decode_image\(|imread\(", {"model/images/decoding.py"}),
    "knows which files are images": (r'"\.jpe?g"', {"model/images/decoding.py"}),
    "knows that memory ran out": (r"OutOfMemoryError|should_reduce_batch_size", {"model/runtime/device.py"}),
    "chooses a device": (r"mps\.is_available", {"model/runtime/device.py"}),
    "locks a folder": (r"FileLock\(", {"model/files.py"}),
    "counts the cores of this process": (r"sched_getaffinity|cpu_count\(", {"stackmix/mixing.py"}),
    # the last restores what a method caught
    "catches signals": (r"signal\.signal\(", {"model/runtime/signals.py", "evaluate/adapters/isolation.py"}),
}
"""A job → the code that shows that somebody does it, and the only files that may (DESIGN: one owner per job)."""


@pytest.mark.parametrize("job", OWNERS)
def test_one_job_has_one_owner(job: str) -> None:
    pattern, owners = OWNERS[job]
    found = {relative(path) for path in MODULES if re.search(pattern, path.read_text(encoding="utf-8"))}
    assert found == owners, f"{sorted(found - owners)} {job} too; use {sorted(owners)}"


def test_commands_to_run_are_quoted_for_the_shell() -> None:
    """What is filled into a printed command, `stackgen COMMAND …` or `hf …`, is a `quote(…)`, or an id of the Hub."""
    found, unquoted = 0, []
    for path in MODULES:
        for text in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            before = ""
            for part in text.values if isinstance(text, ast.JoinedStr) else ():
                if isinstance(part, ast.FormattedValue) and re.search(r"\b(stackgen|hf) [^\s`]+ [^`;]*$", before):
                    found += 1
                    if not re.match(r"quote\(|(there|hub)\.(name|kind|repository)$", ast.unparse(part.value)):
                        unquoted.append(f"{relative(path)}:{part.lineno}: {ast.unparse(part.value)}")
                before += part.value if isinstance(part, ast.Constant) else "{}"
    assert found > 10
    assert not unquoted


def test_only_one_module_renames_files_into_place() -> None:
    """Whole files are written by `model/files.py`: elsewhere nothing is renamed, and no temporary name is made."""
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            renames = (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and (
                    (node.func.attr in ("replace", "rename") and len(node.args) == 1 and not node.keywords)
                    or (
                        node.func.attr in ("replace", "rename", "renames")
                        and ast.unparse(node.func.value) in ("os", "shutil")
                    )
                )
            )
            temporary = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".tmp")
            if renames or temporary:
                found.add(relative(path))
    assert found == {"model/files.py"}
