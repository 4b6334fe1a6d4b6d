"""Real servers as child processes: started on free ports of the loopback address, stopped by their process id."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def answer(address: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body of an HTTP request, as curl would show them."""
    request = urllib.request.Request(address, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


_libc = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """In the child: a test run that is killed leaves no server behind."""
    pr_set_pdeathsig = 1  # linux/prctl.h
    _libc.prctl(pr_set_pdeathsig, signal.SIGTERM)


class Server:
    """A process that answers HTTP on a port of its own. Its output goes to a file."""

    def __init__(self, command: Sequence[object], log: Path, port: int, ready: str, environment: dict[str, str] | None = None,
                 folder: Path | None = None) -> None:  # fmt: skip
        self.log = log
        self.address = f"http://127.0.0.1:{port}"
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        try:
            self._wait_until(ready, seconds=120)
        except BaseException:
            self.stop()
            raise

    def _wait_until(self, ready: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self.process.returncode}:\n{self.output()}")
            try:
                if answer(self.address + ready)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"the server is not ready after {seconds} s:\n{self.output()}")

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def thread_count(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> int:
        """Asks the process to end, and ends what is left of its session if it does not within a minute. Its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        return self.process.returncode

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
