"""PostgreSQL and Redis for the local stack, as processes: what the compose file has, where no container engine runs.

In: the data root and two ports. Out: both running on this machine's own address only, under a password that was drawn
once, and the environment in which Prefect's server and its background services use them.
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from deployments.components import log_file, require_free_port, wait_until
from deployments.configuration import HOST, StackSettings, prefect_environment
from deployments.processes import Child, start
from geolocate.errors import StackError

# PostgreSQL refuses to run as root; then its package's own user does.
_DATABASE_USER = "postgres"


def start_stores(root: Path, settings: StackSettings) -> list[Child]:
    """Start PostgreSQL and Redis; raises SettingsError for a taken port, StackError for a program that is not there."""
    require_free_port(settings.postgres_port, "GEOLOCATE_POSTGRES_PORT")
    require_free_port(settings.redis_port, "GEOLOCATE_REDIS_PORT")
    password = _password(root)
    return [_start_postgres(root, settings.postgres_port, password), _start_redis(root, settings.redis_port, password)]


def wait_for_stores(children: list[Child], settings: StackSettings) -> None:
    """Wait until both take connections; raises StackError with what they said last."""
    for child, port in zip(children, (settings.postgres_port, settings.redis_port), strict=True):
        wait_until(child, lambda port=port: _listens(port))  # type: ignore[misc]


def store_environment(root: Path, settings: StackSettings) -> dict[str, str]:
    """Return what tells Prefect's server and services where its database and its messages are."""
    password, port = _password(root), str(settings.redis_port)
    return {
        "PREFECT_SERVER_DATABASE_DRIVER": "postgresql+asyncpg",
        "PREFECT_SERVER_DATABASE_HOST": HOST,
        "PREFECT_SERVER_DATABASE_PORT": str(settings.postgres_port),
        "PREFECT_SERVER_DATABASE_USER": "prefect",
        "PREFECT_SERVER_DATABASE_NAME": "postgres",
        "PREFECT_SERVER_DATABASE_PASSWORD": password,
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_REDIS_MESSAGING_HOST": HOST,
        "PREFECT_REDIS_MESSAGING_PORT": port,
        "PREFECT_REDIS_MESSAGING_DB": "0",
        "PREFECT_REDIS_MESSAGING_PASSWORD": password,
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_SERVER_DOCKET_URL": f"redis://:{password}@{HOST}:{port}/1",
    }


def start_server_and_services(root: Path, settings: StackSettings) -> list[Child]:
    """Write the database's tables, then start the server, and the background services beside it."""
    require_free_port(settings.ui_port, "GEOLOCATE_UI_PORT")
    environment = prefect_environment(root, settings.ui_port) | store_environment(root, settings)
    prefect = [sys.executable, "-m", "prefect", "server"]
    _run("migrate", [*prefect, "database", "upgrade", "--yes"], root, environment)
    environment["PREFECT_SERVER_DATABASE_MIGRATE_ON_START"] = "false"
    serve = [*prefect, "start", "--host", HOST, "--port", str(settings.ui_port), "--no-services"]
    folder = Path(environment["PWD"])
    return [
        start("server", serve, environment, log_file(root, "server"), folder),
        start("services", [*prefect, "services", "start"], environment, log_file(root, "services"), folder),
    ]


def _start_postgres(root: Path, port: int, password: str) -> Child:
    folder = root / "postgres"
    if not (folder / "PG_VERSION").exists():
        make_database(root, folder, password)
    listening = ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories="]
    command = [*_as_its_user(), _program("postgres"), "-D", str(folder), "-p", str(port), *listening]
    return start("postgres", command, os.environ, log_file(root, "postgres"), Path("/"))


def make_database(root: Path, folder: Path, password: str) -> None:
    """Make an empty database in a folder; raises StackError where PostgreSQL is not there or cannot run."""
    folder.mkdir(parents=True, exist_ok=True)
    told = root / "initdb.key"
    _write_secret(told, password)
    if _as_its_user():
        shutil.chown(folder, _DATABASE_USER)
        shutil.chown(told, _DATABASE_USER)
    command = [*_as_its_user(), _program("initdb"), "-D", str(folder), "--username=prefect", f"--pwfile={told}"]
    try:
        _run("initdb", [*command, "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"], root, None)
    finally:
        told.unlink()


def _start_redis(root: Path, port: int, password: str) -> Child:
    folder = root / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    lines = {"bind": HOST, "port": port, "dir": folder, "appendonly": "yes", "requirepass": password}
    settings = folder / "redis.conf"  # a password on the command line would stand in the process list
    _write_secret(settings, "".join(f"{name} {value}\n" for name, value in lines.items()))
    return start("redis", [_program("redis-server"), str(settings)], os.environ, log_file(root, "redis"), folder)


def _as_its_user() -> list[str]:
    """Return what a command begins with to run as PostgreSQL's user, where we are root; nothing elsewhere."""
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam(_DATABASE_USER)
    except KeyError:
        raise StackError(
            f"PostgreSQL does not run as root, and there is no user {_DATABASE_USER}: start the stack as another user"
        ) from None
    return [_program("setpriv"), f"--reuid={_DATABASE_USER}", f"--regid={_DATABASE_USER}", "--init-groups"]


def _program(name: str) -> str:
    """Return where the program is; Debian keeps PostgreSQL's own off the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = shutil.which(name) or (debian and str(debian[-1]))
    if not found:
        raise StackError(
            f"{name} is not installed: install PostgreSQL and Redis (Debian: apt install postgresql redis-server), or "
            "leave GEOLOCATE_STORES at sqlite"
        )
    return found


def _password(root: Path) -> str:
    path = root / "prefect" / "stores.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_secret(path, secrets.token_hex(24))
    return path.read_text(encoding="utf-8")


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _run(name: str, command: list[str], root: Path, environment: dict[str, str] | None) -> None:
    """Run a command to its end; raises StackError with what it said last."""
    log = log_file(root, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    folder = (environment or {}).get("PWD", "/")
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    log.write_text(said, encoding="utf-8")
    if done.returncode:
        last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")
        raise StackError(f"{name} failed: {last}; the whole is in {log}")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0
