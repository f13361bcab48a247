"""`foldsim.data`: where the shipped YAML files are, and what a wheel carries."""

import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from foldsim import data

CHECKOUT = Path(__file__).resolve().parents[1]
KINDS: tuple[data.Kind, ...] = ("hw_profiles", "workloads")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A made-up checkout with two workloads and a profile; returns the package folder inside it."""
    root = tmp_path / "checkout"
    package = root / "simulator" / "foldsim"
    package.mkdir(parents=True)
    (root / "pyproject.toml").touch()
    for file in ("workloads/emformer-rnnt-base.yaml", "workloads/Conv_Small.yaml", "hw_profiles/watch.yaml"):
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).touch()
    (root / "workloads" / "README.md").touch()
    monkeypatch.setattr(data, "_PACKAGE", package)
    return package


def test_a_checkout_is_read_in_place(package):
    assert data.data_dir("workloads") == package.parents[1] / "workloads"
    assert data.data_dir("hw_profiles") == package.parents[1] / "hw_profiles"


def test_shipped_is_sorted_and_holds_only_yaml(package):
    assert list(data.shipped("workloads")) == ["Conv_Small", "emformer-rnnt-base"]
    assert data.shipped("hw_profiles") == {"watch": package.parents[1] / "hw_profiles" / "watch.yaml"}


def test_packaged_data_goes_before_the_checkout(package):
    packaged = package / "_data" / "workloads"
    packaged.mkdir(parents=True)
    assert data.data_dir("workloads") == packaged
    assert data.data_dir("hw_profiles") == package.parents[1] / "hw_profiles"


def test_a_project_around_site_packages_is_not_the_checkout(package, monkeypatch):
    installed = package.parents[1] / ".venv" / "lib" / "site-packages" / "foldsim"
    installed.mkdir(parents=True)
    monkeypatch.setattr(data, "_PACKAGE", installed)
    with pytest.raises(FileNotFoundError, match="workloads are missing"):
        data.data_dir("workloads")


def test_missing_data_says_what_to_do(package, monkeypatch):
    (package.parents[1] / "pyproject.toml").unlink()
    with pytest.raises(FileNotFoundError, match="install foldsim again"):
        data.data_dir("hw_profiles")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="one of: hw_profiles, workloads"):
        data.data_dir("tests")  # type: ignore[arg-type]


def test_a_name_resolves_to_the_shipped_file(package):
    expected = package.parents[1] / "workloads" / "emformer-rnnt-base.yaml"
    assert data.resolve("workloads", "emformer-rnnt-base") == expected


@pytest.mark.parametrize("path", ["mine.yaml", "mine.yml", "MINE.YAML", "./mine", "a/b.yaml", "/x/mine"])
def test_a_path_is_returned_as_it_is(package, path):
    assert data.resolve("workloads", path) == Path(path)


def test_a_path_object_is_a_path_even_without_a_suffix(package):
    assert data.resolve("workloads", Path("emformer-rnnt-base")) == Path("emformer-rnnt-base")


def test_a_close_name_is_suggested(package):
    with pytest.raises(data.UnknownNameError) as caught:
        data.resolve("workloads", "emformer-rnt")
    error = caught.value
    assert error.name == "emformer-rnt"
    assert error.known == ["Conv_Small", "emformer-rnnt-base"]
    assert error.suggestion == "emformer-rnnt-base"
    assert str(error) == (
        "no workload named 'emformer-rnt'; did you mean 'emformer-rnnt-base'? "
        "shipped: Conv_Small, emformer-rnnt-base; or give a path ending in .yaml"
    )


def test_case_and_underscores_do_not_hide_a_suggestion(package):
    with pytest.raises(data.UnknownNameError) as caught:
        data.resolve("workloads", "conv-small")
    assert caught.value.suggestion == "Conv_Small"


def test_a_name_close_to_nothing_gets_no_suggestion(package):
    with pytest.raises(LookupError) as caught:
        data.resolve("hw_profiles", "zzz")
    assert str(caught.value) == "no profile named 'zzz'; shipped: watch; or give a path ending in .yaml"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_odd_names_are_unknown(package, name):
    with pytest.raises(data.UnknownNameError):
        data.resolve("workloads", name)


def test_the_error_survives_pickling():
    """Distributed workers send errors back pickled."""
    error = data.UnknownNameError("workloads", "a", ["b", "c"], "b")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.kind, again.name, again.known, again.suggestion) == ("workloads", "a", ["b", "c"], "b")


@pytest.mark.parametrize("kind", KINDS)
def test_every_shipped_name_resolves_to_a_file(kind):
    files = data.shipped(kind)
    assert files
    for name, path in files.items():
        assert path.is_file()
        assert data.resolve(kind, name) == path


def test_importing_it_loads_nothing_of_weight():
    heavy = ["matplotlib", "numpy", "pandas", "pydantic", "typer", "yaml"]
    code = f"import sys, foldsim.data; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory):
    """Names of the files in the wheel built from the sdist of this checkout, as `python -m build` does it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(CHECKOUT)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_wheel_holds_every_yaml(wheel_names, kind):
    prefix = f"foldsim/_data/{kind}/"
    carried = sorted(name.removeprefix(prefix) for name in wheel_names if name.startswith(prefix))
    assert carried
    assert carried == sorted(path.relative_to(CHECKOUT / kind).as_posix() for path in (CHECKOUT / kind).rglob("*.yaml"))


def test_the_wheel_holds_the_schemas(wheel_names):
    carried = {name for name in wheel_names if name.startswith("foldsim/_data/schemas/")}
    assert carried == {f"foldsim/_data/schemas/{path.name}" for path in (CHECKOUT / "schemas").glob("*.json")}


def test_the_wheel_holds_the_whole_package_and_nothing_beside_it(wheel_names):
    source = CHECKOUT / "simulator"
    package = {
        path.relative_to(source).as_posix()
        for path in (source / "foldsim").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package <= set(wheel_names)
    top = {name.split("/")[0] for name in wheel_names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"foldsim"}
