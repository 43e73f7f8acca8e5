"""What runs now: the stack's processes and addresses, kept in ``prefect/stack.json`` under the data root."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from deployments.configuration import data_root
from deployments.processes import Child, is_running
from geolocate.errors import GeolocateError, StackError
from geolocate.storage import atomic_write


class StackState(BaseModel):
    """The processes that `up` started, and where they answer."""

    model_config = ConfigDict(frozen=True)

    server_url: str = ""
    emulator_url: str = ""
    children: tuple[Child, ...] = ()

    def running(self, name: str) -> Child | None:
        """Return the named process when it still runs."""
        return next((child for child in self.children if child.name == name and is_running(child)), None)

    def adding(self, child: Child) -> "StackState":
        """Return the state with this process in place of an earlier one of its name."""
        others = tuple(other for other in self.children if other.name != child.name)
        return self.model_copy(update={"children": (*others, child)})


def state_file(root: Path) -> Path:
    """Return where the state of this data root's stack is kept."""
    return root / "prefect" / "stack.json"


def load_state(root: Path) -> StackState:
    """Read what runs; no file means that nothing does."""
    path = state_file(root)
    try:
        return StackState.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return StackState()
    except ValidationError:
        raise StackError(f"{path} is damaged: stop the Prefect processes by hand, then delete it") from None


def save_state(root: Path, state: StackState) -> None:
    """Write what runs, or remove the file when nothing does."""
    if not state.children:
        state_file(root).unlink(missing_ok=True)
        return
    with atomic_write(state_file(root)) as file:
        file.write(state.model_dump_json(indent=2).encode() + b"\n")


def running_server_url() -> str:
    """Return the API's address of the stack that runs on this folder's data root, or an empty string."""
    try:
        state = load_state(data_root())
    except GeolocateError:
        return ""  # the command that needs these settings reports what is wrong with them
    return state.server_url if state.running("server") else ""
