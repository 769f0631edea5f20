"""Access events as the lines that nodes write."""

import msgspec

encode_event = msgspec.json.Encoder().encode
"""An event as its line, without the newline; JSON escapes newlines in texts."""
