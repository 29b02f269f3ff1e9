"""What goes wrong with the embedded servers, said so that the reader can mend it."""


class EmbeddedError(Exception):
    """An embedded server can't be had; the message names what failed and the fix."""
